"""The allocation against brute force, its exactness, its reasons, and the same answer to the same question."""

from __future__ import annotations

import os
import random
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from itertools import product

import numpy as np
import pytest

from portal.awards.allocation.best_total import cut_off
from portal.awards.allocation.counting import Count, packed
from portal.awards.allocation.ground import priced
from portal.awards.allocation.near_best import Near, TwoParts
from portal.awards.allocation.pairing import PRICED, TooMany
from portal.awards.allocation.policies import (
    EACH,
    Allocation,
    Candidate,
    Limit,
    Policy,
    Problem,
    Undecided,
    allocate,
    rank_order,
)
from portal.awards.allocation.programme import Infeasible, Programme
from portal.awards.allocation.relaxation import FINE, Relaxed, centred, counted_rows, relaxed, softened
from portal.awards.allocation.rows import Model, Row
from portal.awards.allocation.words import told
from portal.core.canonical import canonical_json
from portal.core.language import both

CASES = 200 if os.environ.get("FULL") else 30
YEARS = (2027, 2028)


def one(key: str, place: int, points: str, asked: dict[int, int], **more: object) -> Candidate:
    track = str(more.pop("track", "export"))
    amounts = {year: Decimal(amount) for year, amount in asked.items()}
    return Candidate(key, f"JP-{key}", track, place, Decimal(points), amounts, **more)  # type: ignore[arg-type]


def made_up(seed: int) -> Problem:
    """Few distinct points and sums, so that ties and exact fits are usual."""
    chance = random.Random(seed)
    candidates = []
    for number in range(chance.randint(1, 15)):
        candidates.append(
            Candidate(
                key=f"k{number:02d}",
                number=f"JP-{number:02d}",
                track=("export", "import")[number % 2],
                place=number // 2 + 1,
                points=Decimal(chance.choice((5000, 6025, 6050, 7000, 7075, chance.randint(1, 9999)))).scaleb(-2),
                asked={
                    2027: Decimal(chance.choice((0, 10, 20, 30, chance.randint(1, 4000)))),
                    2028: Decimal(chance.choice((0, 10, 20, chance.randint(1, 4000)))) + Decimal("0.01"),
                },
                organisations=frozenset(chance.sample(("o1", "o2", "o3", "o4", "o5"), chance.randint(1, 2))),
                region=chance.choice(("r1", "r2", "r3")),
                cluster=chance.choice(("c1", "c2")),
                categories=frozenset({"sme"} if chance.random() < 0.4 else ()),
            )
        )
    envelopes = {
        (track, year): sum((each.asked[year] for each in candidates if each.track == track), Decimal(0))
        * chance.randint(20, 100)
        / 100
        for track in ("export", "import")
        for year in YEARS
    }
    envelopes = {key: amount.quantize(Decimal("0.01")) for key, amount in envelopes.items()}
    possible = [
        Limit("one", "organisation", EACH, most=Decimal(chance.randint(1, 3))),
        Limit("sme", "sme", "", least=Decimal(chance.randint(1, 30)), unit="percent"),
        Limit("r1", "region", "r1", most=Decimal(chance.randint(10, 60)), unit="percent"),
        Limit("r2", "region", "r2", least=Decimal(chance.randint(1, 3))),
        Limit("c1", "cluster", "c1", most=Decimal(chance.randint(1, 4)), track="export"),
        Limit("c2", "cluster", "c2", most=Decimal(chance.randint(10, 6000)), unit="roubles"),
    ]
    limits = tuple(limit for limit in possible if chance.random() < 0.4)
    return Problem(tuple(candidates), envelopes, Policy.BEST_TOTAL, limits)


