"""The reviewer's verbs: declare a conflict or none, keep a draft, whole or field by field, hand the review in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from portal.applications.drafts.saving import Change, kept
from portal.applications.drafts.values import tidy
from portal.applications.models import State
from portal.audit.service import record
from portal.core import jobs
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused, Stale
from portal.core.figures import number
from portal.core.language import N_
from portal.core.money import NumberError
from portal.identity.policy import Actor, Permission, authorize
from portal.review import blind_copies, calibrating, letters
from portal.review.barring import lock_people, refresh, refuse_barred, void
from portal.review.models import Assignment, AssignmentState, Mark, ReviewNote
from portal.review.queries import Desk, desk, submitted_marks
from portal.review.rules import (
    MAX_JUSTIFICATION,
    MIN_JUSTIFICATION,
    TRANSITIONS,
    needs_another_review,
    of_lane,
    parse_score,
    spread,
)
from portal.review.sheet import MAX_DRAFT, NOTES, Typed, cited, places, texts_of, typed_of
from portal.tenders.ruleset import Aspect, Criterion, RuleSet, aspect_key


@dataclass(frozen=True, slots=True)
class SavedFields:
    """What became of the fields that were sent: the names written, those changed elsewhere, those too long."""

    held: Desk
    texts: Mapping[str, str]
    written: tuple[str, ...]
    clashes: tuple[str, ...]
    too_long: tuple[str, ...]


def aspects(rules: RuleSet, lane: str | None = None) -> Iterator[tuple[str, Criterion, Aspect]]:
    """The aspects of a lane, or all of them, with their keys ``CR-10-technology``, in the order of the rule set."""
    held = None if lane is None else rules.lane(lane)
    for criterion in rules.expert_criteria():
        for aspect in criterion.aspects:
            key = aspect_key(criterion, aspect)
            if lane is None or (held is not None and key in held.aspects):
                yield key, criterion, aspect


def declare(
    session: Session,
    actor: Actor,
    *,
    assignment_id: UUID,
    conflict: bool | None,
    explanation: str = "",
    expected_version: int,
) -> Assignment:
    """Say whether there is a conflict of interest: one ends the assignment, none opens the application.

    A conflict may be declared later too, even after handing in: the review is closed and its marks count no more.
    Raises :class:`Problems` without an answer or without the explanation of a conflict, :class:`Stale`,
    :class:`Conflict` when it was declared already, :class:`Refused` where the portal knows of a conflict.
    """
    held = _open(session, actor, assignment_id, expected_version)
    row = held.assignment
    text, instant = tidy(explanation).strip(), now(session)
    if conflict is None:
        raise Problems.one("not_answered", "conflict", N_("Say whether you have a conflict of interest."))
    if not conflict:
        _refuse_barred(session, held)
        row.state = TRANSITIONS.after("declare_none", AssignmentState(row.state))
        row.declared_at = instant
        session.flush()
        if held.case.rules.hides_applicants:
            blind_copies.write(session, row.submission_id)
        record(session, actor, "review:assignment:declare_none", "assignment", row.id, {})
        return row
    if not text or len(text) > MAX_JUSTIFICATION:
        message = N_("Explain the conflict in 1 to %(limit)s characters.", limit=MAX_JUSTIFICATION)
        raise Problems.one("no_explanation", "explanation", message)
    row.declared_at = instant
    void(session, row, text, at=instant, found=False)
    refresh(session, [row.reviewer_id], [row.application_id], actor=actor)
    record(session, actor, "review:assignment:declare_conflict", "assignment", row.id, {"conflict": text})
    letters.conflict(session, held.case.application, row, actor.name or actor.email)
    return row


def save_draft(
    session: Session,
    actor: Actor,
    *,
    assignment_id: UUID,
    values: Mapping[str, Typed],
    notes: str | None = None,
    expected_version: int,
) -> Assignment:
    """Keep what was typed, whatever it is. Raises :class:`Stale`, :class:`Conflict`, :class:`Problems`."""
    held = _open(session, actor, assignment_id, expected_version)
    row = held.assignment
    row.state = TRANSITIONS.after("save", AssignmentState(row.state))
    _keep(session, held, values, notes)
    session.flush()
    return row


def sheet_of(session: Session, held: Desk) -> dict[str, str]:
    """The text of every input of the reviewer's own sheet, with the notes that nobody else reads."""
    values = {key: Typed.of(kept) for key, kept in held.assignment.draft.items()}
    keys = [key for key, _, _ in aspects(held.case.rules, held.assignment.lane)]
    return texts_of(keys, values, notes_of(session, held.assignment))


