"""The offer of a part of what a project asks for, and what its initiator answered.

A trigger keeps amounts and ends, and refuses answers out of time and decisions that are signed while an offer waits.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.applications.models import Application
from portal.awards.models import AwardDecision
from portal.core.db import Base, Keyed
from portal.core.money import Money
from portal.identity.models import User, one_of


class OfferState(StrEnum):
    """``expired``: nobody answered in time, which counts as no; ``withdrawn``: the list it belonged to is put away."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class AwardOffer(Keyed, Base):
    """A part of the subsidy, offered to the initiator of a project that fits into the budget only in part.

    It belongs to a submission and to its amounts: a list drafted anew that gives just these takes it over.
    ``decision_id``: the draft it was sent from. ``proof``: how the person who answered showed who it is.
    """

    __tablename__ = "award_offer"
    __table_args__ = (
        CheckConstraint(one_of("state", OfferState), name="state"),
        CheckConstraint("sent_at < due_at", name="due"),
        CheckConstraint("(state = 'open') = (ended_at is null)", name="ended"),
        CheckConstraint(
            "(state in ('accepted', 'refused')) = (answered_by is not null)"
            " and (answered_by is null) = (proof is null)",
            name="answered_by",
        ),
        CheckConstraint("state <> 'refused' or reason <> ''", name="reason"),
        CheckConstraint("state in ('open', 'withdrawn') or (ended_at < due_at) = (state <> 'expired')", name="in_time"),
        Index("uq_award_offer_open", "application_id", unique=True, postgresql_where=text("state = 'open'")),
        Index("ix_award_offer_track", "tender_track_id", "application_id"),
        Index("ix_award_offer_due", "due_at", postgresql_where=text("state = 'open'")),
    )

    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"))
    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"))
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("award_decision.id"))
    sent_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    sent_at: Mapped[datetime] = mapped_column(server_default=func.portal_now())
    due_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=OfferState.OPEN)
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    proof: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    reason: Mapped[str] = mapped_column(default="", server_default="")

    application: Mapped[Application] = relationship(lazy="raise")
    decision: Mapped[AwardDecision] = relationship(lazy="raise")
    answerer: Mapped[User | None] = relationship(lazy="raise", foreign_keys=[answered_by])
    amounts: Mapped[list[OfferAmount]] = relationship(back_populates="offer", lazy="raise", order_by="OfferAmount.year")

    @property
    def asked(self) -> Decimal:
        """Roubles over all years."""
        return sum((each.asked for each in self.amounts), Decimal("0.00"))

    @property
    def offered(self) -> Decimal:
        return sum((each.offered for each in self.amounts), Decimal("0.00"))

    @property
    def by_year(self) -> dict[int, Decimal]:
        """What is offered, without years of nothing."""
        return {each.year: each.offered for each in self.amounts if each.offered}


class OfferAmount(Base):
    """What was asked for and is offered of one year, roubles. Append-only."""

    __tablename__ = "award_offer_amount"
    __table_args__ = (
        CheckConstraint("asked > 0", name="asked"),
        CheckConstraint("offered between 0 and asked", name="offered"),
    )

    offer_id: Mapped[UUID] = mapped_column(ForeignKey("award_offer.id"), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True)
    asked: Mapped[Decimal] = mapped_column(Money)
    offered: Mapped[Decimal] = mapped_column(Money)

    offer: Mapped[AwardOffer] = relationship(back_populates="amounts")

    @property
    def own(self) -> Decimal:
        """What the project has to pay itself instead, roubles."""
        return self.asked - self.offered
