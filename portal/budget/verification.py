"""Recomputing the ledger from its first posting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

from sqlalchemy import String, and_, cast, func, select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.budget.holdings import HOLDING
from portal.budget.ledger import AUDIT_TAG, OPEN_TAG, input_hash, posting_digest
from portal.budget.models import Account, Envelope, EnvelopeBalance, Posting, PostingKind, PostingLine
from portal.budget.order_checks import order_fault
from portal.budget.rules import Line, floors

Balances = dict[UUID, dict[Account, Decimal]]
Held = dict[tuple[str, UUID, UUID, Account], Decimal]
"""Table and key of a subject, envelope, account -> roubles held."""


@dataclass(frozen=True, slots=True)
class _Read:
    """A posting with its lines, the balances kept after it, and the content of its audit event."""

    posting: Posting
    lines: list[tuple[PostingLine, EnvelopeBalance | None]]
    event: dict[str, Any] | None

    @property
    def plain(self) -> list[Line]:
        return [Line(line.envelope_id, Account(line.account), line.amount) for line, _ in self.lines]


def verify(session: Session) -> tuple[int, str | None]:
    """Recompute every balance from the first posting. Returns how many were read and the first fault.

    Looked at, in the order of the numbers: a posting has lines that sum to zero in each envelope; no account
    ever goes below its floor, and no more is taken than is held for its subject; what it says has the digest of
    its audit event and the hash of its input; the balances kept after it are those of the replay, and instants do
    not fall. Then: every audit event has its posting, no balance stands without a posting, every envelope is the
    one that was opened and holds the sum of its lines, and every order is the one that was drafted, signed or
    discarded.
    """
    session.flush()
    balances: Balances = {}
    held: Held = {}
    instants: dict[UUID, datetime] = {}
    count = 0
    for read in _postings(session):
        count += 1
        fault = _unknown(read) or _fault(read, balances) or _not_held(read, held) or _kept(read, balances, instants)
        if fault is not None:
            return count, f"posting {read.posting.number}: {fault}"
    return count, (
        _missing(session) or _stray_balance(session) or _differing(session, balances) or order_fault(session)
    )


def _unknown(read: _Read) -> str | None:
    known = set(Account)
    named = (row.account in known for row, _ in read.lines)
    return None if all(named) else "has a line on an account that there is not"


def _fault(read: _Read, balances: Balances) -> str | None:
    posting, lines, event = read.posting, read.plain, read.event
    if not lines:
        return "has no lines"
    sums: dict[UUID, Decimal] = {}
    for line in lines:
        sums[line.envelope_id] = sums.get(line.envelope_id, Decimal(0)) + line.amount
        held = balances.setdefault(line.envelope_id, dict.fromkeys(Account, Decimal("0.00")))
        held[line.account] += line.amount
    if event is None:
        return "has no event in the audit trail"
    if posting_digest(posting, lines) != event.get("digest") or not _as_noted(posting, event):
        return "is not what the audit trail says of it"
    if posting.input_hash != _hash(posting, lines):
        return "does not have the hash of its input"
    if [row.line for row, _ in read.lines] != list(range(1, len(lines) + 1)):
        return "its lines are not numbered from one"
    for envelope_id, total in sums.items():
        if total:
            return f"lines of envelope {envelope_id} sum to {total}, not to zero"
        below = floors(balances[envelope_id])
        if below:
            return f"takes {below[0].value} of envelope {envelope_id} below zero"
    return None


def _not_held(read: _Read, held: Held) -> str | None:
    """More taken from an account than is held there for the subject."""
    subject, key = read.posting.subject_type, read.posting.subject_id
    if subject is None or key is None:
        return None
    for line in read.plain:
        if line.account in HOLDING:
            place = (subject, key, line.envelope_id, line.account)
            held[place] = held.get(place, Decimal(0)) + line.amount
            if held[place] < 0:
                return f"takes more {line.account.value} of envelope {line.envelope_id} than its subject holds"
    return None


def _as_noted(posting: Posting, event: dict[str, Any]) -> bool:
    """Whether the transaction is the one that the event names; events of the first releases name none."""
    return bool(event.get("transaction", posting.transaction) == posting.transaction)


def _hash(posting: Posting, lines: list[Line]) -> str:
    subject = (posting.subject_type, posting.subject_id)
    return input_hash(
        PostingKind(posting.kind),
        lines,
        posting.reason,
        posting.document,
        (subject[0], subject[1]) if subject[0] is not None and subject[1] is not None else None,
        posting.reverses_id,
    )


def _kept(read: _Read, balances: Balances, instants: dict[UUID, datetime]) -> str | None:
    """What is wrong with the balances kept after a posting.

    ``instants``: the latest of the postings of each envelope so far; a clock that stepped back does not move it.
    """
    for line, kept in read.lines:
        if kept is None:
            return f"no balance of envelope {line.envelope_id} is kept after it"
        latest = max(instants.get(line.envelope_id, read.posting.at), read.posting.at)
        instants[line.envelope_id] = latest
        if kept.at != latest:
            return f"the balance of envelope {line.envelope_id} after it is not dated as it is"
        for account, summed in balances[line.envelope_id].items():
            held = getattr(kept, account.value)
            if held != summed:
                place = f"{account.value} of envelope {line.envelope_id}"
                return f"{place} is kept as {held} after it, the postings sum to {summed}"
    return None


def _postings(session: Session) -> Iterator[_Read]:
    """Every posting in order with its lines, the balances after it and the content of its audit event."""
    rows = session.execute(
        select(Posting, PostingLine, EnvelopeBalance, AuditEvent.changes)
        .outerjoin(PostingLine, PostingLine.posting_id == Posting.id)
        .outerjoin(
            EnvelopeBalance,
            and_(
                EnvelopeBalance.envelope_id == PostingLine.envelope_id,
                EnvelopeBalance.number == Posting.number,
            ),
        )
        .outerjoin(
            AuditEvent,
            and_(
                AuditEvent.object_type == "posting",
                AuditEvent.object_id == cast(Posting.id, String),
                AuditEvent.tag == AUDIT_TAG,
            ),
        )
        .order_by(Posting.number, PostingLine.line)
        .execution_options(yield_per=1000, populate_existing=True)
    )
    for _, group in groupby(rows, key=lambda row: row[0].id):
        held = list(group)
        yield _Read(held[0][0], [(line, kept) for _, line, kept, _ in held if line is not None], held[0][3])


def _missing(session: Session) -> str | None:
    """An audit event whose posting is gone."""
    gone = session.execute(
        select(AuditEvent.seq, AuditEvent.changes["number"].astext)
        .outerjoin(Posting, AuditEvent.object_id == cast(Posting.id, String))
        .where(AuditEvent.object_type == "posting", AuditEvent.tag == AUDIT_TAG, Posting.id.is_(None))
        .order_by(AuditEvent.seq)
        .limit(1)
    ).one_or_none()
    return f"posting {gone[1]}: is missing, row {gone[0]} of the audit trail tells of it" if gone else None


def _stray_balance(session: Session) -> str | None:
    """A balance kept for a posting that did not move its envelope, or out of the order of time."""
    moved = (
        select(PostingLine.posting_id)
        .join(Posting, Posting.id == PostingLine.posting_id)
        .where(Posting.number == EnvelopeBalance.number, PostingLine.envelope_id == EnvelopeBalance.envelope_id)
    )
    stray = session.execute(
        select(EnvelopeBalance.envelope_id, EnvelopeBalance.number).where(~moved.exists()).limit(1)
    ).one_or_none()
    if stray:
        return f"envelope {stray[0]}: a balance is kept after posting {stray[1]}, which did not move it"
    before = func.lag(EnvelopeBalance.at).over(
        partition_by=EnvelopeBalance.envelope_id, order_by=EnvelopeBalance.number
    )
    timed = select(
        EnvelopeBalance.envelope_id, EnvelopeBalance.number, EnvelopeBalance.at, before.label("before")
    ).subquery()
    late = session.execute(select(timed).where(timed.c.at < timed.c.before).limit(1)).first()
    return f"envelope {late[0]}: the balance after posting {late[1]} is dated before the one before" if late else None


def _differing(session: Session, balances: Balances) -> str | None:
    """An envelope that is not the one that was opened, or does not hold the sum of its lines."""
    last = select(func.max(EnvelopeBalance.at)).where(EnvelopeBalance.envelope_id == Envelope.id).scalar_subquery()
    rows = session.execute(
        select(Envelope, last, AuditEvent.changes)
        .outerjoin(
            AuditEvent,
            and_(
                AuditEvent.object_type == "envelope",
                AuditEvent.object_id == cast(Envelope.id, String),
                AuditEvent.tag == OPEN_TAG,
            ),
        )
        .order_by(Envelope.id)
        .execution_options(populate_existing=True)
    )
    for envelope, moved_at, event in rows:
        place = f"envelope {envelope.track} {envelope.year} ({envelope.id})"
        if event is None:
            return f"{place}: has no event in the audit trail"
        opened = (event.get("track"), event.get("year"), event.get("programme_id", str(envelope.programme_id)))
        if opened != (envelope.track, envelope.year, str(envelope.programme_id)):
            return f"{place}: is not what the audit trail says of it"
        if envelope.moved_at != moved_at:
            return f"{place}: moved at {envelope.moved_at}, its last balance is of {moved_at}"
        replayed = balances.get(envelope.id, {})
        for account in Account:
            held, summed = getattr(envelope, account.value), replayed.get(account, Decimal(0))
            if held != summed:
                return f"{place}: {account.value} holds {held}, its postings sum to {summed}"
    return None


def last_number(session: Session) -> int:
    """The number of the newest posting; 0 when there is none."""
    return session.scalar(select(func.max(Posting.number))) or 0
