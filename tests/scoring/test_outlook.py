"""The line of the money, the tie zone, and where another review pays."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from portal.core.language import both
from portal.scoring.outlook import Standing, fitting, line, proposals, zone

D = Decimal


def standing(number: str, total: str, error: str = "1", chance: str | None = None, reviews: int = 2) -> Standing:
    value, reach = D(total), D(error) * D("1.645")
    return Standing(
        number, value, D(error), value - reach, value + reach, reviews, None if chance is None else D(chance)
    )


def test_the_first_that_does_not_fit_ends_the_list() -> None:
    available = {2018: D(100), 2019: D(50)}
    assert fitting([{2018: D(60)}, {2018: D(40), 2019: D(50)}, {2018: D(1)}], available) == 2
    assert fitting([{2020: D(1)}], available) == 0
    assert fitting([{2018: D(200)}, {2018: D(1)}], available) == 0
    assert fitting([], available) == 0


def test_the_line_lies_half_way_and_only_where_somebody_is_cut_off() -> None:
    ordered = [standing("1", "80"), standing("2", "70.01"), standing("3", "60")]
    assert line(ordered, 1) == D("75.01")
    assert line(ordered, 2) == D("65.01")
    assert line(ordered, 0) is None
    assert line(ordered, 3) is None


def test_the_tie_zone_holds_whose_interval_holds_the_line() -> None:
    ordered = [standing("1", "80"), standing("2", "71"), standing("3", "70"), standing("4", "60")]
    assert [each.number for each in zone(ordered, D("70.5"))] == ["2", "3"]
    assert zone(ordered, None) == []


def test_another_review_is_proposed_where_the_side_is_open_and_it_was_not_asked_for() -> None:
    ordered = [
        standing("1", "80", chance="0.990"),
        standing("2", "71", chance="0.700"),
        standing("3", "70", chance="0.450"),
        standing("4", "69", chance="0.300", reviews=3),
        standing("5", "60", chance="0.040"),
    ]
    found = proposals(ordered, D("70.5"), most=3)
    assert [each.number for each in found] == ["3", "2"]
    told = both(found[0].reason)
    assert "45%" in told["en"]
    assert "70.5" in told["en"]
    assert told["ru"] != told["en"]
    assert proposals(ordered, None, most=3) == []


@given(st.lists(st.decimals(0, 100, places=2), min_size=2, max_size=12), st.integers(0, 12))
def test_the_line_parts_those_above_from_those_below(totals: list[Decimal], places: int) -> None:
    ordered = [standing(str(at), str(total)) for at, total in enumerate(sorted(totals, reverse=True))]
    cut = line(ordered, places)
    if cut is not None:
        assert all(each.total >= cut - D("0.01") for each in ordered[:places])
        assert all(each.total <= cut + D("0.01") for each in ordered[places:])
