"""Who may sign an order of the budget is told that it waits for a second signature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.budget.models import BudgetOrder, PostingKind
from portal.budget.policy import SIGNERS
from portal.budget.wording import KIND_NAMES
from portal.core.figures import roubles
from portal.core.language import N_, Message
from portal.identity.models import RoleGrant, User
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell

WAITS: Final = declare(
    "budget_order_waits",
    Topic.DECISION,
    N_("An order of the budget waits for a second signature"),
    important=True,
    staff=True,
)
SUBJECT: Final = N_("Order %(number)s waits for a second signature")
LINK: Final = N_("Open the order")


def waits(session: Session, row: BudgetOrder) -> int:
    """Tell everybody who may sign it, but for its drafter; once."""
    return tell(
        session,
        signers(session, row),
        kind=WAITS,
        key=f"{WAITS}:{row.id}",
        subject=N_(SUBJECT.msgid, number=row.number),
        paragraphs=said(row),
        link=(LINK, path(row)),
        about=("budget_order", row.id),
    )


def said(row: BudgetOrder) -> list[Message]:
    """What the order does and why."""
    return [
        N_("%(kind)s: %(amount)s", kind=KIND_NAMES[PostingKind(row.kind)], amount=roubles(row.amount)),
        N_("Why: %(reason)s", reason=row.reason),
        N_("No money moves before another person than its drafter has signed it."),
    ]


def signers(session: Session, row: BudgetOrder) -> Sequence[User]:
    """Who may give the second signature and can sign in."""
    held = select(RoleGrant.user_id).where(RoleGrant.role.in_(SIGNERS))
    return session.scalars(
        select(User)
        .where(User.id.in_(held), User.id != row.drafted_by, User.active, User.confirmed_at.is_not(None))
        .order_by(User.id)
    ).all()


def path(row: BudgetOrder) -> str:
    """The page of the order."""
    return f"/staff/budget/orders/{row.id}"
