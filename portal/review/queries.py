"""Reading formal checks, assignments and reviews."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Text,
    cast,
    func,
    literal,
    select,
    true,
    type_coerce,
    union_all,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, selectinload
from sqlalchemy.types import NullType

import portal.review.policy  # noqa: F401 - registers the room's rules
from portal.applications.eligibility import RuleOutcome, check
from portal.applications.figures.facts import Facts
from portal.applications.figures.facts import facts as facts_of
from portal.applications.models import Application, Participant, ParticipantState, State, Submission
from portal.applications.policy import READERS
from portal.audit.models import AuditEvent
from portal.core.clock import today
from portal.core.db import among
from portal.core.errors import NotFound
from portal.identity.models import Membership, Organisation, Role, RoleGrant, User
from portal.identity.policy import Actor, Permission, authorize, scope
from portal.review.models import Assignment, AssignmentState, FormalCheck, Mark
from portal.review.policy import CLOSED, Subject
from portal.review.pool_models import DEFAULT_LIMIT, ReviewerProfile
from portal.review.rules import ACTIVE, UNFINISHED, needed_reviews
from portal.tenders.kept_rules import rules_in
from portal.tenders.models import TenderTrack
from portal.tenders.ruleset import RuleSet

HISTORY_LIMIT = 100


@dataclass
class Case:
    """A submitted application as officers and reviewers look at it; ``today`` is in the tender's zone."""

    application: Application
    submission: Submission
    rules: RuleSet
    today: date

    @property
    def package(self) -> Mapping[str, Any]:
        """What was frozen at submission."""
        return self.submission.snapshot

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.application.tender.zone)

    @cached_property
    def organisations(self) -> frozenset[UUID]:
        """Everyone who takes part, by the frozen package and by the present participants."""
        frozen = {str(part["organisation"]["id"]) for part in self.package.get("participants") or ()}
        return frozenset(
            part.organisation_id
            for part in self.application.participants
            if part.state in (ParticipantState.INVITED, ParticipantState.ACCEPTED)
            or str(part.organisation_id) in frozen
        )

    @property
    def subject(self) -> Subject:
        return Subject(self.organisations)

    @cached_property
    def facts(self) -> Facts:
        return facts_of(self.package, self.rules)

    @cached_property
    def outcomes(self) -> list[RuleOutcome]:
        """Eligibility of the frozen package on the day it was received."""
        received = self.submission.received_at.astimezone(self.zone).date()
        return check(self.package, self.facts, self.rules, received)


def _whole(statement: Select[Application]) -> Select[Application]:
    return statement.options(
        joinedload(Application.tender, innerjoin=True),
        joinedload(Application.cluster, innerjoin=True),
        joinedload(Application.initiator, innerjoin=True),
        joinedload(Application.submission),
        joinedload(Application.tender_track, innerjoin=True).joinedload(TenderTrack.rule_set, innerjoin=True),
        selectinload(Application.participants).joinedload(Participant.organisation, innerjoin=True),
    )


def _case(session: Session, application: Application | None, submission: Submission | None = None) -> Case:
    if application is None:
        raise NotFound
    frozen = submission or application.submission
    if frozen is None:
        raise NotFound
    rules = rules_in(application.tender_track.rule_set)
    return Case(application, frozen, rules, today(session, ZoneInfo(application.tender.zone)))


def case(session: Session, actor: Actor, application_id: UUID) -> Case:
    """A submitted application as the fund's people read it; :class:`NotFound` for everybody else."""
    authorize(actor, Permission.APPLICATION_LIST_ALL)
    statement = scope(actor, Application).where(
        Application.id == application_id, Application.submission_id.is_not(None)
    )
    return _case(session, session.scalar(_whole(statement)))


def locked_case(session: Session, application_id: UUID) -> Case:
    """The same for a verb, with the application's row locked; the caller authorises."""
    statement = (
        select(Application)
        .where(Application.id == application_id)
        .with_for_update(of=Application, key_share=True)
        .execution_options(populate_existing=True)
    )
    return _case(session, session.scalar(_whole(statement)))


def unlocked_case(session: Session, application_id: UUID) -> Case:
    """The same for background work that changes nothing of the application."""
    return _case(session, session.scalar(_whole(select(Application).where(Application.id == application_id))))


def overdue(case: Case) -> bool:
    """Whether the application was returned and its day for the correction is over."""
    due = case.application.correction_due
    return case.application.state == State.RETURNED and due is not None and case.today > due


def checks_of(session: Session, application_id: UUID) -> list[FormalCheck]:
    """All formal checks of an application, newest first."""
    statement = select(FormalCheck).where(FormalCheck.application_id == application_id)
    return list(session.scalars(statement.order_by(FormalCheck.id.desc())))


