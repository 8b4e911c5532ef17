"""Background work of the review."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core import jobs
from portal.review import barring, blind_copies, planning, similar
from portal.review.conflict_queries import judges

PEOPLE_AT_ONCE: Final = 20


@jobs.handler("find_similar")
def find_similar(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Compare a submission with those it may be like, as it arrives."""
    similar.find(session, UUID(payload["submission_id"]))


@jobs.handler(blind_copies.KIND)
def make_blind_copies(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Copy the files of a submission without what their properties tell, where reviewers may not know who applies."""
    blind_copies.make(session, UUID(payload["submission_id"]))


@jobs.handler(planning.CARRY_OUT)
def carry_out_assignment(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Ask the reviewers of a proposal that a person has confirmed."""
    planning.carry_out(session, UUID(payload["plan_id"]))


@jobs.handler(planning.COMPUTE)
def plan_assignment(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> jobs.Progress:
    """One phase of a proposal of who reviews what."""
    return planning.step(session, UUID(payload["plan_id"]))


@jobs.handler("find_conflicts")
def find_conflicts(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> jobs.Progress | None:
    """Compute conflicts of interest anew: of one person, of one application, or all; twenty people in a step.

    The database writes these tasks (triggers) in the transaction that changed a tie, a membership, a supply, a
    cluster, a participant or a submission. One for everything leaves its work to a later one that waits.
    """
    if not payload and _later_waits(session, claim):
        return None
    applications = [UUID(payload["application_id"])] if "application_id" in payload else None
    if "user_id" in payload:
        barring.refresh(session, [UUID(payload["user_id"])], applications)
        return None
    people = judges(session)
    done = session.scalars(select(jobs.Task.progress_done).where(jobs.Task.id == claim.id)).one()
    barring.refresh(session, people[done : done + PEOPLE_AT_ONCE], applications)
    return jobs.Progress(min(done + PEOPLE_AT_ONCE, len(people)), len(people))


def _later_waits(session: Session, claim: jobs.Claim) -> bool:
    """Whether a later task of the same kind for everything has not begun: it will see all that this one would."""
    task = jobs.Task
    later = select(task.id).where(
        task.kind == claim.kind,
        task.number > claim.number,
        task.payload == {},
        task.done_at.is_(None),
        task.parked_at.is_(None),
        task.attempts == 0,
    )
    return session.scalar(later.limit(1)) is not None
