"""The optimiser: nothing forbidden, nothing better, nothing dependent on the order, and every shortage named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.assignment import made_up
from portal.core.canonical import digest
from portal.review.assignment import (
    Choice,
    Expert,
    Inputs,
    Need,
    OutOfTime,
    Plan,
    Project,
    cost_of,
    fit,
)
from portal.review.assignment_flow import solve

LANES = ("financial", "technical")
CODES = ("2814", "2899", "2620", "10")


def key(kind: int, number: int) -> UUID:
    return UUID(int=kind * 1000 + number)


@st.composite
def cases(draw: Any, experts: int = 8, projects: int = 6) -> Inputs:
    """Tenders in which everything happens: too few experts, conflicts, absences, people who are there already."""
    some = lambda values: frozenset(draw(st.sets(st.sampled_from(values), max_size=2)))  # noqa: E731
    people = [
        Expert(
            key(1, number),
            some(CODES),
            some(LANES),
            draw(st.sampled_from([frozenset({"ru"}), frozenset({"ru", "en"}), frozenset({"en"})])),
            limit=draw(st.integers(1, 4)),
            load=draw(st.integers(0, 2)),
            absent=draw(st.integers(0, 5)) == 0,
        )
        for number in range(draw(st.integers(0, experts)))
    ]
    works = [
        Project(key(2, number), key(3, draw(st.integers(0, 2))), some(CODES), draw(st.booleans()))
        for number in range(draw(st.integers(1, projects)))
    ]
    needs = [Need(work.id, lane, draw(st.integers(0, 2))) for work in works for lane in LANES]
    pairs = [(one.id, work.id) for one in people for work in works]
    words = [draw(st.sampled_from(("", "", "", "barred", "undecided", "taken", *LANES))) for _ in pairs]
    return Inputs(
        people,
        works,
        needs,
        *(
            frozenset(pair for pair, word in zip(pairs, words, strict=True) if word == wanted)
            for wanted in ("barred", "undecided", "taken")
        ),
        {pair: word for pair, word in zip(pairs, words, strict=True) if word in LANES},
        {(one.id, key(3, 0)): 1 for one in people if one.load == 2},
    )


def sound(inputs: Inputs, choices: tuple[Choice, ...]) -> bool:
    """By the words of the rules, without the solver's arrays."""
    people = {one.id: one for one in inputs.experts}
    loads, pairs = Counter(each.expert for each in choices), Counter((each.expert, each.project) for each in choices)
    places = Counter((each.project, each.lane) for each in choices)
    wanted = {(need.project, need.lane): need.count for need in inputs.needs}
    return (
        all(count == 1 for count in pairs.values())
        and not pairs.keys() & (inputs.barred | inputs.undecided | inputs.taken)
        and all(count + people[who].load <= people[who].limit for who, count in loads.items())
        and all(count <= wanted[place] for place, count in places.items())
        and all(
            not people[each.expert].absent
            and "ru" in people[each.expert].languages
            and (not people[each.expert].lanes or each.lane in people[each.expert].lanes)
            for each in choices
        )
    )


@settings(max_examples=80, deadline=None)
@given(cases())
def test_nobody_in_conflict_or_over_load_and_every_shortage_counts_the_whole_pool(inputs: Inputs) -> None:
    plan = solve(inputs)
    assert plan.optimal
    assert sound(inputs, plan.choices)
    assert plan.cost == cost_of(inputs, plan.choices)
    given_to = Counter((each.project, each.lane) for each in plan.choices)
    missing = {(each.project, each.lane): each.count for each in plan.shortages}
    for need in inputs.needs:
        place = (need.project, need.lane)
        assert given_to[place] + missing.get(place, 0) == need.count
    for shortage in plan.shortages:
        assert sum(shortage.reasons.values()) == len(inputs.experts)


