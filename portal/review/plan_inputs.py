"""What the assignment of a track decides by, read from the database in a fixed number of statements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import cast, func, select, true
from sqlalchemy.dialects.postgresql import JSONPATH
from sqlalchemy.orm import Session, joinedload

from portal.applications.models import Application, State, Submission
from portal.core.calendar import add_working_days, is_working_day
from portal.core.canonical import digest
from portal.core.clock import today
from portal.core.errors import NotFound
from portal.identity.models import Role, RoleGrant, User
from portal.review.assignment import Expert, Inputs, Need, Pair, Project
from portal.review.conflict_queries import conflict_pairs
from portal.review.models import Assignment, AssignmentState
from portal.review.pool_models import DEFAULT_LIMIT, ReviewerAbsence, ReviewerProfile
from portal.review.queries import expert_marks, reads_applications
from portal.review.rules import ACTIVE, UNFINISHED, Marks, needed_reviews
from portal.tenders.kept_rules import rules_in
from portal.tenders.models import TenderTrack, Track
from portal.tenders.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Asked:
    """An assignment as a plan sees it."""

    id: UUID
    application: UUID
    reviewer: UUID
    state: AssignmentState
    lane: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """The inputs with their digest, and what a plan is written with.

    ``movable``: the assignments that are free to be taken back; ``due_on``: of reviews that begin today;
    ``submissions``: application -> its present submission.
    """

    track: TenderTrack
    rules: RuleSet
    inputs: Inputs
    movable: Mapping[Pair, Asked]
    submissions: Mapping[UUID, UUID]
    today: date
    due_on: date

    @property
    def digest(self) -> str:
        return digest(self.inputs.as_json())


def gather(session: Session, tender_track_id: UUID, *, keep_asked: bool) -> Gathered:
    """All that decides on a track now: its applications in expertise, the pool, conflicts, loads, what is done.

    Reviews that were begun or handed in stay, with ``keep_asked`` also the requests without an answer, unless their
    reviewer cannot do it any more. A fixed number of queries, however large the track is.
    """
    track = session.scalar(
        select(TenderTrack)
        .where(TenderTrack.id == tender_track_id)
        .options(joinedload(TenderTrack.tender, innerjoin=True), joinedload(TenderTrack.rule_set, innerjoin=True))
    )
    if track is None:
        raise NotFound
    rules = rules_in(track.rule_set)
    on = today(session, ZoneInfo(track.tender.zone))
    due_on = add_working_days(on, rules.review_days)
    projects, submissions = _projects(session, track)
    asked = _asked(session, submissions.values())
    marks = expert_marks(session, list(submissions.values()))
    conflicts = conflict_pairs(session, tender_track_id)
    barred = frozenset(pair for pair, conflict in conflicts.items() if conflict.bars)
    undecided = frozenset(pair for pair, conflict in conflicts.items() if conflict.open)
    pool = _pool(session, rules)
    away = _away(session, on, due_on)
    movable = {
        (row.reviewer, row.application): row
        for row in asked
        if row.state is AssignmentState.ASSIGNED
        and not (keep_asked and row.reviewer in pool and row.reviewer not in away and not (barred & {_pair(row)}))
    }
    fixed = [row for row in asked if row.state is not AssignmentState.REVOKED and _pair(row) not in movable]
    loads = _loads(session, track.tender_id, {row.id for row in movable.values()})
    inputs = Inputs(
        experts=[_expert(person, profile, loads[person.id], person.id in away) for person, profile in pool.values()],
        projects=projects,
        needs=list(_needs(projects, rules, fixed, {key: marks.get(held, []) for key, held in submissions.items()})),
        barred=frozenset(pair for pair in barred if pair[0] in pool),
        undecided=frozenset(pair for pair in undecided if pair[0] in pool),
        taken=frozenset(_pair(row) for row in fixed),
        present={pair: row.lane for pair, row in movable.items()},
        held={(who, where): count for who, held in loads.items() for where, count in held.items()},
    )
    return Gathered(track, rules, inputs, movable, submissions, on, due_on)


def _pair(row: Asked) -> Pair:
    return row.reviewer, row.application


def _projects(session: Session, track: TenderTrack) -> tuple[list[Project], dict[UUID, UUID]]:
    """The applications in expertise with the codes of their frozen packages, and their present submissions."""
    snapshot = Submission.snapshot
    rows = session.execute(
        select(
            Application.id,
            Application.cluster_id,
            Submission.id,
            snapshot["project"]["okpd2"].as_string(),
            func.jsonb_path_query_array(snapshot, cast("$.participants[*].organisation.okved2", JSONPATH)),
        )
        .join(Submission, Submission.id == Application.submission_id)
        .where(Application.tender_track_id == track.id, Application.state == State.EXPERTISE)
        .order_by(Application.id)
    ).all()
    abroad = track.track == Track.EXPORT
    projects = [Project(row[0], row[1], codes_of([row[3], *(row[4] or ())]), abroad) for row in rows]
    return projects, {row[0]: row[2] for row in rows}


def codes_of(codes: Iterable[Any]) -> frozenset[str]:
    """Codes of OKPD 2 and OKVED 2 by their digits alone: ``28.14.13`` is ``281413``."""
    digits = ("".join(letter for letter in str(code or "") if letter in "0123456789") for code in codes)
    return frozenset(code for code in digits if len(code) >= 2)


def _asked(session: Session, submission_ids: Iterable[UUID]) -> list[Asked]:
    rows = session.execute(
        select(Assignment.id, Assignment.application_id, Assignment.reviewer_id, Assignment.state, Assignment.lane)
        .where(Assignment.submission_id.in_(list(submission_ids)))
        .order_by(Assignment.id)
    )
    return [Asked(key, place, person, AssignmentState(state), lane) for key, place, person, state, lane in rows]


def _pool(session: Session, rules: RuleSet) -> dict[UUID, tuple[User, ReviewerProfile | None]]:
    """All reviewers who can sign in; where they must not know who applies, without those whom another role tells."""
    rows = session.execute(
        select(User, ReviewerProfile)
        .join(RoleGrant, RoleGrant.user_id == User.id)
        .outerjoin(ReviewerProfile, ReviewerProfile.user_id == User.id)
        .where(RoleGrant.role == Role.REVIEWER, User.active, User.confirmed_at.is_not(None))
        .where(~reads_applications() if rules.hides_applicants else true())
        .order_by(User.id)
    )
    return {person.id: (person, profile) for person, profile in rows}


def _away(session: Session, first: date, last: date) -> set[UUID]:
    """Who is away for more than half of the working days after ``first`` up to ``last``."""
    rows = session.execute(
        select(ReviewerAbsence.user_id, ReviewerAbsence.starts_on, ReviewerAbsence.ends_on).where(
            ReviewerAbsence.starts_on <= last, ReviewerAbsence.ends_on > first
        )
    )
    days: dict[UUID, set[date]] = defaultdict(set)
    period = [first + timedelta(days=number) for number in range(1, (last - first).days + 1)]
    worked = [day for day in period if is_working_day(day)]
    for person, start, end in rows:
        days[person].update(day for day in worked if start <= day <= end)
    return {person for person, gone in days.items() if 2 * len(gone) > len(worked)}


def _loads(session: Session, tender_id: UUID, without: set[UUID]) -> dict[UUID, Counter[UUID]]:
    """Reviewer -> cluster -> unfinished reviews in the tender, without those that may be taken back."""
    rows = session.execute(
        select(Assignment.id, Assignment.reviewer_id, Application.cluster_id)
        .join(Application, Application.id == Assignment.application_id)
        .where(Application.tender_id == tender_id, Assignment.state.in_(UNFINISHED))
    )
    loads: dict[UUID, Counter[UUID]] = defaultdict(Counter)
    for key, person, cluster in rows:
        if key not in without:
            loads[person][cluster] += 1
    return loads


def _expert(person: User, profile: ReviewerProfile | None, load: Counter[UUID], away: bool) -> Expert:
    if profile is None:
        return Expert(person.id, limit=DEFAULT_LIMIT, load=load.total(), absent=away)
    return Expert(
        person.id,
        codes_of(profile.classes),
        frozenset(profile.lanes),
        frozenset(profile.languages),
        profile.load_limit,
        load.total(),
        away,
    )


def _needs(
    projects: Sequence[Project], rules: RuleSet, fixed: Sequence[Asked], reviews: Mapping[UUID, Sequence[Marks]]
) -> Iterable[Need]:
    at_work = Counter((row.application, row.lane) for row in fixed if row.state in ACTIVE)
    for project in projects:
        for lane in rules.expertise:
            missing = needed_reviews(reviews[project.id], rules, lane) - at_work[project.id, lane.code]
            if missing > 0:
                yield Need(project.id, lane.code, missing)
