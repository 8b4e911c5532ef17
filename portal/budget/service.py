"""What is done with the money: envelopes are opened, given money, adjusted; errors are reversed.

What is held for awards moves in :mod:`portal.budget.holdings`; nothing else writes the room's tables. Totals are
never edited: every verb but :func:`open_envelope` writes one posting.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

import portal.budget.policy  # noqa: F401 - registers the room's rules
from portal.audit.service import record
from portal.budget import rules
from portal.budget.holdings import commit, give_back, pay, release, reserve
from portal.budget.ledger import OPEN_TAG, Overdrawn, Shortage, lock, post, shortages
from portal.budget.models import Account, Envelope, Posting, PostingKind, PostingLine
from portal.budget.rules import Line
from portal.core.errors import Conflict, Problem, Problems
from portal.core.language import N_
from portal.core.money import MoneyError, exact
from portal.identity.policy import Actor, Permission, authorize, find
from portal.tenders.models import Programme, Track

__all__ = (
    "Overdrawn",
    "Shortage",
    "adjust",
    "appropriate",
    "commit",
    "give_back",
    "lock",
    "open_envelope",
    "pay",
    "post",
    "release",
    "reserve",
    "reverse",
)

MAX_TEXT: Final = 500
YEARS: Final = range(2000, 2101)


def open_envelope(session: Session, actor: Actor, *, programme_id: UUID, track: Track, year: int | None) -> Envelope:
    """An empty envelope for a track and a year. Problems: year missing or impossible, opened already."""
    authorize(actor, Permission.BUDGET_POST)
    programme = find(session, actor, Programme, programme_id)
    if year is None or year not in YEARS:
        raise Problems.one("year", "year", N_("Enter a year between 2000 and 2100."))
    envelope = Envelope(programme_id=programme.id, track=track, year=year)
    try:
        with session.begin_nested():
            session.add(envelope)
    except IntegrityError as error:
        taken = N_("This programme has an envelope of this track and year already.")
        raise Problems.one("taken", "year", taken) from error
    session.refresh(envelope)
    changes = {"programme": programme.code, "programme_id": programme.id, "track": track, "year": year}
    record(session, actor, OPEN_TAG, "envelope", envelope.id, changes)
    return envelope


def appropriate(
    session: Session,
    actor: Actor,
    envelope_id: UUID,
    *,
    key: str,
    amount: Decimal | None,
    order: str,
    reason: str,
) -> Posting:
    """An order (its number in ``order``) gives ``amount`` roubles to the envelope."""
    given = _ordered(actor, order, reason, amount)
    return post(
        session,
        actor,
        key=key,
        kind=PostingKind.APPROPRIATE,
        lines=rules.appropriate({envelope_id: given}),
        reason=reason.strip(),
        document=order.strip(),
    )


def adjust(
    session: Session,
    actor: Actor,
    envelope_id: UUID,
    *,
    key: str,
    change: Decimal | None,
    order: str,
    reason: str,
) -> Posting:
    """An order raises (above zero) or lowers (below zero) what was given, by ``change`` roubles.

    Raises :class:`Overdrawn` when less is available than is to be taken back.
    """
    moved = _ordered(actor, order, reason, change, signed=True)
    return post(
        session,
        actor,
        key=key,
        kind=PostingKind.ADJUST,
        lines=rules.adjust({envelope_id: moved}),
        reason=reason.strip(),
        document=order.strip(),
    )


def reverse(session: Session, actor: Actor, posting_id: UUID, *, key: str, reason: str) -> Posting:
    """Undo a posting by its opposite, once.

    Not for a reversal, not for what an award has booked (that ends with the award, by a release), and not for what
    two people have signed (:mod:`portal.budget.orders`).
    Raises :class:`Conflict` for these and for a second reversal, :class:`Overdrawn` when the money is spent.
    """
    authorize(actor, Permission.BUDGET_POST)
    original = find(session, actor, Posting, posting_id)
    refusal = irreversible(original)
    if refusal is not None:
        raise refusal
    problems = text_problems("-", reason)
    if problems:
        raise Problems(problems)
    return post(
        session,
        actor,
        key=key,
        kind=PostingKind.REVERSE,
        lines=rules.reverse(lines_of(session, original.id)),
        reason=reason.strip(),
        document=original.document,
        reverses=original.id,
    )


def irreversible(posting: Posting) -> Conflict | None:
    """Why a posting cannot be reversed by hand, or None; whether it was reversed already is not looked at."""
    if posting.kind == PostingKind.REVERSE:
        return Conflict(N_("A reversal is not reversed: make the posting anew."))
    if posting.subject_id is not None:
        return Conflict(N_("This money belongs to an award. It is freed when the award ends."))
    if posting.kind not in (PostingKind.APPROPRIATE, PostingKind.ADJUST):
        return Conflict(N_("Two people have signed this order. It is undone by another order, signed by two as well."))
    return None


def reversal_refusal(session: Session, posting: Posting) -> Conflict | None:
    """Why a posting cannot be reversed as things are now, or None; two queries at most. Its lines are loaded."""
    refusal = irreversible(posting)
    if refusal is not None:
        return refusal
    number = session.scalar(select(Posting.number).where(Posting.reverses_id == posting.id))
    if number is not None:
        return Conflict(N_("This posting was reversed already, by posting %(number)s.", number=number))
    opposite = rules.reverse([Line(line.envelope_id, Account(line.account), line.amount) for line in posting.lines])
    touched = select(Envelope).where(Envelope.id.in_([line.envelope_id for line in opposite]))
    lacking = shortages({envelope.id: envelope for envelope in session.scalars(touched)}, opposite)
    return Overdrawn(lacking) if lacking else None


def lines_of(session: Session, posting_id: UUID) -> list[Line]:
    """The lines of a posting in their order."""
    rows = session.scalars(select(PostingLine).where(PostingLine.posting_id == posting_id).order_by(PostingLine.line))
    return [Line(row.envelope_id, Account(row.account), row.amount) for row in rows]


def text_problems(order: str, reason: str) -> list[Problem]:
    """What is wrong with the order's number and the reason of a posting."""
    found = []
    for field, value, missing in (
        ("order", order, N_("Enter the number and the date of the order.")),
        ("reason", reason, N_("Enter the reason.")),
    ):
        if not value.strip():
            found.append(Problem("required", field, missing))
        elif len(value) > MAX_TEXT:
            found.append(Problem("too_long", field, N_("Enter no more than %(count)s characters.", count=MAX_TEXT)))
        elif not value.isprintable():
            found.append(Problem("unprintable", field, N_("Enter one line of plain text.")))
    return found


def amount_problems(amount: Decimal | None) -> list[Problem]:
    """What is wrong with the amount of a posting, roubles above zero."""
    if amount is None:
        return [Problem("required", "amount", N_("Enter an amount."))]
    try:
        positive = exact(amount) > 0
    except MoneyError as error:
        return [Problem(error.code, "amount", error.message)]
    return [] if positive else [Problem("not_positive", "amount", N_("Enter an amount above zero."))]


def _ordered(actor: Actor, order: str, reason: str, amount: Decimal | None, *, signed: bool = False) -> Decimal:
    """The amount that an order moves; :class:`Problems` with all that is wrong with the three.

    ``signed``: an amount below zero is one too.
    """
    authorize(actor, Permission.BUDGET_POST)
    found = text_problems(order, reason) + amount_problems(abs(amount) if signed and amount is not None else amount)
    if found or amount is None:
        raise Problems(found)
    return amount