def brute_force(problem: Problem, dropped: tuple[str, ...]) -> tuple[Decimal, list[str]] | None:
    """The most points, and of all sets that reach them the first in rank order: every set is looked at.

    Written from the definitions, in whole kopecks and hundredths of points, without the portal's rows.
    """
    ordered = sorted(problem.candidates, key=rank_order)
    sets = np.array(list(product((1, 0), repeat=len(ordered))), dtype=np.int64)
    asked = {year: np.array([int(c.asked[year] * 100) for c in ordered]) for year in YEARS}
    sound = np.ones(len(sets), dtype=bool)
    for (track, year), amount in problem.envelopes.items():
        sound &= sets @ (asked[year] * [c.track == track for c in ordered]) <= int(amount * 100)
    for limit in problem.limits:
        envelope = sum((a for (t, _), a in problem.envelopes.items() if limit.track in ("", t)), Decimal(0))
        unit = {"projects": Decimal(1), "roubles": Decimal(100), "percent": envelope}[limit.unit]
        takes = np.ones(len(ordered), dtype=np.int64) if limit.unit == "projects" else sum(asked.values())
        for group in groups(problem, limit):
            inside = [limit.track in ("", c.track) and group in c.groups(limit.field) for c in ordered]
            used = sets @ (takes * inside)
            if limit.most is not None:
                sound &= used <= int((limit.most * unit).to_integral_value(ROUND_FLOOR))
            if limit.least is not None and limit.code not in dropped:
                sound &= used >= int((limit.least * unit).to_integral_value(ROUND_CEILING))
    if not sound.any():
        return None
    points = np.where(sound, sets @ np.array([int(c.points * 100) for c in ordered]), -1)
    best = int(points.argmax())  # the first of equals, and the sets stand in rank order
    return Decimal(int(points[best])) / 100, [c.key for c, side in zip(ordered, sets[best], strict=True) if side]


def groups(problem: Problem, limit: Limit) -> set[str]:
    if limit.field == "sme":
        return {"sme"}
    return {g for c in problem.candidates for g in c.groups(limit.field)} if limit.value == EACH else {limit.value}


def unreachable(problem: Problem) -> tuple[str, ...]:
    """Minimums in order: dropped is one that no set reaches beside those kept before it."""
    dropped: tuple[str, ...] = ()
    minimums = [limit.code for limit in problem.limits if limit.least is not None]
    for at, code in enumerate(minimums):
        later = tuple(minimums[at + 1 :])
        if brute_force(problem, dropped + later) is None:
            dropped = (*dropped, code)
    return dropped


@pytest.mark.parametrize("seed", range(CASES))
def test_the_best_total_is_that_of_brute_force(seed: int) -> None:
    problem = made_up(seed)
    allocation = allocate(problem, prices=False)
    assert allocation.dropped == (unreachable(problem) if allocation.dropped else ())
    expected = brute_force(problem, allocation.dropped)
    assert expected is not None
    assert (allocation.objective, allocation.winners) == expected
    assert allocation.proven
    assert allocation.canonical
    assert allocation.reproducible
    assert_money_holds(problem, allocation)


@pytest.mark.parametrize("seed", range(CASES if os.environ.get("FULL") else 10))
def test_what_is_seen_near_the_bound_is_right_for_any_multipliers(seed: int) -> None:
    """Those of the relaxation and some that are far from it: a bound is never too low, a proof is never wrong."""
    model, usable, expected = as_rows(seed)
    best = -1 if expected is None else model.value(expected)
    for multipliers in near_and_far(model, usable, seed):
        parts = TwoParts(model, usable, multipliers)
        for sums, known in ((20, -1), (100, -1), (100_000, -1), (100_000, max(best, 0)), (50, max(best - 7, 0))):
            try:
                near = parts.search(sums, known)
            except TooMany:
                continue
            assert near.value <= max(best, known) <= max(near.bound, known)
            assert_seen(model, near, expected)


@pytest.mark.parametrize("seed", range(CASES if os.environ.get("FULL") else 10))
def test_what_one_part_adds_to_the_other_is_right_for_any_multipliers(seed: int) -> None:
    model, usable, expected = as_rows(seed)
    if expected is None:
        return
    best = model.value(expected)
    for multipliers in near_and_far(model, usable, seed):
        for sums, known, work in ((5, 0, 10**9), (5, best, 10**9), (50, max(best - 7, 0), 10**9), (50, 0, 5_000)):
            parts = TwoParts(model, usable, multipliers)
            try:
                near = parts.complete(sums, known, work)
                more = parts.complete(10**6, near.value, work)
            except TooMany:
                continue
            for found in (near, more):
                assert found.value <= best <= found.bound
                assert_seen(model, found, expected)
            assert more.canonical or work < 10**9


