"""Proposals of who reviews what: computed in the background, looked at, then confirmed by a person or discarded."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session, joinedload

import portal.review.policy  # noqa: F401 - registers the room's rules
from portal.applications.models import Application, Participant, ParticipantState, State
from portal.audit.service import record
from portal.core import jobs
from portal.core.canonical import digest
from portal.core.clock import now
from portal.core.db import uuid7
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.core.language import N_
from portal.identity.models import User
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.identity.queries import load_actor
from portal.review import letters
from portal.review.assignment import SECONDS, Plan
from portal.review.barring import lock_people
from portal.review.models import Assignment, AssignmentState
from portal.review.plan_inputs import Gathered, gather
from portal.review.policy import Subject
from portal.review.pool_models import AssignmentPlan, Change, PlanLine, PlanState
from portal.review.rules import TRANSITIONS
from portal.tenders.models import TenderTrack

COMPUTE: Final = "plan_assignment"
CARRY_OUT: Final = "carry_out_assignment"
PHASES: Final = 3
WORST_GAP: Final = Decimal(999)
"""What the column holds; a search that had no time to bound anything is no better known than that."""
ACTOR: Final = system_actor("assignment")


def start(session: Session, actor: Actor, *, tender_track_id: UUID, keep_asked: bool = True) -> AssignmentPlan:
    """Have a proposal for a track computed; one that waits for a decision is discarded, one at work is returned.

    Raises :class:`Problems` when no application of the track is in expertise.
    """
    authorize(actor, Permission.REVIEW_ASSIGN)
    track = session.scalar(select(TenderTrack).where(TenderTrack.id == tender_track_id).with_for_update())
    if track is None:
        raise NotFound
    live = session.scalar(
        select(AssignmentPlan)
        .where(
            AssignmentPlan.tender_track_id == tender_track_id,
            AssignmentPlan.state.in_((PlanState.COMPUTING, PlanState.PROPOSED, PlanState.ACCEPTED)),
        )
        .execution_options(populate_existing=True)
    )
    if live is not None and live.state != PlanState.PROPOSED:
        # Not locked: the worker holds the row for as long as it solves, or asks.
        _enqueue(session, live)
        return live
    waiting = select(Application.id).where(
        Application.tender_track_id == tender_track_id, Application.state == State.EXPERTISE
    )
    if session.scalar(waiting.limit(1)) is None:
        raise Problems.one("nothing_to_assign", "", N_("No application of this track is in expertise."))
    if live is not None:
        live.state = PlanState.DISCARDED
        session.flush()
    plan = AssignmentPlan(tender_track_id=tender_track_id, keep_asked=keep_asked, created_by=actor.user_id)
    session.add(plan)
    session.flush()
    _enqueue(session, plan)
    changes = {"track": tender_track_id, "keep_asked": keep_asked}
    record(session, actor, "review:plan:start", "assignment_plan", plan.id, changes)
    return plan


def _enqueue(session: Session, plan: AssignmentPlan) -> None:
    """Write the plan's task, to compute it or to carry it out; one that was parked is taken up again."""
    if plan.task_id is not None and jobs.retry(session, plan.task_id) is not None:
        return
    kind = CARRY_OUT if plan.state == PlanState.ACCEPTED else COMPUTE
    task_id = jobs.enqueue(session, kind, {"plan_id": str(plan.id)}, key=f"{kind}:{plan.id}")
    plan.task_id = task_id or plan.task_id


def step(session: Session, plan_id: UUID, seconds: float = SECONDS) -> jobs.Progress:
    """The next of three phases: count what there is, solve and write the lines, seal."""
    plan = session.scalar(select(AssignmentPlan).where(AssignmentPlan.id == plan_id).with_for_update())
    if plan is None:
        raise NotFound
    if plan.state == PlanState.COMPUTING:
        work = (_count, _solve, _seal)[plan.phase]
        plan.phase += 1
        work(session, plan, seconds)
        session.flush()
        return jobs.Progress(plan.phase, PHASES)
    return jobs.Progress(PHASES, PHASES)