def notes_of(session: Session, assignment: Assignment) -> str:
    """The reviewer's private notes: for their own pages only, never for a letter, an export or anybody else."""
    row = session.get(ReviewNote, assignment.id)
    return row.text if row else ""


def save_fields(session: Session, actor: Actor, *, assignment_id: UUID, changes: Mapping[str, Change]) -> SavedFields:
    """Keep the fields that were changed, each compared with the text it was typed over.

    May be sent again. Raises :class:`Conflict` when the review is in or the expertise has ended.
    """
    held = _open(session, actor, assignment_id, None)
    row = held.assignment
    row.state = TRANSITIONS.after("save", AssignmentState(row.state))
    before = sheet_of(session, held)
    fresh: dict[str, str] = {}
    clashes, too_long = [], []
    for name, change in changes.items():
        if name not in before:
            continue
        text = kept(change.value)
        if text == before[name]:
            continue
        if len(text) > MAX_DRAFT:
            too_long.append(name)
        elif change.knew(before[name]):
            fresh[name] = text
        else:
            clashes.append(name)
    texts = {**before, **fresh}
    if fresh:
        keys = [key for key, _, _ in aspects(held.case.rules, row.lane)]
        _keep(session, held, typed_of(keys, texts), texts[NOTES])
        session.flush()
    return SavedFields(held, texts, tuple(fresh), tuple(clashes), tuple(too_long))


def submit(
    session: Session,
    actor: Actor,
    *,
    assignment_id: UUID,
    values: Mapping[str, Typed],
    notes: str | None = None,
    expected_version: int,
) -> Assignment:
    """Hand the review in: it cannot be changed after that, and the others' reviews open.

    Raises :class:`Problems` with everything that is missing or wrong, :class:`Stale`, :class:`Conflict`,
    :class:`Refused` where the portal knows of a conflict of interest by now.
    """
    held = _open(session, actor, assignment_id, expected_version)
    row = held.assignment
    after = TRANSITIONS.after("submit", AssignmentState(row.state))
    _refuse_barred(session, held)
    marks = _marks(held, values)
    _keep(session, held, values, notes)
    instant = now(session)
    session.add_all(marks)
    row.state = after
    row.submitted_at = instant
    session.flush()
    scores = {f"{mark.criterion}-{mark.aspect}": mark.score for mark in marks}
    record(session, actor, "review:review:submit", "assignment", row.id, {"scores": scores})
    _complete(session, held)
    calibrating.enqueue(session, held.case.application.tender_track_id, row.id)
    return row


def _open(session: Session, actor: Actor, assignment_id: UUID, expected_version: int | None) -> Desk:
    authorize(actor, Permission.REVIEW_WRITE)
    if actor.user_id is not None:
        lock_people(session, [actor.user_id])
    held = desk(session, actor, assignment_id, lock=True)
    row, application = held.assignment, held.case.application
    if expected_version is not None and row.version != expected_version:
        raise Stale(
            N_("This review was changed in another window since you opened it. What you typed is below."),
            row.version,
        )
    if application.state != State.EXPERTISE or application.submission_id != row.submission_id:
        raise Conflict(N_("The expertise of this application has ended."))
    return held


