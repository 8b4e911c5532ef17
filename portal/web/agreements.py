"""Agreements for the fund's people: the list, what waits for one, the agreement itself, its draft and its signature."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.agreements import queries, rules, service
from portal.agreements.models import Agreement, AgreementState
from portal.agreements.queries import Filters, Listed, View
from portal.awards.models import DecisionLine
from portal.budget import queries as budget
from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import Conflict, Problem, Problems, Refused
from portal.identity.policy import Permission, authorize, decide
from portal.tenders.models import Track
from portal.tenders.rules import TRACK_NAMES
from portal.web import agreement_forms as forms
from portal.web.budget_words import account_name, kind_name
from portal.web.days import written
from portal.web.forms import ActionForm, PortalForm, uuid_argument
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.staff_list import choices

pages = Blueprint("agreements", __name__, url_prefix="/staff/agreements")

SHOWN_STATES: Final = (
    AgreementState.DRAFT,
    AgreementState.SIGNED,
    AgreementState.ENDED,
    AgreementState.DISCARDED,
)


class TypedForm(PortalForm):
    """The fields are read as they were typed."""


@pages.context_processor
def _names() -> dict[str, Any]:
    return {
        "track_name": lambda track: say(TRACK_NAMES[Track(track)]),
        "account_name": account_name,
        "kind_name": kind_name,
    }


@page(pages, "", get=Permission.AGREEMENT_VIEW)
def index() -> ResponseReturnValue:
    """The agreements, newest first."""
    current, day = session(), today(session())
    filters = Filters(
        tender_id=uuid_argument("tender"),
        track=request.args.get("track", ""),
        state=request.args.get("state", ""),
        words=request.args.get("q", ""),
        overdue=bool(request.args.get("overdue")),
    )
    listed: Page[Any] = keyset(
        current,
        queries.listed(g.actor, filters, day),
        (Agreement.created_at, Agreement.id),
        lambda row: (row[0].created_at, row[0].id),
        request.args.get("cursor"),
    )
    tenders, _clusters = choices(current, locale())
    return render_template(
        "agreements/index.html",
        listed=listed,
        rows=[Listed(*row) for row in listed.rows],
        filters=filters,
        filtered=any((filters.tender_id, filters.track, filters.state, filters.words, filters.overdue)),
        tenders=[(str(row.id), row.label) for row in tenders],
        tracks=[(track.value, say(TRACK_NAMES[track])) for track in reversed(Track)],
        states=SHOWN_STATES,
        waiting=queries.waiting_count(current, g.actor),
        today=day,
    )


@page(pages, "/waiting", get=Permission.AGREEMENT_VIEW)
def waiting() -> ResponseReturnValue:
    """Awards that have no agreement yet, the newest first."""
    return _waiting_page()


@page(pages, "/lines/<uuid:line_id>/start", post=Permission.AGREEMENT_DRAFT)
def start(line_id: UUID) -> ResponseReturnValue:
    """Draft an agreement for an award."""
    try:
        made = service.start(session(), g.actor, line_id)
    except (Conflict, Refused) as refusal:
        session().rollback()
        return _waiting_page([_whole(refusal)]), _status(refusal)
    flash(_("The draft is there with a proposed schedule. Check and complete it."), "success")
    return redirect(url_for(".edit", agreement_id=made.id), 303)


@page(pages, "/<uuid:agreement_id>", get=Permission.AGREEMENT_VIEW)
def show(agreement_id: UUID) -> ResponseReturnValue:
    """The agreement, its tranches, its money in the ledger."""
    return _show_page(agreement_id)


@page(pages, "/<uuid:agreement_id>/edit", get=Permission.AGREEMENT_DRAFT, post=Permission.AGREEMENT_DRAFT)
def edit(agreement_id: UUID) -> ResponseReturnValue:
    """Write the draft: who signs, tranches, results, what is due."""
    current = session()
    view = queries.view(current, g.actor, agreement_id)
    form = TypedForm()
    if request.method == "GET":
        if view.agreement.state != AgreementState.DRAFT:
            return redirect(url_for(".show", agreement_id=agreement_id))
        form.version.data = view.agreement.version
        return _edit_page(form, view, forms.from_draft(service.written(view.agreement)))
    typed = forms.from_form(request.form)
    draft, problems = forms.read(typed)
    if request.form.get("step") == "more":
        form.attach(())
        return _edit_page(form, view, typed, blanks=6)
    try:
        if problems:
            raise Problems(problems)
        service.save(current, g.actor, agreement_id, draft=draft, expected_version=form.version.data)
    except Problems as found:
        return _refused_edit(form, agreement_id, typed, found.problems), 422
    except Conflict as refusal:
        return _refused_edit(form, agreement_id, typed, (_whole(refusal),)), 409
    flash(_("The draft is saved."), "success")
    return redirect(url_for(".show", agreement_id=agreement_id), 303)


@page(pages, "/<uuid:agreement_id>/discard", post=Permission.AGREEMENT_DRAFT)
def discard(agreement_id: UUID) -> ResponseReturnValue:
    """Put a draft away."""
    queries.view(session(), g.actor, agreement_id)
    try:
        service.discard(session(), g.actor, agreement_id, expected_version=ActionForm().version.data)
    except Conflict as refusal:
        session().rollback()
        return _show_page(agreement_id, [_whole(refusal)]), 409
    flash(_("The draft is discarded."), "success")
    return redirect(url_for(".waiting"), 303)


@page(pages, "/<uuid:agreement_id>/sign", get=Permission.AGREEMENT_SIGN, post=Permission.AGREEMENT_SIGN)
def sign(agreement_id: UUID) -> ResponseReturnValue:
    """Register the signatures of both sides; the page shows what that books."""
    current = session()
    form = TypedForm()
    typed = {name: request.form.get(name, "").strip() for name in ("number", "signed_on")}
    if request.method == "GET":
        view = queries.view(current, g.actor, agreement_id)
        if view.agreement.state != AgreementState.DRAFT:
            return redirect(url_for(".show", agreement_id=agreement_id))
        form.version.data = view.agreement.version
        typed = {"number": f"{view.application.number}/1", "signed_on": written(today(current))}
        return _sign_page(form, view, typed)
    problems: list[Problem] = []
    day = forms.day_of(typed["signed_on"], "signed_on", problems)
    try:
        if problems:
            raise Problems(problems)
        service.sign(
            current,
            g.actor,
            agreement_id,
            number=typed["number"],
            signed_on=day,
            expected_version=form.version.data,
        )
    except Problems as found:
        return _refused_sign(form, agreement_id, typed, found.problems), 422
    except (Conflict, Refused) as refusal:
        return _refused_sign(form, agreement_id, typed, (_whole(refusal),)), _status(refusal)
    flash(_("The agreement is signed and its tranches are committed."), "success")
    return redirect(url_for(".show", agreement_id=agreement_id), 303)


def _refused_sign(form: TypedForm, agreement_id: UUID, typed: dict[str, str], problems: Any) -> str:
    session().rollback()
    form.attach(())
    return _sign_page(form, queries.view(session(), g.actor, agreement_id), typed, problems)


def _sign_page(form: TypedForm, view: View, typed: dict[str, str], problems: Any = ()) -> str:
    bound = rules.by_year((tranche.year, tranche.planned) for tranche in view.agreement.tranches)
    return render_template(
        "agreements/sign.html",
        form=form,
        view=view,
        agreement=view.agreement,
        typed=typed,
        problems=problems,
        errors=forms.by_field(problems, say),
        bound=bound,
        left=rules.rest(view.awarded, bound),
        refusal=decide(g.actor, Permission.AGREEMENT_SIGN, view.agreement).reason,
    )


def _refused_edit(form: TypedForm, agreement_id: UUID, typed: forms.Typed, problems: Any) -> str:
    session().rollback()
    form.attach(())
    return _edit_page(form, queries.view(session(), g.actor, agreement_id), typed, problems)


def _edit_page(
    form: TypedForm, view: View, typed: forms.Typed, problems: Any = (), *, blanks: int = forms.BLANKS
) -> str:
    return render_template(
        "agreements/edit.html",
        form=form,
        view=view,
        agreement=view.agreement,
        typed=typed.with_blanks(blanks),
        problems=problems,
        errors=forms.by_field(problems, say),
    )


def _waiting_page(problems: Any = ()) -> str:
    listed: Page[Any] = keyset(
        session(),
        queries.waiting(g.actor),
        (DecisionLine.approved_at, DecisionLine.id),
        lambda row: (row.approved_at, row.id),
        request.args.get("cursor"),
    )
    return render_template("agreements/waiting.html", listed=listed, problems=problems, form=ActionForm(formdata=None))


def _show_page(agreement_id: UUID, problems: Any = ()) -> str:
    current = session()
    view = queries.view(current, g.actor, agreement_id)
    authorize(g.actor, Permission.AGREEMENT_READ, view.agreement)
    form = ActionForm(formdata=None)
    form.version.data = view.agreement.version
    return render_template(
        "agreements/show.html",
        view=view,
        agreement=view.agreement,
        postings=queries.postings(current, g.actor, view.agreement.line_id),
        years={each.id: each.year for each in budget.by_programme(current, g.actor, view.tender.programme_id)},
        today=today(current),
        form=form,
        problems=problems,
        refusal=decide(g.actor, Permission.AGREEMENT_SIGN, view.agreement).reason,
    )


def _whole(refusal: Conflict | Refused) -> Problem:
    return Problem("refused", "", refusal.reason)


def _status(refusal: Conflict | Refused) -> int:
    return 409 if isinstance(refusal, Conflict) else 403