def _count(session: Session, plan: AssignmentPlan, seconds: float) -> None:
    _measure(plan, gather(session, plan.tender_track_id, keep_asked=plan.keep_asked))


def _measure(plan: AssignmentPlan, gathered: Gathered) -> None:
    inputs = gathered.inputs
    plan.applications, plan.reviewers = len(inputs.projects), len(inputs.experts)
    plan.wanted = sum(need.count for need in inputs.needs)
    plan.inputs_digest = gathered.digest


def _solve(session: Session, plan: AssignmentPlan, seconds: float) -> None:
    # The solver is for the workers: pages read this room too, and need not carry it.
    from portal.review.assignment_flow import solve

    gathered = gather(session, plan.tender_track_id, keep_asked=plan.keep_asked)
    _measure(plan, gathered)
    began = time.monotonic()
    solved = solve(gathered.inputs, seconds)
    plan.seconds = Decimal(f"{time.monotonic() - began:.2f}")
    plan.cost, plan.gap = solved.cost, min(Decimal(f"{solved.gap:.6f}"), WORST_GAP)
    rows = [{"id": uuid7(), "plan_id": plan.id, **line} for line in lines_of(gathered, solved)]
    if rows:
        session.execute(insert(PlanLine), rows)
    plan.loads = loads_of(gathered, solved)


def lines_of(gathered: Gathered, plan: Plan) -> Iterator[dict[str, Any]]:
    """What the plan would change, as columns of lines: open places, what is new or stays, what is taken back."""
    whole: dict[str, Any] = {"lane": "", "reviewer_id": None, "fit": 0, "count": 1, "reasons": {}}
    for shortage in plan.shortages:
        yield whole | {
            "application_id": shortage.project,
            "lane": shortage.lane,
            "change": Change.UNMET,
            "count": shortage.count,
            "reasons": dict(shortage.reasons),
        }
    kept = set()
    for choice in plan.choices:
        pair = (choice.expert, choice.project)
        stays = gathered.inputs.present.get(pair) == choice.lane
        if stays:
            kept.add(pair)
        yield whole | {
            "application_id": choice.project,
            "lane": choice.lane,
            "reviewer_id": choice.expert,
            "change": Change.KEPT if stays else Change.NEW,
            "fit": choice.fit,
        }
    for pair, row in sorted(gathered.movable.items()):
        if pair not in kept:
            yield whole | {
                "application_id": row.application,
                "lane": row.lane,
                "reviewer_id": row.reviewer,
                "change": Change.REVOKED,
            }


def loads_of(gathered: Gathered, plan: Plan) -> list[Any]:
    """The load of each reviewer before and after: ``{"reviewer", "limit", "before", "after", "away"}``, by key."""
    after = Counter(choice.expert for choice in plan.choices)
    before = Counter(who for who, _ in gathered.movable)
    return [
        {
            "reviewer": str(expert.id),
            "limit": expert.limit,
            "before": expert.load + before[expert.id],
            "after": expert.load + after[expert.id],
            "away": expert.absent,
        }
        for expert in sorted(gathered.inputs.experts, key=lambda each: each.id)
    ]


def _seal(session: Session, plan: AssignmentPlan, seconds: float) -> None:
    """The digest of what was written, and the proposal is ready to be looked at."""
    plan.digest = digest(_written(session, plan))
    plan.state, plan.computed_at = PlanState.PROPOSED, now(session)
    changes = {"inputs": plan.inputs_digest, "digest": plan.digest, "cost": plan.cost, "gap": plan.gap}
    record(session, ACTOR, "review:plan:propose", "assignment_plan", plan.id, changes)
    letters.plan_ready(session, plan, session.get_one(User, plan.created_by))


def _written(session: Session, plan: AssignmentPlan) -> list[list[Any]]:
    rows = session.execute(
        select(PlanLine.application_id, PlanLine.lane, PlanLine.reviewer_id, PlanLine.change, PlanLine.count).where(
            PlanLine.plan_id == plan.id
        )
    )
    return sorted([str(place), lane, str(who or ""), change, count] for place, lane, who, change, count in rows)