def assignments_of(session: Session, submission_id: UUID) -> list[Assignment]:
    """The assignments of a submission with reviewers and marks, in the order they were made; two queries."""
    statement = (
        select(Assignment)
        .where(Assignment.submission_id == submission_id)
        .options(joinedload(Assignment.reviewer, innerjoin=True), selectinload(Assignment.marks))
        .order_by(Assignment.id)
    )
    return list(session.scalars(statement))


def experts_of(session: Session, application_id: UUID, submission_id: UUID) -> dict[UUID, int | None]:
    """All who were ever asked to review an application: reviewer -> number in this submission, if in it; one query.

    The numbers are those of :func:`portal.review.discussion.numbers_of`.
    """
    rows = session.execute(
        select(Assignment.reviewer_id, Assignment.submission_id)
        .where(Assignment.application_id == application_id)
        .order_by(Assignment.id)
    ).all()
    found: dict[UUID, int | None] = {row.reviewer_id: None for row in rows}
    present = [row.reviewer_id for row in rows if row.submission_id == submission_id]
    return found | {person: number for number, person in enumerate(present, start=1)}


def marks_of(assignment: Assignment) -> dict[str, dict[str, Decimal]]:
    """A review with its marks loaded: criterion -> aspect -> 0..10."""
    given: dict[str, dict[str, Decimal]] = {}
    for mark in assignment.marks:
        given.setdefault(mark.criterion, {})[mark.aspect] = mark.score
    return given


def submitted_marks(assignments: Sequence[Assignment]) -> list[dict[str, dict[str, Decimal]]]:
    """The reviews that were handed in, with their marks loaded."""
    return [marks_of(row) for row in assignments if row.state == AssignmentState.SUBMITTED]


def missing_reviewers(assignments: Sequence[Assignment], rules: RuleSet) -> dict[str, int]:
    """How many reviewers each lane still needs, by its code; the assignments with their marks loaded."""
    marks = submitted_marks(assignments)
    at_work = Counter(row.lane for row in assignments if row.state in ACTIVE)
    return {lane.code: max(needed_reviews(marks, rules, lane) - at_work[lane.code], 0) for lane in rules.expertise}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A reviewer who may be asked. ``load``: unfinished reviews in the tender, at most ``limit``; ``ties``:
    organisations of this project."""

    id: UUID
    name: str
    email: str
    load: int
    limit: int
    ties: tuple[Mapping[str, str], ...]

    @property
    def full(self) -> bool:
        return self.load >= self.limit


def load_in(tender_id: UUID) -> ColumnElement[int]:
    """How many unfinished reviews of a tender the person of the surrounding statement has."""
    return (
        select(func.count())
        .select_from(Assignment)
        .join(Application, Application.id == Assignment.application_id)
        .where(
            Assignment.reviewer_id == User.id,
            Assignment.state.in_(UNFINISHED),
            Application.tender_id == tender_id,
        )
        .correlate(User)
        .scalar_subquery()
    )


def load_limit() -> ColumnElement[int]:
    """The most unfinished reviews in a tender, where the profile is joined to the surrounding statement."""
    return func.coalesce(ReviewerProfile.load_limit, DEFAULT_LIMIT)


def reads_applications() -> ColumnElement[bool]:
    """Whether the person of the surrounding statement has a role that reads every application: never blind."""
    other = aliased(RoleGrant)
    return select(other.id).where(other.user_id == User.id, other.role.in_(READERS)).correlate(User).exists()


def candidates(
    session: Session, organisations: frozenset[UUID], tender_id: UUID, *, blind: bool = False
) -> list[Candidate]:
    """Everybody with the role of a reviewer who can sign in, the least loaded first; one query.

    ``blind``: without those whom another role tells who applies.
    """
    load = load_in(tender_id)
    names = func.json_build_object("ru", Organisation.name_ru, "en", Organisation.name_en)
    ties = (
        select(func.json_agg(aggregate_order_by(names, Organisation.name_ru)))
        .join(Membership, Membership.organisation_id == Organisation.id)
        .where(Membership.user_id == User.id, Membership.organisation_id.in_(organisations))
        .scalar_subquery()
    )
    people = session.execute(
        select(User.id, User.full_name, User.email, load.label("load"), load_limit().label("limit"), ties.label("ties"))
        .join(RoleGrant, RoleGrant.user_id == User.id)
        .outerjoin(ReviewerProfile, ReviewerProfile.user_id == User.id)
        .where(RoleGrant.role == Role.REVIEWER, User.active, User.confirmed_at.is_not(None))
        .where(~reads_applications() if blind else true())
        .order_by(load, User.full_name, User.id)
    ).all()
    return [Candidate(row.id, row.full_name, row.email, row.load, row.limit, tuple(row.ties or ())) for row in people]


def desk_select(actor: Actor, *, finished: bool) -> Select[Assignment]:
    """The reviewer's assignments with application and cluster; page it by ``Assignment.id``."""
    return (
        scope(actor, Assignment)
        .join(Assignment.application)
        .join(Application.cluster)
        .options(
            contains_eager(Assignment.application).contains_eager(Application.cluster),
        )
        .where(
            Assignment.state.not_in(UNFINISHED) if finished else Assignment.state.in_(UNFINISHED),
        )
    )


