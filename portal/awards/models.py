"""The decision on a track of a tender: award list, reserve list, declined, and who signed."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.applications.models import Application
from portal.core.db import Base, Keyed, Stamped
from portal.core.money import Money
from portal.identity.models import User, one_of


class Award(StrEnum):
    AWARD = "award"
    RESERVE = "reserve"
    DECLINE = "decline"


class DecisionKind(StrEnum):
    """The list over a track; awards from its reserve list; a correction of what was published."""

    FIRST = "first"
    SUPPLEMENTARY = "supplementary"
    CORRECTION = "correction"


class AwardDecision(Keyed, Stamped, Base):
    """The list drafted by one person and signed by others; the last signature books the awards in the ledger.

    ``available`` is what the envelopes had when it was drafted (year -> roubles, both as text); ``digest`` covers
    it together with the scoring run and every line, so that nobody signs another list than was drafted.
    ``signed_by`` and ``signed_at`` are those of the last signature, with which it took effect. ``letters_at``: until
    then the letters of a published decision wait and can be stopped. Decisions on a track are counted from 1; a later
    one follows the published one before it, says why (``grounds``), and has lines only for what it changes.
    ``beyond``: the limits that a correction breaks and why, ``{reason, limits}`` (:mod:`portal.awards.later_limits`).
    """

    __tablename__ = "award_decision"
    __table_args__ = (
        CheckConstraint("(signed_at is null) = (signed_by is null)", name="signed"),
        CheckConstraint("signed_by is null or signed_by <> drafted_by", name="two_persons"),
        CheckConstraint("published_at is null or signed_at is not null", name="published_after_signing"),
        CheckConstraint("discarded_at is null or signed_at is null", name="signed_stays"),
        CheckConstraint("letters_at is null or published_at is not null", name="letters_after_publication"),
        CheckConstraint(
            "(letters_stopped_at is null) = (letters_stopped_by is null)"
            " and (letters_stopped_at is null) = (letters_stop_reason is null)"
            " and (letters_stopped_at is null or letters_at is not null)",
            name="letters_stopped",
        ),
        Index(
            "uq_award_decision_live",
            "tender_track_id",
            "number",
            unique=True,
            postgresql_where=text("discarded_at is null"),
        ),
        CheckConstraint(one_of("kind", DecisionKind), name="kind"),
        CheckConstraint(
            "(number = 1) = (follows_id is null) and (number = 1) = (kind = 'first') and number > 0", name="chain"
        ),
        CheckConstraint("kind = 'first' or grounds <> ''", name="grounds"),
        CheckConstraint(
            "beyond is null or kind = 'correction' and coalesce(beyond ->> 'reason', '') <> ''", name="beyond"
        ),
    )

    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"))
    run_id: Mapped[UUID] = mapped_column(ForeignKey("score_run.id"))
    number: Mapped[int] = mapped_column(default=1, server_default="1")
    kind: Mapped[str] = mapped_column(default=DecisionKind.FIRST, server_default="first")
    follows_id: Mapped[UUID | None] = mapped_column(ForeignKey("award_decision.id"))
    grounds: Mapped[str] = mapped_column(default="", server_default="")
    beyond: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    digest: Mapped[str]
    available: Mapped[dict[str, Any]]
    drafted_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    signed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    signed_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]
    letters_at: Mapped[datetime | None]
    letters_stopped_at: Mapped[datetime | None]
    letters_stopped_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    letters_stop_reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    lines: Mapped[list[DecisionLine]] = relationship(
        back_populates="decision", lazy="raise", order_by="DecisionLine.place"
    )


class DecisionSignature(Keyed, Base):
    """A person's signature under the digest of a decision, in one capacity; append-only, never the drafter's."""

    __tablename__ = "decision_signature"
    __table_args__ = (
        UniqueConstraint("decision_id", "office"),
        UniqueConstraint("decision_id", "signed_by"),
        CheckConstraint("office in ('member', 'director', 'chair', 'finance')", name="office"),
    )

    decision_id: Mapped[UUID] = mapped_column(ForeignKey("award_decision.id"))
    office: Mapped[str]
    signed_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    digest: Mapped[str]
    signed_at: Mapped[datetime] = mapped_column(server_default=func.portal_now())

    signer: Mapped[User] = relationship(lazy="raise")


class DecisionLine(Keyed, Base):
    """One application's outcome with its place and the reason in both languages."""

    __tablename__ = "decision_line"
    __table_args__ = (
        UniqueConstraint("decision_id", "application_id"),
        UniqueConstraint("decision_id", "place"),
        CheckConstraint(one_of("outcome", Award), name="outcome"),
        CheckConstraint("approved_at is null or outcome = 'award'", name="approved"),
        Index("ix_decision_line_application", "application_id"),
    )

    decision_id: Mapped[UUID] = mapped_column(ForeignKey("award_decision.id"))
    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    place: Mapped[int]
    outcome: Mapped[str]
    total: Mapped[Decimal | None]
    reason: Mapped[dict[str, Any]]
    approved_at: Mapped[datetime | None]

    decision: Mapped[AwardDecision] = relationship(back_populates="lines")
    application: Mapped[Application] = relationship(lazy="raise")
    amounts: Mapped[list[AwardAmount]] = relationship(back_populates="line", lazy="raise", order_by="AwardAmount.year")


class AwardAmount(Base):
    """The subsidy of one award in one year, roubles."""

    __tablename__ = "award_amount"
    __table_args__ = (CheckConstraint("amount > 0", name="amount"),)

    line_id: Mapped[UUID] = mapped_column(ForeignKey("decision_line.id"), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[Decimal] = mapped_column(Money)

    line: Mapped[DecisionLine] = relationship(back_populates="amounts")
