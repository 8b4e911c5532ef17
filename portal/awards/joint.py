"""Tracks that are decided together, because their tender has limits over all of them (decision 17).

Each track has its list, its drafter, its vote and its signatures. The lists take effect in one transaction, with the
last signature of all, and are published together: no track is decided on what the other may still become.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session, aliased

from portal.applications.models import Application
from portal.awards import sign_offs
from portal.awards.locks import locked_decision
from portal.awards.models import AwardDecision
from portal.awards.ranks import IN_PLAY
from portal.scoring.queries import rules_of
from portal.tenders.models import Tender, TenderTrack


def others_to_sign(session: Session, decision: AwardDecision, together: Sequence[UUID]) -> list[AwardDecision]:
    """The drafted lists of the other tracks that take effect with this one, locked with their lines.

    ``together``: those of :func:`portal.awards.locks.lock_together`.
    """
    keys = [key for key in together if key != decision.id]
    held = [locked_decision(session, key, None) for key in keys]
    return [other for other in held if other.signed_at is None]


def others_to_publish(session: Session, decision: AwardDecision, together: Sequence[UUID]) -> list[AwardDecision]:
    """The signed lists of the other tracks that become public with this one."""
    keys = [key for key in together if key != decision.id]
    held = [locked_decision(session, key, None) for key in keys]
    return [other for other in held if other.signed_at is not None and other.published_at is None]


def all_signed(session: Session, decision: AwardDecision, others: Sequence[AwardDecision]) -> bool:
    """Whether the other tracks that are decided with this one have lists, and these all their signatures.

    ``others``: :func:`others_to_sign`.
    """
    lacking = {row.track_id for row in beside(session, decision.tender_track_id) if row.decision_id is None}
    return not lacking and all(_has_all(session, other) for other in others)


def _has_all(session: Session, decision: AwardDecision) -> bool:
    rules = rules_of(session, decision.tender_track_id)
    listed = sign_offs.listed(rules, sign_offs.awarded(decision), sign_offs.given(session, decision.id))
    return all(item.given for item in listed)


@dataclass(frozen=True, slots=True)
class Beside:
    """Another track that is decided together with one: its track, its live list, and how far that is."""

    track_id: UUID
    track: str
    decision_id: UUID | None
    signed: bool
    published: bool


def beside(session: Session, tender_track_id: UUID) -> list[Beside]:
    """The other tracks that are decided together with a track and have something to decide on, or a decision.

    One query; nothing where the tender has no limits over its tracks.
    """
    own, first = aliased(TenderTrack), aliased(AwardDecision)
    in_play = select(func.count(Application.id)).where(
        Application.tender_track_id == TenderTrack.id, Application.state.in_(IN_PLAY)
    )
    rows = session.execute(
        select(TenderTrack.id, TenderTrack.track, first.id, first.signed_at, first.published_at)
        .join(own, own.tender_id == TenderTrack.tender_id)
        .join(TenderTrack.tender)
        .outerjoin(
            first, and_(first.tender_track_id == TenderTrack.id, first.number == 1, first.discarded_at.is_(None))
        )
        .where(
            own.id == tender_track_id,
            TenderTrack.id != tender_track_id,
            Tender.joint_digest.is_not(None),
            first.id.is_not(None) | (in_play.correlate(TenderTrack).scalar_subquery() > 0),
        )
        .order_by(TenderTrack.track)
    )
    return [
        Beside(key, track, decision_id, signed_at is not None, published_at is not None)
        for key, track, decision_id, signed_at, published_at in rows
    ]
