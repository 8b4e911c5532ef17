"""What follows from a scenario: arithmetic, differences, and that nothing changed is nothing changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.awards.allocation.problem import Limit, Policy
from portal.awards.scenarios.changes import (
    Changes,
    Departure,
    Ground,
    Outcome,
    Project,
    Scored,
    Supposed,
    difference,
    read_changes,
    read_result,
    reduced,
)
from portal.awards.scenarios.checks import problems
from portal.awards.scenarios.outcome import follow, weigh
from portal.core.language import N_
from portal.tenders.rulebook import load_rulebook
from portal.tenders.ruleset import AllocationLimit, Allotment, LimitField, LimitUnit, Text, TieRule

RULES = replace(load_rulebook("import_substitution"), tie_rules=(TieRule.NUMBER,))
CODES = tuple(each.code for each in RULES.criteria)
WEIGHTS = {each.code: each.weight for each in RULES.criteria}
SUM_OF_100 = {**WEIGHTS, "CR-01": WEIGHTS["CR-01"] + 10, "CR-02": WEIGHTS["CR-02"] - 10}


def project(number: int, points: dict[str, Decimal] | Decimal, asked: dict[int, int], **more: object) -> Project:
    """An application with the same points everywhere, or those of each criterion."""
    held = points if isinstance(points, dict) else dict.fromkeys(CODES, points)
    found = Project(
        application_id=f"a{number}",
        number=f"JP-2018-IS-{number:04}",
        lines={code: Scored(held[code], weigh(WEIGHTS[code], held[code])) for code in CODES},
        gates=((True, None),),
        amounts={year: Decimal(amount) for year, amount in asked.items()},
        hpj=10,
        registered_at=datetime(2018, 8, 6, tzinfo=UTC) + timedelta(hours=number),
        sheet=f"{number:064}",
    )
    return replace(found, **more)


def ground(*projects: Project, available: dict[int, int] | None = None) -> Ground:
    money = {2018: 100, 2019: 100} if available is None else available
    return Ground(RULES, "r" * 64, "s" * 64, {year: Decimal(amount) for year, amount in money.items()}, projects)


def opened(held: Project) -> Project:
    """The same without its reviews."""
    return replace(held, lines={**held.lines, "CR-10": Scored(None, None)})


PRIVATE = {**dict.fromkeys(CODES, Decimal(7)), "CR-01": Decimal(9), "CR-02": Decimal(6)}
STATE = {**dict.fromkeys(CODES, Decimal(7)), "CR-01": Decimal(5), "CR-02": Decimal("10")}
TWO = (project(1, PRIVATE, {2018: 60}), project(2, STATE, {2018: 60}))


def outcomes(held: Ground, changes: Changes | None = None) -> list[tuple[str, int, str]]:
    return [(each.number[-1], each.place, each.outcome.value) for each in follow(held, changes).places]


def test_weights_reorder_and_the_money_follows() -> None:
    held = ground(*TWO)
    assert outcomes(held) == [("1", 1, "award"), ("2", 2, "reserve")]
    other = {**WEIGHTS, "CR-01": WEIGHTS["CR-01"] - 10, "CR-02": WEIGHTS["CR-02"] + 10}
    assert outcomes(held, Changes(weights=other)) == [("2", 1, "award"), ("1", 2, "reserve")]
    change = difference(follow(held), follow(held, Changes(weights=other)))
    assert (change.entered, change.left) == ({"JP-2018-IS-0002"}, {"JP-2018-IS-0001"})
    assert change.moved == {"JP-2018-IS-0002": 1, "JP-2018-IS-0001": -1}
    assert change.money == {2018: (60, 60), 2019: (0, 0)}


def test_money_threshold_and_single_scores() -> None:
    held = ground(*TWO)
    assert outcomes(held, Changes(available={2018: Decimal(120)}))[1] == ("2", 2, "award")
    assert outcomes(held, Changes(available={2018: Decimal(59)})) == [("1", 1, "reserve"), ("2", 2, "reserve")]
    assert [each[2] for each in outcomes(held, Changes(threshold=Decimal(100)))] == ["decline", "decline"]
    supposed = {"JP-2018-IS-0002": {"CR-01": Supposed(Decimal(10), "Because of the letter of the bank.")}}
    assert outcomes(held, Changes(scores=supposed))[0] == ("2", 1, "award")
    assert follow(held, Changes(scores=supposed)).by_number["JP-2018-IS-0002"].total == Decimal("82.00")


def test_open_reviews_stay_open_until_a_score_is_supposed() -> None:
    held = ground(opened(TWO[0]), TWO[1])
    assert outcomes(held) == [("2", 1, "award"), ("1", 2, "open")]
    supposed = {"JP-2018-IS-0001": {"CR-10": Supposed(Decimal(7), "As the reviewer in the field said.")}}
    assert outcomes(held, Changes(scores=supposed)) == [("1", 1, "award"), ("2", 2, "reserve")]


def test_a_gate_that_is_not_passed_stays_so() -> None:
    held = ground(replace(TWO[0], gates=((False, N_("Some eligibility rules cannot be checked yet.")),)), TWO[1])
    found = follow(held, Changes(threshold=Decimal(0)))
    assert found.by_number["JP-2018-IS-0001"].outcome is Outcome.DECLINE
    assert found.by_number["JP-2018-IS-0001"].reason["en"] == "Some eligibility rules cannot be checked yet."


def limited(field: str, value: str, most: int | None, least: int | None = None, unit: str = "projects") -> Limit:
    bounds = [None if bound is None else Decimal(bound) for bound in (least, most)]
    return Limit("L1", field, value, *bounds, unit)


NEAR = (
    replace(TWO[0], region="36", cluster="D1"),
    replace(TWO[1], region="36", cluster="D1"),
    replace(project(3, Decimal(6), {2018: 30}), region="16", cluster="D6"),
)


def test_policies_and_limits_give_the_money_otherwise() -> None:
    held = ground(*NEAR)
    assert [each[2] for each in outcomes(held)] == ["award", "reserve", "reserve"]
    skipping = Changes(policy=Policy.SKIPPING)
    assert outcomes(held, skipping) == [("1", 1, "award"), ("2", 2, "reserve"), ("3", 3, "award")]
    every = replace(held, available={2018: Decimal(200)})
    assert [each[2] for each in outcomes(every)] == ["award"] * 3
    one = Changes(limits=(limited("region", "*", 1),))
    assert [each[2] for each in outcomes(every, one)] == ["award", "reserve", "award"]
    reason = follow(every, one).by_number["JP-2018-IS-0002"].reason["en"]
    assert "each region: number of projects at most 1" in reason
    best = Changes(policy=Policy.BEST_TOTAL, limits=(limited("cluster", "D6", None, 1),))
    assert follow(held, best).awarded == {"JP-2018-IS-0001", "JP-2018-IS-0003"}


def test_the_strict_policy_is_that_of_a_decision() -> None:
    """A limit that binds nobody leads through the allocation, and changes nothing."""
    held = ground(*NEAR)
    loose = Changes(limits=(limited("region", "36", 9),))
    assert outcomes(held, loose) == outcomes(held)
    assert follow(held, loose).spent == follow(held).spent


def test_without_changes_policy_and_limits_are_those_of_the_rules() -> None:
    title = Text("Один на кластер", "One for each cluster")
    one = AllocationLimit("L-1", title, LimitField.CLUSTER, "*", None, Decimal(1), LimitUnit.PROJECTS)
    held = replace(ground(*NEAR), rules=replace(RULES, allotment=Allotment.SKIPPING, limits=(one,)))
    assert [each[2] for each in outcomes(held)] == ["award", "reserve", "award"]
    assert [each[2] for each in outcomes(held, Changes(limits=()))] == ["award", "reserve", "award"]
    freed = replace(held, available={2018: Decimal(200)})
    assert [each[2] for each in outcomes(freed)] == ["award", "reserve", "award"]
    assert [each[2] for each in outcomes(freed, Changes(limits=()))] == ["award", "award", "award"]
    strict = Changes(policy=Policy.STRICT, limits=())
    assert strict.departures == (Departure.POLICY, Departure.LIMITS)
    assert [each[2] for each in outcomes(held, strict)] == ["award", "reserve", "reserve"]
    same = Changes(policy=Policy.SKIPPING, limits=(limited("cluster", "*", 1),))
    assert reduced(held, same) == Changes()
    assert read_changes(Changes(limits=()).to_json()) == Changes(limits=())


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        (Changes(limits=(limited("region", "77", 1),)), ["limits.0.group"]),
        (Changes(limits=(limited("sme", "sme", 1, unit="tons"),)), ["limits.0.unit"]),
        (Changes(limits=(limited("cluster", "*", None),)), ["limits.0.most"]),
        (Changes(limits=(limited("cluster", "*", 101, unit="percent"),)), ["limits.0.most"]),
        (Changes(limits=(limited("organisation", "*", 1, 2),)), ["limits.0.least", "limits.0.least"]),
        (Changes(limits=(limited("cluster", "D1", 1),) * 41), ["limits"]),
    ],
)
def test_what_is_wrong_with_policy_and_limits(changes: Changes, fields: list[str]) -> None:
    assert [each.field for each in problems(ground(*NEAR), changes)] == fields


def test_departures_say_what_the_commission_cannot_decide() -> None:
    supposed = {"JP-2018-IS-0001": {"CR-10": Supposed(Decimal(1), "A reason of some length.")}}
    assert Changes().departures == ()
    limits = (limited("region", "*", 3, 1),)
    everything = Changes(SUM_OF_100, Decimal(50), {2018: Decimal(1)}, supposed, Policy.BEST_TOTAL, limits)
    assert everything.departures == tuple(Departure)
    assert read_changes(everything.to_json()) == everything


def test_what_equals_the_ground_is_no_change() -> None:
    held = ground(*TWO)
    same = {"JP-2018-IS-0001": {"CR-01": Supposed(Decimal("9.0"), "It is nine already.")}}
    assert reduced(held, Changes(WEIGHTS, RULES.threshold, dict(held.available), same)) == Changes()


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        (Changes(weights={**WEIGHTS, "CR-01": Decimal(21)}), ["weights"]),
        (Changes(weights={"CR-01": Decimal(100)}), [f"weights.{code}" for code in CODES[1:]]),
        (Changes(weights={**SUM_OF_100, "CR-99": Decimal(0)}), ["weights.CR-99"]),
        (Changes(weights={**WEIGHTS, "CR-01": Decimal(-10), "CR-02": Decimal(50)}), ["weights.CR-01"]),
        (Changes(weights={**WEIGHTS, "CR-01": Decimal("20.005"), "CR-02": Decimal("19.995")}), 2 * ["weights.CR-0"]),
        (Changes(threshold=Decimal("100.5")), ["threshold"]),
        (Changes(threshold=Decimal("Infinity")), ["threshold"]),
        (Changes(available={2030: Decimal(1)}), ["available.2030"]),
        (Changes(available={2018: Decimal(-1), 2019: Decimal("1e14")}), ["available.2018", "available.2019"]),
        (Changes(scores={"JP-X": {"CR-01": Supposed(Decimal(1), "Long enough.")}}), ["scores.JP-X.CR-01"]),
        (
            Changes(scores={"JP-2018-IS-0001": {"CR-99": Supposed(Decimal(1), "Long enough.")}}),
            ["scores.JP-2018-IS-0001.CR-99"],
        ),
        (
            Changes(scores={"JP-2018-IS-0001": {"CR-01": Supposed(Decimal(11), "Short")}}),
            2 * ["scores.JP-2018-IS-0001.CR-01"],
        ),
    ],
)
def test_everything_wrong_is_told_at_once(changes: Changes, fields: list[str]) -> None:
    found = [each.field for each in problems(ground(*TWO), changes)]
    assert len(found) == len(fields)
    assert all(field.startswith(expected) for field, expected in zip(found, fields, strict=True))


POINTS = st.integers(0, 100_000).map(lambda whole: Decimal(whole) / 10_000)


@st.composite
def grounds(draw: st.DrawFn) -> Ground:
    count = draw(st.integers(1, 7))
    held = [
        project(
            place,
            {code: draw(POINTS) for code in CODES},
            {2018: draw(st.integers(0, 90)), 2019: draw(st.integers(0, 90))},
        )
        for place in range(1, count + 1)
    ]
    return ground(*(opened(each) if draw(st.booleans()) and draw(st.booleans()) else each for each in held))


@st.composite
def weights(draw: st.DrawFn) -> dict[str, Decimal]:
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), min_size=len(CODES) - 1, max_size=len(CODES) - 1)))
    edges = [0, *cuts, 10_000]
    return {code: Decimal(edges[at + 1] - edges[at]) / 100 for at, code in enumerate(CODES)}


@settings(max_examples=40, deadline=None)
@given(grounds(), weights(), st.randoms(use_true_random=False))
def test_properties(held: Ground, other: dict[str, Decimal], random: object) -> None:
    """No change is the present list; the order of the input does not matter; no year is overspent; JSON comes back."""
    changes = Changes(weights=other)
    shuffled = list(held.projects)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    turned = replace(held, projects=shuffled)
    assert turned.digest == held.digest
    found = follow(held, changes)
    assert follow(turned, changes).digest == found.digest
    assert follow(held, Changes(weights=dict(WEIGHTS))).digest == follow(held).digest
    assert difference(follow(held), follow(held)).moved == {}
    assert all(found.spent[year] <= found.available[year] for year in found.available)
    assert read_result(found.to_json()) == found
    assert problems(held, changes) == []
    for each in held.projects:
        kept = [line.weighted for line in each.lines.values()]
        total = None if None in kept else sum(weighted for weighted in kept if weighted is not None)
        assert follow(held).by_number[each.number].total == total
