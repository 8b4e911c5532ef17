"""Rank acceptability: what must hold of any simulation, and what is known of simple ones."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.awards.allocation.problem import Limit, Policy
from portal.awards.scenarios import simulating
from portal.awards.scenarios.acceptability import Question, bands_of, simulate, totals_of, weights_drawn
from portal.awards.scenarios.changes import Changes, Ground, Outcome
from portal.awards.scenarios.funding import Money
from portal.awards.scenarios.outcome import follow
from portal.awards.scenarios.simulating import AT_ONCE, answer, question, read, simulated
from tests.awards.test_scenarios import CODES, TWO, ground, grounds, opened, project


def asked(points: list[list[float]], reach: float | None, **more: object) -> Question:
    count, criteria = len(points), len(points[0])
    plain = Question(
        points=np.array(points),
        weights=np.full(criteria, 100 / criteria),
        reach=reach,
        least=0,
        passed=np.ones(count, np.bool_),
        money=Money(np.full((count, 1), 100, np.int64), np.array([100], np.int64)),
    )
    return replace(plain, **more)


def shared(held: Question, **more: object) -> Question:
    return replace(held, money=replace(held.money, **more))


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 6).flatmap(
        lambda criteria: st.lists(
            st.lists(st.integers(0, 100).map(lambda whole: whole / 10), min_size=criteria, max_size=criteria),
            min_size=1,
            max_size=8,
        )
    ),
    st.sampled_from([None, 5.0]),
    st.booleans(),
)
def test_probabilities_add_up_and_who_is_dominated_never_wins(
    points: list[list[float]], reach: float | None, skips: bool
) -> None:
    held = shared(asked(points, reach), policy=Policy.SKIPPING if skips else Policy.STRICT)
    found = simulate(held, draws=60)
    assert (found.ranks.sum(axis=1) == 60).all()
    assert (found.ranks.sum(axis=0) == [60 * (high - low + 1) for low, high in found.bands]).all()
    assert found.funded.sum() == 60
    places = np.arange(1, len(points) + 1)
    assert np.allclose(found.mean, (found.ranks * places).sum(axis=1) / 60)
    first = found.first[~np.isnan(found.first[:, 0])]
    assert np.allclose(first.sum(axis=1), 100)
    for better in range(len(points)):
        for worse in range(better + 1, len(points)):
            if (held.points[better] >= held.points[worse]).all():
                assert found.mean[better] < found.mean[worse]
                assert found.funded[better] >= found.funded[worse]


@settings(max_examples=25, deadline=None)
@given(grounds())
def test_without_reach_every_draw_is_the_ranking(held: object) -> None:
    """The set weights alone: each application takes its place, and money, as in the list itself."""
    found = question(held, Changes(), 0)  # type: ignore[arg-type]
    listed = [each for each in follow(held).places if each.outcome is not Outcome.OPEN]  # type: ignore[arg-type]
    if found is None:
        assert not listed
        return
    told = answer(found)
    assert [row.number for row in told.rows] == [each.number for each in listed]
    assert [row.funded == told.draws for row in told.rows] == [each.outcome is Outcome.AWARD for each in listed]
    assert read(told.digest, told.to_json()) == told


@st.composite
def shares(draw: st.DrawFn) -> tuple[Ground, Changes]:
    """Projects of three clusters, some of SMEs, some unwilling to take a part, under a policy with up to two limits."""
    held = draw(grounds())
    projects = [
        replace(
            each,
            cluster=draw(st.sampled_from(["D1", "D2", "D3"])),
            categories=draw(st.sampled_from([frozenset(), frozenset({"sme", "small"})])),
            unwilling=draw(st.booleans()),
        )
        for each in held.projects
    ]
    limits = []
    for number in range(draw(st.integers(0, 2))):
        field, value = draw(st.sampled_from([("cluster", "*"), ("cluster", "D1"), ("sme", "sme")]))
        unit = draw(st.sampled_from(["projects", "roubles", "percent"]))
        most = draw(st.integers(0, {"projects": 3, "roubles": 150, "percent": 100}[unit]))
        limits.append(Limit(f"L{number}", field, value, None, Decimal(most), unit))
    return replace(held, projects=projects), Changes(policy=draw(st.sampled_from(Policy)), limits=tuple(limits))


@settings(max_examples=40, deadline=None)
@given(shares())
def test_each_draw_gives_the_money_out_as_the_list_does(held: tuple[Ground, Changes]) -> None:
    """Every policy, with upper limits of every kind: with the set weights alone, who is funded is who is awarded."""
    found = question(*held, 0)
    listed = {each.number: each.outcome for each in follow(*held).places if each.outcome is not Outcome.OPEN}
    if found is None:
        assert not listed
        return
    told = simulated(replace(found, draws=2))
    assert {row.number: row.funded for row in told.rows} == {
        number: 2 * (outcome is Outcome.AWARD) for number, outcome in listed.items()
    }


def test_a_best_total_of_too_many_is_simulated_in_rank_order(monkeypatch: pytest.MonkeyPatch) -> None:
    held, best = ground(*TWO), Changes(policy=Policy.BEST_TOTAL)
    asked_for = question(held, best, 3)
    assert asked_for is not None
    assert (asked_for.problem.policy, asked_for.at_once) == (Policy.BEST_TOTAL, False)
    monkeypatch.setattr(simulating, "BEST_MOST", 1)
    asked_for = question(held, best, 3)
    assert asked_for is not None
    assert (asked_for.problem.policy, asked_for.at_once) == (Policy.SKIPPING, True)


def test_two_criteria_have_the_known_answer() -> None:
    """Better in one criterion by as much as worse in the other: each is first for half of all weights."""
    found = simulate(asked([[8.0, 4.0], [4.0, 8.0]], None), draws=20_000)
    assert found.ranks[0, 0] / 20_000 == pytest.approx(0.5, abs=0.02)
    assert found.first[0] == pytest.approx([75, 25], abs=1)
    assert found.first[1] == pytest.approx([25, 75], abs=1)
    within = simulate(asked([[8.0, 4.0], [4.0, 7.0]], 5.0), draws=500)
    assert within.ranks[0, 0] == 500


def test_threshold_gates_and_the_first_that_does_not_fit() -> None:
    held = shared(asked([[9.0], [8.0], [7.0]], 0), asked=np.array([[90], [20], [5]], np.int64))
    assert list(simulate(held, draws=1).funded) == [1, 0, 0]
    assert list(simulate(shared(held, policy=Policy.SKIPPING), draws=1).funded) == [1, 0, 1]
    assert list(simulate(replace(held, least=8001), draws=1).funded) == [1, 0, 0]
    blocked = replace(held, passed=np.array([False, True, True]))
    assert list(simulate(blocked, draws=1).funded) == [0, 1, 1]
    assert list(simulate(blocked, draws=1).mean) == [3, 1, 2]


@pytest.mark.parametrize("reach", [3.0, 10.0, 40.0, None])
def test_weights_are_plausible(reach: float | None) -> None:
    set_to = np.array([20, 20, 20, 15, 10, 5, 5, 5], np.float64)
    drawn = weights_drawn(set_to, reach, 400, np.random.Generator(np.random.PCG64(1)))
    assert drawn.shape == (400, 8)
    assert np.allclose(drawn.sum(axis=1), 100)
    assert (drawn >= 0).all()
    if reach is not None:
        assert (np.abs(drawn - set_to) <= reach + 0.001).all()
    again = weights_drawn(set_to, reach, 400, np.random.Generator(np.random.PCG64(1)))
    assert (drawn == again).all()


def test_halves_are_rounded_up_as_by_the_engine() -> None:
    points, weights = np.array([[0.25], [1.15]]), np.array([[2.0], [10.0]])
    assert totals_of(points, weights).tolist() == [[5, 23], [25, 115]]
    assert totals_of(np.array([[2.675]]), np.array([[10.0]])).tolist() == [[268]]


def test_many_applications_share_columns() -> None:
    assert bands_of(3) == [(1, 1), (2, 2), (3, 3)]
    many = bands_of(1_003)
    assert (len(many), many[0][0], many[-1][1]) == (20, 1, 1_003)
    assert all(low == before + 1 for (low, _), (_, before) in zip(many[1:], many[:-1], strict=True))


def test_open_reviews_are_left_out_and_nothing_is_no_question() -> None:
    held = ground(opened(TWO[0]), TWO[1])
    found = question(held, Changes(), 5)
    assert found is not None
    assert found.numbers == ("JP-2018-IS-0002",)
    assert question(ground(opened(TWO[0])), Changes(), 5) is None
    with pytest.raises(ValueError, match="nothing to simulate"):
        simulate(asked([[1.0]], None), draws=0)


def test_another_question_has_another_digest() -> None:
    held = ground(*TWO)
    digests = {
        found.digest
        for found in (
            question(held, Changes(), None),
            question(held, Changes(), 3),
            question(held, Changes(threshold=Decimal(70)), 3),
            question(held, Changes(available={2018: Decimal(1)}), 3),
            question(ground(*TWO, project(3, Decimal(5), {2018: 1})), Changes(), 3),
        )
        if found
    }
    assert len(digests) == 5
    assert len(CODES) == 8
    assert AT_ONCE < 1_000