def _refuse_barred(session: Session, held: Desk) -> None:
    """:class:`Refused` with the path of the conflict, or without where it is hidden who applies."""
    row = held.assignment
    try:
        refuse_barred(session, [row.reviewer_id], [row.application_id])
    except Refused:
        if not held.case.rules.hides_applicants:
            raise
        message = N_("The portal knows of a conflict of interest of yours with this application. The officer is told.")
        raise Refused(message) from None


def _keep(session: Session, held: Desk, values: Mapping[str, Typed], notes: str | None) -> None:
    row = held.assignment
    typed = {key: values.get(key, Typed()) for key, _, _ in aspects(held.case.rules, row.lane)}
    long = [
        f"{key}-{name}"
        for key, each in typed.items()
        for name, text in (("score", each.score), ("justification", each.justification))
        if len(text) > MAX_DRAFT
    ]
    if notes is not None and len(notes) > MAX_DRAFT:
        long.append(NOTES)
    if long:
        message = N_("A draft keeps up to %(limit)s characters in each field.", limit=MAX_DRAFT)
        raise Problems(Problem("too_long", name, message) for name in long)
    row.draft = {key: each.as_json() for key, each in typed.items()}
    row.draft_saved_at = now(session)
    if notes is not None:
        _note(session, row, kept(notes))


def _note(session: Session, row: Assignment, text: str) -> None:
    found = session.get(ReviewNote, row.id)
    if found is not None:
        found.text = text
    elif text:
        session.add(ReviewNote(assignment_id=row.id, text=text))


def _marks(held: Desk, values: Mapping[str, Typed]) -> list[Mark]:
    marks, problems = [], []
    known = frozenset(places(held.case.package, held.case.rules))
    for key, criterion, aspect in aspects(held.case.rules, held.assignment.lane):
        typed = values.get(key, Typed())
        score = Decimal(0)
        try:
            score = parse_score(typed.score)
        except NumberError as error:
            message = N_("%(aspect)s: %(message)s", aspect=aspect.title.both(), message=error.message)
            problems.append(Problem(error.code, f"{key}-score", message))
        text = tidy(typed.justification).strip()
        if not MIN_JUSTIFICATION <= len(text) <= MAX_JUSTIFICATION:
            message = N_(
                "%(aspect)s: justify the score in %(least)s to %(most)s characters.",
                aspect=aspect.title.both(),
                least=MIN_JUSTIFICATION,
                most=MAX_JUSTIFICATION,
            )
            problems.append(Problem("justification", f"{key}-justification", message))
        evidence = cited(typed)
        for nth, place in enumerate(typed.evidence, start=1):
            if place and place not in known:
                message = N_("%(aspect)s: choose a place of this application.", aspect=aspect.title.both())
                problems.append(Problem("evidence", f"{key}-evidence-{nth}", message))
        marks.append(
            Mark(
                assignment_id=held.assignment.id,
                criterion=criterion.code,
                aspect=aspect.code,
                score=score,
                justification=text,
                evidence=list(evidence),
            )
        )
    if problems:
        raise Problems(problems)
    return marks


def _complete(session: Session, held: Desk) -> None:
    """With the last review that was asked for: score anew, or ask for one more where the lane's reviewers differ."""
    row, rules = held.assignment, held.case.rules
    lane = rules.lane(row.lane)
    if lane is None:
        raise NotFound
    statement = (
        select(Assignment)
        .where(Assignment.submission_id == row.submission_id, Assignment.state == AssignmentState.SUBMITTED)
        .options(selectinload(Assignment.marks))
        .execution_options(populate_existing=True)
    )
    reviews = submitted_marks(list(session.scalars(statement)))
    if all(len(of_lane(reviews, each, rules)) >= each.reviewers for each in rules.expertise):
        payload = {"submission_id": str(row.submission_id)}
        jobs.enqueue(session, "score_submission", payload, key=f"score_submission:{row.submission_id}:{row.id}")
    if needs_another_review(reviews, rules, lane):
        found, limit = (number(value) for value in (spread(reviews, rules, lane), rules.spread_limit))
        letters.another_needed(session, held.case.application, row, found, limit, rules)
