"""What follows when money returns: an initiator's refusal of an award, and the proposal for the reserve list."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.awards.models import DecisionLine
from portal.core.db import Base, Keyed, Stamped
from portal.identity.models import User, one_of
from portal.tenders.models import TenderTrack


class ProposalState(StrEnum):
    """``replaced``: more money has returned since, another proposal stands in its place."""

    OPEN = "open"
    DRAFTED = "drafted"
    DISMISSED = "dismissed"
    REPLACED = "replaced"


class AwardRefusal(Keyed, Base):
    """The initiator does not take an award, before any agreement. Append-only."""

    __tablename__ = "award_refusal"
    __table_args__ = (UniqueConstraint("line_id"), CheckConstraint("reason <> ''", name="reason"))

    line_id: Mapped[UUID] = mapped_column(ForeignKey("decision_line.id"))
    reason: Mapped[str]
    refused_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    refused_at: Mapped[datetime] = mapped_column(server_default=func.portal_now())

    line: Mapped[DecisionLine] = relationship(lazy="raise")


class ReserveProposal(Keyed, Stamped, Base):
    """Who of the reserve list is next, made by the portal when a posting gives money back to an envelope.

    ``available``: year -> roubles as text at that moment; ``lines``: [{application, number, title, place, amounts,
    total}] in the order of the list. A person drafts a decision from it, or dismisses it with a reason.
    """

    __tablename__ = "reserve_proposal"
    __table_args__ = (
        UniqueConstraint("posting_id", "tender_track_id"),
        CheckConstraint(one_of("state", ProposalState), name="state"),
        CheckConstraint("(state = 'drafted') = (decision_id is not null)", name="decision"),
        CheckConstraint("(state = 'dismissed') = (reason is not null)", name="reason"),
        CheckConstraint("(state in ('drafted', 'dismissed')) = (ended_by is not null)", name="ended_by"),
        Index("uq_reserve_proposal_open", "tender_track_id", unique=True, postgresql_where=text("state = 'open'")),
    )

    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"))
    posting_id: Mapped[UUID] = mapped_column(ForeignKey("posting.id"))
    available: Mapped[dict[str, Any]]
    lines: Mapped[list[Any]]
    state: Mapped[str] = mapped_column(default=ProposalState.OPEN)
    decision_id: Mapped[UUID | None] = mapped_column(ForeignKey("award_decision.id"))
    ended_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    ended_at: Mapped[datetime | None]
    reason: Mapped[str | None]

    tender_track: Mapped[TenderTrack] = relationship(lazy="raise")
    ender: Mapped[User | None] = relationship(lazy="raise")
