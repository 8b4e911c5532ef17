"""The reviewer's verbs: declare a conflict or none, keep a draft, hand the review in for good."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from portal.applications.models import State
from portal.applications.values import tidy
from portal.audit.service import record
from portal.core import jobs
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused, Stale
from portal.core.figures import number
from portal.core.language import N_
from portal.core.money import NumberError
from portal.identity.policy import Actor, Permission, authorize
from portal.review import calibrating, letters
from portal.review.barring import lock_people, refresh, refuse_barred, void
from portal.review.models import Assignment, AssignmentState, Mark
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
from portal.tenders.ruleset import Aspect, Criterion, RuleSet, aspect_key

MAX_DRAFT = 20_000


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed for one aspect."""

    score: str = ""
    justification: str = ""


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
    expected_version: int,
) -> Assignment:
    """Keep what was typed, whatever it is. Raises :class:`Stale`, :class:`Conflict`, :class:`Problems`."""
    held = _open(session, actor, assignment_id, expected_version)
    row = held.assignment
    row.state = TRANSITIONS.after("save", AssignmentState(row.state))
    _keep(session, held, values)
    session.flush()
    return row


def submit(
    session: Session,
    actor: Actor,
    *,
    assignment_id: UUID,
    values: Mapping[str, Typed],
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
    _keep(session, held, values)
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


def _open(session: Session, actor: Actor, assignment_id: UUID, expected_version: int) -> Desk:
    authorize(actor, Permission.REVIEW_WRITE)
    if actor.user_id is not None:
        lock_people(session, [actor.user_id])
    held = desk(session, actor, assignment_id, lock=True)
    row, application = held.assignment, held.case.application
    if row.version != expected_version:
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


def _keep(session: Session, held: Desk, values: Mapping[str, Typed]) -> None:
    row = held.assignment
    kept = {key: values.get(key, Typed()) for key, _, _ in aspects(held.case.rules, row.lane)}
    long = [key for key, typed in kept.items() if len(typed.score) + len(typed.justification) > MAX_DRAFT]
    if long:
        message = N_("A draft keeps up to %(limit)s characters for each aspect.", limit=MAX_DRAFT)
        raise Problems(Problem("too_long", f"{key}-justification", message) for key in long)
    row.draft = {
        key: {"score": tidy(typed.score), "justification": tidy(typed.justification)} for key, typed in kept.items()
    }
    row.draft_saved_at = now(session)


def _marks(held: Desk, values: Mapping[str, Typed]) -> list[Mark]:
    marks, problems = [], []
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
        marks.append(
            Mark(
                assignment_id=held.assignment.id,
                criterion=criterion.code,
                aspect=aspect.code,
                score=score,
                justification=text,
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
