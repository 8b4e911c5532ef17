"""The locks that decisions on awards take: the decision first, then its track."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased, contains_eager, selectinload

from portal.awards.models import AwardDecision, DecisionLine
from portal.core.errors import Conflict, NotFound, Stale
from portal.core.language import N_
from portal.tenders.models import Tender, TenderTrack


def locked_decision(session: Session, decision_id: UUID, expected_version: int | None) -> AwardDecision:
    """The decision with its lines and amounts, locked.

    :class:`NotFound`; :class:`Conflict` when it was discarded; :class:`Stale` when it has another version.
    """
    decision = session.scalar(
        select(AwardDecision)
        .where(AwardDecision.id == decision_id)
        .options(selectinload(AwardDecision.lines).selectinload(DecisionLine.amounts))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if decision is None:
        raise NotFound
    if decision.discarded_at is not None:
        raise Conflict(N_("This list was discarded."))
    if expected_version is not None and decision.version != expected_version:
        raise Stale(
            N_("Somebody else changed this since you opened it. Open the page again and repeat your change."),
            decision.version,
        )
    return decision


def lock_together(session: Session, decision_id: UUID) -> list[UUID]:
    """The first decisions on all tracks of a tender with limits over them, when ``decision_id`` is one of them.

    They take effect and are published together. All are locked, always in the same order; one query. Of any other
    decision: nothing.
    """
    track, own, mine = aliased(TenderTrack), aliased(TenderTrack), aliased(AwardDecision)
    wanted = (
        select(AwardDecision.id)
        .join(track, track.id == AwardDecision.tender_track_id)
        .join(Tender, Tender.id == track.tender_id)
        .join(own, own.tender_id == Tender.id)
        .join(mine, mine.tender_track_id == own.id)
        .where(
            mine.id == decision_id,
            mine.number == 1,
            Tender.joint_digest.is_not(None),
            AwardDecision.number == 1,
            AwardDecision.discarded_at.is_(None),
        )
        .order_by(AwardDecision.id)
    )
    return list(session.scalars(wanted.with_for_update(of=AwardDecision)))


def locked_track(session: Session, tender_track_id: UUID) -> TenderTrack:
    """A track with its tender, locked, as it is now. :class:`NotFound`."""
    track = session.scalar(
        select(TenderTrack)
        .join(TenderTrack.tender)
        .where(TenderTrack.id == tender_track_id)
        .options(contains_eager(TenderTrack.tender))
        .with_for_update(of=TenderTrack)
        .execution_options(populate_existing=True)
    )
    if track is None:
        raise NotFound
    return track
