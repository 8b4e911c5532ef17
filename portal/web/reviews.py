"""The reviewer's desk: the own assignments, the declaration, the application, the review."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import RadioField, SelectChoice, TextAreaField  # type: ignore[attr-defined]  # the published types are older

import portal.scoring.jobs  # noqa: F401 - handing in a review enqueues its work
from portal.applications import downloads
from portal.applications.eligibility import RuleOutcome
from portal.applications.models import State
from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import Problem, Problems
from portal.identity.policy import Permission
from portal.review import queries, service
from portal.review.blind import hidden_tracks, redaction_of
from portal.review.conflict_queries import kept_for
from portal.review.models import Assignment, AssignmentState
from portal.review.queries import Desk
from portal.review.redaction import Redaction
from portal.review.rules import MAX_JUSTIFICATION, MIN_JUSTIFICATION
from portal.review.service import Typed
from portal.web.forms import PortalForm
from portal.web.frozen import frozen, redacted, send_frozen
from portal.web.language import locale
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset
from portal.web.templating import localised

pages = Blueprint("reviews", __name__, url_prefix="/reviews")


class DeclarationForm(PortalForm):
    """What a reviewer declares before reading."""

    conflict = RadioField(
        _l("Do you have a conflict of interest?"),
        choices=[
            SelectChoice("no", _l("No, I have no interest in this project or in its participants")),
            SelectChoice("yes", _l("Yes, or it may look as if I had")),
        ],
        validate_choice=False,
    )
    explanation = TextAreaField(
        _l("Explanation of the conflict"), description=_l("Only if there is one. The officer reads this.")
    )


class ReviewForm(PortalForm):
    """The review; its inputs follow from the rule set, so they are read by :func:`_typed`."""


@page(pages, "/", get=Permission.REVIEW_WRITE)
def index() -> ResponseReturnValue:
    """The reviewer's assignments: those to do, or those that are finished."""
    finished = request.args.get("finished") == "1"
    statement = queries.desk_select(current_actor(), finished=finished)
    key = (Assignment.id.expression,)
    found: Page[Assignment] = keyset(session(), statement, key, lambda row: (row.id,), request.args.get("cursor"))
    return render_template(
        "reviews/index.html",
        page=found,
        finished=finished,
        today=today(session()),
        states=AssignmentState,
        hidden=hidden_tracks(session(), {row.application.tender_track_id for row in found.rows}),
    )


@page(pages, "/<uuid:assignment_id>/declaration", get=Permission.REVIEW_WRITE, post=Permission.REVIEW_WRITE)
def declaration(assignment_id: UUID) -> ResponseReturnValue:
    """Before anything else: a conflict of interest, or none; and a conflict at any later time.

    Shows only what is needed to tell, with what the portal knows of the reviewer's ties.
    """
    held = queries.desk(session(), current_actor(), assignment_id)
    row = held.assignment
    if request.method == "GET" and held.case.application.state != State.EXPERTISE:
        return redirect(url_for(".show", assignment_id=assignment_id))
    form = DeclarationForm(version=row.version)
    if request.method == "POST":
        later = row.state != AssignmentState.ASSIGNED
        answer = True if later else {"yes": True, "no": False}.get(form.conflict.data or "")
        try:
            service.declare(
                session(),
                current_actor(),
                assignment_id=assignment_id,
                conflict=answer,
                explanation=form.explanation.data or "",
                expected_version=form.version.data or 0,
            )
        except Problems as refused:
            form.attach(refused.problems)
            return _declaration_page(held, form), 422
        if answer:
            flash(_("Thank you. The officer is informed; the application stays closed to you."), "success")
            return redirect(url_for(".index"), 303)
        return redirect(url_for(".show", assignment_id=assignment_id), 303)
    return _declaration_page(held, form)


def _declaration_page(held: Desk, form: DeclarationForm) -> str:
    found = kept_for(session(), held.assignment.reviewer_id, held.assignment.application_id)
    return _render("declaration", held, form=form, found=found, first=held.assignment.state == AssignmentState.ASSIGNED)


