"""The money of a signed agreement: tranches paid, made smaller or cancelled, asked back and returned.

Each verb locks the agreement, writes its row and one posting in the same transaction; the keys of the postings are
those of the rows, so that nothing is booked twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.agreements import letters, rules
from portal.agreements.models import (
    Agreement,
    AgreementChange,
    AgreementDue,
    AgreementState,
    Recovery,
    RecoveryReceipt,
    Tranche,
)
from portal.agreements.rules import STATES
from portal.agreements.service import locked, posted
from portal.audit.service import record
from portal.budget import service as budget
from portal.budget.models import Account
from portal.core.clock import now, today
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.figures import roubles
from portal.core.language import N_, Message
from portal.core.money import ZERO
from portal.identity.policy import Actor, Permission, authorize

TOO_MUCH: Final = {
    "recovery_above_paid": N_("More is asked back than was paid of this tranche."),
    "receipt_above_recovery": N_("More would have come back than was asked for."),
}


def pay(session: Session, actor: Actor, tranche_id: UUID, *, document: str, paid_on: date) -> Tranche:
    """A tranche was paid by ``document`` on ``paid_on``. The same again changes nothing.

    Raises :class:`Problems` (document, day), :class:`Conflict` when it was paid otherwise or cancelled.
    """
    authorize(actor, Permission.AGREEMENT_PAY)
    row, tranche = _tranche(session, tranche_id)
    if tranche.paid_on is not None:
        if (tranche.payment_document, tranche.paid_on) == (document.strip(), paid_on):
            return tranche
        raise Conflict(N_("This tranche was paid already."))
    STATES.after("pay", AgreementState(row.state))
    if not tranche.amount:
        raise Conflict(N_("This tranche was cancelled."))
    _require(
        rules.paper_problems(document)
        + rules.day_problems(paid_on, "paid_on", today=today(session), not_before=row.signed_on)
    )
    instant = now(session)
    tranche.paid_on, tranche.paid_at, tranche.payment_document = paid_on, instant, document.strip()
    session.flush()
    budget.pay(
        session,
        actor,
        key=f"tranche:{tranche.id}:pay",
        amounts={tranche.year: tranche.amount},
        **posted(session, row, N_("Tranche %(place)s is paid", place=tranche.place), document.strip()),
    )
    changes = {"tranche": tranche.place, "amount": tranche.amount, "document": document.strip(), "on": paid_on}
    record(session, actor, "awards:agreement:pay", "agreement", row.id, changes)
    letters.paid(session, row, tranche)
    return tranche


def shrink(
    session: Session,
    actor: Actor,
    agreement_id: UUID,
    *,
    amounts: Mapping[UUID, Decimal],
    document: str,
    reason: str,
) -> Agreement:
    """A supplementary agreement leaves less of some tranches (tranche -> roubles, zero cancels); the rest is free.

    Raises :class:`Problems`: paper, reason, an amount above what is open (field ``amounts.<id>``), nothing changed.
    """
    authorize(actor, Permission.AGREEMENT_PAY)
    row = locked(session, agreement_id)
    STATES.after("shrink", AgreementState(row.state))
    problems = rules.paper_problems(document, reason)
    by_id = {tranche.id: tranche for tranche in row.tranches}
    less: dict[UUID, Decimal] = {}
    for key, amount in amounts.items():
        tranche = by_id.get(key)
        if tranche is None:
            raise NotFound
        if tranche.state != "open" or not ZERO <= amount <= tranche.amount:
            message = N_("Enter an amount from zero to %(open)s.", open=roubles(tranche.amount))
            problems.append(Problem("above_open", f"amounts.{key}", message))
        elif amount < tranche.amount:
            less[key] = tranche.amount - amount
    if not problems and not less:
        problems.append(Problem("unchanged", "", N_("No tranche became smaller.")))
    _require(problems)
    _release(session, actor, row, less, document, reason)
    return row


def end(session: Session, actor: Actor, agreement_id: UUID, *, document: str, reason: str) -> Agreement:
    """The agreement ends: fulfilled, or earlier, and then what is not paid is free again."""
    authorize(actor, Permission.AGREEMENT_PAY)
    row = locked(session, agreement_id)
    state = STATES.after("end", AgreementState(row.state))
    _require(rules.paper_problems(document, reason))
    less = {tranche.id: tranche.amount for tranche in row.tranches if tranche.state == "open"}
    if less:
        _release(session, actor, row, less, document, reason)
    instant = now(session)
    row.state, row.ended_at = state, instant
    row.end_document, row.end_reason = document.strip(), reason.strip()
    session.flush()
    changes = {"document": document.strip(), "reason": reason.strip()}
    record(session, actor, "awards:agreement:end", "agreement", row.id, changes)
    return row


def demand(
    session: Session,
    actor: Actor,
    tranche_id: UUID,
    *,
    amount: Decimal,
    demanded_on: date,
    document: str,
    reason: str,
    due_on: date | None = None,
) -> Recovery:
    """Ask money of a paid tranche back, by ``due_on`` (30 days after the demand if none is given).

    Nothing is booked before it comes. Raises :class:`Problems`, also when more is asked than was paid and not yet
    asked back; :class:`Conflict` for a tranche that was not paid.
    """
    authorize(actor, Permission.AGREEMENT_PAY)
    row, tranche = _tranche(session, tranche_id)
    STATES.after("recover", AgreementState(row.state))
    if tranche.paid_on is None:
        raise Conflict(N_("Only what was paid is asked back."))
    asked = session.scalar(
        select(func.coalesce(func.sum(Recovery.amount), ZERO)).where(Recovery.tranche_id == tranche.id)
    )
    left = tranche.amount - (asked or ZERO)
    problems = [
        *rules.amount_problems(amount, "amount"),
        *rules.paper_problems(document, reason),
        *rules.day_problems(demanded_on, "demanded_on", today=today(session), not_before=tranche.paid_on),
    ]
    if amount > left:
        message = N_("No more than %(left)s of this tranche can be asked back.", left=roubles(left))
        problems.append(Problem("above_paid", "amount", message))
    due = due_on or rules.return_due(demanded_on)
    if due < demanded_on:
        problems.append(Problem("too_early", "due_on", N_("This is before the demand.")))
    _require(problems)
    assert actor.user_id is not None
    recovery = Recovery(
        tranche_id=tranche.id,
        amount=amount,
        demanded_on=demanded_on,
        due_on=due,
        document=document.strip(),
        reason=reason.strip(),
        demanded_by=actor.user_id,
    )
    _add(session, recovery, "amount")
    changes = {"tranche": tranche.place, "amount": amount, "document": document.strip(), "due": due}
    record(session, actor, "awards:agreement:demand", "agreement", row.id, changes)
    letters.demanded(session, row, recovery)
    return recovery


def receive(
    session: Session, actor: Actor, recovery_id: UUID, *, amount: Decimal, received_on: date, document: str
) -> RecoveryReceipt:
    """Money that was asked back has come, all of it or a part: booked as returned to the year it was paid from."""
    authorize(actor, Permission.AGREEMENT_PAY)
    found = session.execute(
        select(Recovery.tranche_id, Recovery.amount, Recovery.demanded_on).where(Recovery.id == recovery_id)
    ).one_or_none()
    if found is None:
        raise NotFound
    tranche_id, asked, demanded_on = found
    row, tranche = _tranche(session, tranche_id)
    come = session.scalar(
        select(func.coalesce(func.sum(RecoveryReceipt.amount), ZERO)).where(RecoveryReceipt.recovery_id == recovery_id)
    )
    left = asked - (come or ZERO)
    problems = [
        *rules.amount_problems(amount, "amount"),
        *rules.paper_problems(document),
        *rules.day_problems(received_on, "received_on", today=today(session)),
    ]
    if received_on < demanded_on:
        problems.append(Problem("too_early", "received_on", N_("This is before the demand.")))
    if amount > left:
        message = N_("No more than %(left)s is still to come.", left=roubles(left))
        problems.append(Problem("above_asked", "amount", message))
    _require(problems)
    receipt = RecoveryReceipt(
        recovery_id=recovery_id, amount=amount, received_on=received_on, document=document.strip()
    )
    _add(session, receipt, "amount")
    budget.give_back(
        session,
        actor,
        key=f"receipt:{receipt.id}",
        amounts={tranche.year: amount},
        **posted(session, row, N_("Money of tranche %(place)s came back", place=tranche.place), document.strip()),
    )
    changes = {"recovery": recovery_id, "amount": amount, "document": document.strip(), "on": received_on}
    record(session, actor, "awards:agreement:receive", "agreement", row.id, changes)
    return receipt


def note_due(session: Session, actor: Actor, due_id: UUID, *, received_on: date) -> AgreementDue:
    """A report or a piece of evidence has come."""
    authorize(actor, Permission.AGREEMENT_DRAFT)
    due = session.scalar(select(AgreementDue).where(AgreementDue.id == due_id).with_for_update())
    if due is None:
        raise NotFound
    row = session.get_one(Agreement, due.agreement_id)
    if row.state not in (AgreementState.SIGNED, AgreementState.ENDED) or due.received_on is not None:
        raise Conflict(N_("This is no longer possible: the state has changed. Open the page again."))
    _require(rules.day_problems(received_on, "received_on", today=today(session), not_before=row.signed_on))
    due.received_on = received_on
    session.flush()
    changes = {"due": due.title, "on": received_on}
    record(session, actor, "awards:agreement:note_due", "agreement", row.id, changes)
    return due


def _release(
    session: Session, actor: Actor, row: Agreement, less: Mapping[UUID, Decimal], document: str, reason: str
) -> None:
    """Take from open tranches (tranche -> roubles) and free it in the ledger; the agreement is locked and signed."""
    for tranche in row.tranches:
        tranche.released += less.get(tranche.id, ZERO)
    freed = rules.by_year((tranche.year, less.get(tranche.id, ZERO)) for tranche in row.tranches)
    plain = {str(year): f"{amount:.2f}" for year, amount in freed.items()}
    change = AgreementChange(agreement_id=row.id, document=document.strip(), reason=reason.strip(), released=plain)
    session.add(change)
    session.flush()
    said: Message = N_("The agreement became smaller")
    budget.release(
        session,
        actor,
        key=f"agreement_change:{change.id}",
        amounts=freed,
        source=Account.COMMITTED,
        **posted(session, row, said, document.strip()),
    )
    changes = {"document": document.strip(), "reason": reason.strip(), "freed": plain}
    record(session, actor, "awards:agreement:shrink", "agreement", row.id, changes)


def _tranche(session: Session, tranche_id: UUID) -> tuple[Agreement, Tranche]:
    """The agreement of a tranche, locked, and the tranche as it is then."""
    agreement_id = session.scalar(select(Tranche.agreement_id).where(Tranche.id == tranche_id))
    if agreement_id is None:
        raise NotFound
    row = locked(session, agreement_id)
    return row, next(tranche for tranche in row.tranches if tranche.id == tranche_id)


def _add(session: Session, row: Recovery | RecoveryReceipt, field: str) -> None:
    """Insert what a trigger may refuse: said as a problem of ``field``."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        message = TOO_MUCH.get(getattr(getattr(error.orig, "diag", None), "constraint_name", None) or "")
        if message is None:
            raise
        raise Problems.one("too_much", field, message) from error


def _require(problems: list[Problem]) -> None:
    if problems:
        raise Problems(problems)
