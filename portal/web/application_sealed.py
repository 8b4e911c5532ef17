"""A sealed application for those who sealed it: what stands in clear, and its content by their password."""

from __future__ import annotations

from uuid import UUID

from flask import Response, g, render_template, request
from flask.typing import ResponseReturnValue

from portal.applications.following import letters
from portal.applications.following.dossier import Dossier
from portal.applications.models import State, Submission
from portal.applications.queries import submissions_of
from portal.applications.sealing import vault as sealing
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems, Refused
from portal.documents import pdf
from portal.identity.policy import Permission, allowed
from portal.tenders.seal_keys import FIELD, LONGEST
from portal.web.application_frame import CONFIDENTIAL, blueprint, hidden, opened
from portal.web.application_paper import paper_data
from portal.web.files import disposition
from portal.web.forms import ActionForm
from portal.web.page import page


def typed_password(name: str = FIELD) -> str:
    """The password that was typed; never shown again."""
    return request.form.get(name, "")[: LONGEST + 1]


@page(
    blueprint,
    "/<uuid:application_id>/sealed",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_VIEW,
    repeatable=True,
)
def sealed(application_id: UUID) -> ResponseReturnValue:
    """Where a sealed application stands; with its password, the whole of it as PDF."""
    dossier = opened(application_id)
    if dossier.application.state != State.SEALED:
        raise NotFound
    row = submissions_of(session(), application_id)[0]
    if request.method == "GET":
        return _page(dossier, row)
    if hidden(dossier):
        raise Refused(CONFIDENTIAL)
    try:
        content = sealing.read_own(session(), g.actor, dossier, typed_password())
    except Problems as refused:
        return _page(dossier, row, refused.problems), 422
    response = Response(pdf.render("application", paper_data(dossier, row, content)), mimetype="application/pdf")
    response.headers["Content-Disposition"] = disposition("attachment", f"{row.number}-{row.round}.pdf")
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _page(dossier: Dossier, row: Submission, problems: tuple[Problem, ...] = ()) -> str:
    application = dossier.application
    return render_template(
        "applications/sealed.html",
        dossier=dossier,
        application=application,
        submission=row,
        received=letters.instant(row.received_at, application.tender.zone),
        problems=problems,
        may_read=not hidden(dossier),
        may_withdraw=dossier.intake.open and allowed(g.actor, Permission.APPLICATION_WITHDRAW, application),
        action_form=ActionForm(formdata=None),
    )