@page(pages, "/<uuid:assignment_id>", get=Permission.REVIEW_WRITE)
def show(assignment_id: UUID) -> ResponseReturnValue:
    """The frozen application, once no conflict was declared."""
    held = queries.desk(session(), current_actor(), assignment_id)
    if held.assignment.state == AssignmentState.ASSIGNED:
        return redirect(url_for(".declaration", assignment_id=assignment_id))
    blind = redaction_of(session(), held.case, locale())
    shown = redacted(held.case, blind) if blind else frozen(held.case)
    return _render("show", held, frozen=shown, outcomes=_outcomes(held, blind))


def _outcomes(held: Desk, blind: Redaction | None) -> list[RuleOutcome]:
    """Eligibility as it was found, its sentences without what tells who applies where that is hidden."""
    if blind is None:
        return held.case.outcomes
    return [
        replace(
            item,
            value=blind.message(item.value),
            limit=blind.message(item.limit),
            reason=blind.message(item.reason) or item.reason,
        )
        for item in held.case.outcomes
    ]


@page(pages, "/<uuid:assignment_id>/documents/<uuid:file_id>", get=Permission.REVIEW_WRITE, writes=True)
def document(assignment_id: UUID, file_id: UUID) -> ResponseReturnValue:
    """A file that was frozen with the application, as a download."""
    held = queries.desk(session(), current_actor(), assignment_id)
    if held.assignment.state == AssignmentState.ASSIGNED:
        return redirect(url_for(".declaration", assignment_id=assignment_id))
    return send_frozen(held.case, file_id, downloads.Reader.EXPERT, redaction_of(session(), held.case, locale()))


@page(pages, "/<uuid:assignment_id>/review", get=Permission.REVIEW_WRITE, post=Permission.REVIEW_WRITE)
def review(assignment_id: UUID) -> ResponseReturnValue:
    """The review: scores with justifications, as a draft until it is handed in; then the others' too."""
    held = queries.desk(session(), current_actor(), assignment_id)
    row = held.assignment
    if request.method == "GET" and row.state == AssignmentState.ASSIGNED:
        return redirect(url_for(".declaration", assignment_id=assignment_id))
    if request.method == "GET" and row.state == AssignmentState.SUBMITTED:
        others = queries.other_reviews(session(), row)
        return _render("done", held, others=others, aspects=list(service.aspects(held.case.rules)))
    form = ReviewForm(version=row.version)
    if request.method == "GET":
        kept = {key: Typed(**typed) for key, typed in row.draft.items()}
        return _review_page(held, form, kept)
    values = _typed(held)
    saving = "save" in request.form
    verb = service.save_draft if saving else service.submit
    try:
        verb(
            session(),
            current_actor(),
            assignment_id=assignment_id,
            values=values,
            expected_version=form.version.data or 0,
        )
    except Problems as refused:
        form.attach(())
        return _review_page(held, form, values, refused.problems), 422
    if not saving:
        flash(_("The review is handed in. Thank you."), "success")
    return redirect(url_for(".review", assignment_id=assignment_id), 303)


def _typed(held: Desk) -> dict[str, Typed]:
    return {
        key: Typed(request.form.get(f"{key}-score", ""), request.form.get(f"{key}-justification", ""))
        for key, _criterion, _aspect in service.aspects(held.case.rules, held.assignment.lane)
    }


def _review_page(held: Desk, form: ReviewForm, typed: dict[str, Typed], problems: tuple[Problem, ...] = ()) -> str:
    wrong: dict[str, list[Problem]] = {}
    for problem in problems:
        wrong.setdefault(problem.field, []).append(problem)
    return _render(
        "review",
        held,
        form=form,
        typed=typed,
        empty=Typed(),
        wrong=wrong,
        problems=problems,
        aspects=list(service.aspects(held.case.rules, held.assignment.lane)),
        least=MIN_JUSTIFICATION,
        most=MAX_JUSTIFICATION,
    )


def _render(view: str, held: Desk, **context: Any) -> str:
    blind = redaction_of(session(), held.case, locale())
    title = localised(held.case.application, "title")
    return render_template(
        f"reviews/{view}.html",
        blind=blind,
        title=blind.text(title) if blind else title,
        assignment=held.assignment,
        case=held.case,
        application=held.case.application,
        view=view,
        lane=held.case.rules.lane(held.assignment.lane) if held.case.rules.lanes else None,
        **context,
    )