def as_rows(seed: int) -> tuple[Model, list[int], tuple[int, ...] | None]:
    """The problem in whole numbers, who keeps every row alone, and what brute force finds."""
    problem = made_up(seed)
    model, found = Model(problem), brute_force(problem, ())
    usable = [
        at
        for at in range(len(model.candidates))
        if all(model.rows[row].most is None or take <= model.rows[row].most for row, take in model.rows_of[at])
    ]
    keys = set() if found is None else set(found[1])
    expected = tuple(at for at, each in enumerate(model.candidates) if each.key in keys)
    return model, usable, None if found is None else expected


def near_and_far(model: Model, usable: list[int], seed: int) -> list[list[int]]:
    """The multipliers of the relaxation, and others."""
    chance = random.Random(seed)
    try:
        duals = Programme(model.rows, usable, [], model.points).duals(60.0)
    except Infeasible:
        duals = [0.0] * len(model.rows)
    good = centred(model, usable, counted_rows(model, usable), duals)
    soft = softened(model, usable, duals, 10.0 ** chance.randint(0, 3))
    far = [dual * chance.uniform(0.3, 1.5) for dual in duals]
    return [relaxed(model, usable, each).whole for each in (good, soft, far)]


def assert_seen(model: Model, near: Near, expected: tuple[int, ...] | None) -> None:
    assert near.chosen is None or model.value(near.chosen) == near.value
    assert not near.canonical or near.chosen == expected


