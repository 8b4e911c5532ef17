"""The officer's work on applications: the list, one application in full, the formal check, the reviewers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

import portal.scoring.jobs  # noqa: F401 - the reviews' verbs enqueue its work
from portal.applications.following.corrections import MAX_REQUESTS, Wish, targets
from portal.applications.models import State
from portal.applications.papers import downloads
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.core.figures import number
from portal.core.language import Message
from portal.identity.policy import Permission, authorize
from portal.identity.queries import names_of
from portal.review import blind_copies, formal_check, queries, service, similar_queries
from portal.review import discussion as talk
from portal.review.conflict_models import ConflictRow
from portal.review.conflict_queries import kept_of
from portal.review.formal_check import Answer, Findings
from portal.review.models import AssignmentState, FormalCheck, Outcome
from portal.review.policy import knows_reviewers
from portal.review.queries import Case
from portal.review.rules import (
    UNFINISHED,
    CheckItem,
    needs_another_review,
    spread,
)
from portal.scoring.queries import explained
from portal.web import staff_list
from portal.web.experts import called, expert_word, peers_of
from portal.web.forms import ActionForm, PortalForm, uuid_argument
from portal.web.frozen import frozen, place_words, send_frozen
from portal.web.history_words import for_staff, reviewers_in
from portal.web.language import locale, say
from portal.web.page import current_actor, page
from portal.web.score_words import lines_above
from portal.web.templating import can

pages = Blueprint("officer", __name__, url_prefix="/staff/applications")

EMPTY_REQUESTS: Final = 3
"""Empty rows of requests on the page of the check."""

OUTCOMES: Final = (Outcome.ADMITTED, Outcome.RETURNED, Outcome.REFUSED)


class CheckForm(PortalForm):
    """The formal check; its inputs follow from the checklist, so they are read by :func:`_findings`."""


@page(pages, "/", get=Permission.APPLICATION_LIST_ALL)
def index() -> ResponseReturnValue:
    """The staff list, narrowed by tender, track, state, cluster and the beginning of a number or title."""
    actor, current, language = current_actor(), session(), locale()
    tracks, states = staff_list.track_words(), staff_list.state_words()
    track, state = request.args.get("track", ""), request.args.get("state", "")
    filters = staff_list.Filters(
        tender_id=uuid_argument("tender"),
        track=track if track in tracks else "",
        state=state if state in states else "",
        cluster_id=uuid_argument("cluster"),
        words=request.args.get("q", "").replace("\x00", "").strip()[: staff_list.MAX_WORDS],
    )
    tenders, clusters = staff_list.choices(current, language)
    found = staff_list.listed(current, actor, filters, request.args.get("cursor"), language)
    return render_template(
        "officer/index.html",
        filters=filters,
        narrowed=filters != staff_list.Filters(),
        tenders=[(row.id, row.label) for row in tenders],
        clusters=[(row.id, row.label) for row in clusters],
        tracks=tracks,
        states=states,
        page=found,
        lines=staff_list.lines(found.rows, language, states, tracks),
        columns=(
            _("Number and track"),
            _("Project and initiator"),
            _("Requested, RUB"),
            _("State"),
            _("Points"),
            _("Received, MSK"),
        ),
        without=_("without the experts"),
        base=url_for(".index"),
    )


@page(pages, "/<uuid:application_id>", get=Permission.APPLICATION_LIST_ALL)
def show(application_id: UUID) -> ResponseReturnValue:
    """What was frozen at submission, with eligibility and documents."""
    case = queries.case(session(), current_actor(), application_id)
    return _render("show", case, frozen=frozen(case))


@page(pages, "/<uuid:application_id>/score", get=Permission.SCORE_VIEW)
def score(application_id: UUID) -> ResponseReturnValue:
    """The explained score, criterion by criterion."""
    case = queries.case(session(), current_actor(), application_id)
    found = explained(session(), case.submission.id)
    return _render("score", case, found=found, above=lines_above(found) if found else [])


@page(pages, "/<uuid:application_id>/history", get=Permission.APPLICATION_LIST_ALL)
def history(application_id: UUID) -> ResponseReturnValue:
    """What happened to the application, from the audit trail; reviews only for those who may read them."""
    actor = current_actor()
    case = queries.case(session(), actor, application_id)
    authorize(actor, Permission.REVIEW_READ, case.subject)
    events = queries.history(session(), application_id)
    if knows_reviewers(actor):
        names = {str(key): name for key, name in names_of(session(), reviewers_in(events)).items()}
        return _render("history", case, lines=for_staff(events, names))
    asked = queries.experts_of(session(), application_id, case.submission.id)
    experts = {str(key): expert_word(number) for key, number in asked.items()}
    return _render("history", case, lines=for_staff(events, experts, experts))


@page(pages, "/<uuid:application_id>/documents/<uuid:file_id>", get=Permission.APPLICATION_LIST_ALL, writes=True)
def document(application_id: UUID, file_id: UUID) -> ResponseReturnValue:
    """A file that was frozen with the application, as a download."""
    case = queries.case(session(), current_actor(), application_id)
    return send_frozen(case, file_id, downloads.Reader.FUND)


@page(
    pages,
    "/<uuid:application_id>/check",
    get=Permission.APPLICATION_LIST_ALL,
    post=Permission.REVIEW_FORMAL_CHECK,
)
def check(application_id: UUID) -> ResponseReturnValue:
    """The formal check: the checklist to fill in, or what was found and decided."""
    actor = current_actor()
    case = queries.case(session(), actor, application_id)
    if request.method == "POST":
        authorize(actor, Permission.REVIEW_FORMAL_CHECK, case.subject)
        return _decide(case)
    return _check_page(case)


def _decide(case: Case) -> ResponseReturnValue:
    items = formal_check.items_of(case)
    findings = _findings(items)
    form = CheckForm()
    try:
        submission_id = UUID(request.form.get("submission_id", ""))
    except ValueError:
        raise NotFound from None
    chosen = request.form.get("outcome", "")
    more = "more" in request.form
    saving = more or "save" in request.form
    verb = service.save_check if saving else formal_check.VERBS.get(chosen)
    problems: tuple[Problem, ...]
    try:
        if verb is None:
            raise Problems.one("no_outcome", "outcome", formal_check.NO_OUTCOME)
        verb(
            session(),
            current_actor(),
            application_id=case.application.id,
            submission_id=submission_id,
            findings=findings,
            expected_version=form.version.data or 0,
        )
    except Problems as refused:
        problems = refused.problems
        form.attach(())
        return _check_page(case, form, findings, chosen, problems), 422
    done = {
        Outcome.ADMITTED: _("The application is admitted. Assign the reviewers now."),
        Outcome.RETURNED: _("The application is returned for correction. The applicants have got a letter."),
        Outcome.REFUSED: _("The application is refused. The applicants have got a letter."),
    }
    flash(_("The check is saved.") if saving else done[Outcome(chosen)], "success")
    target = ".reviews" if chosen == Outcome.ADMITTED and not saving else ".check"
    anchor = "requests" if more else None
    return redirect(url_for(target, application_id=case.application.id, _anchor=anchor), 303)


def _check_page(
    case: Case,
    form: CheckForm | None = None,
    findings: Findings | None = None,
    chosen: str = "",
    problems: tuple[Problem, ...] = (),
) -> str:
    checks = queries.checks_of(session(), case.application.id)
    present = next((row for row in checks if row.submission_id == case.submission.id), None)
    overdue = queries.overdue(case)
    if present is not None and present.outcome == Outcome.RETURNED and overdue:
        present = None
    decided = present is not None and present.outcome is not None
    open_now = not decided and (case.application.state == State.SUBMITTED or overdue)
    items = formal_check.items_of(case)
    if form is None:
        form = CheckForm(version=present.version if present else None)
    said = findings or _saved(present, items)
    groups: dict[str, list[tuple[str, str]]] = {}
    for target in targets(case.package, case.rules) if open_now else ():
        groups.setdefault(say(target.group), []).append((target.field, _in_words(target.label)))
    return _render(
        "check",
        case,
        wishes=[(wish.field, wish.note) for wish in said.requests] + [("", "")] * EMPTY_REQUESTS,
        wish_groups=groups,
        form=form,
        items=items,
        findings=said,
        present=present,
        decided=decided,
        open_now=open_now,
        overdue=overdue,
        earlier=[row for row in checks if row is not present and row.outcome],
        returned_before=any(row.outcome == Outcome.RETURNED for row in checks),
        reasons=[(reason.code, f"{reason.code} {reason.title[locale()]}") for reason in case.rules.refusal_reasons],
        chosen=chosen,
        problems=problems,
    )


def _in_words(label: Message | Mapping[str, str]) -> str:
    return say(label) if isinstance(label, Message) else label[locale()]


def _findings(items: list[CheckItem]) -> Findings:
    typed = request.form
    words = {"yes": True, "no": False}
    return Findings(
        answers={
            item.key: Answer(words.get(typed.get(f"ok-{item.key}", "")), typed.get(f"note-{item.key}", ""))
            for item in items
        },
        comment=typed.get("comment", ""),
        reasons=tuple(typed.getlist("reasons")),
        days=typed.get("days", ""),
        requests=tuple(wish for wish in _wishes() if wish.field or wish.note.strip()),
    )


def _wishes() -> list[Wish]:
    """The rows of requests as they were typed."""
    typed, found = request.form, []
    for place in range(MAX_REQUESTS):
        if f"request-{place}" not in typed:
            break
        found.append(Wish(typed[f"request-{place}"], typed.get(f"request-{place}-note", "")))
    return found


def _saved(present: FormalCheck | None, items: list[CheckItem]) -> Findings:
    """What was saved; before that, what the portal has found itself."""
    if present is None:
        return Findings(answers={item.key: Answer(item.found) for item in items})
    answers = {each["key"]: Answer(each["ok"], each["note"]) for each in present.checklist}
    wishes = tuple(Wish(each["field"], each["note"]) for each in present.requests)
    return Findings(answers, present.comment, tuple(present.reasons), requests=wishes)


@page(
    pages,
    "/<uuid:application_id>/reviews",
    get=Permission.REVIEW_READ,
    post=Permission.REVIEW_ASSIGN,
)
def reviews(application_id: UUID) -> ResponseReturnValue:
    """Who reviews, how far they are, what they wrote; officers assign here."""
    actor = current_actor()
    case = queries.case(session(), actor, application_id)
    authorize(actor, Permission.REVIEW_READ, case.subject)
    if request.method == "GET":
        return _reviews_page(case)
    try:
        chosen = [UUID(value) for value in request.form.getlist("reviewers")]
    except ValueError:
        raise NotFound from None
    lane = request.form.get("lane")
    try:
        service.assign(session(), actor, application_id=application_id, reviewer_ids=chosen, lane=lane)
    except Problems as refused:
        return _reviews_page(case, chosen, refused.problems), 422
    flash(ngettext("The reviewer is asked by letter.", "The reviewers are asked by letter.", len(chosen)), "success")
    return redirect(url_for(".reviews", application_id=application_id), 303)


def _reviews_page(case: Case, chosen: list[UUID] | None = None, problems: tuple[Problem, ...] = ()) -> str:
    current, rules = session(), case.rules
    assignments = queries.assignments_of(current, case.submission.id)
    cited = any(mark.evidence for row in assignments for mark in row.marks)
    marks = queries.submitted_marks(assignments)
    missing = queries.missing_reviewers(assignments, rules)
    assignable = case.application.state == State.EXPERTISE
    taken = {row.reviewer_id for row in assignments if row.state != AssignmentState.REVOKED}
    people = _candidates(case) if assignable else []
    named = knows_reviewers(current_actor())
    return _render(
        "reviews",
        case,
        form=ActionForm(),
        assignments=assignments,
        named=named,
        peers=None if named else peers_of(assignments),
        called=called(assignments, named=named),
        numbers=talk.numbers_of(assignments),
        remarks=talk.shown(current, case, assignments),
        discussed=talk.is_open(case, assignments),
        typed=request.form.get("remark", ""),
        versions=service.versions_of(current, [row.id for row in assignments]),
        place_words=place_words(frozen(case)) if cited else {},
        aspects=list(service.aspects(rules)),
        unfinished=UNFINISHED,
        submitted=AssignmentState.SUBMITTED,
        missing=missing,
        lane=request.form.get("lane") or next((code for code, count in missing.items() if count), None),
        another=needs_another_review(marks, rules),
        spread=number(spread(marks, rules)),
        limit=number(rules.spread_limit),
        assignable=assignable,
        people=[person for person in people if person.id not in taken],
        conflicts=_conflicts(case),
        chosen=chosen or [],
        problems=problems,
    )


def _candidates(case: Case) -> list[queries.Candidate]:
    blind = case.rules.hides_applicants
    return queries.candidates(session(), case.organisations, case.application.tender_id, blind=blind)


def _conflicts(case: Case) -> dict[UUID, ConflictRow]:
    """The conflicts of people with the application, for those who work with them."""
    if not can(Permission.CONFLICT_VIEW):
        return {}
    return {row.user_id: row for row in kept_of(session(), case.application.id)}


@page(
    pages,
    "/<uuid:application_id>/reviews/<uuid:assignment_id>/revoke",
    post=Permission.REVIEW_ASSIGN,
)
def revoke(application_id: UUID, assignment_id: UUID) -> ResponseReturnValue:
    """Take an assignment back before the review is handed in."""
    actor = current_actor()
    queries.case(session(), actor, application_id)
    service.revoke(session(), actor, assignment_id=assignment_id, application_id=application_id)
    flash(_("The assignment is taken back; the reviewer has got a letter."), "success")
    return redirect(url_for(".reviews", application_id=application_id), 303)


@page(
    pages,
    "/<uuid:application_id>/reviews/<uuid:assignment_id>/return",
    post=Permission.REVIEW_ASSIGN,
)
def return_review(application_id: UUID, assignment_id: UUID) -> ResponseReturnValue:
    """Give a review that is in back to its reviewer, with a reason."""
    actor = current_actor()
    case = queries.case(session(), actor, application_id)
    try:
        service.return_review(
            session(),
            actor,
            application_id=application_id,
            assignment_id=assignment_id,
            reason=request.form.get("reason", ""),
        )
    except Problems as refused:
        return _reviews_page(case, problems=refused.problems), 422
    flash(_("The review is returned; the reviewer has got a letter."), "success")
    return redirect(url_for(".reviews", application_id=application_id), 303)


@page(pages, "/<uuid:application_id>/discussion", post=Permission.REVIEW_ASSIGN)
def remark(application_id: UUID) -> ResponseReturnValue:
    """A remark of the officer's in the discussion of the reviewers."""
    actor = current_actor()
    case = queries.case(session(), actor, application_id)
    try:
        talk.remark_as_officer(session(), actor, application_id=application_id, text=request.form.get("remark", ""))
    except Problems as refused:
        return _reviews_page(case, problems=refused.problems), 422
    return redirect(url_for(".reviews", application_id=application_id, _anchor="discussion"), 303)


def _render(view: str, case: Case, **context: Any) -> str:
    return render_template(
        f"officer/{view}.html",
        case=case,
        application=case.application,
        view=view,
        similar_open=similar_queries.open_of(session(), case.application.id) or None,
        copies_held=blind_copies.held_in(session(), case) or None,
        **context,
    )
