"""Orders that move money between envelopes: one person drafts, another signs, and only the signature posts.

Three kinds: ``reallocate`` (available money of one track or year to another, the appropriation goes along),
``carry_over`` (what is left of a year to the next one of the same track) and ``restore`` (money that came back is
available again). What the ministry gives or takes (appropriate, adjust) is decided outside of the fund: one person
books it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, false, select, true
from sqlalchemy.orm import Session, joinedload

import portal.budget.policy  # noqa: F401 - registers the room's rules
from portal.audit.service import record
from portal.budget import order_letters, rules
from portal.budget.ledger import balance, post
from portal.budget.models import SIGNED, Account, BudgetOrder, Envelope, Posting, PostingKind
from portal.budget.rules import Line
from portal.budget.service import amount_problems, text_problems
from portal.core.canonical import digest
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused
from portal.core.figures import roubles
from portal.core.language import N_
from portal.core.money import exact
from portal.identity.policy import Actor, Permission, allowed, authorize, find, scope

KEY: Final = "order:"
"""How the keys of postings begin that an order has booked; its own key follows."""
DRAFT_TAG: Final = "budget:order:draft"
SIGN_TAG: Final = "budget:order:sign"
DISCARD_TAG: Final = "budget:order:discard"


def draft(
    session: Session,
    actor: Actor,
    *,
    kind: PostingKind | None,
    source_id: UUID | None,
    target_id: UUID | None,
    amount: Decimal | None,
    order: str,
    reason: str,
) -> BudgetOrder:
    """An order for a second person to sign; no money moves. ``order``: its number and date.

    Raises :class:`Problems` with all that is wrong (fields ``kind``, ``source``, ``target``, ``amount``, ``order``,
    ``reason``), also when the envelope holds less than the amount now.
    """
    authorize(actor, Permission.BUDGET_ORDER_DRAFT)
    found = text_problems(order, reason) + amount_problems(amount)
    if kind not in SIGNED:
        found.append(Problem("required", "kind", N_("Choose what the order does.")))
    source = find(session, actor, Envelope, source_id) if source_id else None
    target = find(session, actor, Envelope, target_id) if target_id and kind != PostingKind.RESTORE else None
    if source is None:
        found.append(Problem("required", "source", N_("Choose the envelope.")))
    if kind in SIGNED and kind != PostingKind.RESTORE:
        found += _target_problems(kind, source, target)
    if source is not None and amount is not None and kind in SIGNED and not found:
        found += _amount_problems(kind, source, amount)
    if found or kind is None or source is None or amount is None:
        raise Problems(found)
    row = BudgetOrder(
        programme_id=source.programme_id,
        kind=kind,
        source_id=source.id,
        target_id=target.id if target else None,
        amount=exact(amount),
        number=order.strip(),
        reason=reason.strip(),
        drafted_by=_person(actor),
    )
    session.add(row)
    session.flush()
    session.refresh(row)
    record(session, actor, DRAFT_TAG, "budget_order", row.id, {**_told(row), "digest": order_digest(row)})
    order_letters.waits(session, row)
    return row


def sign(session: Session, actor: Actor, order_id: UUID) -> BudgetOrder:
    """The second signature, which posts. Signing again what one has signed oneself changes nothing.

    Raises :class:`Refused` for the one who drafted it, :class:`Conflict` when somebody else has signed or it was
    discarded, :class:`~portal.budget.ledger.Overdrawn` when the money is no longer there.
    """
    authorize(actor, Permission.BUDGET_ORDER_SIGN)
    row = _locked(session, actor, order_id)
    authorize(actor, Permission.BUDGET_ORDER_SIGN, row)
    if row.signed_at is not None and row.signed_by == actor.user_id:
        return row
    _require_waiting(row)
    posting = post(
        session,
        actor,
        key=f"{KEY}{row.id}",
        kind=PostingKind(row.kind),
        lines=lines_of(row),
        reason=row.reason,
        document=row.number,
    )
    row.signed_by, row.signed_at, row.posting_id = _person(actor), now(session), posting.id
    session.flush()
    changes = {"digest": order_digest(row), "posting": posting.number, "drafted_by": row.drafted_by}
    record(session, actor, SIGN_TAG, "budget_order", row.id, {**changes, "signed_at": _utc(row.signed_at)})
    return row


def discard(session: Session, actor: Actor, order_id: UUID) -> BudgetOrder:
    """Put a draft away; it stays on record. Whoever may sign may, the drafter too. Conflict when it is signed."""
    authorize(actor, Permission.BUDGET_ORDER_SIGN)
    row = _locked(session, actor, order_id)
    if row.discarded_at is not None:
        return row
    _require_waiting(row)
    row.discarded_by, row.discarded_at = _person(actor), now(session)
    session.flush()
    changes = {"digest": order_digest(row), "discarded_at": _utc(row.discarded_at)}
    record(session, actor, DISCARD_TAG, "budget_order", row.id, changes)
    return row


def booked_by(posting: Posting) -> UUID | None:
    """The order that a posting was booked by, as its key says; None for other postings."""
    return UUID(posting.key.removeprefix(KEY)) if posting.key.startswith(KEY) else None


def lines_of(row: BudgetOrder) -> list[Line]:
    """What the order's posting does."""
    if row.target_id is None:
        return rules.restore({row.source_id: row.amount})
    recipe = rules.carry_over if row.kind == PostingKind.CARRY_OVER else rules.reallocate
    return recipe(row.source_id, row.target_id, row.amount)


