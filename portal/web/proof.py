"""How anyone checks a result: the bundle of a tender, the program that recomputes it, the trail's published heads."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response, g, render_template, url_for
from flask.typing import ResponseReturnValue

from config import ROOT
from portal.audit import heads
from portal.awards.proof import bundles
from portal.awards.results import published_results
from portal.core import signing
from portal.core.canonical import canonical_json
from portal.core.db import session
from portal.core.errors import NotFound
from portal.identity.policy import Permission
from portal.notifications.letters import address
from portal.tenders import queries
from portal.web import files
from portal.web.page import page

pages = Blueprint("proof", __name__)

VERIFIER: Final = ROOT / "verifier" / "verify.py"
SHOWN: Final = 60
"""Published heads on the page; the feed has all."""


@page(pages, "/tenders/<code>/results/proof", get=Permission.PUBLIC)
def show(code: str) -> ResponseReturnValue:
    """What is in the bundle, what is not, how to check it at home, and the earlier versions."""
    row = queries.by_code(session(), g.actor, code)
    if not published_results(session(), row.tender.id):
        raise NotFound
    versions = bundles.versions(session(), row.tender.id)
    return render_template(
        "proof/show.html",
        row=row,
        tender=row.tender,
        versions=versions,
        bundle=versions[0] if versions else None,
        key=signing.public_key(),
        commands=commands(code),
    )


@page(pages, "/tenders/<code>/results.zip", get=Permission.PUBLIC)
def download(code: str) -> ResponseReturnValue:
    """The newest results bundle."""
    row = queries.by_code(session(), g.actor, code)
    bundle = bundles.newest(session(), row.tender.id)
    if bundle is None:
        raise NotFound
    return files.send(bundle.file)


@page(pages, "/tenders/<code>/results/<int:version>.zip", get=Permission.PUBLIC)
def version(code: str, version: int) -> ResponseReturnValue:
    """A version of the results bundle; the first one is version 1."""
    row = queries.by_code(session(), g.actor, code)
    versions = bundles.versions(session(), row.tender.id)
    if not 0 < version <= len(versions):
        raise NotFound
    return files.send(versions[-version].file)


@page(pages, "/verify.py", get=Permission.PUBLIC)
def verifier() -> ResponseReturnValue:
    """The program that checks a bundle."""
    response = Response(VERIFIER.read_bytes(), mimetype="text/x-python")
    response.headers["Content-Disposition"] = files.disposition("attachment", VERIFIER.name)
    return response


@page(pages, "/audit-heads", get=Permission.PUBLIC)
def audit_heads() -> ResponseReturnValue:
    """The heads of the audit trail as they were published, newest first."""
    return render_template("proof/heads.html", heads=heads.published(session(), SHOWN), key=signing.public_key())


@page(pages, "/audit-heads.json", get=Permission.PUBLIC)
def heads_json() -> ResponseReturnValue:
    """All published heads with their signatures, for programs."""
    return Response(canonical_json(heads.feed(heads.published(session()))), mimetype="application/json")


def commands(code: str, more: str = "") -> list[str]:
    """What is typed to check the bundle of a tender together with the published heads."""
    return [
        f"curl -O {address(url_for('proof.download', code=code))}",
        f"curl -O {address(url_for('proof.verifier'))}",
        f"curl -O {address(url_for('proof.heads_json'))}",
        f"python3 verify.py results.zip --heads audit-heads.json{more}",
    ]
