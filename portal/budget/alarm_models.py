"""Alarms: when so little of what was given is left, the people who keep the budget are told, once a crossing."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.budget.models import Envelope
from portal.core.db import Base, Keyed, Stamped
from portal.core.money import Money
from portal.identity.models import one_of
from portal.tenders.models import Track


class BudgetAlarm(Keyed, Stamped, Base):
    """A threshold: ``share`` percent of the appropriation available or less. Without track or year: each of them."""

    __tablename__ = "budget_alarm"
    __table_args__ = (
        CheckConstraint(one_of("track", Track), name="track"),
        CheckConstraint("share > 0 and share < 100", name="share"),
        CheckConstraint("year between 2000 and 2100", name="year"),
        Index(
            "uq_budget_alarm_live",
            "programme_id",
            text("coalesce(track, '')"),
            text("coalesce(year, 0)"),
            "share",
            unique=True,
            postgresql_where=text("removed_at is null"),
        ),
    )

    programme_id: Mapped[UUID] = mapped_column(ForeignKey("programme.id"))
    track: Mapped[str | None]
    year: Mapped[int | None]
    share: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    set_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    removed_at: Mapped[datetime | None]

    def watches(self, envelope: Envelope) -> bool:
        """Whether the envelope is one of those that this alarm is about."""
        return (
            self.programme_id == envelope.programme_id
            and self.track in (None, envelope.track)
            and self.year in (None, envelope.year)
        )


class AlarmCrossing(Keyed, Base):
    """An envelope fell to a threshold; open until it is above it again. At most one is open for both."""

    __tablename__ = "alarm_crossing"
    __table_args__ = (
        Index(
            "uq_alarm_crossing_open", "alarm_id", "envelope_id", unique=True, postgresql_where=text("ended_at is null")
        ),
    )

    alarm_id: Mapped[UUID] = mapped_column(ForeignKey("budget_alarm.id"))
    envelope_id: Mapped[UUID] = mapped_column(ForeignKey("envelope.id"))
    crossed_at: Mapped[datetime]
    available: Mapped[Decimal] = mapped_column(Money)
    appropriated: Mapped[Decimal] = mapped_column(Money)
    ended_at: Mapped[datetime | None]
