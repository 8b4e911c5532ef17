"""Public draws of lots among equal totals: what is committed to before, and the randomness that came after."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed, Stamped
from portal.tenders.models import TenderTrack


class DrawCommitment(Keyed, Stamped, Base):
    """What is published before the randomness exists. Append-only; the last of a track counts.

    ``numbers``: the registration numbers that draw, sorted; ``source`` names the public event whose outcome is the
    randomness, ``draws_at`` when it takes place. ``digest``: SHA-256 of the canonical JSON of
    :func:`portal.scoring.lots.committed`. A trigger refuses a commitment once the instant of an earlier one has come.
    """

    __tablename__ = "draw_commitment"
    __table_args__ = (
        UniqueConstraint("tender_track_id", "round"),
        UniqueConstraint("id", "tender_track_id"),
        CheckConstraint("round >= 1", name="round"),
        CheckConstraint("jsonb_array_length(numbers) >= 2", name="numbers"),
        CheckConstraint("length(source_ru) > 0 and length(source_en) > 0", name="source"),
        CheckConstraint("draws_at > created_at", name="before"),
        CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name="digest"),
    )

    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"))
    round: Mapped[int]
    numbers: Mapped[list[str]]
    source_ru: Mapped[str]
    source_en: Mapped[str]
    url: Mapped[str]
    draws_at: Mapped[datetime]
    digest: Mapped[str]
    committed_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))

    tender_track: Mapped[TenderTrack] = relationship(lazy="raise")


class DrawOutcome(Stamped, Base):
    """The randomness of a draw, entered once after its instant; one for a track. Append-only."""

    __tablename__ = "draw_outcome"
    __table_args__ = (
        CheckConstraint("length(randomness) between 4 and 400 and randomness = btrim(randomness)", name="randomness"),
        CheckConstraint("url ~ '^https?://'", name="url"),
    )

    commitment_id: Mapped[UUID] = mapped_column(ForeignKey("draw_commitment.id"), primary_key=True)
    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"), unique=True)
    randomness: Mapped[str]
    url: Mapped[str]
    note: Mapped[str]
    entered_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
