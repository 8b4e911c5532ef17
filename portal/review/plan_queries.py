"""Reading proposals of who reviews what, and how far the reviews of a track are, in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session, contains_eager, joinedload

import portal.review.policy  # noqa: F401 - registers the room's rules
from portal.applications.models import Application, Participant, State
from portal.core.errors import NotFound
from portal.core.jobs import Task
from portal.identity.models import User
from portal.identity.policy import Actor
from portal.review.models import Assignment, AssignmentState
from portal.review.pool_models import AssignmentPlan, Change, PlanLine
from portal.review.rules import UNFINISHED
from portal.tenders.models import Tender, TenderTrack

IN_WORK = (AssignmentState.ASSIGNED, AssignmentState.OPEN, AssignmentState.SUBMITTED)


@dataclass(frozen=True, slots=True)
class Counts:
    """Assignments by what became of them. ``late``: unfinished, and their day is over."""

    assigned: int = 0
    open: int = 0
    submitted: int = 0
    late: int = 0

    @property
    def total(self) -> int:
        return self.assigned + self.open + self.submitted


def summed(counts: Iterable[Counts]) -> Counts:
    """All of them together."""
    total = Counts()
    for each in counts:
        total = Counts(
            total.assigned + each.assigned,
            total.open + each.open,
            total.submitted + each.submitted,
            total.late + each.late,
        )
    return total


@dataclass(frozen=True, slots=True)
class TrackLine:
    """A track with applications in expertise."""

    track: TenderTrack
    applications: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class ReviewerLine:
    """A reviewer's part in a track."""

    id: UUID
    name: str
    counts: Counts


def tracks(session: Session, on: date) -> list[TrackLine]:
    """Tracks with applications in expertise, the newest tender first; two queries."""
    rows = session.execute(
        select(TenderTrack, func.count())
        .join(TenderTrack.tender)
        .join(Application, Application.tender_track_id == TenderTrack.id)
        .options(contains_eager(TenderTrack.tender))
        .where(Application.state == State.EXPERTISE)
        .group_by(TenderTrack.id, Tender.id)
        .order_by(Tender.year.desc(), Tender.code.desc(), TenderTrack.track)
        .limit(100)
    ).all()
    counts: dict[UUID, Counts] = {
        row[0]: Counts(*list(row)[1:])
        for row in session.execute(
            select(Application.tender_track_id, *_counted(on))
            .join(Assignment, Assignment.submission_id == Application.submission_id)
            .where(Application.tender_track_id.in_([row[0].id for row in rows]), Application.state == State.EXPERTISE)
            .group_by(Application.tender_track_id)
        )
    }
    return [TrackLine(track, number, counts.get(track.id, Counts())) for track, number in rows]


def track(session: Session, tender_track_id: UUID) -> TenderTrack:
    """A track with its tender and rules; :class:`NotFound`."""
    found = session.scalar(
        select(TenderTrack)
        .where(TenderTrack.id == tender_track_id)
        .options(joinedload(TenderTrack.tender, innerjoin=True), joinedload(TenderTrack.rule_set, innerjoin=True))
    )
    if found is None:
        raise NotFound
    return found


def track_now(session: Session, tender_track_id: UUID) -> tuple[TenderTrack, int, datetime]:
    """A track as :func:`track` gives it, how many of its applications are in expertise, and the instant; one query."""
    applications = select(func.count()).where(
        Application.tender_track_id == tender_track_id, Application.state == State.EXPERTISE
    )
    row = session.execute(
        select(TenderTrack, applications.scalar_subquery(), func.portal_now())
        .where(TenderTrack.id == tender_track_id)
        .options(joinedload(TenderTrack.tender, innerjoin=True), joinedload(TenderTrack.rule_set, innerjoin=True))
    ).one_or_none()
    if row is None:
        raise NotFound
    return row[0], row[1], row[2]


def _counted(on: date) -> tuple[ColumnElement[int], ...]:
    """The columns of :class:`Counts`."""
    late = and_(Assignment.state.in_(UNFINISHED), Assignment.due_on < on)
    return (
        *(func.count().filter(Assignment.state == state) for state in IN_WORK),
        func.count().filter(late),
    )


def _of_track(tender_track_id: UUID) -> tuple[ColumnElement[bool], ...]:
    return (
        Application.tender_track_id == tender_track_id,
        Application.state == State.EXPERTISE,
        Assignment.state.in_(IN_WORK),
    )


