"""After the decision: appeals of applicants with the fund's answer, and the refusal of an award."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import joinedload
from wtforms import RadioField, TextAreaField

from portal.agreements import refusing
from portal.applications.models import Application
from portal.awards.amendment_checks import REVISED
from portal.awards.commission import appeals
from portal.awards.commission.appeal_models import Appeal, AppealState
from portal.core.db import session
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused
from portal.core.language import N_
from portal.identity.policy import Permission, allowed, authorize, scope
from portal.scoring.queries import rules_of
from portal.web.forms import PortalForm, as_choices
from portal.web.page import page
from portal.web.paging import Page, keyset

pages = Blueprint("award_appeals", __name__)


class AppealForm(PortalForm):
    text = TextAreaField(_l("What you appeal against, and why"))


class RefusalForm(PortalForm):
    reason = TextAreaField(_l("Why the subsidy is refused"))


class RulingForm(PortalForm):
    verdict = RadioField(_l("Ruling"), validate_choice=False)
    reason = TextAreaField(_l("Reasons"), description=_l("The applicant reads them"))


@page(pages, "/applications/<uuid:application_id>/appeal", get=Permission.APPEAL_FILE, post=Permission.APPEAL_FILE)
def appeal(application_id: UUID) -> ResponseReturnValue:
    """The applicant's appeal: file it, or read what became of it."""
    _own(application_id, Permission.APPEAL_FILE)
    form = AppealForm()
    if request.method == "GET":
        return _appeal_page(application_id, form)
    try:
        appeals.file(session(), g.actor, application_id, text=form.text.data or "")
    except Problems as found:
        session().rollback()
        form.attach(found.problems)
        return _appeal_page(application_id, form, code=422)
    except Conflict as refusal:
        session().rollback()
        return _appeal_page(application_id, form, refusal)
    flash(_("Your appeal is registered."), "success")
    return redirect(url_for(".appeal", application_id=application_id), 303)


@page(
    pages, "/applications/<uuid:application_id>/award/refuse", get=Permission.AWARD_REFUSE, post=Permission.AWARD_REFUSE
)
def refuse_award(application_id: UUID) -> ResponseReturnValue:
    """The initiator does not take the subsidy."""
    application = _own(application_id, Permission.AWARD_REFUSE)
    form = RefusalForm()
    if request.method == "GET":
        return _refusal_page(application, form)
    try:
        refusing.refuse(session(), g.actor, application_id, reason=form.reason.data or "")
    except Problems as found:
        session().rollback()
        form.attach(found.problems)
        return _refusal_page(_own(application_id, Permission.AWARD_REFUSE), form, code=422)
    except Conflict as refusal:
        session().rollback()
        return _refusal_page(_own(application_id, Permission.AWARD_REFUSE), form, refusal)
    flash(_("The award is refused. The money is available to other projects again."), "success")
    return redirect(url_for("applications.overview", application_id=application_id), 303)


@page(pages, "/staff/appeals", get=Permission.APPEAL_VIEW)
def index() -> ResponseReturnValue:
    """All appeals, the latest first."""
    listed: Page[Any] = keyset(
        session(),
        scope(g.actor, Appeal).options(joinedload(Appeal.application, innerjoin=True)),
        (Appeal.filed_at, Appeal.id),
        lambda row: (row.filed_at, row.id),
        request.args.get("cursor"),
    )
    return render_template("appeals/index.html", listed=listed, rows=listed.rows)


@page(pages, "/staff/appeals/<uuid:appeal_id>", get=Permission.APPEAL_VIEW)
def show(appeal_id: UUID) -> ResponseReturnValue:
    """One appeal, and what is to be decided on it."""
    return _staff_page(appeal_id, RulingForm(formdata=None))


@page(pages, "/staff/appeals/<uuid:appeal_id>/examine", post=Permission.APPEAL_DECIDE)
def examine(appeal_id: UUID) -> ResponseReturnValue:
    """Admit an appeal, or not."""
    return _ruled(appeal_id, ("admit", "reject"))


@page(pages, "/staff/appeals/<uuid:appeal_id>/decide", post=Permission.APPEAL_DECIDE)
def decide(appeal_id: UUID) -> ResponseReturnValue:
    """Uphold an appeal, or dismiss it."""
    return _ruled(appeal_id, ("uphold", "dismiss"))


