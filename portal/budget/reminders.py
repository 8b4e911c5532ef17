"""Those who may sign an order of the budget are reminded of one that has waited for days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.budget import order_letters
from portal.budget.models import BudgetOrder
from portal.budget.order_letters import WAITS
from portal.core.language import N_
from portal.notifications.reminders import Reminder, source

DAYS: Final = (3, 7)
"""Days after the draft."""


@source("budget.order")
def orders(session: Session, at: datetime) -> Iterator[Reminder]:
    """Orders that nobody has signed or discarded 3 and 7 days after they were drafted; the present stage only."""
    statement = (
        select(BudgetOrder)
        .where(
            BudgetOrder.signed_at.is_(None),
            BudgetOrder.discarded_at.is_(None),
            BudgetOrder.drafted_at > at - timedelta(days=max(DAYS) + 2),
            BudgetOrder.drafted_at <= at - timedelta(days=min(DAYS)),
        )
        .order_by(BudgetOrder.id)
    )
    for row in session.scalars(statement):
        step = max(days for days in DAYS if at - row.drafted_at >= timedelta(days=days))
        yield Reminder(
            f"{WAITS}:{row.id}:{step}",
            WAITS,
            order_letters.signers(session, row),
            N_(order_letters.SUBJECT.msgid, number=row.number),
            order_letters.said(row),
            (order_letters.LINK, order_letters.path(row)),
            ("budget_order", row.id),
        )
