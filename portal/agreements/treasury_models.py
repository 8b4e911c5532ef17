"""Payments as the treasury tells of them: rows of uploaded statements, with what each was booked as."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.agreements.reconciliation import Match
from portal.core.db import Base, Keyed, Stamped
from portal.core.money import Money
from portal.documents.models import StoredFile
from portal.identity.models import one_of


class TreasuryStatement(Keyed, Stamped, Base):
    """An uploaded table: its name and digest, who uploaded it, how many of its payments were there before."""

    __tablename__ = "treasury_statement"
    __table_args__ = (
        CheckConstraint("known >= 0", name="known"),
        CheckConstraint("length(name) > 0 and sha256 ~ '^[0-9a-f]{64}$'", name="file"),
        Index("ix_treasury_statement_listed", "created_at", "id"),
    )

    name: Mapped[str]
    sha256: Mapped[str]
    uploaded_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    known: Mapped[int] = mapped_column(default=0, server_default="0")

    payments: Mapped[list[TreasuryPayment]] = relationship(lazy="raise", order_by="TreasuryPayment.line")


class TreasuryPayment(Keyed, Base):
    """One payment, roubles; below zero it came back. What the table said never changes, and it is booked once.

    ``match`` and ``said`` (both languages) are how it was compared last; ``posting_id`` is what it was booked as.
    """

    __tablename__ = "treasury_payment"
    __table_args__ = (
        UniqueConstraint("number", "paid_on", "amount", "payee_inn"),
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("length(number) > 0", name="number"),
        CheckConstraint(one_of("match", Match), name="match"),
        CheckConstraint("(match = 'booked') = (posting_id is not null)", name="booked"),
        CheckConstraint("tranche_id is null or recovery_id is null", name="one_target"),
        CheckConstraint("match <> 'matched' or tranche_id is not null or recovery_id is not null", name="matched"),
        Index("ix_treasury_payment_statement", "statement_id", "match", "line"),
    )

    statement_id: Mapped[UUID] = mapped_column(ForeignKey("treasury_statement.id"))
    line: Mapped[int]
    paid_on: Mapped[date]
    number: Mapped[str]
    payee_inn: Mapped[str]
    amount: Mapped[Decimal] = mapped_column(Money)
    purpose: Mapped[str]
    reference: Mapped[str]
    match: Mapped[str]
    said: Mapped[dict[str, Any]]
    tranche_id: Mapped[UUID | None] = mapped_column(ForeignKey("tranche.id"))
    recovery_id: Mapped[UUID | None] = mapped_column(ForeignKey("recovery.id"))
    posting_id: Mapped[UUID | None] = mapped_column(ForeignKey("posting.id"), unique=True)
    booked_at: Mapped[datetime | None]


class WorkKind(StrEnum):
    READ = "read"
    COMPARE = "compare"
    BOOK = "book"


class WorkState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class TreasuryWork(Keyed, Stamped, Base):
    """A table that is read, or a statement that is compared anew or whose matching payments are booked, by a task.

    ``report``: ``{"faults": [{"ru", "en"}]}`` of a table that is not kept, ``{"booked": n, "refused": n}`` of booking.
    One booking of a statement goes at a time.
    """

    __tablename__ = "treasury_work"
    __table_args__ = (
        CheckConstraint(one_of("kind", WorkKind), name="kind"),
        CheckConstraint(one_of("state", WorkState), name="state"),
        CheckConstraint("progress_done between 0 and progress_total", name="progress"),
        CheckConstraint("(kind = 'read') = (file_id is not null)", name="file"),
        CheckConstraint("statement_id is not null or (kind = 'read' and state <> 'done')", name="statement"),
        CheckConstraint("(ended_at is not null) = (state in ('done', 'failed'))", name="ended"),
        Index(
            "uq_treasury_work_booking",
            "statement_id",
            unique=True,
            postgresql_where=text("kind = 'book' and ended_at is null"),
        ),
        Index("ix_treasury_work_waiting", "id", postgresql_where=text("kind = 'read' and state <> 'done'")),
    )

    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default=WorkState.WAITING)
    file_id: Mapped[UUID | None] = mapped_column(ForeignKey("stored_file.id"))
    statement_id: Mapped[UUID | None] = mapped_column(ForeignKey("treasury_statement.id"))
    started_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    progress_done: Mapped[int] = mapped_column(default=0)
    progress_total: Mapped[int] = mapped_column(default=0)
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    ended_at: Mapped[datetime | None]

    file: Mapped[StoredFile | None] = relationship(lazy="raise")
    statement: Mapped[TreasuryStatement | None] = relationship(lazy="raise")

    @property
    def running(self) -> bool:
        return self.ended_at is None