def _ruled(appeal_id: UUID, verdicts: tuple[str, str]) -> ResponseReturnValue:
    form = RulingForm()
    if form.verdict.data not in verdicts:
        form.attach([Problem("required", "verdict", N_("Choose what you rule."))])
        return _staff_page(appeal_id, form, code=422)
    favourable = form.verdict.data == verdicts[0]
    reason, version = form.reason.data or "", form.version.data or 0
    try:
        if verdicts[0] == "admit":
            ruled = appeals.examine(
                session(), g.actor, appeal_id, admit=favourable, reason=reason, expected_version=version
            )
        else:
            ruled = appeals.decide(
                session(), g.actor, appeal_id, uphold=favourable, reason=reason, expected_version=version
            )
    except Problems as found:
        session().rollback()
        form.attach(found.problems)
        return _staff_page(appeal_id, form, code=422)
    except (Conflict, Refused) as refusal:
        session().rollback()
        return _staff_page(appeal_id, form, refusal)
    flash(_("The ruling is kept, and the applicant is told."), "success")
    correct = ruled.state == AppealState.UPHELD and ruled.application.state in REVISED
    if correct and allowed(g.actor, Permission.AWARD_DRAFT):
        flash(_("The published result is to be corrected: check what the ruling leads to, and draft it."), "success")
        place = ruled.application.tender_track_id
        return redirect(url_for("award_changes.correct", tender_track_id=place, appeal=appeal_id), 303)
    return redirect(url_for(".show", appeal_id=appeal_id), 303)


def _own(application_id: UUID, permission: Permission) -> Application:
    """The application with its tender, for those who act for its initiator."""
    application = session().scalar(
        select(Application)
        .where(Application.id == application_id)
        .options(joinedload(Application.tender, innerjoin=True))
        .execution_options(populate_existing=True)
    )
    if application is None:
        raise NotFound
    authorize(g.actor, permission, application)
    return application


def _appeal_page(
    application_id: UUID, form: AppealForm, refusal: Conflict | None = None, code: int = 200
) -> ResponseReturnValue:
    current = session()
    application = _own(application_id, Permission.APPEAL_FILE)
    found = appeals.standing(current, application, rules_of(current, application.tender_track_id))
    if found is None:
        raise NotFound
    return render_template(
        "appeals/appeal.html",
        application=application,
        rows=found.rows,
        until=found.until,
        may=found.may,
        form=form,
        problems=[Problem("refused", "", refusal.reason)] if refusal else [],
    ), 409 if refusal else code


def _refusal_page(
    application: Application, form: RefusalForm, refusal: Conflict | None = None, code: int = 200
) -> ResponseReturnValue:
    line = refusing.awarded_line(session(), application)
    if line is None and refusal is None:
        raise NotFound
    return render_template(
        "appeals/refuse.html",
        application=application,
        line=line,
        form=form,
        problems=[Problem("refused", "", refusal.reason)] if refusal else [],
    ), 409 if refusal else code


def _staff_page(
    appeal_id: UUID, form: RulingForm, refusal: Conflict | Refused | None = None, code: int = 200
) -> ResponseReturnValue:
    current = session()
    row = current.scalar(
        scope(g.actor, Appeal)
        .where(Appeal.id == appeal_id)
        .options(
            joinedload(Appeal.application, innerjoin=True),
            joinedload(Appeal.decision, innerjoin=True),
            joinedload(Appeal.filer, innerjoin=True),
            joinedload(Appeal.examiner),
            joinedload(Appeal.decider),
        )
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound
    choices = {
        AppealState.FILED: [("admit", _("Admit: it is examined")), ("reject", _("Do not admit"))],
        AppealState.ADMITTED: [("uphold", _("Uphold: the result is corrected")), ("dismiss", _("Dismiss"))],
    }.get(AppealState(row.state), [])
    form.verdict.choices = as_choices(choices)
    if form.version.data is None:
        form.version.data = row.version
    if refusal is not None:
        code = 409 if isinstance(refusal, Conflict) else 403
    return render_template(
        "appeals/show.html",
        row=row,
        form=form,
        open=bool(choices),
        away=appeals.refusal_of(current, g.actor, row),
        problems=[Problem("refused", "", refusal.reason)] if refusal else [],
    ), code