def discard(session: Session, actor: Actor, *, plan_id: UUID, expected_version: int) -> AssignmentPlan:
    """Put a proposal aside. :class:`Conflict` when it is not a proposal any more."""
    authorize(actor, Permission.REVIEW_ASSIGN)
    plan = _locked(session, plan_id, expected_version)
    plan.state = PlanState.DISCARDED
    session.flush()
    record(session, actor, "review:plan:discard", "assignment_plan", plan.id, {})
    return plan


def confirm(session: Session, actor: Actor, *, plan_id: UUID, expected_version: int) -> AssignmentPlan:
    """Decide for a proposal: it is carried out in the background (:func:`carry_out`), which takes a while for many.

    :class:`Conflict` when it is not a proposal any more, :class:`Refused` for somebody of an organisation that takes
    part in one of the applications, and for a reviewer who would be asked.
    """
    authorize(actor, Permission.REVIEW_ASSIGN)
    plan = _locked(session, plan_id, expected_version)
    _authorize_lines(session, actor, _changing(session, plan_id))
    plan.state, plan.confirmed_by, plan.confirmed_at = PlanState.ACCEPTED, actor.user_id, now(session)
    plan.task_id = None
    _enqueue(session, plan)
    session.flush()
    record(session, actor, "review:plan:accept", "assignment_plan", plan.id, {"digest": plan.digest})
    return plan


