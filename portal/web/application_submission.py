"""Submitting, withdrawing, and the receipt."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask import Response, flash, g, redirect, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

import portal.scoring.jobs  # noqa: F401 - submitting enqueues its work
from portal.applications.following import letters
from portal.applications.following.corrections import unsettled
from portal.applications.following.dossier import Dossier
from portal.applications.models import State, Submission
from portal.applications.queries import submissions_of
from portal.applications.rules import EDITABLE, TRANSITIONS
from portal.applications.signatures.signing import unconfirmed
from portal.applications.submissions import submission
from portal.applications.submissions.submission import Standing, standing
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.documents import pdf
from portal.identity.policy import Permission, authorize
from portal.tenders.seal_keys import FIELD
from portal.web.application_frame import (
    Tasks,
    blueprint,
    hrefs,
    labelled,
    opened,
    section_url,
    wording,
)
from portal.web.application_sealed import typed_password
from portal.web.application_signing import signed_rows
from portal.web.forms import ActionForm
from portal.web.language import locale
from portal.web.page import page


@page(
    blueprint,
    "/<uuid:application_id>/submit",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_SUBMIT,
)
def submit(application_id: UUID) -> ResponseReturnValue:
    """Everything that keeps the application from submission, or the button."""
    dossier = opened(application_id)
    authorize(g.actor, Permission.APPLICATION_SUBMIT, dossier.application)
    if request.method == "GET":
        if dossier.application.state not in EDITABLE:
            return redirect(section_url(dossier, "overview", None), 303)
        return _submit(dossier, standing(dossier))
    try:
        submission.submit(
            session(),
            g.actor,
            application_id=application_id,
            acknowledged=request.form.get("acknowledged") == "y",
            password=typed_password(),
            again=typed_password(f"{FIELD}_again"),
        )
    except Problems as refused:
        return _submit(dossier, standing(dossier), refused.problems), 422
    return redirect(_receipt_url(dossier), 303)


def _submit(dossier: Dossier, stands: Standing, refused: tuple[Problem, ...] = ()) -> str:
    problems = refused or (*stands.problems, *unconfirmed(dossier), *unsettled(session(), dossier))
    links = hrefs(dossier, problems)
    links |= {name: f"#{name}" for name in IN_PLACE}
    return render_template(
        "applications/submit.html",
        dossier=dossier,
        application=dossier.application,
        standing=stands,
        problems=problems,
        labelled=labelled(dossier, problems),
        hrefs=links,
        refused=bool(refused),
        ready=not [p for p in problems if p.field not in IN_PLACE],
        in_time=_in_time(dossier),
        wording=wording,
        action_form=ActionForm(formdata=None),
        tasks=Tasks(dossier, stands).mine(),
    )


IN_PLACE: Final = ("acknowledged", FIELD, f"{FIELD}_again")
"""Problems that are corrected on the page of submission itself."""


def _in_time(dossier: Dossier) -> bool:
    returned = dossier.application.state == State.RETURNED
    return dossier.intake.correction if returned else dossier.intake.open


@page(
    blueprint,
    "/<uuid:application_id>/withdraw",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_WITHDRAW,
)
def withdraw(application_id: UUID) -> ResponseReturnValue:
    """Take the application back, after having read what that means."""
    dossier = opened(application_id)
    authorize(g.actor, Permission.APPLICATION_WITHDRAW, dossier.application)
    if request.method == "POST":
        try:
            submission.withdraw(
                session(),
                g.actor,
                application_id=application_id,
                password=typed_password(),
                forget=request.form.get("forget") == "y",
            )
        except Problems as refused:
            return _withdraw(dossier, refused.problems), 422
        flash(_("The application has been withdrawn. You can change it and submit it again."), "success")
        return redirect(section_url(dossier, "overview", None), 303)
    if not TRANSITIONS.allows("withdraw", State(dossier.application.state)):
        return redirect(section_url(dossier, "overview", None), 303)
    return _withdraw(dossier)


def _withdraw(dossier: Dossier, problems: tuple[Problem, ...] = ()) -> str:
    return render_template(
        "applications/withdraw.html",
        dossier=dossier,
        application=dossier.application,
        problems=problems,
        action_form=ActionForm(formdata=None),
    )


@page(blueprint, "/<uuid:application_id>/receipt", get=Permission.APPLICATION_VIEW)
def receipt(application_id: UUID) -> ResponseReturnValue:
    """What was received, and when; of an earlier round with ``?round=``."""
    dossier = opened(application_id)
    rounds = submissions_of(session(), application_id)
    row = _round(rounds)
    return render_template(
        "applications/receipt.html",
        dossier=dossier,
        application=dossier.application,
        submission=row,
        rounds=rounds,
        received=letters.instant(row.received_at, dossier.application.tender.zone),
        signed=signed_rows(row.snapshot, dossier.application.tender.zone, locale()),
    )


@page(blueprint, "/<uuid:application_id>/receipt.pdf", get=Permission.APPLICATION_VIEW)
def receipt_pdf(application_id: UUID) -> ResponseReturnValue:
    """The receipt on paper."""
    dossier = opened(application_id)
    row = _round(submissions_of(session(), application_id))
    content = pdf.render("receipt", receipt_data(row, dossier, locale()))
    response = Response(content, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{row.number}-{row.round}.pdf"'
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response


def receipt_data(row: Submission, dossier: Dossier, language: str) -> dict[str, Any]:
    """What the receipt says, from the frozen version."""
    content = row.snapshot
    tender = dossier.application.tender
    return {
        "locale": language,
        "labels": {
            "title": _("Receipt of an application"),
            "number": _("Registration number"),
            "received": _("Received"),
            "project": _("Project"),
            "tender": _("Tender"),
            "cluster": _("Cluster"),
            "participants": _("Participants"),
            "initiator": _("initiator"),
            "inn": _("INN"),
            "sha256": _("SHA-256 of the frozen version"),
            "round": _("Submission"),
            "note": _(
                "The time is that of the portal's database. The SHA-256 is computed from the canonical JSON"
                " of the frozen version; whoever holds the same content gets the same value."
            ),
            "signatures": _("Signatures"),
            "signed_digest": _("SHA-256 of the signed manifest"),
            "portal": _("Joint Projects Portal"),
        },
        "day": [row.received_at.year, row.received_at.month, row.received_at.day],
        "number": row.number,
        "round": str(row.round),
        "received": letters.instant(row.received_at, tender.zone)[language],
        "project": _name(content["project"], language) if content else _("Sealed until the opening"),
        "tender": tender.title_ru if language == "ru" else tender.title_en,
        "cluster": _name(content["cluster"], language) if content else "—",
        "participants": [
            {
                "name": _name(part["organisation"], language),
                "inn": part["organisation"]["inn"],
                "initiator": part["role"] == "initiator",
            }
            for part in content.get("participants") or ()
        ],
        "signed": signed_rows(content, tender.zone, language),
        "sha256": row.sha256,
    }


def _name(thing: dict[str, Any], language: str) -> str:
    other = "en" if language == "ru" else "ru"
    return str(thing.get(f"name_{language}") or thing.get(f"name_{other}") or "")


def _round(rounds: list[Submission]) -> Submission:
    """The round that was asked for, else the newest. Raises :class:`NotFound`."""
    asked = request.args.get("round", "")
    for row in rounds:
        if not asked or str(row.round) == asked:
            return row
    raise NotFound


def _receipt_url(dossier: Dossier) -> str:
    return section_url(dossier, "overview", None) + "/receipt"