def by_lane(session: Session, tender_track_id: UUID, on: date) -> dict[str, Counts]:
    """Lane -> how far its reviews are; one query."""
    rows = session.execute(
        select(Assignment.lane, *_counted(on))
        .join(Application, Application.submission_id == Assignment.submission_id)
        .where(*_of_track(tender_track_id))
        .group_by(Assignment.lane)
    )
    return {row[0]: Counts(*list(row)[1:]) for row in rows}


def reviewers_select(tender_track_id: UUID, on: date) -> Select[Any]:
    """Reviewers with their counts in a track; page it by ``User.full_name`` and ``User.id``."""
    counted = (
        select(Assignment.reviewer_id, *(column.label(f"c{at}") for at, column in enumerate(_counted(on))))
        .join(Application, Application.submission_id == Assignment.submission_id)
        .where(*_of_track(tender_track_id))
        .group_by(Assignment.reviewer_id)
        .subquery()
    )
    return select(User, counted.c.c0, counted.c.c1, counted.c.c2, counted.c.c3).join(
        counted, counted.c.reviewer_id == User.id
    )


def late_select(actor: Actor, tender_track_id: UUID, on: date) -> Select[Assignment]:
    """Unfinished reviews whose day is over, with reviewer and application; page it by ``due_on`` and ``id``.

    Those of projects in which the actor's own organisations take part are left out.
    """
    return (
        select(Assignment)
        .join(Assignment.application)
        .join(Assignment.reviewer)
        .options(contains_eager(Assignment.application), contains_eager(Assignment.reviewer))
        .where(
            Application.tender_track_id == tender_track_id,
            Application.state == State.EXPERTISE,
            Application.submission_id == Assignment.submission_id,
            Assignment.state.in_(UNFINISHED),
            Assignment.due_on < on,
            *_not_own(actor, Application.id),
        )
    )


def _not_own(actor: Actor, column: Any) -> tuple[ColumnElement[bool], ...]:
    if not actor.memberships:
        return ()
    own = select(Participant.id).where(
        Participant.application_id == column, Participant.organisation_id.in_(list(actor.memberships))
    )
    return (~own.exists(),)


@dataclass(frozen=True, slots=True)
class PlanPage:
    """A proposal with its task, the number of its lines by change, and the open places."""

    plan: AssignmentPlan
    task: Task | None
    lines: Mapping[str, int]
    unmet: int


def plan_page(session: Session, plan_id: UUID) -> PlanPage:
    """A proposal for its page; :class:`NotFound`. Two queries."""
    row = session.execute(
        select(AssignmentPlan, Task)
        .outerjoin(Task, Task.id == AssignmentPlan.task_id)
        .where(AssignmentPlan.id == plan_id)
        .options(
            joinedload(AssignmentPlan.track, innerjoin=True).options(
                joinedload(TenderTrack.tender, innerjoin=True), joinedload(TenderTrack.rule_set, innerjoin=True)
            ),
            joinedload(AssignmentPlan.creator, innerjoin=True),
            joinedload(AssignmentPlan.confirmer),
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    counts = session.execute(
        select(PlanLine.change, func.count(), func.sum(PlanLine.count))
        .where(PlanLine.plan_id == plan_id)
        .group_by(PlanLine.change)
    ).all()
    unmet = sum(int(total) for change, _, total in counts if change == Change.UNMET)
    return PlanPage(row[0], row[1], {change: number for change, number, _ in counts}, unmet)


def lines_select(actor: Actor, plan_id: UUID, change: str) -> Select[PlanLine]:
    """Lines of a proposal of one kind, with application and reviewer; page it by ``id``.

    Those of projects in which the actor's own organisations take part are left out.
    """
    return (
        select(PlanLine)
        .join(PlanLine.application)
        .outerjoin(PlanLine.reviewer)
        .options(contains_eager(PlanLine.application), contains_eager(PlanLine.reviewer))
        .where(PlanLine.plan_id == plan_id, PlanLine.change == change, *_not_own(actor, PlanLine.application_id))
    )


def plans_of(session: Session, tender_track_id: UUID) -> list[AssignmentPlan]:
    """The newest proposals of a track, at most ten; one query."""
    statement = (
        select(AssignmentPlan)
        .where(AssignmentPlan.tender_track_id == tender_track_id)
        .options(joinedload(AssignmentPlan.creator, innerjoin=True))
        .order_by(AssignmentPlan.id.desc())
        .limit(10)
    )
    return list(session.scalars(statement))


def names(session: Session, people: Sequence[UUID]) -> dict[UUID, str]:
    """Key -> name or address; one query."""
    rows = session.execute(select(User.id, User.full_name, User.email).where(User.id.in_(people)))
    return {key: name or email for key, name, email in rows}