def order_digest(row: BudgetOrder) -> str:
    """SHA-256 over what was drafted; it stands in the audit events of the order."""
    return digest(_told(row))


def orders(actor: Actor, programme_id: UUID, *, stage: str = "") -> Select[Any]:
    """The orders of a programme with their envelopes; page them by ``BudgetOrder.id``.

    ``stage``: only those that are ``waiting``, ``signed`` or ``discarded``.
    """
    wanted = _with_envelopes(scope(actor, BudgetOrder)).where(BudgetOrder.programme_id == programme_id)
    if stage == "waiting":
        return wanted.where(BudgetOrder.signed_at.is_(None), BudgetOrder.discarded_at.is_(None))
    if stage:
        ended = BudgetOrder.signed_at if stage == "signed" else BudgetOrder.discarded_at
        return wanted.where(ended.is_not(None))
    return wanted


def waiting() -> Select[Any]:
    """The orders that nobody has signed or discarded."""
    return select(BudgetOrder.id).where(BudgetOrder.signed_at.is_(None), BudgetOrder.discarded_at.is_(None))


def for_signature(actor: Actor) -> Select[Any]:
    """The orders that wait for the signature of ``actor``: of somebody who may sign, and did not draft them."""
    may = true() if allowed(actor, Permission.BUDGET_ORDER_SIGN) else false()
    return waiting().where(may, BudgetOrder.drafted_by != actor.user_id)


def order_of(session: Session, actor: Actor, order_id: UUID) -> BudgetOrder:
    """An order with its envelopes; NotFound through the scope."""
    row: BudgetOrder | None = session.scalar(
        _with_envelopes(scope(actor, BudgetOrder)).where(BudgetOrder.id == order_id)
    )
    if row is None:
        raise NotFound
    return row


def effects(row: BudgetOrder) -> list[tuple[Envelope, list[Line]]]:
    """Each envelope of the order with the lines in it, the giving one first."""
    lines = lines_of(row)
    return [
        (envelope, [line for line in lines if line.envelope_id == envelope.id])
        for envelope in (row.source, row.target)
        if envelope is not None
    ]


def _target_problems(kind: PostingKind | None, source: Envelope | None, target: Envelope | None) -> list[Problem]:
    if target is None:
        return [Problem("required", "target", N_("Choose the envelope that receives the money."))]
    if source is None:
        return []
    if source.id == target.id:
        return [Problem("same", "target", N_("Choose another envelope than the one that gives the money."))]
    if source.programme_id != target.programme_id:
        return [Problem("programme", "target", N_("Money stays within one programme."))]
    if kind == PostingKind.CARRY_OVER and (target.track, target.year) != (source.track, source.year + 1):
        year = source.year + 1
        return [Problem("next_year", "target", N_("Money is carried over to %(year)s of the same track.", year=year))]
    return []


def _amount_problems(kind: PostingKind | None, source: Envelope, amount: Decimal) -> list[Problem]:
    """What a signature would be refused for now, told to the one who drafts."""
    account = Account.RETURNED if kind == PostingKind.RESTORE else Account.AVAILABLE
    held = balance(source, account)
    if held >= amount:
        return []
    said = {
        Account.AVAILABLE: N_("Only %(held)s is available in this envelope.", held=roubles(held)),
        Account.RETURNED: N_("Only %(held)s has come back to this envelope.", held=roubles(held)),
    }
    return [Problem("overdrawn", "amount", said[account])]


def _locked(session: Session, actor: Actor, order_id: UUID) -> BudgetOrder:
    """The order, locked until the transaction ends."""
    row: BudgetOrder | None = session.scalar(
        scope(actor, BudgetOrder)
        .where(BudgetOrder.id == order_id)
        .with_for_update(of=BudgetOrder)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound
    return row


def _person(actor: Actor) -> UUID:
    if actor.user_id is None:
        raise Refused(N_("Orders are drafted and signed by people."))
    return actor.user_id


def _require_waiting(row: BudgetOrder) -> None:
    if row.signed_at is not None:
        raise Conflict(N_("This order is signed already."))
    if row.discarded_at is not None:
        raise Conflict(N_("This order was discarded."))


def _told(row: BudgetOrder) -> Mapping[str, Any]:
    return {
        "id": str(row.id),
        "programme_id": str(row.programme_id),
        "kind": row.kind,
        "source": str(row.source_id),
        "target": str(row.target_id) if row.target_id else None,
        "amount": f"{row.amount:.2f}",
        "number": row.number,
        "reason": row.reason,
        "drafted_by": str(row.drafted_by),
        "drafted_at": _utc(row.drafted_at),
    }


def _utc(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat()


def _with_envelopes(wanted: Select[Any]) -> Select[Any]:
    return wanted.options(joinedload(BudgetOrder.source), joinedload(BudgetOrder.target))
