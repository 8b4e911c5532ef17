"""Exceptions from the closing of a tender: who was let in later and why; officers grant and revoke."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import StringField, TextAreaField

from portal.applications.models import DeadlineException
from portal.applications.submissions import closing_exceptions
from portal.applications.submissions.closing_exceptions import ExceptionValues, Granted
from portal.core.clock import now
from portal.core.db import session
from portal.core.errors import NotFound, Problems
from portal.core.formats import EXAMPLE_DAY
from portal.identity.policy import Permission, find
from portal.tenders import queries
from portal.tenders.models import Tender
from portal.tenders.rules import ALLOWED
from portal.web.forms import PortalForm
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.tenders import WallTimeField

pages = Blueprint("exceptions", __name__, url_prefix="/staff/tenders")


class GrantForm(PortalForm):
    """Whom it is for, until when, and why."""

    inn = StringField(
        _l("INN of the initiator"),
        description=_l("For all its applications in this tender. With the KPP if needed: 7700000000/770001001"),
    )
    application = StringField(
        _l("Or one application"), description=_l("Its registration number, or the reference from its address")
    )
    closes = WallTimeField(
        _l("Accepted until"), description=_l("In the tender's zone, for example %(day)s 18:00", day=EXAMPLE_DAY)
    )
    reason = TextAreaField(
        _l("Reason"), description=_l("The applicants, the fund's staff and auditors read it; it cannot be changed")
    )


class RevokeForm(PortalForm):
    """Why it is taken back."""

    reason = TextAreaField(_l("Reason"), description=_l("The applicants, the fund's staff and auditors read it"))


@page(pages, "/<uuid:tender_id>/exceptions", get=Permission.EXCEPTION_VIEW)
def index(tender_id: UUID) -> ResponseReturnValue:
    """The exceptions of a tender, the newest first."""
    row = queries.by_id(session(), g.actor, tender_id)
    found: Page[Any] = keyset(
        session(),
        closing_exceptions.granted_select(g.actor, tender_id),
        (DeadlineException.created_at, DeadlineException.id),
        lambda item: (item[0].created_at, item[0].id),
        request.args.get("cursor"),
    )
    return render_template(
        "exceptions/index.html",
        row=row,
        tender=row.tender,
        page=found,
        granted=[Granted(given, taken) for given, taken in found.rows],
        now=now(session()),
        possible=row.status in ALLOWED["except"],
    )


@page(pages, "/<uuid:tender_id>/exceptions/new", get=Permission.EXCEPTION_GRANT, post=Permission.EXCEPTION_GRANT)
def grant(tender_id: UUID) -> ResponseReturnValue:
    """Let one applicant submit later."""
    row = find(session(), g.actor, Tender, tender_id)
    form = GrantForm()
    if form.validate_on_submit():
        values = ExceptionValues(
            application=form.application.data or "",
            inn=form.inn.data or "",
            closes=form.closes.data,
            reason=form.reason.data or "",
        )
        try:
            closing_exceptions.grant(session(), g.actor, tender_id, values=values)
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("The exception is granted. The applicants have got a letter."), "success")
            return redirect(url_for(".index", tender_id=tender_id), 303)
    return render_template("exceptions/grant.html", form=form, tender=row), 422 if form.errors else 200


@page(
    pages,
    "/<uuid:tender_id>/exceptions/<uuid:exception_id>/revoke",
    get=Permission.EXCEPTION_GRANT,
    post=Permission.EXCEPTION_GRANT,
)
def revoke(tender_id: UUID, exception_id: UUID) -> ResponseReturnValue:
    """Take an exception back, with a reason."""
    row = find(session(), g.actor, Tender, tender_id)
    given = find(session(), g.actor, DeadlineException, exception_id)
    if given.tender_id != tender_id or given.revokes_id is not None:
        raise NotFound
    form = RevokeForm()
    if form.validate_on_submit():
        try:
            closing_exceptions.revoke(session(), g.actor, exception_id, reason=form.reason.data or "")
        except Problems as problems:
            form.attach(problems.problems)
        else:
            flash(_("The exception is revoked. The applicants have got a letter."), "success")
            return redirect(url_for(".index", tender_id=tender_id), 303)
    return render_template("exceptions/revoke.html", form=form, tender=row, given=given), 422 if form.errors else 200
