"""An envelope over time: what its accounts held at instants evenly apart, each one row of an index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import DateTime, Select, column, func, literal, select, true, values
from sqlalchemy.orm import Session, aliased

from portal.budget.models import Account, EnvelopeBalance
from portal.core.money import ZERO

MOST_POINTS: Final = 60


@dataclass(frozen=True, slots=True)
class Point:
    """What the accounts held before an instant, roubles; ``appropriation`` as what orders have given, above zero."""

    at: datetime
    balances: Mapping[Account, Decimal]

    @property
    def appropriated(self) -> Decimal:
        return self.balances[Account.APPROPRIATION]


@dataclass(frozen=True, slots=True)
class Span:
    """When the first and the last posting of an envelope were made."""

    first: datetime
    last: datetime


def span(session: Session, envelope_id: UUID) -> Span | None:
    """None for an envelope without postings; one statement, two rows of an index."""
    mine = EnvelopeBalance.envelope_id == envelope_id
    first, last = session.execute(select(func.min(EnvelopeBalance.at), func.max(EnvelopeBalance.at)).where(mine)).one()
    return None if None in (first, last) else Span(first, last)


def at_instants(session: Session, envelope_id: UUID, instants: Sequence[datetime]) -> list[Point]:
    """The balances before each of at most sixty instants, in their order; one statement. The caller authorises."""
    if not instants:
        return []
    if len(instants) > MOST_POINTS:
        raise ValueError("too many points for a picture")
    wanted = values(column("at", DateTime(timezone=True)), name="wanted").data([(instant,) for instant in instants])
    newest = (
        select(EnvelopeBalance)
        .where(EnvelopeBalance.envelope_id == literal(envelope_id), EnvelopeBalance.at < wanted.c.at)
        .order_by(EnvelopeBalance.at.desc(), EnvelopeBalance.number.desc())
        .limit(1)
        .correlate(wanted)
        .lateral()
    )
    held = aliased(EnvelopeBalance, newest)
    statement: Select[datetime, EnvelopeBalance] = (
        select(wanted.c.at, held).select_from(wanted).outerjoin(held, true()).order_by(wanted.c.at)
    )
    return [Point(at, _balances(balance)) for at, balance in session.execute(statement)]


def days(first: date, last: date, most: int = MOST_POINTS) -> list[date]:
    """At most ``most`` days evenly apart, the first and the last among them."""
    length = (last - first).days
    count = min(most, length + 1)
    if count < 2:
        return [last]
    found = {first.toordinal() + round(length * place / (count - 1)) for place in range(count)}
    return [date.fromordinal(day) for day in sorted(found)]


def _balances(row: EnvelopeBalance | None) -> dict[Account, Decimal]:
    if row is None:
        return dict.fromkeys(Account, ZERO)
    held = {account: getattr(row, account.value) for account in Account}
    return held | {Account.APPROPRIATION: -held[Account.APPROPRIATION]}
