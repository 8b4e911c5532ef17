"""Background work: what waits for a membership or a signature, telling of a tender's events, opening seals."""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.applications.following import notices
from portal.applications.partners import prospects
from portal.applications.sealing import opening
from portal.applications.signatures import readiness
from portal.core.jobs import Claim, Progress, Task, handler
from portal.tenders.amendments import NOTICE


@handler(opening.KIND)
def open_sealed(session: Session, payload: dict[str, Any], claim: Claim) -> Progress:
    """Open the next sealed applications of a tender."""
    return opening.step(session, UUID(payload["tender_id"]))


@handler("membership_confirmed")
def membership_confirmed(session: Session, payload: dict[str, Any], claim: Claim) -> None:
    """New members of a cluster: invitations that waited for them are sent."""
    prospects.follow(session, cluster_id=UUID(payload["cluster_id"]))


@handler(readiness.KIND, passing=True)
def tell_readiness(session: Session, payload: dict[str, Any], claim: Claim) -> None:
    """Those who are waited for learn of it when nothing but their signature, or the submission, is missing."""
    readiness.look(session, UUID(payload["application_id"]))


@handler(NOTICE)
def tender_notice(session: Session, payload: dict[str, Any], claim: Claim) -> Progress:
    """Tell the next people. Where it has come to stands in the task, so that nobody is left out when people join or
    leave meanwhile."""
    told, done = session.execute(select(Task.payload, Task.progress_done).where(Task.id == claim.id)).one()
    notice = notices.of_event(session, payload["event"], UUID(payload["id"]))
    if notice is None:
        return Progress(done, done)
    after = UUID(told["after"]) if "after" in told else None
    people = session.scalars(notices.recipients(notice, after).limit(notices.STEP)).all()
    if people:
        notices.tell(session, notice, people)
        after = people[-1].id
        session.execute(update(Task).where(Task.id == claim.id).values(payload={**told, "after": str(after)}))
    done = cast(int, done) + len(people)
    return Progress(done, done + notices.left(session, notice, after))
