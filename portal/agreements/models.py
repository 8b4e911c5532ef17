"""The subsidy agreement of an award: tranches against evidence, results promised, what is due, money asked back.

An agreement is written while it is a draft; signed, its schedule is frozen (triggers): a tranche is paid once, and
what is not paid may only shrink. What was paid comes back by recoveries and their receipts.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.awards.models import DecisionLine
from portal.core.db import Base, Keyed, Stamped
from portal.core.money import Money
from portal.identity.models import Organisation, one_of


class AgreementState(StrEnum):
    DRAFT = "draft"
    SIGNED = "signed"
    ENDED = "ended"
    DISCARDED = "discarded"


class DueKind(StrEnum):
    REPORT = "report"
    EVIDENCE = "evidence"


class Agreement(Keyed, Stamped, Base):
    """The fund and the initiator of an awarded project.

    ``number`` and ``signed_on`` are those of the paper; ``end_document`` names the paper that ended it.
    """

    __tablename__ = "agreement"
    __table_args__ = (
        CheckConstraint(one_of("state", AgreementState), name="state"),
        CheckConstraint(
            "(signed_at is null) = (state in ('draft', 'discarded')) and (signed_at is null) = (signed_on is null)"
            " and (signed_at is null) = (signed_by is null) and (signed_at is null) = (number is null)",
            name="signed",
        ),
        CheckConstraint("number is null or length(number) > 0", name="number"),
        CheckConstraint("signed_by is null or signed_by <> drafted_by", name="two_persons"),
        CheckConstraint(
            "(state = 'ended') = (ended_at is not null) and (ended_at is null) = (end_document is null)", name="ended"
        ),
        Index("uq_agreement_line", "line_id", unique=True, postgresql_where=text("state <> 'discarded'")),
        Index("uq_agreement_number", "number", unique=True),
        Index("ix_agreement_listed", "created_at", "id"),
    )

    line_id: Mapped[UUID] = mapped_column(ForeignKey("decision_line.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    fund_signatory: Mapped[str] = mapped_column(default="", server_default="")
    recipient_signatory: Mapped[str] = mapped_column(default="", server_default="")
    state: Mapped[str] = mapped_column(default=AgreementState.DRAFT)
    drafted_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    number: Mapped[str | None]
    signed_on: Mapped[date | None]
    signed_at: Mapped[datetime | None]
    signed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    ended_at: Mapped[datetime | None]
    end_document: Mapped[str | None]
    end_reason: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    line: Mapped[DecisionLine] = relationship(lazy="raise")
    organisation: Mapped[Organisation] = relationship(lazy="raise")
    tranches: Mapped[list[Tranche]] = relationship(lazy="raise", order_by="Tranche.place", back_populates="agreement")
    results: Mapped[list[AgreementResult]] = relationship(lazy="raise", order_by="AgreementResult.place")
    dues: Mapped[list[AgreementDue]] = relationship(lazy="raise", order_by="AgreementDue.due_on, AgreementDue.id")


class Tranche(Keyed, Base):
    """A part of the subsidy, roubles. ``planned`` as signed, ``released`` what is no longer to be paid of it.

    Paid is ``planned - released``, once, on ``paid_on`` by ``payment_document``.
    """

    __tablename__ = "tranche"
    __table_args__ = (
        UniqueConstraint("agreement_id", "place"),
        CheckConstraint("planned > 0", name="planned"),
        CheckConstraint("released between 0 and planned", name="released"),
        CheckConstraint("year between 2000 and 2100", name="year"),
        CheckConstraint(
            "(paid_on is null) = (paid_at is null) and (paid_on is null) = (payment_document is null)"
            " and (paid_on is null or released < planned)",
            name="paid",
        ),
        Index("ix_tranche_open", "planned_on", "id", postgresql_where=text("paid_on is null and released < planned")),
    )

    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"))
    place: Mapped[int]
    year: Mapped[int]
    planned_on: Mapped[date]
    planned: Mapped[Decimal] = mapped_column(Money)
    condition: Mapped[str] = mapped_column(default="", server_default="")
    released: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    paid_on: Mapped[date | None]
    paid_at: Mapped[datetime | None]
    payment_document: Mapped[str | None]

    agreement: Mapped[Agreement] = relationship(lazy="raise", back_populates="tranches")
    recoveries: Mapped[list[Recovery]] = relationship(
        lazy="raise", order_by="Recovery.demanded_on, Recovery.id", back_populates="tranche"
    )

    @property
    def amount(self) -> Decimal:
        """What is to be paid, or was, roubles."""
        return self.planned - self.released

    @property
    def state(self) -> str:
        """'paid', 'cancelled' (nothing is left of it) or 'open'."""
        if self.paid_on is not None:
            return "paid"
        return "open" if self.amount else "cancelled"


class AgreementResult(Keyed, Base):
    """A result that the recipient promises: what, how much, until when."""

    __tablename__ = "agreement_result"
    __table_args__ = (UniqueConstraint("agreement_id", "place"), CheckConstraint("length(title) > 0", name="title"))

    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"))
    place: Mapped[int]
    title: Mapped[str]
    target: Mapped[str]
    due_on: Mapped[date]


class AgreementDue(Keyed, Base):
    """A report or a piece of evidence with its day; ``received_on`` when it came."""

    __tablename__ = "agreement_due"
    __table_args__ = (
        CheckConstraint(one_of("kind", DueKind), name="kind"),
        CheckConstraint("length(title) > 0", name="title"),
        Index("ix_agreement_due_agreement", "agreement_id", "due_on"),
        Index("ix_agreement_due_open", "due_on", "id", postgresql_where=text("received_on is null")),
    )

    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"))
    kind: Mapped[str]
    title: Mapped[str]
    due_on: Mapped[date]
    received_on: Mapped[date | None]


class Recovery(Keyed, Stamped, Base):
    """Money of a paid tranche that the fund asks back, roubles; it may come in parts."""

    __tablename__ = "recovery"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("due_on >= demanded_on", name="due"),
        CheckConstraint("length(document) > 0 and length(reason) > 0", name="said"),
        Index("ix_recovery_tranche", "tranche_id"),
    )

    tranche_id: Mapped[UUID] = mapped_column(ForeignKey("tranche.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    demanded_on: Mapped[date]
    due_on: Mapped[date]
    document: Mapped[str]
    reason: Mapped[str]
    demanded_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))

    tranche: Mapped[Tranche] = relationship(lazy="raise", back_populates="recoveries")
    receipts: Mapped[list[RecoveryReceipt]] = relationship(
        lazy="raise", order_by="RecoveryReceipt.received_on, RecoveryReceipt.id"
    )

    @property
    def returned(self) -> Decimal:
        """What has come back, roubles; ``receipts`` are loaded."""
        return sum((receipt.amount for receipt in self.receipts), Decimal("0.00"))


class RecoveryReceipt(Keyed, Stamped, Base):
    """Money that came back, roubles; append-only by trigger."""

    __tablename__ = "recovery_receipt"
    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("length(document) > 0", name="document"),
        Index("ix_recovery_receipt_recovery", "recovery_id"),
    )

    recovery_id: Mapped[UUID] = mapped_column(ForeignKey("recovery.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    received_on: Mapped[date]
    document: Mapped[str]


class AgreementChange(Keyed, Stamped, Base):
    """What made a tranche smaller after signing: the paper, the reason, the roubles; append-only by trigger."""

    __tablename__ = "agreement_change"
    __table_args__ = (
        CheckConstraint("length(document) > 0 and length(reason) > 0", name="said"),
        Index("ix_agreement_change_agreement", "agreement_id", "id"),
    )

    agreement_id: Mapped[UUID] = mapped_column(ForeignKey("agreement.id"))
    document: Mapped[str]
    reason: Mapped[str]
    released: Mapped[dict[str, Any]]
    """Year -> roubles as text."""

    @property
    def freed(self) -> dict[int, Decimal]:
        """Year -> roubles."""
        return {int(year): Decimal(amount) for year, amount in self.released.items()}
