"""Envelopes with money in them, made through the verbs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy.orm import Session

from portal.budget import service
from portal.budget.models import Envelope
from portal.identity.policy import system_actor
from portal.tenders.models import Programme, Track

ACTOR = system_actor("tests")


def envelope(
    session: Session,
    programme_id: UUID,
    track: Track = Track.IMPORT_SUBSTITUTION,
    year: int = 2018,
    amount: Decimal | int = 0,
) -> Envelope:
    """An envelope that an order gave ``amount`` roubles to; nothing when it is zero."""
    row = service.open_envelope(session, ACTOR, programme_id=programme_id, track=track, year=year)
    if amount:
        service.appropriate(
            session,
            ACTOR,
            row.id,
            key=f"test:{uuid4()}",
            amount=Decimal(amount),
            order="№ 1",
            reason="Demo appropriation",
        )
    return row


def envelopes(
    session: Session, programme: Programme, amounts: Mapping[Track, Mapping[int, Decimal | int]]
) -> dict[tuple[Track, int], Envelope]:
    """The envelopes of a programme by track and year."""
    return {
        (track, year): envelope(session, programme.id, track, year, amount)
        for track, by_year in amounts.items()
        for year, amount in by_year.items()
    }
