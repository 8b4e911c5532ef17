from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.finance import (
    budget_efficiency,
    discounted_payback,
    growth,
    irr,
    labour_productivity,
    npv,
    value_added,
)

yearly = st.decimals(min_value=-(10**12), max_value=10**12, places=2)
rates = st.decimals(min_value=Decimal("-0.5"), max_value=2, places=4)


def flows(*sums: str | int) -> list[Decimal]:
    return [Decimal(s) for s in sums]


def test_present_value() -> None:
    assert npv(Decimal("0.1"), flows(-1000, 500, 500, 500)) == Decimal("243.43")
    assert npv(Decimal(0), flows(-1000, 600, 600)) == Decimal("200.00")
    assert npv(Decimal("0.1"), []) == Decimal("0.00")


@pytest.mark.parametrize(
    ("sums", "rate"),
    [
        ((-1000, 1100), "0.100000"),
        ((-1000, 500, 500, 500), "0.233752"),
        ((-100, 0, 0, 0, 200), "0.189207"),
        ((-100, 50), "-0.500000"),
        ((100, -120), "0.200000"),
        ((-100, 1), "-0.990000"),
        ((-1, 11), "10.000000"),
    ],
)
def test_rate_of_return(sums: tuple[int, ...], rate: str) -> None:
    assert irr(flows(*sums)) == Decimal(rate)


@pytest.mark.parametrize("sums", [(), (0, 0), (100, 200), (-100, -5), (-1, 100), (-1000, 1)])
def test_no_rate_without_a_change_of_sign(sums: tuple[int, ...]) -> None:
    assert irr(flows(*sums)) is None


@given(
    st.decimals(min_value=1, max_value=10**9, places=2),
    st.lists(st.decimals(min_value=0, max_value=10**9, places=2), min_size=1, max_size=30),
)
def test_the_present_value_is_nothing_at_the_rate_of_return(cost: Decimal, income: list[Decimal]) -> None:
    project = [-cost, *income]
    rate = irr(project)
    if rate is None:
        return
    step = Decimal("0.000001")
    assert npv(max(rate - step, Decimal("-0.99")), project) >= 0
    assert npv(min(rate + step, Decimal(10)), project) <= 0


@given(rates, st.lists(yearly, max_size=15), st.lists(yearly, max_size=15))
def test_present_values_add_up(rate: Decimal, one: list[Decimal], other: list[Decimal]) -> None:
    length = max(len(one), len(other))
    zero = [Decimal(0)] * length
    together = [a + b for a, b in zip((one + zero)[:length], (other + zero)[:length], strict=True)]
    assert abs(npv(rate, together) - npv(rate, one) - npv(rate, other)) <= Decimal("0.02")


@pytest.mark.parametrize(
    ("rate", "sums", "years"),
    [
        ("0", (-1000, 400, 400, 400), "2.50"),
        ("0.1", (-1000, 500, 500, 500), "2.35"),
        ("0", (-100, 100), "1.00"),
        ("0", (-100, 150, -100, 100), "2.50"),
        ("0", (100, 100), "0.00"),
        ("0", (), "0.00"),
    ],
)
def test_payback(rate: str, sums: tuple[int, ...], years: str) -> None:
    assert discounted_payback(Decimal(rate), flows(*sums)) == Decimal(years)


def test_what_is_never_paid_back() -> None:
    assert discounted_payback(Decimal("0.1"), flows(-1000, 500, 500)) is None
    assert discounted_payback(Decimal(0), flows(-100, 150, -100)) is None


def test_a_rate_must_leave_something() -> None:
    for measure in (npv, discounted_payback):
        with pytest.raises(ValueError, match="above -100 %"):
            measure(Decimal(-1), flows(1))


def test_budget_efficiency() -> None:
    assert budget_efficiency(flows(0, 300, 310), flows(100, 95)) == Decimal("3.1282")
    assert budget_efficiency(flows(0, 110), flows(100), Decimal("0.1")) == Decimal("1.0000")
    assert budget_efficiency(flows(10), []) is None
    assert budget_efficiency(flows(10), flows(0)) is None


def test_productivity_by_the_official_formula() -> None:
    added = value_added(
        sales_profit=Decimal("40000000"),
        wages=Decimal("90000000"),
        contributions=Decimal("27000000"),
        taxes_in_cost=Decimal("3000000"),
        depreciation=Decimal("15000000"),
    )
    assert added == Decimal("175000000")
    assert labour_productivity(added, Decimal("120.5")) == Decimal("1452282.16")
    with pytest.raises(ValueError, match="positive headcount"):
        labour_productivity(added, Decimal(0))


def test_growth_in_per_cent() -> None:
    assert growth(Decimal(200), Decimal(230)) == Decimal("15.00")
    assert growth(Decimal(300), Decimal(200)) == Decimal("-33.33")
    assert growth(Decimal(0), Decimal(1)) is None
