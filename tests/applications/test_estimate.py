"""The arithmetic of the subsidy against an independent one in whole kopecks, and its lines by hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import pytest

from portal.applications.figures.estimate import Estimate, Limit, estimate
from portal.applications.figures.facts import facts
from portal.core.figures import decimal_of
from portal.tenders.ruleset import RuleSet
from tests.factories.packages import package, rules

D = Decimal
TABLES = 10_000 if os.environ.get("FULL") else 300


def table(draw: Random, codes: Sequence[str], years: Sequence[int], empty: float) -> dict[str, dict[str, str]]:
    """Amounts from a kopeck to a billion roubles, many of them the same, some of them nothing."""
    found: dict[str, dict[str, str]] = {}
    for code in codes:
        for year in years:
            if draw.random() < empty:
                continue
            kopecks = draw.choice((0, 1, 3, 100, 33_33, draw.randrange(10**6), draw.randrange(10**11)))
            found.setdefault(code, {})[str(year)] = f"{kopecks // 100}.{kopecks % 100:02}"
    return found


def random_package(draw: Random, held: RuleSet) -> dict[str, Any]:
    codes = [category.code for category in held.categories]
    parts = [
        {
            "id": f"p{place}",
            "role": "participant" if place else "initiator",
            "costs": table(draw, codes, held.cost_years, draw.choice((0.2, 0.6, 0.95))),
            "financing": table(draw, ("own", "loans", "regional"), held.cost_years, 0.5),
            "subsidy": {str(year): f"{draw.randrange(10**8)}.00" for year in held.years if draw.random() < 0.7},
        }
        for place in range(draw.randint(1, 5))
    ]
    return {"project": {}, "participants": parts}


def kopecks(text: str) -> int:
    return int(Fraction(text) * 100)


def shared(amount: int, weights: Sequence[int]) -> list[int]:
    """Whole units in proportion, the remainder one each to the largest fractions, the earlier first."""
    whole = sum(weights)
    if not whole:
        return [0] * len(weights)
    exact = [Fraction(amount * weight, whole) for weight in weights]
    given = [value.numerator // value.denominator for value in exact]
    order = sorted(range(len(weights)), key=lambda place: (-(exact[place] - given[place]), place))
    for place in order[: amount - sum(given)]:
        given[place] += 1
    return given


def independent(content: dict[str, Any], held: RuleSet) -> dict[str, Any]:
    """The same figures in whole kopecks, by other means than the portal's."""
    parts = content["participants"]
    by_part = [{c: {y: kopecks(t) for y, t in years.items()} for c, years in p["costs"].items()} for p in parts]
    entered: dict[str, int] = {}
    for costs in by_part:
        for code, years in costs.items():
            entered[code] = entered.get(code, 0) + sum(years.values())
    reimbursed = {item.code: item.cap for item in held.categories if item.eligible}
    within = {code: amount for code, amount in entered.items() if code in reimbursed}
    base = sum(within.values())
    counted = {}
    for code, amount in within.items():
        cap = reimbursed[code]
        limit = amount if cap is None else int(Fraction(base) * Fraction(cap) / 100 + Fraction(1, 2))
        counted[code] = min(amount, limit)
    eligible: list[dict[str, dict[str, int]]] = [{} for _ in parts]
    for code, amount in counted.items():
        holders = [place for place, costs in enumerate(by_part) if code in costs]
        shares = shared(amount, [sum(by_part[place][code].values()) for place in holders])
        for place, share in zip(holders, shares, strict=True):
            years = by_part[place][code]
            eligible[place][code] = dict(zip(years, shared(share, list(years.values())), strict=True))
    own = [sum(kopecks(t) for t in p["financing"]["own"].values()) for p in parts if "own" in p["financing"]]
    limits = [Fraction(sum(counted.values())) * Fraction(held.cap_share) / 100]
    if held.project_cap is not None:
        limits.append(Fraction(held.project_cap) * 100)
    if own and held.own_share_of_subsidy:
        limits.append(Fraction(sum(own)) * 100 / Fraction(held.own_share_of_subsidy))
    maximum = int(min(limits) / 100) if within else None
    totals = [sum(sum(years.values()) for years in held_by.values()) for held_by in eligible]
    return {
        "counted": counted,
        "eligible": eligible,
        "maximum": maximum,
        "most": shared(maximum or 0, totals),
    }


def as_kopecks(found: Estimate) -> dict[str, Any]:
    reimbursed = [line for line in found.lines if line.reimbursed]
    return {
        "counted": {line.code: int(line.counted * 100) for line in reimbursed},
        "eligible": [
            {code: {year: int(amount * 100) for year, amount in years.items()} for code, years in part.counted.items()}
            for part in found.parts
        ],
        "maximum": None if found.maximum is None else int(found.maximum),
        "most": [int(part.most) for part in found.parts],
    }


