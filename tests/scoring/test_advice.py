"""What would bring more points: each step keeps its promise when the engine scores it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portal.applications.figures.facts import Facts, facts
from portal.core.language import render
from portal.scoring.advice import Step, steps, weighted
from portal.scoring.engine import score, value_of
from portal.tenders.ruleset import Bands, Component, Linear, YesNo
from tests.factories.packages import package, rules

D = Decimal


def found(row: str = "P01", **project: Any) -> tuple[Facts, list[Step]]:
    content = package(row=row, project=project)
    held = facts(content, rules("export" if row in ("P10", "P15") else "import_substitution"))
    return held, steps(held, rules("export" if row in ("P10", "P15") else "import_substitution"))


@pytest.mark.parametrize(
    ("row", "track"), [("P01", "import_substitution"), ("P10", "export"), ("P14", "import_substitution")]
)
def test_each_step_brings_what_it_says(row: str, track: str) -> None:
    held, advice = found(row)
    before = score({}, held, rules(track), outcomes=()).objective_total
    assert advice
    for step in advice:
        kind = type(getattr(held, step.metric))
        changed = replace(held, **{step.metric: int(step.target) if kind is int else step.target})
        assert score({}, changed, rules(track), outcomes=()).objective_total - before == step.gain > 0
    assert [step.gain for step in advice] == sorted((step.gain for step in advice), reverse=True)


def test_full_points_need_no_advice() -> None:
    held, advice = found()
    scored = {line.code: line for line in score({}, held, rules(), outcomes=()).told.lines}
    full = {code for code, line in scored.items() if line.points == 10}
    assert full
    assert not full & {step.criterion for step in advice}


def test_the_change_in_roubles_by_hand() -> None:
    # P01: private 445, subsidy 195 million: 2.2821 gives 5.70 points; 6 points at 2.4.
    _, advice = found()
    step = next(item for item in advice if item.metric == "leverage" and not item.full)
    assert step.target == D("2.40")
    assert step.points == D(6)
    # (2.4 x 195 - 445) / 3.4 million = 6 764 705.88
    assert step.how is not None
    assert "RUB\u00a06,764,706" in render(step.how, "en")
    shifted = D(6_764_706)
    assert (445_000_000 + shifted) / (195_000_000 - shifted) >= D("2.4")


def test_what_is_not_filled_in_is_the_first_thing_to_do() -> None:
    held, advice = found(irr=None)
    assert held.irr_spread is None
    assert {step.value for step in advice if step.metric == "irr_spread"} == {None}


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 10)), min_size=2, max_size=5, unique_by=lambda p: p[0]),
       st.decimals(0, 100, places=2), st.booleans(), st.booleans())  # fmt: skip
@example(points=[(0, 0), (4, 1)], value=D("0.01"), falling=True, banded=False)
def test_a_target_reaches_its_points_on_any_scale(
    points: list[tuple[int, int]], value: Decimal, falling: bool, banded: bool
) -> None:
    values = sorted(D(x) for x, _ in points)
    scores = sorted((D(y) for _, y in points), reverse=falling)
    line = tuple(zip(values, scores, strict=True))
    scale = Bands(line, open_below=falling and scores[0] > scores[-1]) if banded else Linear(line)
    held = rules()
    criterion = replace(held.criteria[0], components=(Component("subsidy_share", scale),))
    base = replace(facts(package(), held), subsidy_share=value)
    advice = steps(base, replace(held, criteria=(criterion,)))
    now = scale.score(value)

    def shown(points: Decimal) -> Decimal:
        return weighted(criterion, [(criterion.components[0], value)], [points])

    if now == max(scores):
        assert advice == []
        return
    for step in advice:
        assert scale.score(step.target) == step.points > now
    # A scale by steps may have its best only below all numbers; points that no total shows are not worth a step.
    if (not banded or not falling) and shown(max(scores)) > shown(now):
        assert any(step.full for step in advice)


def test_yes_is_a_step_where_yes_has_the_points() -> None:
    held = rules()
    criterion = replace(held.criteria[0], components=(Component("rcc", YesNo(D(10), D(0))),))
    base = replace(facts(package(), held), rcc=0)
    (step,) = steps(base, replace(held, criteria=(criterion,)))
    assert (step.target, step.points, step.gain) == (D(1), D(10), criterion.weight)
    assert value_of(base, "rcc") == 0
