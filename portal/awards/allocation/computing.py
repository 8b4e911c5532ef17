"""Allocations of a track, or of all tracks that share limits: asked for by a person, computed in the background.

Each is kept with the digest of what decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, joinedload

import portal.awards.policy  # noqa: F401 - registers the room's rules
from portal.applications.models import Application
from portal.audit.service import record
from portal.awards import basis
from portal.awards.allocation.inputs import problem_of
from portal.awards.allocation.models import AllocationRun, RunState, together
from portal.awards.allocation.problem import Allocation, Problem
from portal.awards.ranks import ranks
from portal.core import jobs
from portal.core.clock import now
from portal.core.errors import NotFound, Problems
from portal.core.errors import Problem as Fault
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.tenders.kept_rules import rules_with
from portal.tenders.models import RuleSetVersion, TenderTrack
from portal.tenders.ruleset import RuleSet

TASK: Final = "allocate_track"
ACTOR: Final = system_actor("allocation")
PHASES: Final = 2
SECONDS: Final = 100.0


def start(session: Session, actor: Actor, *, tender_track_id: UUID) -> AllocationRun:
    """Have the allocation of a track computed; one that is being computed is returned.

    Raises :class:`Problems` with everything that is still open before anything can be allocated.
    """
    authorize(actor, Permission.AWARD_DRAFT)
    track = _track(session, tender_track_id)
    session.scalars(
        select(TenderTrack.id).where(TenderTrack.id.in_(together(track))).order_by(TenderTrack.id).with_for_update()
    ).all()
    going_on = session.scalar(
        select(AllocationRun).where(
            AllocationRun.tender_track_id.in_(together(track)), AllocationRun.state == RunState.COMPUTING
        )
    )
    if going_on is not None:
        _enqueue(session, going_on)
        return going_on
    problem = present_problem(session, track)
    assert actor.user_id is not None
    run = AllocationRun(tender_track_id=track.id, created_by=actor.user_id, candidates=len(problem.candidates))
    session.add(run)
    session.flush()
    _enqueue(session, run)
    changes = {"track": track.id, "problem": problem.digest, "policy": problem.policy.value}
    record(session, actor, "awards:allocation:start", "allocation_run", run.id, changes)
    return run


def step(session: Session, run_id: UUID) -> jobs.Progress:
    """Compute it. What is decided on is read now and not when it was asked for."""
    run = session.scalar(select(AllocationRun).where(AllocationRun.id == run_id).with_for_update())
    if run is None:
        raise NotFound
    if run.state == RunState.DONE:
        return jobs.Progress(PHASES, PHASES)
    if run.problem_digest is None:
        run.problem_digest = present_problem(session, _track(session, run.tender_track_id)).digest
        session.flush()
        return jobs.Progress(1, PHASES)
    # The solver is for the workers: pages read this room too, and need not carry it.
    from portal.awards.allocation.policies import allocate

    problem = present_problem(session, _track(session, run.tender_track_id))
    allocation = allocate(problem, seconds=SECONDS)
    ended = now(session)
    run.problem_digest, run.digest = problem.digest, allocation.digest
    run.candidates = len(problem.candidates)
    run.result = allocation.to_plain() | {
        **_money(allocation),
        "places": {each.key: each.place for each in problem.candidates},
        "asked": {each.key: basis.as_text(each.asked) for each in problem.candidates},
    }
    run.gap, run.reproducible = allocation.gap, allocation.reproducible
    run.seconds = Decimal(f"{allocation.seconds:.2f}")
    run.state, run.done_at = RunState.DONE, ended
    session.flush()
    changes = {
        "problem": run.problem_digest,
        "digest": run.digest,
        "objective": allocation.objective,
        "gap": allocation.gap,
    }
    record(session, ACTOR, "awards:allocation:done", "allocation_run", run.id, changes)
    return jobs.Progress(PHASES, PHASES)


def _money(allocation: Allocation) -> dict[str, Any]:
    """What is left of each year's envelope, and what another million would bring; by track where they are several."""
    by_track: dict[str, dict[str, dict[str, str]]] = {}
    for name, figures in (("left", allocation.left), ("shadow", allocation.shadow)):
        for (track, year), figure in sorted(figures.items()):
            by_track.setdefault(track, {"left": {}, "shadow": {}})[name][str(year)] = f"{figure:.2f}"
    if len(by_track) > 1:
        return {"tracks": by_track}
    return next(iter(by_track.values()), {"left": {}, "shadow": {}})


def present_problem(session: Session, track: TenderTrack) -> Problem:
    """What would be decided on now. Raises :class:`Problems` with everything that is still open."""
    return problem_of(session, ranks(session, track))


@dataclass(frozen=True, slots=True)
class RunView:
    """The newest allocation of a track, or of the tracks that share limits with it. ``problems``: what is still open;
    ``applications``: those of its outcomes by key; ``rules``: by track, in their order."""

    run: AllocationRun | None
    task: jobs.Task | None
    current: bool
    problems: tuple[Fault, ...]
    applications: Mapping[str, Application]
    rules: Mapping[str, RuleSet]


def view(session: Session, track: TenderTrack) -> RunView:
    """For the page; the caller has the right to read awards. Eight queries at most."""
    row = session.execute(
        select(AllocationRun, jobs.Task)
        .outerjoin(jobs.Task, jobs.Task.id == AllocationRun.task_id)
        .where(AllocationRun.tender_track_id.in_(together(track)))
        .order_by(AllocationRun.id.desc())
        .limit(1)
        .options(joinedload(AllocationRun.creator))
    ).first()
    run, task = row if row is not None else (None, None)
    current = False
    problems: tuple[Fault, ...] = ()
    try:
        held = ranks(session, track)
        current = run is not None and run.problem_digest == problem_of(session, held).digest
        rules = {side.track.track: side.rules for side in held}
    except Problems as open_points:
        problems, rules = tuple(open_points.problems), _rules(session, track)
    keys = [UUID(key) for key in run.result.get("outcomes", {})] if run is not None else []
    rows = session.scalars(
        select(Application).where(Application.id.in_(keys)).options(joinedload(Application.initiator, innerjoin=True))
    )
    return RunView(run, task, current, problems, {str(row.id): row for row in rows}, rules)


def _rules(session: Session, track: TenderTrack) -> dict[str, RuleSet]:
    wanted = (
        select(TenderTrack.track)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .where(TenderTrack.id.in_(together(track)))
        .order_by(TenderTrack.track)
    )
    return {name: rules for rules, (name,) in rules_with(session, wanted)}


def _enqueue(session: Session, run: AllocationRun) -> None:
    """Write the run's task; one that was parked is taken up again."""
    if run.task_id is not None and jobs.retry(session, run.task_id) is not None:
        return
    task_id = jobs.enqueue(session, TASK, {"run_id": str(run.id)}, key=f"{TASK}:{run.id}")
    run.task_id = task_id or run.task_id


def _track(session: Session, tender_track_id: UUID) -> TenderTrack:
    track = session.scalar(
        select(TenderTrack)
        .join(TenderTrack.tender)
        .where(TenderTrack.id == tender_track_id)
        .options(contains_eager(TenderTrack.tender))
    )
    if track is None:
        raise NotFound
    return track