def test_under_softened_multipliers_fewer_sets_are_worth_as_much() -> None:
    """Of one track with three envelopes; the relaxation leaves three candidates at reduced cost 0."""
    model = Model(wide())
    usable = list(range(len(model.candidates)))
    duals = Programme(model.rows, usable, [], model.points).duals(60.0)
    worth = relaxed(model, usable, duals).bound // FINE - 100
    hard, soft = (relaxed(model, usable, each) for each in (duals, softened(model, usable, duals, 3.0)))
    assert hard.bound <= soft.bound < hard.bound * 1.05
    assert sum(abs(cost) < FINE // 1000 for cost in hard.reduced) == 3
    assert not any(abs(cost) < FINE // 1000 for cost in soft.reduced)
    near = [sums_within(each, each.bound // FINE - worth) for each in (hard, soft)]
    assert near[1] < near[0]


def sums_within(relaxed: Relaxed, loss: int) -> int:
    """How many sets of departures cost at most so many steps, each rounded down."""
    counts = np.zeros(loss + 1)
    counts[0] = 1
    for cost in (abs(each) // FINE for each in relaxed.reduced if abs(each) // FINE <= loss):
        counts[cost:] = counts[cost:] + counts[: loss + 1 - cost]
    return int(counts.sum())


def test_prices_in_halves_are_those_of_whole_numbers() -> None:
    chance = random.Random(7)
    for digits in (1, 5, 12, 15):
        taken = [chance.randrange(10**digits) for _ in range(20)]
        for bits in (3, 20, 37, 62, 75):
            for multiplier in (0, 1 - 2**bits, 2**bits, -chance.getrandbits(bits), chance.getrandbits(bits)):
                if abs(multiplier) * 10**digits < 2**100:
                    expected = [multiplier * each // PRICED for each in taken]
                    found = priced([0, multiplier], np.ones(len(taken), dtype=np.int64), np.array(taken))
                    assert found.tolist() == expected


def test_packed_counts_are_kept_just_when_each_of_them_is() -> None:
    chance = random.Random(11)
    for _ in range(30):
        ways = chance.randint(1, 12)
        counts = [
            Count(
                np.array([chance.choice((-1, 0, 0, 1, 1)) for _ in range(ways)]),
                chance.randint(-3, 4),
                chance.randint(-3, 5),
            )
            for _ in range(chance.randint(0, 40))
        ]
        words = packed(counts, ways)
        taken = np.array([[chance.randint(0, 1) for _ in range(ways)] for _ in range(60)])
        expected = [all(each.start + line @ each.changes <= each.most for each in counts) for line in taken]
        assert words.kept(taken @ words.changes, len(words.guard)).tolist() == expected


def assert_money_holds(problem: Problem, allocation: Allocation) -> None:
    for (track, year), amount in problem.envelopes.items():
        given = sum(
            (allocation.outcomes[c.key].granted.get(year, Decimal(0)) for c in problem.candidates if c.track == track),
            Decimal(0),
        )
        assert given <= amount
        assert allocation.left[track, year] == amount - given


def three(policy: Policy, *limits: Limit, least: dict[int, Decimal] | None = None) -> Problem:
    """100 in 2027: the first takes 60, the second asks for 50, the third for 40; points 90, 80, 70."""
    return Problem(
        (
            one("a", 1, "90", {2027: 60}, organisations=frozenset({"o"}), region="r1"),
            one("b", 2, "80", {2027: 50}, region="r2", categories=frozenset({"sme"}), least=least),
            one("c", 3, "70", {2027: 40}, organisations=frozenset({"o"}), region="r1"),
        ),
        {("export", 2027): Decimal(100)},
        policy,
        limits,
    )


def codes(allocation: Allocation) -> dict[str, str]:
    return {key: outcome.code for key, outcome in allocation.outcomes.items()}


def test_strict_order_stops_at_the_first_that_does_not_fit() -> None:
    allocation = allocate(three(Policy.STRICT))
    assert codes(allocation) == {"a": "whole", "b": "year", "c": "after"}
    assert allocation.outcomes["b"].values == {"year": 2027, "asked": Decimal(50), "left": Decimal(40)}
    assert (allocation.objective, allocation.order_loss) == (Decimal(90), Decimal(70))
    assert allocation.by_policy == {"strict": 90, "skipping": 160, "partial": 160, "best_total": 160}


def test_skipping_goes_on_behind_it() -> None:
    assert codes(allocate(three(Policy.SKIPPING))) == {"a": "whole", "b": "year", "c": "whole"}


@pytest.mark.parametrize(("least", "part"), [(40, Decimal(40)), (41, None)])
def test_a_part_is_given_only_down_to_what_was_agreed(least: int, part: Decimal | None) -> None:
    allocation = allocate(three(Policy.PARTIAL, least={2027: Decimal(least)}))
    assert allocation.outcomes["b"].granted == ({} if part is None else {2027: part})
    assert codes(allocation)["c"] == ("year" if part else "whole")


def test_a_limit_in_roubles_cuts_a_part_from_the_last_year_on() -> None:
    problem = Problem(
        (one("a", 1, "9", {2027: 60, 2028: 60}, region="r", least={2027: Decimal(50), 2028: Decimal(10)}),),
        {("export", 2027): Decimal(55), ("export", 2028): Decimal(100)},
        Policy.PARTIAL,
        (Limit("r", "region", "r", most=Decimal(80), unit="roubles"),),
    )
    assert allocate(problem).outcomes["a"].granted == {2027: Decimal(55), 2028: Decimal(25)}


def test_an_upper_limit_passes_over_and_does_not_end_the_strict_order() -> None:
    limit = Limit("sme", "sme", "", most=Decimal(0))
    problem = three(Policy.STRICT, limit)
    allocation = allocate(problem)
    assert codes(allocation) == {"a": "whole", "b": "limit", "c": "whole"}
    assert allocation.prices[0].low == Decimal(-70)


def test_the_price_of_a_limit_is_the_optimum_without_it_minus_the_optimum_with_it() -> None:
    limit = Limit("one", "organisation", EACH, most=Decimal(1))
    allocation = allocate(three(Policy.BEST_TOTAL, limit))
    assert allocation.winners == ["b", "c"]
    assert [(price.code, price.low, price.high) for price in allocation.prices] == [("one", Decimal(10), Decimal(10))]


def test_a_minimum_that_nobody_reaches_is_dropped_and_named() -> None:
    limits = (Limit("far", "region", "r9", least=Decimal(1)), Limit("sme", "sme", "", least=Decimal(1)))
    allocation = allocate(three(Policy.BEST_TOTAL, *limits))
    assert allocation.dropped == ("far",)
    assert allocation.winners == ["b", "c"]
    assert [used.met for used in allocation.limits] == [False, True]


def test_a_limit_has_its_price_beside_a_minimum_that_is_dropped() -> None:
    limits = (Limit("far", "region", "r9", least=Decimal(1)), Limit("one", "organisation", EACH, most=Decimal(1)))
    allocation = allocate(three(Policy.BEST_TOTAL, *limits))
    assert allocation.dropped == ("far",)
    assert {price.code: (price.low, price.high) for price in allocation.prices} == {"far": (0, 0), "one": (10, 10)}


def without_time(problem: Problem) -> Allocation | None:
    """What is said when the clock has run out before the search began; None: that nothing is known."""
    try:
        return allocate(problem, seconds=0.0, prices=False)
    except Undecided:
        return None


@pytest.mark.parametrize("seed", range(CASES if os.environ.get("FULL") else 10))
def test_no_minimum_is_dropped_because_the_clock_ran_out(seed: int) -> None:
    problem = made_up(seed)
    allocation = without_time(problem)
    if allocation is not None:
        assert allocation.dropped == (unreachable(problem) if allocation.dropped else ())
        assert_money_holds(problem, allocation)


def wide(*limits: Limit) -> Problem:
    """Sixty projects of which the last ten, at the end of the ranking, are of SMEs; money for about half of them."""
    chance = random.Random(5)
    candidates = [
        one(
            f"k{number:02d}",
            number + 1,
            str(99 - number),
            {2027: chance.randint(100, 999), 2028: chance.randint(100, 999), 2029: chance.randint(100, 999)},
            categories=frozenset({"sme"} if number >= 50 else ()),
        )
        for number in range(60)
    ]
    envelopes = {("export", year): Decimal(15_000) for year in (2027, 2028, 2029)}
    return Problem(tuple(candidates), envelopes, Policy.BEST_TOTAL, limits)


def test_without_time_an_answer_is_the_rank_order_and_a_minimum_that_it_misses_leaves_none() -> None:
    least = Limit("sme", "sme", "", least=Decimal(10))
    answer = without_time(wide())
    assert answer is not None
    assert answer.objective >= allocate(replace(wide(), policy=Policy.SKIPPING), compare=False).objective
    assert (answer.reproducible, answer.proven) == (False, False)
    assert without_time(wide(least)) is None
    in_time = allocate(wide(least), prices=False)
    assert (in_time.dropped, in_time.proven, in_time.reproducible) == ((), True, True)
    compared = allocate(replace(wide(least), policy=Policy.STRICT), seconds=0.0)
    assert (compared.order_loss, "best_total" in compared.by_policy) == (None, False)


def test_every_code_is_told_in_both_languages() -> None:
    told_codes = set()
    for seed in range(12):
        for policy in Policy:
            problem = replace(made_up(seed), policy=policy)
            for outcome in allocate(problem, prices=False, compare=False).outcomes.values():
                sentence = both(told(outcome))
                assert "%(" not in sentence["ru"] + sentence["en"]
                told_codes.add(outcome.code)
    assert told_codes >= {"whole", "after", "year", "limit", "chosen", "costs", "needed", "never"}


def test_the_same_problem_in_another_order_has_the_same_digest() -> None:
    problem = made_up(3)
    turned = replace(
        problem,
        candidates=tuple(reversed(problem.candidates)),
        envelopes=dict(reversed(list(problem.envelopes.items()))),
    )
    first, second = allocate(problem), allocate(turned)
    assert (problem.digest, first.digest) == (turned.digest, second.digest)
    assert canonical_json(first.to_plain()) == canonical_json(second.to_plain())


def test_a_kopeck_too_much_does_not_fit() -> None:
    """In floats of millions the two sums are equal."""
    half = Decimal("4500000000.00")
    problem = Problem(
        (
            Candidate("a", "a", "t", 1, Decimal(2), {2027: half}),
            Candidate("b", "b", "t", 2, Decimal(1), {2027: half + Decimal("0.01")}),
            Candidate("c", "c", "t", 3, Decimal("0.5"), {2027: Decimal("0.01")}),
        ),
        {("t", 2027): 2 * half},
        Policy.BEST_TOTAL,
    )
    assert allocate(problem).winners == ["a", "c"]


@pytest.mark.parametrize("points", ["-1", "1"])
def test_what_makes_no_sense_is_refused(points: str) -> None:
    asked = {2027: 0} if points == "1" else {2027: 1}
    with pytest.raises(ValueError):
        Problem((one("a", 1, points, asked),), {})


def test_an_answer_over_a_row_is_cut_off_by_its_cover() -> None:
    row = Row((0, 1, 2), (5, 5, 5), None, 10)
    assert cut_off(row, (0, 1)) is None
    assert cut_off(row, (0, 1, 2)) == Row((0, 1, 2), (1, 1, 1), None, 2)
    least = Row((0, 1, 2), (5, 5, 5), 10, None)
    assert cut_off(least, (1,)) == Row((0, 2), (1, 1), 1, None)
