"""The ledger: envelopes per track and year, postings, and their lines.

Double entry per envelope: the lines of a posting sum to zero, ``appropriation`` is the source and goes below
zero, all other accounts never do. The balances of an envelope are moved only by the trigger on
``posting_line``, by a guarded UPDATE, which also writes down what they are after each posting
(``envelope_balance``); all of these are append-only (triggers, see the migrations).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed
from portal.core.money import Money
from portal.identity.models import one_of
from portal.tenders.models import Track


class Account(StrEnum):
    APPROPRIATION = "appropriation"
    AVAILABLE = "available"
    RESERVED = "reserved"
    COMMITTED = "committed"
    PAID = "paid"
    RETURNED = "returned"
    CARRIED_OVER = "carried_over"


class PostingKind(StrEnum):
    APPROPRIATE = "appropriate"
    ADJUST = "adjust"
    RESERVE = "reserve"
    COMMIT = "commit"
    PAY = "pay"
    RELEASE = "release"
    RETURN = "return"
    REALLOCATE = "reallocate"
    CARRY_OVER = "carry_over"
    RESTORE = "restore"
    REVERSE = "reverse"


SIGNED: Final = (PostingKind.REALLOCATE, PostingKind.CARRY_OVER, PostingKind.RESTORE)
"""Kinds that only the second signature of an order posts."""

ORDERED: Final = (PostingKind.APPROPRIATE, PostingKind.ADJUST, *SIGNED)
"""Kinds that name the number of an order."""

HELD: Final = (PostingKind.RESERVE, PostingKind.COMMIT, PostingKind.PAY, PostingKind.RELEASE, PostingKind.RETURN)
"""Kinds that move what is held for a subject."""


def sql_list(values: Iterable[StrEnum]) -> str:
    """The values as an SQL list, for the text of a CHECK."""
    return f"({', '.join(repr(value.value) for value in values)})"


class Envelope(Keyed, Base):
    """The money of one track in one year, by account; the accounts sum to zero at any moment."""

    __tablename__ = "envelope"
    __table_args__ = (
        UniqueConstraint("programme_id", "track", "year"),
        CheckConstraint(one_of("track", Track), name="track"),
        CheckConstraint("year between 2000 and 2100", name="year"),
        CheckConstraint("appropriation <= 0", name="appropriation"),
        *(CheckConstraint(f"{a} >= 0", name=f"floor_{a}") for a in Account if a is not Account.APPROPRIATION),
        CheckConstraint(" + ".join(Account) + " = 0", name="balanced"),
    )

    programme_id: Mapped[UUID] = mapped_column(ForeignKey("programme.id"))
    track: Mapped[str]
    year: Mapped[int]
    appropriation: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    available: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    reserved: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    committed: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    paid: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    returned: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    carried_over: Mapped[Decimal] = mapped_column(Money, default=Decimal(0), server_default="0")
    moved_at: Mapped[datetime | None]
    """When the last posting was made: no later one may be dated before it."""

    @property
    def appropriated(self) -> Decimal:
        """What the orders have given to this envelope, roubles."""
        return -self.appropriation


class Posting(Keyed, Base):
    """One movement with its author, reason and document. ``input_hash`` tells a replay from a reused key."""

    __tablename__ = "posting"
    __table_args__ = (
        CheckConstraint(one_of("kind", PostingKind), name="kind"),
        CheckConstraint("(kind = 'reverse') = (reverses_id is not null)", name="reversal"),
        CheckConstraint("length(reason) > 0", name="reason"),
        CheckConstraint(f"kind not in {sql_list(ORDERED)} or length(document) > 0", name="order_number"),
        CheckConstraint(f"kind not in {sql_list(HELD)} or subject_id is not null", name="held_for"),
        CheckConstraint("(subject_type is null) = (subject_id is null)", name="subject"),
        Index("ix_posting_subject", "subject_type", "subject_id"),
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    key: Mapped[str] = mapped_column(unique=True)
    input_hash: Mapped[str]
    kind: Mapped[str]
    reason: Mapped[str]
    document: Mapped[str] = mapped_column(default="")
    author_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    author_name: Mapped[str]
    subject_type: Mapped[str | None]
    subject_id: Mapped[UUID | None]
    reverses_id: Mapped[UUID | None] = mapped_column(ForeignKey("posting.id"), unique=True)
    at: Mapped[datetime] = mapped_column(server_default=func.portal_now())
    transaction: Mapped[int] = mapped_column(BigInteger, server_default=func.txid_current())

    lines: Mapped[list[PostingLine]] = relationship(back_populates="posting", lazy="raise", order_by="PostingLine.line")


class PostingLine(Base):
    """A signed amount on one account of one envelope."""

    __tablename__ = "posting_line"
    __table_args__ = (
        CheckConstraint(one_of("account", Account), name="account"),
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_posting_line_envelope", "envelope_id", "posting_id"),
    )

    posting_id: Mapped[UUID] = mapped_column(ForeignKey("posting.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    envelope_id: Mapped[UUID] = mapped_column(ForeignKey("envelope.id"))
    account: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Money)

    posting: Mapped[Posting] = relationship(back_populates="lines")


class EnvelopeBalance(Base):
    """The balances of an envelope after a posting; the trigger writes it, nothing else may.

    In each envelope numbers and instants rise together, so that the newest row before an instant holds what all
    postings before it sum to.
    """

    __tablename__ = "envelope_balance"
    __table_args__ = (
        *(CheckConstraint(f"{a} >= 0", name=f"floor_{a}") for a in Account if a is not Account.APPROPRIATION),
        CheckConstraint(" + ".join(Account) + " = 0", name="balanced"),
        Index("ix_envelope_balance_at", "envelope_id", "at", "number"),
    )

    envelope_id: Mapped[UUID] = mapped_column(ForeignKey("envelope.id"), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, ForeignKey("posting.number"), primary_key=True)
    at: Mapped[datetime]
    appropriation: Mapped[Decimal] = mapped_column(Money)
    available: Mapped[Decimal] = mapped_column(Money)
    reserved: Mapped[Decimal] = mapped_column(Money)
    committed: Mapped[Decimal] = mapped_column(Money)
    paid: Mapped[Decimal] = mapped_column(Money)
    returned: Mapped[Decimal] = mapped_column(Money)
    carried_over: Mapped[Decimal] = mapped_column(Money)


class BudgetOrder(Keyed, Base):
    """What one person has drafted and another signs: money moves between envelopes, or comes back into one.

    The signature posts. What was drafted never changes; a signed or discarded order never does anything again.
    """

    __tablename__ = "budget_order"
    __table_args__ = (
        CheckConstraint(f"kind in {sql_list(SIGNED)}", name="kind"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("length(number) > 0 and length(reason) > 0", name="words"),
        CheckConstraint("(kind = 'restore') = (target_id is null)", name="target"),
        CheckConstraint("source_id <> target_id", name="two_envelopes"),
        CheckConstraint(
            "(signed_by is null) = (signed_at is null) and (signed_by is null) = (posting_id is null)", name="signed"
        ),
        CheckConstraint("signed_by <> drafted_by", name="second_person"),
        CheckConstraint("(discarded_by is null) = (discarded_at is null)", name="discarded"),
        CheckConstraint("signed_at is null or discarded_at is null", name="one_end"),
        Index("ix_budget_order_programme", "programme_id", "id"),
        Index("ix_budget_order_waiting", "id", postgresql_where=text("signed_at is null and discarded_at is null")),
    )

    programme_id: Mapped[UUID] = mapped_column(ForeignKey("programme.id"))
    kind: Mapped[str]
    source_id: Mapped[UUID] = mapped_column(ForeignKey("envelope.id"))
    target_id: Mapped[UUID | None] = mapped_column(ForeignKey("envelope.id"))
    amount: Mapped[Decimal] = mapped_column(Money)
    number: Mapped[str]
    reason: Mapped[str]
    drafted_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    drafted_at: Mapped[datetime] = mapped_column(server_default=func.portal_now())
    signed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    signed_at: Mapped[datetime | None]
    discarded_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    discarded_at: Mapped[datetime | None]
    posting_id: Mapped[UUID | None] = mapped_column(ForeignKey("posting.id"), unique=True)

    source: Mapped[Envelope] = relationship(foreign_keys=source_id, lazy="raise")
    target: Mapped[Envelope | None] = relationship(foreign_keys=target_id, lazy="raise")

    @property
    def waiting(self) -> bool:
        """Nobody has signed or discarded it."""
        return self.signed_at is None and self.discarded_at is None
