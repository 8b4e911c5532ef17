"""Recipes of postings: which accounts a movement takes from and gives to. Pure arithmetic, roubles.

Every recipe takes amounts by envelope (all above zero) and returns lines that sum to zero in each envelope.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from portal.budget.models import Account
from portal.core.money import exact

Amounts = Mapping[UUID, Decimal]


@dataclass(frozen=True, slots=True)
class Line:
    """A signed amount on one account of one envelope."""

    envelope_id: UUID
    account: Account
    amount: Decimal


def appropriate(amounts: Amounts) -> list[Line]:
    """An order gives money to the envelopes."""
    return _move(Account.APPROPRIATION, Account.AVAILABLE, amounts)


def adjust(changes: Amounts) -> list[Line]:
    """An order changes what was given: above zero adds, below zero takes back what is still available."""
    up = {envelope: change for envelope, change in changes.items() if change >= 0}
    down = {envelope: -change for envelope, change in changes.items() if change < 0}
    return in_order(appropriate(up) + _move(Account.AVAILABLE, Account.APPROPRIATION, down))


def reserve(amounts: Amounts) -> list[Line]:
    """An award sets money aside."""
    return _move(Account.AVAILABLE, Account.RESERVED, amounts)


def release(amounts: Amounts) -> list[Line]:
    """What was set aside is free again."""
    return _move(Account.RESERVED, Account.AVAILABLE, amounts)


def release_commitment(amounts: Amounts) -> list[Line]:
    """An agreement shrinks or ends: what it has bound is free again (posting kind ``release`` too)."""
    return _move(Account.COMMITTED, Account.AVAILABLE, amounts)


def commit(amounts: Amounts) -> list[Line]:
    """A signed agreement binds what was set aside."""
    return _move(Account.RESERVED, Account.COMMITTED, amounts)


def pay(amounts: Amounts) -> list[Line]:
    """A tranche is paid."""
    return _move(Account.COMMITTED, Account.PAID, amounts)


def give_back(amounts: Amounts) -> list[Line]:
    """Money that was paid comes back to the fund (posting kind ``return``)."""
    return _move(Account.PAID, Account.RETURNED, amounts)


def reallocate(source: UUID, target: UUID, amount: Decimal) -> list[Line]:
    """An order moves what is available, and the appropriation with it, to another track or year.

    The appropriation of both together stays what it was.
    """
    if source == target:
        raise ValueError("money moves between two envelopes")
    return adjust({source: -_positive(amount), target: amount})


def carry_over(source: UUID, target: UUID, amount: Decimal) -> list[Line]:
    """At the end of a year what is left goes to the next one.

    The appropriation of the old year stays as it was given: what left it stands on ``carried_over``.
    """
    if source == target:
        raise ValueError("money moves between two envelopes")
    return in_order(
        _move(Account.AVAILABLE, Account.CARRIED_OVER, {source: amount}) + appropriate({target: _positive(amount)})
    )


def restore(amounts: Amounts) -> list[Line]:
    """An order makes money that came back available again."""
    return _move(Account.RETURNED, Account.AVAILABLE, amounts)


def reverse(lines: Iterable[Line]) -> list[Line]:
    """The opposite of a posting."""
    return in_order(Line(line.envelope_id, line.account, -line.amount) for line in lines)


def in_order(lines: Iterable[Line]) -> list[Line]:
    """Envelopes by id, then accounts by name: the order in which every posting writes and locks."""
    return sorted(lines, key=lambda line: (line.envelope_id, line.account.value))


def check(lines: Sequence[Line]) -> None:
    """ValueError unless the lines are a posting: some, none zero, one per account, balanced, in order."""
    if not lines:
        raise ValueError("a posting has lines")
    places = [(line.envelope_id, line.account.value) for line in lines]
    if places != sorted(set(places)):
        raise ValueError("one line for each account of each envelope, in order")
    sums: dict[UUID, Decimal] = {}
    for line in lines:
        if not exact(line.amount):
            raise ValueError("a line moves money")
        sums[line.envelope_id] = sums.get(line.envelope_id, Decimal(0)) + line.amount
    if any(sums.values()):
        raise ValueError("the lines of an envelope sum to zero")


def floors(balances: Mapping[Account, Decimal]) -> list[Account]:
    """The accounts that are below their floor: all but the source have to be zero or above."""
    return [account for account in Account if account is not Account.APPROPRIATION and balances.get(account, 0) < 0]


def _move(source: Account, target: Account, amounts: Amounts) -> list[Line]:
    lines = []
    for envelope_id, amount in amounts.items():
        _positive(amount)
        lines += [
            Line(envelope_id, source, exact(-amount)),
            Line(envelope_id, target, exact(amount)),
        ]
    return in_order(lines)


def _positive(amount: Decimal) -> Decimal:
    if amount <= 0:
        raise ValueError("an amount to move is above zero")
    return amount