@pytest.mark.parametrize("track", ["import_substitution", "export"])
def test_equal_to_an_independent_computation(track: str) -> None:
    draw = Random(f"tables {track}")
    official = rules(track)
    for _ in range(TABLES // 2):
        held = replace(
            official,
            project_cap=draw.choice((None, D(1), D("199999999.99"), D(10**9))),
            own_share_of_subsidy=D(draw.choice((0, 10, 30, 33))),
            cap_share=D(draw.choice(("50", "33.33", "12.5"))),
        )
        content = random_package(draw, held)
        found = estimate(content, held)
        assert as_kopecks(found) == independent(content, held)
        _adds_up(found, content)
        known = facts(content, held)
        assert (known.eligible or 0, known.subsidy_max) == (found.eligible, found.maximum)
        assert [item.eligible for item in known.participants] == [part.eligible for part in found.parts]


def _adds_up(found: Estimate, content: dict[str, Any]) -> None:
    """Nothing is lost between the project, its participants, and their years."""
    assert sum((part.eligible for part in found.parts), D(0)) == found.eligible
    assert sum((line.counted for line in found.lines), D(0)) == found.eligible
    if found.eligible:
        assert sum((part.most for part in found.parts), D(0)) == found.maximum
    for part in found.parts:
        assert sum(part.most_by_year.values(), D(0)) == part.most
        assert all(amount == int(amount) for amount in part.most_by_year.values())
        for code, years in part.counted.items():
            assert all(0 <= years[year] <= part.entered[code][year] for year in years)
    total = found.years[-1].running if found.years else D(0)
    assert total == sum((part.difference for part in found.parts), D(0))
    costs = [
        decimal_of(t) or 0 for p in content["participants"] for years in p["costs"].values() for t in years.values()
    ]
    assert sum((year.costs for year in found.years), D(0)) == sum(costs, D(0))


def test_a_cap_cuts_and_the_shares_add_up_by_hand() -> None:
    # Base 1000.00, documentation capped at 20 %: 200.00 of 400.01 counts, in three equal thirds of the years.
    def part(name: str, years: dict[str, str], equipment: str) -> dict[str, Any]:
        return {"id": name, "costs": {"CC-01": years, "CC-04": {"2018": equipment}}, "financing": {}, "subsidy": {}}

    content = {
        "participants": [
            part("a", {"2016": "100.00", "2017": "100.00", "2018": "100.00"}, "500.00"),
            part("b", {"2018": "100.01"}, "99.99"),
        ]
    }
    found = estimate(content, rules())
    documentation = next(line for line in found.lines if line.code == "CC-01")
    assert (documentation.limit, documentation.counted, documentation.cut) == (D("200.00"), D("200.00"), D("200.01"))
    # 200.00 x 300 / 400.01 = 149.9962... and 50.0037...: down to the kopeck, the kopeck left over to the first.
    assert sum(found.parts[0].counted["CC-01"].values()) == D("150.00")
    assert sum(found.parts[1].counted["CC-01"].values()) == D("50.00")
    assert list(found.parts[0].counted["CC-01"].values()) == [D("50.00"), D("50.00"), D("50.00")]
    assert (found.eligible, found.maximum) == (D("799.99"), D(399))
    assert found.binding == Limit("share", D("399.995"))
    assert found.rounded_off == D("0.995")
    # 399 x 650 / 799.99 = 324.18 and 74.81: 324 and 74, and the rouble left over to the larger remainder.
    assert [part.most for part in found.parts] == [D(324), D(75)]
    # Nobody has asked for anything: evenly over the years of the track, the first year before the others.
    assert found.parts[1].most_by_year == {"2018": D(25), "2019": D(25), "2020": D(25)}


def test_the_balance_of_the_demonstration() -> None:
    found = estimate(package(), rules())
    assert found.years[-1].running == 0
    assert found.excess == D(195_000_000 - 210_000_000)
    assert [part.difference for part in found.parts] == [D(0)] * 4
    first = found.years[0]
    assert first.difference == first.financing - first.costs == first.running < 0


def test_a_draft_with_gaps_and_nonsense() -> None:
    empty = estimate({}, rules())
    assert (empty.maximum, empty.binding, empty.excess, empty.parts, empty.years) == (None, None, None, (), ())
    odd = {"participants": [{"costs": {"CC-01": {"2018": "-5"}, "CC-04": {"2018": "x"}}}, {"costs": 7}, "?"]}
    assert estimate(odd, rules()).maximum == D(-2)
