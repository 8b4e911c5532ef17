"""Letters of fit that the specialised organisation is asked for: read, sign, refuse."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications.following.dossier import Dossier
from portal.applications.models import FitLetter, LetterState
from portal.applications.partners import fit
from portal.applications.rules import EDITABLE
from portal.applications.signatures.scope import LETTER_FIELDS, manifest_bytes
from portal.core.db import session
from portal.core.errors import Problem, Problems, Stale
from portal.identity.policy import Permission
from portal.web import fresh
from portal.web.application_signing import file_response
from portal.web.forms import ActionForm
from portal.web.frozen import answers
from portal.web.page import page

pages = Blueprint("spec_org_letters", __name__, url_prefix="/spec-org/letters")


@page(
    pages,
    "/<uuid:letter_id>",
    get=Permission.FIT_LETTER_SIGN,
    post=Permission.FIT_LETTER_SIGN,
)
def show(letter_id: UUID) -> ResponseReturnValue:
    """What the project is about, and the answer: a signed letter, or a refusal with its reason."""
    dossier, row = fit.opened(session(), g.actor, letter_id)
    if request.method == "GET":
        return _letter(dossier, row)
    try:
        if request.form.get("answer") == "refuse":
            fit.refuse(session(), g.actor, letter_id=letter_id, reason=request.form.get("reason", ""))
            flash(_("The letter is refused, and the initiator has been told why."), "success")
        else:
            fit.sign(
                session(),
                g.actor,
                letter_id=letter_id,
                expected_digest=request.form.get("digest", ""),
                roadmap_action=request.form.get("roadmap_action", ""),
                shown=fresh.show(),
            )
            flash(_("The letter is signed, and the initiator has been told."), "success")
    except Stale as stale:
        dossier, row = fit.opened(session(), g.actor, letter_id)
        return _letter(dossier, row, (Problem("stale", "", stale.reason),)), 409
    except Problems as refused:
        return _letter(dossier, row, refused.problems), 422
    return redirect(url_for("spec_org.index"), 303)


def _letter(dossier: Dossier, row: FitLetter, problems: tuple[Problem, ...] = ()) -> str:
    return render_template(
        "spec_org/letter.html",
        row=row,
        application=dossier.application,
        participants=dossier.accepted,
        answers=answers(dossier.package.content["project"], LETTER_FIELDS, dossier.rules),
        binding=fit.binding(dossier, row.organisation, ""),
        open=row.state == LetterState.ASKED and dossier.application.state in EDITABLE,
        problems=problems,
        asked=None if fresh.fresh() else fresh.kind(),
        typed=request.form,
        action_form=ActionForm(formdata=None),
    )


@page(pages, "/<uuid:letter_id>/manifest.json", get=Permission.FIT_LETTER_SIGN)
def manifest(letter_id: UUID) -> ResponseReturnValue:
    """The manifest that the letter's signature is over, as it is without an action cited."""
    dossier, row = fit.opened(session(), g.actor, letter_id)
    binding = fit.binding(dossier, row.organisation, "")
    return file_response(manifest_bytes(binding.manifest), f"letter-{str(row.id)[-8:]}.json")
