"""The recipes of postings, by property."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.budget import rules
from portal.budget.models import Account
from portal.budget.rules import Line

money = st.decimals(min_value=Decimal("0.01"), max_value=Decimal("999999999999.99"), places=2)
amounts = st.dictionaries(st.uuids(version=4), money, min_size=1, max_size=5)
recipes = st.sampled_from(
    [
        rules.appropriate,
        rules.reserve,
        rules.release,
        rules.release_commitment,
        rules.commit,
        rules.pay,
        rules.give_back,
        rules.restore,
        rules.adjust,
    ]
)
A = UUID(int=1)
B = UUID(int=2)
TEN = Decimal("10.00")


@given(recipe=recipes, moved=amounts)
def test_every_recipe_is_a_posting(recipe: object, moved: dict[UUID, Decimal]) -> None:
    lines = recipe(moved)  # type: ignore[operator]
    rules.check(lines)
    assert {line.envelope_id for line in lines} == set(moved)
    assert sum(line.amount for line in lines) == 0
    assert sum(line.amount for line in lines if line.amount > 0) == sum(moved.values())


@given(recipe=recipes, moved=amounts)
def test_a_reversal_undoes_and_is_undone(recipe: object, moved: dict[UUID, Decimal]) -> None:
    lines = recipe(moved)  # type: ignore[operator]
    opposite = rules.reverse(lines)
    rules.check(opposite)
    assert [line.amount for line in opposite] == [-line.amount for line in lines]
    assert rules.reverse(opposite) == lines


@pytest.mark.parametrize(
    ("recipe", "source", "target"),
    [
        (rules.appropriate, Account.APPROPRIATION, Account.AVAILABLE),
        (rules.reserve, Account.AVAILABLE, Account.RESERVED),
        (rules.release, Account.RESERVED, Account.AVAILABLE),
        (rules.commit, Account.RESERVED, Account.COMMITTED),
        (rules.pay, Account.COMMITTED, Account.PAID),
        (rules.release_commitment, Account.COMMITTED, Account.AVAILABLE),
        (rules.give_back, Account.PAID, Account.RETURNED),
        (rules.restore, Account.RETURNED, Account.AVAILABLE),
    ],
)
def test_recipe_moves_between_its_accounts(recipe: object, source: Account, target: Account) -> None:
    assert {line.account: line.amount for line in recipe({A: TEN})} == {source: -TEN, target: TEN}  # type: ignore[operator]


def test_adjustment_goes_both_ways_in_order() -> None:
    assert rules.adjust({B: TEN, A: -TEN}) == [
        Line(A, Account.APPROPRIATION, TEN),
        Line(A, Account.AVAILABLE, -TEN),
        Line(B, Account.APPROPRIATION, -TEN),
        Line(B, Account.AVAILABLE, TEN),
    ]


def test_reallocation_moves_the_appropriation_too() -> None:
    lines = rules.reallocate(B, A, TEN)
    rules.check(lines)
    assert lines == [
        Line(A, Account.APPROPRIATION, -TEN),
        Line(A, Account.AVAILABLE, TEN),
        Line(B, Account.APPROPRIATION, TEN),
        Line(B, Account.AVAILABLE, -TEN),
    ]


def test_carry_over_leaves_the_old_year_as_it_was_given() -> None:
    lines = rules.carry_over(B, A, TEN)
    rules.check(lines)
    assert lines == [
        Line(A, Account.APPROPRIATION, -TEN),
        Line(A, Account.AVAILABLE, TEN),
        Line(B, Account.AVAILABLE, -TEN),
        Line(B, Account.CARRIED_OVER, TEN),
    ]


@pytest.mark.parametrize("recipe", [rules.reallocate, rules.carry_over])
@pytest.mark.parametrize(("target", "amount"), [(A, TEN), (B, Decimal(0)), (B, -TEN)])
def test_money_moves_between_two_envelopes(recipe: object, target: UUID, amount: Decimal) -> None:
    with pytest.raises(ValueError, match=r"between two|above zero"):
        recipe(A, target, amount)  # type: ignore[operator]


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_recipe_refuses_to_move_nothing(amount: str) -> None:
    with pytest.raises(ValueError, match="above zero"):
        rules.reserve({A: Decimal(amount)})


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], "has lines"),
        ([Line(A, Account.AVAILABLE, TEN)], "sum to zero"),
        ([Line(A, Account.AVAILABLE, TEN), Line(B, Account.RESERVED, -TEN)], "sum to zero"),
        ([Line(A, Account.AVAILABLE, Decimal(0)), Line(A, Account.RESERVED, Decimal(0))], "moves money"),
        ([Line(A, Account.RESERVED, TEN), Line(A, Account.AVAILABLE, -TEN)], "in order"),
        (
            [
                Line(A, Account.AVAILABLE, -TEN),
                Line(A, Account.AVAILABLE, -TEN),
                Line(A, Account.RESERVED, TEN * 2),
            ],
            "one line",
        ),
    ],
)
def test_lines_that_are_no_posting(lines: list[Line], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        rules.check(lines)


def test_floor_holds_for_all_but_the_source() -> None:
    everything_below = dict.fromkeys(Account, Decimal("-0.01"))
    assert rules.floors(everything_below) == [a for a in Account if a is not Account.APPROPRIATION]
    assert rules.floors(dict.fromkeys(Account, Decimal(0))) == []


def test_order_is_by_envelope_then_account_name() -> None:
    ids = sorted(uuid4() for _ in range(3))
    lines = rules.reserve(dict.fromkeys(reversed(ids), TEN))
    assert [(line.envelope_id, line.account.value) for line in lines] == [
        (key, account) for key in ids for account in ("available", "reserved")
    ]
