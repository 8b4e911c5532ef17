"""The reviewer's desk: the own assignments, the declaration, the application, the review."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf.csrf import generate_csrf
from wtforms import RadioField, SelectChoice, TextAreaField  # type: ignore[attr-defined]  # the published types are older

import portal.scoring.jobs  # noqa: F401 - handing in a review enqueues its work
from portal.applications.drafts.saving import mark_of
from portal.applications.eligibility import RuleOutcome
from portal.applications.models import State
from portal.applications.papers import downloads
from portal.core.clock import now, today
from portal.core.db import session
from portal.core.errors import Problem, Problems
from portal.identity.policy import Permission
from portal.review import discussion as talk
from portal.review import queries, service
from portal.review.blind import hidden_tracks, redaction_of
from portal.review.conflict_queries import kept_for
from portal.review.models import Assignment, AssignmentState
from portal.review.queries import Desk
from portal.review.rules import MAX_JUSTIFICATION, MIN_JUSTIFICATION
from portal.review.sheet import MAX_DRAFT, MAX_EVIDENCE, NOTES, inputs, progress, reading_error, typed_of
from portal.web import autosave
from portal.web.application_frame import clock_words
from portal.web.experts import peers_of
from portal.web.forms import ActionForm, PortalForm
from portal.web.frozen import Frozen, frozen, place_words, places, redacted, send_frozen
from portal.web.language import locale, say
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset
from portal.web.problem_json import problem as problem_of
from portal.web.templating import localised

pages = Blueprint("reviews", __name__, url_prefix="/reviews")

HAND_IN: Final = "hand_in"
"""The button that hands in; every other one, and Enter in a field, saves the draft."""


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
        progress={row.id: progress(row.draft) for row in found.rows if row.draft},
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
        return redirect(url_for(".review", assignment_id=assignment_id), 303)
    return _declaration_page(held, form)


def _declaration_page(held: Desk, form: DeclarationForm) -> str:
    found = kept_for(session(), held.assignment.reviewer_id, held.assignment.application_id)
    return render("declaration", held, form=form, found=found, first=held.assignment.state == AssignmentState.ASSIGNED)


@page(pages, "/<uuid:assignment_id>", get=Permission.REVIEW_WRITE)
def show(assignment_id: UUID) -> ResponseReturnValue:
    """The frozen application, once no conflict was declared."""
    held = queries.desk(session(), current_actor(), assignment_id)
    if held.assignment.state == AssignmentState.ASSIGNED:
        return redirect(url_for(".declaration", assignment_id=assignment_id))
    return render("show", held, frozen=_shown(held), outcomes=_outcomes(held))


def _shown(held: Desk) -> Frozen:
    """The frozen application as this reviewer may read it."""
    blind = redaction_of(session(), held.case, locale())
    return redacted(held.case, blind) if blind else frozen(held.case)


def _outcomes(held: Desk) -> list[RuleOutcome]:
    """Eligibility as it was found, its sentences without what tells who applies where that is hidden."""
    blind = redaction_of(session(), held.case, locale())
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
        return _done_page(held)
    form = ReviewForm(version=row.version)
    kept = service.sheet_of(session(), held)
    if request.method == "GET":
        return _desk_page(held, form, kept, kept)
    texts = {name: request.form.get(name, text) for name, text in kept.items()}
    verb = service.submit if request.form.get("then") == HAND_IN else service.save_draft
    try:
        verb(
            session(),
            current_actor(),
            assignment_id=assignment_id,
            values=typed_of(_keys(held), texts),
            notes=texts[NOTES],
            expected_version=form.version.data or 0,
        )
    except Problems as refused:
        form.attach(())
        return _desk_page(held, form, kept, texts, refused.problems), 422
    if verb is service.submit:
        flash(_("The review is handed in. Thank you."), "success")
    return redirect(url_for(".review", assignment_id=assignment_id), 303)


def _done_page(held: Desk, problems: tuple[Problem, ...] = ()) -> str:
    """The review as it was handed in; the others' that are in; with the last one the discussion opens."""
    row, blind = held.assignment, redaction_of(session(), held.case, locale())
    every = queries.assignments_of(session(), row.submission_id)
    opened = talk.is_open(held.case, every)
    return render(
        "done",
        held,
        others=queries.other_reviews(session(), row),
        numbers=talk.numbers_of(every),
        peers=peers_of(every, blind),
        remarks=talk.shown(session(), held.case, every),
        discussed=opened,
        form=ActionForm() if opened and held.case.application.state == State.EXPERTISE else None,
        typed=request.form.get("remark", ""),
        problems=problems,
        aspects=list(service.aspects(held.case.rules)),
        notes=service.notes_of(session(), row),
        versions=service.versions_of(session(), [row.id]).get(row.id, []),
        place_words=place_words(_shown(held)),
    )


@page(pages, "/<uuid:assignment_id>/discussion", post=Permission.REVIEW_WRITE)
def remark(assignment_id: UUID) -> ResponseReturnValue:
    """A remark in the discussion, once all reviews are in."""
    held = queries.desk(session(), current_actor(), assignment_id)
    try:
        talk.remark_as_reviewer(
            session(), current_actor(), assignment_id=assignment_id, text=request.form.get("remark", "")
        )
    except Problems as refused:
        return _done_page(held, refused.problems), 422
    return redirect(url_for(".review", assignment_id=assignment_id, _anchor="discussion"), 303)


