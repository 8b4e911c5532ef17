"""Background work of this room: allocation, letters, simulations, offers, the reserve list."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.awards import letters, reserve_list
from portal.awards.allocation import computing as allocating
from portal.awards.models import AwardDecision, DecisionLine
from portal.awards.offers import service as offers
from portal.awards.scenarios import simulating
from portal.awards.service import LETTERS
from portal.core import jobs

BATCH: Final = 25


@jobs.handler(allocating.TASK)
def allocate_track(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> jobs.Progress:
    """A phase of the allocation of a track."""
    return allocating.step(session, UUID(payload["run_id"]))


@jobs.handler(LETTERS)
def award_letters(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> jobs.Progress:
    """Write the letters of the next lines of a decision; a letter that exists is not written again."""
    # Whoever stops the letters holds the row: this waits and then sees that they are stopped.
    decision = session.get(AwardDecision, UUID(payload["decision_id"]), with_for_update={"read": True})
    done = session.scalar(select(jobs.Task.progress_done).where(jobs.Task.id == claim.id)) or 0
    if decision is None or decision.published_at is None or decision.letters_stopped_at is not None:
        return jobs.Progress(done, done)
    keys = session.scalars(
        select(DecisionLine.id).where(DecisionLine.decision_id == decision.id).order_by(DecisionLine.place)
    ).all()
    batch = session.scalars(
        select(DecisionLine)
        .where(DecisionLine.id.in_(keys[done : done + BATCH]))
        .order_by(DecisionLine.place)
        .options(joinedload(DecisionLine.application), selectinload(DecisionLine.amounts))
    )
    for line in batch:
        letters.write(session, decision, line)
    return jobs.Progress(min(done + BATCH, len(keys)), len(keys))


@jobs.handler(offers.DUE)
def offer_due(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Nobody has answered an offer until now: it counts as refused."""
    offers.expire(session, UUID(payload["offer_id"]))


@jobs.handler(simulating.KIND)
def rank_acceptability(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Simulate and keep the answer; again changes nothing."""
    simulating.run(session, payload)


@jobs.handler(reserve_list.PROPOSE)
def propose_reserve(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Money has returned to an envelope: say who is next on the reserve list. The database writes these tasks."""
    reserve_list.propose(session, UUID(payload["posting_id"]))
