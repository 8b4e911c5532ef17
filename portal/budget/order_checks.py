"""Holding the orders of the ledger against the audit trail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from sqlalchemy import String, and_, cast, select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.budget.models import BudgetOrder, Posting
from portal.budget.orders import DISCARD_TAG, DRAFT_TAG, SIGN_TAG, order_digest

Told = Mapping[str, AuditEvent]
"""The events of an order by tag."""


def order_fault(session: Session) -> str | None:
    """The first order that differs from what the audit trail says of it, or that is gone."""
    events = and_(AuditEvent.object_type == "budget_order", AuditEvent.object_id == cast(BudgetOrder.id, String))
    rows = session.execute(
        select(BudgetOrder, Posting, AuditEvent)
        .outerjoin(Posting, Posting.id == BudgetOrder.posting_id)
        .outerjoin(AuditEvent, events)
        .order_by(BudgetOrder.id, AuditEvent.seq)
        .execution_options(yield_per=1000, populate_existing=True)
    )
    for _, group in groupby(rows, key=lambda row: row[0].id):
        held = list(group)
        order, posting = held[0][0], held[0][1]
        fault = _fault(order, posting, _by_tag(row[2] for row in held))
        if fault is not None:
            return f"order {order.number} ({order.id}): {fault}"
    return _missing(session)


def _by_tag(events: Iterable[AuditEvent | None]) -> Told:
    return {event.tag: event for event in events if event is not None}


def _fault(order: BudgetOrder, posting: Posting | None, told: Told) -> str | None:
    drafted = told.get(DRAFT_TAG)
    if drafted is None:
        return "has no event in the audit trail"
    if drafted.changes.get("digest") != order_digest(order):
        return "is not what the audit trail says of it"
    return _end_fault(order, posting, told)


def _end_fault(order: BudgetOrder, posting: Posting | None, told: Told) -> str | None:
    """Whether it was signed or discarded by those, and then, who the audit trail names."""
    signed = told.get(SIGN_TAG)
    if (order.signed_at is not None) != (signed is not None):
        return "its signature is not that of the audit trail"
    if signed is not None:
        if posting is None or posting.key != f"order:{order.id}" or posting.number != signed.changes.get("posting"):
            return "its posting is not that of the audit trail"
        if _end(order.signed_by, order.signed_at) != (signed.actor, signed.changes.get("signed_at")):
            return "its signature is not that of the audit trail"
    discarded = told.get(DISCARD_TAG)
    if (order.discarded_at is not None) != (discarded is not None):
        return "its end is not that of the audit trail"
    if discarded is not None and _end(order.discarded_by, order.discarded_at) != (
        discarded.actor,
        discarded.changes.get("discarded_at"),
    ):
        return "its end is not that of the audit trail"
    return None


def _end(by: Any, at: datetime | None) -> tuple[str, str | None]:
    return f"user:{by}", at.astimezone(UTC).isoformat() if at else None


def _missing(session: Session) -> str | None:
    gone = session.execute(
        select(AuditEvent.seq, AuditEvent.changes["number"].astext)
        .outerjoin(BudgetOrder, AuditEvent.object_id == cast(BudgetOrder.id, String))
        .where(AuditEvent.object_type == "budget_order", AuditEvent.tag == DRAFT_TAG, BudgetOrder.id.is_(None))
        .order_by(AuditEvent.seq)
        .limit(1)
    ).one_or_none()
    return f"order {gone[1]}: is missing, row {gone[0]} of the audit trail tells of it" if gone else None
