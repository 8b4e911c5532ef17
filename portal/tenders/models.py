"""Programmes, tenders with their tracks, and versioned rule sets."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed, Stamped
from portal.identity.models import one_of


class Track(StrEnum):
    EXPORT = "export"
    IMPORT_SUBSTITUTION = "import_substitution"


TRACK_CODES: Final = {Track.IMPORT_SUBSTITUTION: "IS", Track.EXPORT: "EX"}


class Programme(Keyed, Stamped, Base):
    """A funding programme; its envelopes are per track and year."""

    __tablename__ = "programme"

    code: Mapped[str] = mapped_column(unique=True)
    name_ru: Mapped[str]
    name_en: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class RuleSetVersion(Keyed, Stamped, Base):
    """The rules of one track in one version; its content never changes once frozen (a trigger holds it)."""

    __tablename__ = "rule_set"
    __table_args__ = (
        CheckConstraint(one_of("track", Track), name="track"),
        CheckConstraint("(frozen_at is null) = (digest is null)", name="frozen"),
    )

    track: Mapped[str]
    title_ru: Mapped[str]
    title_en: Mapped[str]
    content: Mapped[dict[str, Any]]
    digest: Mapped[str | None]
    frozen_at: Mapped[datetime | None]
    copied_from: Mapped[UUID | None] = mapped_column(ForeignKey("rule_set.id"))
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class Tender(Keyed, Stamped, Base):
    """A yearly tender. Its status follows from its instants (``tenders.rules.status``), never stored."""

    __tablename__ = "tender"
    __table_args__ = (
        CheckConstraint("opens_at is null or closes_at is null or opens_at < closes_at", name="intake"),
        CheckConstraint(
            "published_at is null or (opens_at is not null and closes_at is not null)",
            name="published_with_dates",
        ),
        CheckConstraint("(cancelled_at is null) = (cancel_reason is null)", name="cancelled"),
        Index("ix_tender_closes", "closes_at"),
    )

    programme_id: Mapped[UUID] = mapped_column(ForeignKey("programme.id"), index=True)
    code: Mapped[str] = mapped_column(unique=True)
    year: Mapped[int]
    title_ru: Mapped[str]
    title_en: Mapped[str]
    notice_ru: Mapped[str] = mapped_column(default="")
    notice_en: Mapped[str] = mapped_column(default="")
    zone: Mapped[str] = mapped_column(default="Europe/Moscow")
    opens_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    results_published_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    cancel_reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    programme: Mapped[Programme] = relationship(lazy="raise")
    tracks: Mapped[list[TenderTrack]] = relationship(
        back_populates="tender", lazy="raise", order_by="TenderTrack.track"
    )


class TenderTrack(Keyed, Base):
    """A track of a tender with its rule set and the counter of its registration numbers."""

    __tablename__ = "tender_track"
    __table_args__ = (
        UniqueConstraint("tender_id", "track"),
        CheckConstraint(one_of("track", Track), name="track"),
        CheckConstraint("last_number >= 0", name="last_number"),
    )

    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"))
    track: Mapped[str]
    rule_set_id: Mapped[UUID] = mapped_column(ForeignKey("rule_set.id"), unique=True)
    last_number: Mapped[int] = mapped_column(default=0)

    tender: Mapped[Tender] = relationship(back_populates="tracks")
    rule_set: Mapped[RuleSetVersion] = relationship(lazy="raise")