def _keys(held: Desk) -> list[str]:
    return [key for key, _criterion, _aspect in service.aspects(held.case.rules, held.assignment.lane)]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What ``applications/_draft.html`` asks of a form that saves by itself. ``marks``: input -> mark of its text."""

    marks: Mapping[str, str]
    prefix: str = ""
    clashes: tuple[str, ...] = ()


def _desk_page(
    held: Desk,
    form: ReviewForm,
    kept: Mapping[str, str],
    texts: Mapping[str, str],
    problems: tuple[Problem, ...] = (),
) -> str:
    """The application beside the score sheet; ``kept``: what is saved of the sheet, ``texts`` what is typed in it."""
    wrong: dict[str, list[Problem]] = {}
    for problem in problems:
        wrong.setdefault(problem.field, []).append(problem)
    shown = _shown(held)
    row = held.assignment
    return render(
        "review",
        held,
        form=form,
        frozen=shown,
        outcomes=_outcomes(held),
        versions=service.versions_of(session(), [row.id]).get(row.id, []),
        places={group: list(members.items()) for group, members in places(shown).items()},
        place_words=place_words(shown),
        typed=typed_of(_keys(held), texts),
        notes=texts[NOTES],
        sheet=Sheet({name: mark_of(text) for name, text in kept.items()}),
        saved=clock_words(row.draft_saved_at, now(session()), held.case.zone) if row.draft_saved_at else "",
        here=url_for(".review", assignment_id=row.id),
        wrong=wrong,
        problems=problems,
        aspects=list(service.aspects(held.case.rules, row.lane)),
        least=MIN_JUSTIFICATION,
        most=MAX_JUSTIFICATION,
        hand_in=HAND_IN,
        evidences=MAX_EVIDENCE,
    )


@page(pages, "/<uuid:assignment_id>/fields", get=Permission.REVIEW_WRITE, post=Permission.REVIEW_WRITE, repeatable=True)
def fields(assignment_id: UUID) -> ResponseReturnValue:
    """The sheet's fields as the page saves them by itself: POST as in :mod:`portal.web.autosave`, GET the state."""
    held = queries.desk(session(), current_actor(), assignment_id)
    if request.method == "GET":
        return jsonify(
            {
                "person": str(held.assignment.reviewer_id),
                "csrf": generate_csrf(),
                **_saved(held),
                "fields": _marked(service.sheet_of(session(), held)),
                "closed": _closed(held),
            }
        )
    wish = autosave.wish()
    if wish["person"] != held.assignment.reviewer_id:
        return problem_of(409, "another_person", autosave.ANOTHER_PERSON)
    saved = service.save_fields(session(), current_actor(), assignment_id=assignment_id, changes=wish["changes"])
    sent = {name: change.value for name, change in wish["changes"].items() if name in saved.texts}
    too_long = _("No more than %(limit)s characters can be kept.", limit=MAX_DRAFT)
    unsaved = {*saved.clashes, *saved.too_long}
    answer = {
        **_saved(saved.held),
        "others": "",
        "written": len(saved.written),
        "marks": {name: mark_of(saved.texts[name]) for name in sent if name not in unsaved},
        "errors": {name: too_long if name in saved.too_long else _misread(name, text) for name, text in sent.items()},
        "clashes": [_clash(saved, name, sent[name]) for name in saved.clashes],
    }
    if answer["version"] - (1 if saved.written else 0) != wish["version"]:
        answer["fields"] = _marked(saved.texts)
    return jsonify(answer)


def _saved(held: Desk) -> dict[str, Any]:
    row = held.assignment
    if row.draft_saved_at is None:
        return {"version": row.version, "saved": ""}
    time = clock_words(row.draft_saved_at, now(session()), held.case.zone)
    return {"version": row.version, "saved": _("Draft saved at %(time)s", time=time)}


def _marked(texts: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"value": text, "mark": mark_of(text)} for name, text in texts.items()}


def _misread(name: str, text: str) -> str:
    message = reading_error(name, text)
    return say(message) if message else ""


def _clash(saved: service.SavedFields, name: str, yours: str) -> dict[str, str]:
    """A field that the reviewer's other window has changed meanwhile."""
    theirs = saved.texts[name]
    title = next(
        (
            aspect.title[locale()]
            for key, _criterion, aspect in service.aspects(saved.held.case.rules, saved.held.assignment.lane)
            if name in inputs(key)
        ),
        _("Private notes"),
    )
    said = _("Your other window")
    return {"key": name, "label": title, "yours": yours, "theirs": theirs, "mark": mark_of(theirs), "said": said}


def _closed(held: Desk) -> str:
    """Why nothing can be typed now; "" while it can."""
    if held.assignment.state == AssignmentState.OPEN and held.case.application.state == State.EXPERTISE:
        return ""
    return str(_("This review is not open any more."))


def render(view: str, held: Desk, **context: Any) -> str:
    """A page of the desk, without what tells who applies where that is hidden."""
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
