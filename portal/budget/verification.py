"""Recomputing the ledger from its first posting."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import groupby
from uuid import UUID

from sqlalchemy import String, and_, cast, func, select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.budget.ledger import AUDIT_TAG, posting_digest
from portal.budget.models import Account, Envelope, Posting, PostingLine
from portal.budget.rules import Line, floors

Balances = dict[UUID, dict[Account, Decimal]]


def verify(session: Session) -> tuple[int, str | None]:
    """Recompute every balance from the first posting. Returns how many were read and the first fault.

    Looked at, in the order of the numbers: a posting has lines that sum to zero in each envelope; no account
    ever goes below its floor; what it says has the digest of its audit event. Then: every audit event has its
    posting, and every envelope holds the sum of its lines.
    """
    session.flush()
    balances: Balances = {}
    count = 0
    for posting, lines, expected in _postings(session):
        count += 1
        fault = _fault(posting, lines, expected, balances)
        if fault is not None:
            return count, f"posting {posting.number}: {fault}"
    return count, _missing(session) or _differing(session, balances)


def _fault(posting: Posting, lines: list[Line], expected: str | None, balances: Balances) -> str | None:
    if not lines:
        return "has no lines"
    sums: dict[UUID, Decimal] = {}
    for line in lines:
        sums[line.envelope_id] = sums.get(line.envelope_id, Decimal(0)) + line.amount
        held = balances.setdefault(line.envelope_id, dict.fromkeys(Account, Decimal("0.00")))
        held[line.account] += line.amount
    if expected is None:
        return "has no event in the audit trail"
    if posting_digest(posting, lines) != expected:
        return "is not what the audit trail says of it"
    for envelope_id, total in sums.items():
        if total:
            return f"lines of envelope {envelope_id} sum to {total}, not to zero"
        below = floors(balances[envelope_id])
        if below:
            return f"takes {below[0].value} of envelope {envelope_id} below zero"
    return None


def _postings(session: Session) -> Iterator[tuple[Posting, list[Line], str | None]]:
    """Every posting in order with its lines and the digest that its audit event holds."""
    rows = session.execute(
        select(Posting, PostingLine, AuditEvent.changes["digest"].astext)
        .outerjoin(PostingLine, PostingLine.posting_id == Posting.id)
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
        lines = [Line(line.envelope_id, Account(line.account), line.amount) for _, line, _ in held if line is not None]
        yield held[0][0], lines, held[0][2]


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


def _differing(session: Session, balances: Balances) -> str | None:
    """An envelope that does not hold the sum of its lines."""
    statement = select(Envelope).order_by(Envelope.id).execution_options(populate_existing=True)
    for envelope in session.scalars(statement):
        replayed = balances.get(envelope.id, {})
        for account in Account:
            held, summed = getattr(envelope, account.value), replayed.get(account, Decimal(0))
            if held != summed:
                place = f"envelope {envelope.track} {envelope.year} ({envelope.id})"
                return f"{place}: {account.value} holds {held}, its postings sum to {summed}"
    return None


def last_number(session: Session) -> int:
    """The number of the newest posting; 0 when there is none."""
    return session.scalar(select(func.max(Posting.number))) or 0
