"""Cash flow, its measures, and labour productivity, by hand; and the demonstration's tables agree with its passport."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from portal.applications.figures.economics import Comparison, Economics, economics, productivity
from portal.demo.economics import complete
from tests.factories.packages import package, rules

D = Decimal


def content(flow: dict[str, dict[str, str]], **project: Any) -> dict[str, Any]:
    """One participant that spends 1000 in 2017 and asks for 200 in 2018."""
    part = {"id": "p", "costs": {"CC-04": {"2017": "1000.00"}}, "subsidy": {"2018": "200.00"}}
    return {"project": {"discount_rate": "10", **project}, "participants": [part], "cashflow": flow}


def of(flow: dict[str, dict[str, str]], **project: Any) -> Economics:
    found = economics(content(flow, **project), rules())
    assert found is not None
    return found


FLOW = {
    "sales": {"2018": "500.00", "2020": "1100.00"},
    "operating": {"2018": "100.00", "2020": "200.00"},
    "vat": {"2018": "20.00"},
    "contributions": {"2018": "30.00", "2020": "60.00"},
}


def test_the_flow_of_each_year() -> None:
    found = of(FLOW)
    # 2019 has no entry and still counts: discounting goes by the calendar.
    assert [(flow.year, flow.net) for flow in found.flows] == [
        ("2017", D(-1000)),
        ("2018", D(550)),
        ("2019", D(0)),
        ("2020", D(840)),
    ]
    assert [flow.own for flow in found.flows] == [D(-1000), D(350), D(0), D(840)]


def test_measures_by_hand() -> None:
    found = of(FLOW, agreement_years=5)
    # -1000 + 550/1.1 + 840/1.331 = 131.1044...
    assert found.npv == D("131.10")
    assert found.npv_own == D("-50.71")  # less 200/1.1
    assert found.flows[-1].cumulative == D("131.10")
    assert found.irr is not None
    assert found.irr_own is not None
    assert found.irr_own < 10 < found.irr
    # Debt of 500 after 2019, 631.10 come in 2020: 2 + 500/631.10.
    assert found.payback == D("2.79")
    assert (found.taxes, found.subsidy, found.efficiency) == (D(110), D(200), D("0.5500"))
    # (50/1.1 + 60/1.331) / (200/1.1)
    assert found.efficiency_discounted == D("0.4979")


def test_taxes_count_over_the_term_only() -> None:
    assert of(FLOW, agreement_years=2).taxes == D(50)
    assert of(FLOW, agreement_years=1).years == ("2018",)
    assert of(FLOW).years == ("2018", "2019", "2020")


def test_no_rate_of_return_is_said_not_invented() -> None:
    found = of({"operating": {"2018": "300.00"}})
    assert (found.irr, found.payback) == (None, None)
    assert Comparison("irr", "percent", D(12), None).differs


def test_without_a_discount_rate_only_the_rate_of_return() -> None:
    for rate in (None, "-100", ""):
        found = of(FLOW, discount_rate=rate)
        assert (found.npv, found.payback, found.efficiency_discounted) == (None, None, None)
        assert found.irr is not None
        assert "npv" not in {item.name for item in found.comparisons}


@pytest.mark.parametrize(
    ("unit", "typed", "computed", "differs"),
    [
        ("roubles", "1000000", "1010000", False),
        ("roubles", "1000000", "1020000", True),
        ("roubles", "0", "1000", False),
        ("roubles", "0", "1001", True),
        ("percent", "21", "21.1", False),
        ("percent", "21", "21.2", True),
        ("years", "4.5", "4.42", False),
    ],
)
def test_how_far_is_different(unit: str, typed: str, computed: str, differs: bool) -> None:
    assert Comparison("x", unit, D(typed), D(computed)).differs is differs


def test_nothing_typed_is_no_difference_and_nothing_entered_no_economics() -> None:
    assert not Comparison("npv", "roubles", None, D(5)).differs
    assert economics(content({}), rules()) is None
    assert economics(package(), rules()) is None


@pytest.mark.parametrize("row", ["P01", "P06", "P10", "P12"])
def test_the_demonstration_agrees_with_its_own_passport(row: str) -> None:
    held = rules("export" if row in ("P10", "P12") else "import_substitution")
    whole = complete(package(row=row), held)
    found = economics(whole, held)
    assert found is not None
    assert found.differing == ()
    assert all(D(amount) >= 0 for years in whole["cashflow"].values() for amount in years.values())


def worker(*years: tuple[str, str, str]) -> dict[str, Any]:
    """A participant with value added (all of it profit and wages) and headcount by year."""
    table: dict[str, dict[str, str]] = {"profit": {}, "wages": {}, "headcount": {}}
    for year, added, people in years:
        table["profit"][year], table["wages"][year] = "-100.00", format(D(added) + 100, "f")
        table["headcount"][year] = people
    return {"participants": [{"id": "p", "productivity": table}]}


def test_productivity_by_the_official_formula() -> None:
    (found,) = productivity(worker(("2017", "1000", "10"), ("2018", "1320", "12"), ("2019", "1500", "12")), rules())
    assert found.base is not None
    assert (found.base.value, found.base.growth) == (D("100.00"), None)
    first, second = found.years
    assert (first.value, first.growth, first.target, first.reached) == (D("110.00"), D("10.00"), D(10), True)
    # With 10 people 1320 would be 132; the two more take 22 of that.
    assert (first.by_value, first.by_staff) == (D("32.00"), D("-22.00"))
    assert (second.growth, second.target, second.reached) == (D("25.00"), D(15), True)
    assert found.targets == (
        (D(5), D("105.00")),
        (D(10), D("110.00")),
        (D(15), D("115.00")),
        (D(30), D("130.00")),
    )
    assert found.by_cutting == ()


def test_growth_by_cutting_staff_is_seen() -> None:
    (found,) = productivity(worker(("2017", "1000", "10"), ("2018", "1000", "8"), ("2019", "1600", "9")), rules())
    assert found.by_cutting == ("2018",)
    # Fewer people and less value: productivity falls, and nothing grows by cutting.
    (fallen,) = productivity(worker(("2017", "1000", "10"), ("2018", "700", "8")), rules())
    assert fallen.by_cutting == ()


def test_gaps_in_the_productivity_table() -> None:
    assert (
        productivity({"participants": [{"id": "p"}, {"id": "q", "productivity": {"wages": {"2018": "x"}}}]}, rules())
        == []
    )
    (found,) = productivity(worker(("2018", "1000", "10"), ("2019", "1000", "0")), rules())
    assert (found.base, found.targets, [year.year for year in found.years]) == (None, (), ["2018"])
    assert found.years[0].reached is None