def carry_out(session: Session, plan_id: UUID) -> AssignmentPlan:
    """Do what an accepted proposal says: take requests back, ask the others, one letter for each.

    Conflicts, loads, the rights of who decided, and all else that decides are read anew under the locks of the people
    and applications: where anything differs, nothing is done, the proposal is overtaken, and who decided is told.
    """
    lines = _changing(session, plan_id)
    lock_people(session, [line.reviewer_id for line in lines if line.reviewer_id])
    plan = session.scalar(
        select(AssignmentPlan)
        .where(AssignmentPlan.id == plan_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if plan is None:
        raise NotFound
    if plan.state != PlanState.ACCEPTED:
        return plan
    person = session.get_one(User, plan.confirmed_by)
    actor = load_actor(session, person)
    applications = _applications(session, {line.application_id for line in lines})
    gathered = gather(session, plan.tender_track_id, keep_asked=plan.keep_asked)
    if gathered.digest != plan.inputs_digest or not _still_may(session, actor, person, lines):
        plan.state = PlanState.OVERTAKEN
        session.flush()
        record(session, ACTOR, "review:plan:overtake", "assignment_plan", plan.id, {"inputs": gathered.digest})
        letters.plan_overtaken(session, plan, person)
        return plan
    _apply(session, actor, plan, gathered, lines, applications)
    plan.state = PlanState.CONFIRMED
    session.flush()
    counts = Counter(line.change for line in lines)
    changes = {"digest": plan.digest, "new": counts[Change.NEW], "revoked": counts[Change.REVOKED]}
    record(session, actor, "review:plan:confirm", "assignment_plan", plan.id, changes)
    return plan


def _changing(session: Session, plan_id: UUID) -> list[PlanLine]:
    """The lines that ask somebody or take a request back."""
    changed = (Change.NEW, Change.REVOKED)
    statement = select(PlanLine).where(PlanLine.plan_id == plan_id, PlanLine.change.in_(changed)).order_by(PlanLine.id)
    return list(session.scalars(statement))


def _authorize_lines(session: Session, actor: Actor, lines: list[PlanLine]) -> None:
    _authorize_all(session, actor, {line.application_id for line in lines})
    if any(line.reviewer_id == actor.user_id for line in lines):
        raise Refused(N_("You would be a reviewer yourself: another officer has to confirm this."))


def _still_may(session: Session, actor: Actor, person: User, lines: list[PlanLine]) -> bool:
    """Whether who decided may do so still: rights are those of the moment of doing."""
    try:
        _authorize_lines(session, actor, lines)
    except (Refused, NotFound):
        return False
    return person.active


def _locked(session: Session, plan_id: UUID, expected_version: int) -> AssignmentPlan:
    plan = session.scalar(
        select(AssignmentPlan)
        .where(AssignmentPlan.id == plan_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if plan is None:
        raise NotFound
    if plan.state != PlanState.PROPOSED:
        raise Conflict(N_("This is not an open proposal any more. Open the list of proposals."))
    if plan.version != expected_version:
        raise Stale(N_("This proposal has changed since you opened it. Look at it again."), plan.version)
    return plan


def _applications(session: Session, wanted: set[UUID]) -> dict[UUID, Application]:
    statement = (
        select(Application)
        .where(Application.id.in_(wanted))
        .options(joinedload(Application.tender, innerjoin=True))
        .order_by(Application.id)
        .with_for_update(of=Application, key_share=True)
        .execution_options(populate_existing=True)
    )
    return {row.id: row for row in session.scalars(statement)}


def _authorize_all(session: Session, actor: Actor, applications: Collection[UUID]) -> None:
    """The same question as for a single assignment, about everybody who takes part in any of the applications."""
    parts = session.scalars(
        select(Participant.organisation_id)
        .where(
            Participant.application_id.in_(applications),
            Participant.state.in_((ParticipantState.INVITED, ParticipantState.ACCEPTED)),
        )
        .distinct()
    )
    authorize(actor, Permission.REVIEW_ASSIGN, Subject(frozenset(parts)))


def _apply(
    session: Session,
    actor: Actor,
    plan: AssignmentPlan,
    gathered: Gathered,
    lines: list[PlanLine],
    applications: Mapping[UUID, Application],
) -> None:
    rows = {
        (row.reviewer_id, row.application_id): row
        for row in session.scalars(
            select(Assignment)
            .where(Assignment.submission_id.in_([gathered.submissions[key] for key in applications]))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    people = {
        person.id: person
        for person in session.scalars(select(User).where(User.id.in_({line.reviewer_id for line in lines})))
    }
    doing = [(line, line.reviewer_id, line.application_id) for line in lines if line.reviewer_id is not None]
    back = [rows[who, place] for line, who, place in doing if line.change == Change.REVOKED]
    for row in back:
        row.state = TRANSITIONS.after("revoke", AssignmentState(row.state))
    session.flush()
    for row in back:
        record(session, actor, "review:assignment:revoke", "assignment", row.id, {"reviewer": row.reviewer_id})
        letters.revoked(session, applications[row.application_id], row, people[row.reviewer_id])
    new: dict[UUID, list[Assignment]] = {}
    for line, who, place in doing:
        if line.change == Change.NEW:
            new.setdefault(who, []).append(_ask(session, actor, gathered, line, rows.get((who, place))))
    session.flush()
    for reviewer_id, asked_rows in new.items():
        for row in asked_rows:
            facts = {
                "application": row.application_id,
                "reviewer": reviewer_id,
                "due_on": row.due_on,
                "lane": row.lane,
                "plan": plan.id,
            }
            record(session, actor, "review:assignment:assign", "assignment", row.id, facts)
        numbers = [applications[row.application_id].number or "" for row in asked_rows]
        letters.asked_by_plan(session, plan, people[reviewer_id], numbers, gathered.due_on)


def _ask(session: Session, actor: Actor, gathered: Gathered, line: PlanLine, revoked: Assignment | None) -> Assignment:
    """A new assignment, or the revoked one taken up again with nothing declared and nothing typed."""
    row = revoked
    if row is None:
        row = Assignment(
            id=uuid7(),
            submission_id=gathered.submissions[line.application_id],
            application_id=line.application_id,
            reviewer_id=line.reviewer_id,
            state=AssignmentState.ASSIGNED,
        )
        session.add(row)
    else:
        row.state = TRANSITIONS.after("reassign", AssignmentState(row.state))
        row.declared_at, row.draft, row.draft_saved_at = None, {}, None
    row.lane, row.due_on = line.lane, gathered.due_on
    row.assigned_by = actor.user_id  # type: ignore[assignment]  # the database refuses the system here
    return row