@dataclass
class Desk:
    """A reviewer's assignment with the case it is about."""

    assignment: Assignment
    case: Case

    @property
    def subject(self) -> Subject:
        return Subject(self.case.organisations, self.assignment, self.case.rules.hides_applicants)


def desk(session: Session, actor: Actor, assignment_id: UUID, *, lock: bool = False) -> Desk:
    """An assignment of the actor that still opens something; :class:`NotFound` otherwise.

    ``lock`` locks the application, then the assignment: reviews of an application come one after another.
    """
    statement = scope(actor, Assignment).where(Assignment.id == assignment_id, Assignment.state.not_in(CLOSED))
    if lock:
        place = session.scalar(statement.with_only_columns(Assignment.application_id))
        if place is None:
            raise NotFound
        session.execute(select(Application.id).where(Application.id == place).with_for_update(key_share=True))
        statement = statement.with_for_update(of=Assignment).execution_options(populate_existing=True)
    found = session.scalar(
        statement.options(joinedload(Assignment.submission, innerjoin=True), selectinload(Assignment.marks))
    )
    if found is None:
        raise NotFound
    application = session.scalar(_whole(select(Application).where(Application.id == found.application_id)))
    held = Desk(found, _case(session, application, found.submission))
    authorize(actor, Permission.REVIEW_WRITE, held.subject)
    return held


def other_reviews(session: Session, assignment: Assignment) -> list[Assignment]:
    """The reviews of others, once the reviewer has handed in their own; nothing before."""
    if assignment.state != AssignmentState.SUBMITTED:
        return []
    statement = (
        select(Assignment)
        .where(
            Assignment.submission_id == assignment.submission_id,
            Assignment.id != assignment.id,
            Assignment.state == AssignmentState.SUBMITTED,
        )
        .options(selectinload(Assignment.marks))
        .order_by(Assignment.submitted_at, Assignment.id)
    )
    return list(session.scalars(statement))


def history(session: Session, application_id: UUID) -> list[AuditEvent]:
    """The newest :data:`HISTORY_LIMIT` events of an application, its checks and its reviews."""
    objects = union_all(
        select(literal(str(application_id))),
        select(cast(Submission.id, Text)).where(Submission.application_id == application_id),
        select(cast(FormalCheck.id, Text)).where(FormalCheck.application_id == application_id),
        select(cast(Assignment.id, Text)).where(Assignment.application_id == application_id),
    ).subquery()
    statement = (
        select(AuditEvent)
        .where(
            AuditEvent.object_type.in_(("application", "submission", "formal_check", "assignment")),
            AuditEvent.object_id.in_(select(objects.c[0])),
        )
        .order_by(AuditEvent.seq.desc())
        .limit(HISTORY_LIMIT)
    )
    return list(session.scalars(statement))


def reviews_of(
    session: Session | Connection, submission_ids: Sequence[UUID]
) -> dict[UUID, dict[UUID, dict[str, dict[str, Decimal]]]]:
    """The submitted reviews of submissions by assignment: criterion -> aspect -> 0..10; one query."""
    rows: Iterable[Any] = session.execute(
        select(
            Assignment.submission_id,
            Assignment.id,
            # As the driver reads them: nothing of theirs has to be converted.
            type_coerce(func.array_agg(Mark.criterion), NullType),
            type_coerce(func.array_agg(Mark.aspect), NullType),
            type_coerce(func.array_agg(Mark.score), NullType),
        )
        .join(Mark, Mark.assignment_id == Assignment.id)
        .where(among(Assignment.submission_id, submission_ids), Assignment.state == AssignmentState.SUBMITTED)
        .group_by(Assignment.id)
        .order_by(Assignment.id)
    )
    reviews: dict[UUID, dict[UUID, dict[str, dict[str, Decimal]]]] = defaultdict(dict)
    for submission_id, assignment_id, criteria, aspects, points in rows:
        marks: dict[str, dict[str, Decimal]] = {}
        for criterion, aspect, score in zip(criteria, aspects, points, strict=True):
            marks.setdefault(criterion, {})[aspect] = score
        reviews[submission_id][assignment_id] = marks
    return dict(reviews)


def expert_marks(session: Session, submission_ids: Sequence[UUID]) -> dict[UUID, list[dict[str, dict[str, Decimal]]]]:
    """The submitted reviews of submissions: per review, criterion -> aspect -> 0..10; one query."""
    return {key: list(given.values()) for key, given in reviews_of(session, submission_ids).items()}