@settings(max_examples=30, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_a_permutation_of_the_inputs_changes_nothing(inputs: Inputs, chance: Any) -> None:
    mixed = Inputs(
        chance.sample(list(inputs.experts), len(inputs.experts)),
        chance.sample(list(inputs.projects), len(inputs.projects)),
        chance.sample(list(inputs.needs), len(inputs.needs)),
        inputs.barred,
        inputs.undecided,
        inputs.taken,
        dict(chance.sample(list(inputs.present.items()), len(inputs.present))),
        dict(reversed(list(inputs.held.items()))),
    )
    assert digest(mixed.as_json()) == digest(inputs.as_json())
    assert solve(mixed) == solve(inputs)


def every_plan(inputs: Inputs) -> Iterator[tuple[Choice, ...]]:
    """All plans there are, sound or not."""
    projects = {work.id: work for work in inputs.projects}
    options = []
    for need in inputs.needs:
        ways: list[tuple[Choice, ...]] = []
        for size in range(need.count + 1):
            for team in combinations(inputs.experts, size):
                ways.append(
                    tuple(
                        Choice(need.project, need.lane, one.id, fit(one, projects[need.project], need.lane))
                        for one in team
                    )
                )
        options.append(ways)
    for parts in product(*options):
        yield tuple(choice for part in parts for choice in part)


@settings(max_examples=60, deadline=None)
@given(cases(experts=3, projects=2))
def test_no_plan_at_all_is_better(inputs: Inputs) -> None:
    """Brute force: first as few open places as can be, then the smallest price."""
    best = min((-len(choices), cost_of(inputs, choices)) for choices in every_plan(inputs) if sound(inputs, choices))
    plan = solve(inputs)
    assert (-len(plan.choices), plan.cost) == best


ONE = Project(key(2, 1), key(3, 1), frozenset({"2814"}))


def of(*experts: Expert, need: int = 1, **more: Any) -> Plan:
    return solve(Inputs(experts, [ONE], [Need(ONE.id, "technical", need)], **more))


def test_the_better_fitting_is_asked() -> None:
    plan = of(Expert(key(1, 1), frozenset({"10"})), Expert(key(1, 2), frozenset({"28"})), Expert(key(1, 3)))
    assert [(choice.expert, choice.fit) for choice in plan.choices] == [(key(1, 2), 50)]


@pytest.mark.parametrize(
    ("classes", "codes", "points"),
    [
        ({"28"}, {"2814"}, 45),
        ({"281"}, {"2814"}, 60),
        ({"2814"}, {"2814"}, 75),
        ({"28141"}, {"281413"}, 85),
        ({"10", "28"}, {"2814", "45"}, 45),
        ({"29"}, {"2814"}, 0),
        (set(), {"2814"}, 30),
        ({"28"}, set(), 30),
    ],
)
def test_fit_of_the_field_of_work(classes: set[str], codes: set[str], points: int) -> None:
    project = Project(key(2, 1), key(3, 1), frozenset(codes), abroad=True)
    assert fit(Expert(key(1, 1), frozenset(classes)), project, "technical") == points
    full = Expert(key(1, 1), frozenset(classes), frozenset({"technical"}), frozenset({"ru", "en"}))
    assert fit(full, project, "technical") == points + 15


@pytest.mark.parametrize(
    ("expert", "more", "reason"),
    [
        (Expert(key(1, 1), lanes=frozenset({"legal"})), {}, "lane"),
        (Expert(key(1, 1)), {"barred": frozenset({(key(1, 1), ONE.id)})}, "conflict"),
        (Expert(key(1, 1)), {"undecided": frozenset({(key(1, 1), ONE.id)})}, "undecided"),
        (Expert(key(1, 1)), {"taken": frozenset({(key(1, 1), ONE.id)})}, "taken"),
        (Expert(key(1, 1), absent=True), {}, "absent"),
        (Expert(key(1, 1), languages=frozenset({"en"})), {}, "language"),
        (Expert(key(1, 1), limit=2, load=2), {}, "load"),
    ],
)
def test_a_shortage_says_why(expert: Expert, more: dict[str, Any], reason: str) -> None:
    (shortage,) = of(expert, need=2, **more).shortages
    assert (shortage.count, shortage.reasons) == (2, {reason: 1})


def test_without_anybody_everything_is_short() -> None:
    (shortage,) = of(need=2).shortages
    assert (shortage.count, shortage.reasons) == (2, {})


def test_who_was_asked_stays_unless_it_is_worth_more_than_the_move() -> None:
    near = (Expert(key(1, 1), frozenset({"28"})), Expert(key(1, 2), frozenset({"28"})))
    for who in (1, 2):
        assert of(*near, present={(key(1, who), ONE.id): "technical"}).choices[0].expert == key(1, who)
    better = replace(near[1], classes=frozenset({"2814"}))
    assert of(near[0], better, present={(key(1, 1), ONE.id): "technical"}).choices[0].expert == key(1, 2)


def test_loads_are_even_and_clusters_spread() -> None:
    works = [Project(key(2, number), key(3, number % 2)) for number in range(8)]
    people = [Expert(key(1, number), limit=8) for number in range(4)]
    plan = solve(Inputs(people, works, [Need(work.id, "technical", 1) for work in works]))
    assert sorted(Counter(choice.expert for choice in plan.choices).values()) == [2, 2, 2, 2]
    clusters = {work.id: work.cluster for work in works}
    assert all(
        len({clusters[choice.project] for choice in plan.choices if choice.expert == one.id}) == 2 for one in people
    )


def test_a_tender_of_some_size_is_solved_to_the_optimum() -> None:
    inputs = made_up(applications=60, reviewers=30, clusters=8)
    plan = solve(inputs)
    assert (plan.optimal, plan.shortages, len(plan.choices)) == (True, (), 300)
    assert sound(inputs, plan.choices)


def test_without_time_there_is_no_plan() -> None:
    with pytest.raises(OutOfTime):
        solve(made_up(applications=60, reviewers=30, clusters=8), seconds=0)
