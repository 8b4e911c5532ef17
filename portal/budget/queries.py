"""Reading the ledger: envelopes, what is left, statements, balances as of a day."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import func, or_, select, true
from sqlalchemy.orm import Session, aliased, selectinload

from portal.budget.holdings import HOLDING, Subject
from portal.budget.models import Account, Envelope, EnvelopeBalance, Posting, PostingLine
from portal.budget.verification import verify
from portal.core.errors import NotFound
from portal.identity.policy import Actor, scope
from portal.tenders.models import Programme

__all__ = (
    "EnvelopeFigures",
    "Remaining",
    "as_of",
    "available",
    "balances_after",
    "by_programme",
    "envelope_of",
    "held_by_year",
    "posting_of",
    "programmes_with_envelopes",
    "remaining",
    "reversals",
    "verify",
)

ZERO = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class EnvelopeFigures:
    """The balances of an envelope at some moment, roubles."""

    id: UUID
    programme_id: UUID
    track: str
    year: int
    balances: Mapping[Account, Decimal]

    @property
    def appropriated(self) -> Decimal:
        return -self.balances[Account.APPROPRIATION]

    @property
    def available(self) -> Decimal:
        return self.balances[Account.AVAILABLE]

    @property
    def reserved(self) -> Decimal:
        return self.balances[Account.RESERVED]

    @property
    def committed(self) -> Decimal:
        return self.balances[Account.COMMITTED]

    @property
    def paid(self) -> Decimal:
        return self.balances[Account.PAID]

    @property
    def returned(self) -> Decimal:
        return self.balances[Account.RETURNED]

    @property
    def carried_over(self) -> Decimal:
        return self.balances[Account.CARRIED_OVER]


@dataclass(frozen=True, slots=True)
class Remaining:
    """What everyone may know of an envelope: given, bound by awards (reserved, committed), paid, and left."""

    programme_id: UUID
    track: str
    year: int
    appropriated: Decimal
    reserved: Decimal
    committed: Decimal
    paid: Decimal
    available: Decimal


def figures(envelope: Envelope) -> EnvelopeFigures:
    """The present balances of an envelope."""
    balances = {account: getattr(envelope, account.value) for account in Account}
    return EnvelopeFigures(envelope.id, envelope.programme_id, envelope.track, envelope.year, balances)


def by_programme(session: Session, actor: Actor, programme_id: UUID) -> list[EnvelopeFigures]:
    """The envelopes of a programme with their present balances, by track and year; one query."""
    wanted = scope(actor, Envelope).where(Envelope.programme_id == programme_id)
    rows = session.scalars(wanted.order_by(Envelope.track.desc(), Envelope.year))
    return [figures(row) for row in rows]


def as_of(
    session: Session, actor: Actor, programme_id: UUID, instant: datetime, *, including: bool = False
) -> list[EnvelopeFigures]:
    """The same before an instant, ``including`` the postings of the instant itself.

    One query, one row of an index for each envelope: the trigger keeps what each holds after each posting, and
    :func:`verify` holds these rows against a replay.
    """
    until = EnvelopeBalance.at <= instant if including else EnvelopeBalance.at < instant
    newest = (
        select(EnvelopeBalance)
        .where(EnvelopeBalance.envelope_id == Envelope.id, until)
        .order_by(EnvelopeBalance.at.desc(), EnvelopeBalance.number.desc())
        .limit(1)
        .correlate(Envelope)
        .lateral()
    )
    held = aliased(EnvelopeBalance, newest)
    rows = session.execute(
        scope(actor, Envelope)
        .where(Envelope.programme_id == programme_id)
        .outerjoin(held, true())
        .add_columns(held)
        .order_by(Envelope.track.desc(), Envelope.year)
    )
    return [
        EnvelopeFigures(
            envelope.id,
            envelope.programme_id,
            envelope.track,
            envelope.year,
            {account: getattr(balance, account.value) if balance else ZERO for account in Account},
        )
        for envelope, balance in rows
    ]


def remaining(session: Session, programme_id: UUID | None = None) -> list[Remaining]:
    """Public: what is left in each envelope that was given money, by track and year; one query."""
    wanted = select(
        Envelope.programme_id,
        Envelope.track,
        Envelope.year,
        -Envelope.appropriation,
        Envelope.reserved,
        Envelope.committed,
        Envelope.paid,
        Envelope.available,
    ).where(Envelope.appropriation < 0)
    if programme_id is not None:
        wanted = wanted.where(Envelope.programme_id == programme_id)
    rows = session.execute(wanted.order_by(Envelope.programme_id, Envelope.track.desc(), Envelope.year))
    return [Remaining(*row) for row in rows]


def available(session: Session, programme_id: UUID, track: str) -> dict[int, Decimal]:
    """Year -> roubles available now in the envelopes of a track."""
    return available_by_track(session, programme_id, [track])[track]


def available_by_track(session: Session, programme_id: UUID, tracks: Collection[str]) -> dict[str, dict[int, Decimal]]:
    """Track -> year -> roubles available now in its envelopes; one query for all tracks."""
    rows = session.execute(
        select(Envelope.track, Envelope.year, Envelope.available)
        .where(Envelope.programme_id == programme_id, Envelope.track.in_(tracks))
        .order_by(Envelope.year)
    )
    found: dict[str, dict[int, Decimal]] = {track: {} for track in tracks}
    for track, year, amount in rows:
        found[track][year] = amount
    return found


def programmes_with_envelopes(session: Session, actor: Actor) -> list[tuple[Programme, int]]:
    """Every programme with the number of its envelopes, by code."""
    counted = func.count(Envelope.id)
    rows = session.execute(
        scope(actor, Programme)
        .outerjoin(Envelope, Envelope.programme_id == Programme.id)
        .add_columns(counted)
        .group_by(Programme.id)
        .order_by(Programme.code)
    )
    return [(programme, count) for programme, count in rows]


def envelope_of(session: Session, actor: Actor, envelope_id: UUID) -> tuple[Envelope, Programme]:
    """An envelope and its programme; NotFound through the scope."""
    row = session.execute(
        scope(actor, Envelope)
        .join(Programme, Programme.id == Envelope.programme_id)
        .add_columns(Programme)
        .where(Envelope.id == envelope_id)
    ).one_or_none()
    if row is None:
        raise NotFound
    return row[0], row[1]


def posting_of(session: Session, actor: Actor, posting_id: UUID) -> Posting:
    """A posting with its lines; NotFound through the scope."""
    row: Posting | None = session.scalar(
        scope(actor, Posting).where(Posting.id == posting_id).options(selectinload(Posting.lines))
    )
    if row is None:
        raise NotFound
    return row


def balances_after(session: Session, number: int) -> dict[UUID, EnvelopeBalance]:
    """Envelope -> its balances after the posting of this number, for those that it moved."""
    rows = session.scalars(select(EnvelopeBalance).where(EnvelopeBalance.number == number))
    return {row.envelope_id: row for row in rows}


def held_by_year(session: Session, subject: Subject) -> dict[int, dict[Account, Decimal]]:
    """Year -> account -> roubles that are held for a subject now (reserved, committed, paid, returned); one query."""
    rows = session.execute(
        select(Envelope.year, PostingLine.account, func.sum(PostingLine.amount))
        .join(Envelope, Envelope.id == PostingLine.envelope_id)
        .join(Posting, Posting.id == PostingLine.posting_id)
        .where(
            Posting.subject_type == subject[0],
            Posting.subject_id == subject[1],
            PostingLine.account.in_(HOLDING),
        )
        .group_by(Envelope.year, PostingLine.account)
        .order_by(Envelope.year)
    )
    found: dict[int, dict[Account, Decimal]] = {}
    for year, account, amount in rows:
        found.setdefault(year, dict.fromkeys(HOLDING, ZERO))[Account(account)] = amount
    return found


def reversals(session: Session, postings: Sequence[Posting]) -> dict[UUID, int]:
    """Posting -> the number of the posting that reversed it, or that it reverses."""
    other = aliased(Posting)
    ids = [posting.id for posting in postings]
    rows = session.execute(
        select(Posting.id, Posting.number, other.id, other.number)
        .join(other, Posting.reverses_id == other.id)
        .where(or_(Posting.id.in_(ids), other.id.in_(ids)))
    )
    found: dict[UUID, int] = {}
    for reversing_id, reversing, original_id, original in rows:
        found[reversing_id], found[original_id] = original, reversing
    return found
