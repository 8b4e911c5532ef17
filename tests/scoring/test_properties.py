"""What holds for every rule set and project: the order of points, sums of weights, no weight of the inputs' order."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.core.canonical import canonical_text
from portal.core.errors import Problems
from portal.core.figures import exact, four_places, percent, two_places
from portal.core.language import Message, kept
from portal.review.rules import panels, part_key
from portal.scoring.engine import Scorer
from portal.scoring.manifests import Scored, output_digest
from portal.scoring.measuring import Measured
from portal.scoring.sheets import digest_of
from portal.tenders.metrics import METRICS, Unit
from portal.tenders.rulebook import load_lanes
from portal.tenders.ruleset import (
    Bands,
    Component,
    Criterion,
    ExpertMean,
    Linear,
    RuleSet,
    Scale,
    Source,
    Text,
    YesNo,
    from_json,
    to_json,
)
from tests.factories.packages import marks, rules
from tests.factories.points import points_of

D = Decimal
NUMBERS = sorted(name for name, metric in METRICS.items() if metric.unit is not Unit.FLAG)
FLAGS = sorted(name for name, metric in METRICS.items() if metric.unit is Unit.FLAG)

values = st.decimals(-100, 1000, places=4)
points = st.decimals(0, 10, places=2)
NESTED = kept(
    Message("%(a)s %(b)s", {"a": Message("One."), "b": Message("At most %(most)s.", {"most": percent(D(5))})})
)
"""A sentence of sentences: each has a wording of its own."""


@st.composite
def scales(draw: st.DrawFn, flag: bool) -> Scale:
    """Any scale that the rules allow: it only rises or only falls."""
    if flag:
        return YesNo(draw(points), draw(points))
    starts = sorted(draw(st.sets(st.decimals(-50, 500, places=2), min_size=2, max_size=5)))
    scores = sorted((draw(points) for _ in starts), reverse=draw(st.booleans()))
    line = tuple(zip(starts, scores, strict=True))
    return Linear(line) if draw(st.booleans()) else Bands(line, open_below=scores[0] > scores[-1])


@st.composite
def rule_sets(draw: st.DrawFn) -> RuleSet:
    """The official rules with other criteria: any metrics, scales, shares, and weights that sum to 100."""
    names = draw(st.lists(st.sampled_from([*NUMBERS, *FLAGS]), min_size=2, max_size=8))
    cuts = sorted(draw(st.sets(st.integers(1, 9999), min_size=len(names) - 1, max_size=len(names) - 1)))
    weights = [D(b - a) / 100 for a, b in zip([0, *cuts], [*cuts, 10000], strict=True)]
    criteria = []
    for place, (name, weight) in enumerate(zip(names, weights, strict=True)):
        share = D(draw(st.integers(1, 99))) / 100
        other = draw(st.sampled_from(NUMBERS))
        components = (
            Component(name, draw(scales(name in FLAGS)), share),
            Component(other, draw(scales(False)), 1 - share),
        )
        criteria.append(Criterion(f"CR-{place}", Text("К", "C"), weight, Source.PROPOSED, components))
    return replace(rules(), criteria=tuple(criteria), lanes=())


def better(scale: Scale) -> int:
    """1 where greater values bring more points, -1 where smaller ones do, 0 where all are worth the same."""
    if isinstance(scale, YesNo):
        first, last = scale.no, scale.yes
    else:
        line = scale.points if isinstance(scale, Linear) else scale.bands
        closed = isinstance(scale, Bands) and not scale.open_below
        first, last = D(0) if closed else line[0][1], line[-1][1]
    return (last > first) - (last < first)


def known(figures: dict[str, Decimal]) -> Measured:
    return Measured({name: f"{value:f}" for name, value in figures.items()}, {}, [], False)


@settings(max_examples=50, deadline=None)
@given(rule_sets(), st.data())
def test_a_better_value_never_gives_fewer_points(used: RuleSet, data: st.DataObject) -> None:
    """A metric that several scales use must be better in the same direction for all of them to speak of "better"."""
    name = data.draw(st.sampled_from(sorted({part.metric for item in used.criteria for part in item.components})))
    using = [part.scale for item in used.criteria for part in item.components if part.metric == name]
    directions = {better(scale) for scale in using} - {0}
    drawn = st.sampled_from([D(0), D(1)]) if name in FLAGS else values
    low, high = sorted((data.draw(drawn), data.draw(drawn)))
    others = {other: data.draw(values) for other in NUMBERS if other != name}
    scorer = Scorer(used)
    lower, higher = (scorer.score(known({**others, name: value}), ()).objective_total for value in (low, high))
    assert 0 <= min(lower, higher) <= max(lower, higher) <= 100
    if directions == {1}:
        assert lower <= higher
    elif directions == {-1}:
        assert lower >= higher
    elif not directions:
        assert lower == higher


@settings(max_examples=50, deadline=None)
@given(rule_sets(), st.dictionaries(st.sampled_from(["npv", *NUMBERS]), values), st.booleans(), st.booleans())
def test_a_sheet_is_written_as_the_general_writer_does(
    used: RuleSet, figures: dict[str, Decimal], failing: bool, reviewed: bool
) -> None:
    failed = (
        [("EL-01", kept(Message('%(name)s is not "in" the register.', {"name": "ООО «Демо»\n"}))), ("EL-02", NESTED)]
        if failing
        else []
    )
    project = known(figures)._replace(failed=failed)
    official = replace(used, criteria=(*used.criteria, *rules().expert_criteria()), lanes=rules().lanes)
    found = Scorer(official).score(project, (marks("8"), marks("7.5")) if reviewed else ())
    assert found.text == canonical_text(found.to_json()) == canonical_text(json.loads(found.text))
    assert found.digest == digest_of(found.to_json())


@settings(max_examples=50, deadline=None)
@given(rule_sets(), st.dictionaries(st.sampled_from(NUMBERS), values))
def test_points_are_those_of_the_scales_by_hand(used: RuleSet, figures: dict[str, Decimal]) -> None:
    """The engine counts in whole numbers; here the same is computed with decimals."""
    found = Scorer(used).score(known(figures), ()).told
    total = D(0)
    with exact():
        for criterion, line in zip(used.criteria, found.lines, strict=True):
            parts = [
                part.scale.score(figures[part.metric]) if part.metric in figures else D(0)
                for part in criterion.components
            ]
            assert [part.points for part in line.parts] == parts
            shares = [part.share for part in criterion.components]
            points = four_places(sum((given * share for given, share in zip(parts, shares, strict=True)), D(0)))
            assert (line.points, line.weighted) == (points, two_places(criterion.weight * points / 10))
            total += line.weighted or 0
    assert found.objective_total == total


@st.composite
def reviews_of(draw: st.DrawFn) -> list[dict[str, dict[str, Decimal]]]:
    """Reviews in half points, some of which lack a mark."""
    (criterion,) = rules().expert_criteria()
    given_marks = []
    for _ in range(draw(st.integers(0, 5))):
        halves = st.integers(0, 20) if draw(st.booleans()) else st.integers(12, 15)
        review = {aspect.code: D(draw(halves)) / 2 for aspect in criterion.aspects}
        if draw(st.integers(0, 4)) == 0:
            del review[criterion.aspects[0].code]
        given_marks.append({criterion.code: review})
    return given_marks


@settings(max_examples=100, deadline=None)
@given(reviews_of(), st.booleans(), st.lists(st.none() | st.decimals(0, 10, places=4), min_size=3, max_size=3))
def test_reviewers_points_are_those_of_their_panels(
    reviews: list[dict[str, dict[str, Decimal]]], in_lanes: bool, own: list[Decimal | None]
) -> None:
    """The engine counts in whole numbers; :mod:`portal.review.rules` says the same with decimals."""
    lanes = load_lanes() if in_lanes else rules().lanes
    for mean in ExpertMean:
        used = replace(rules(), lanes=lanes, expert_mean=mean)
        (criterion,) = used.expert_criteria()
        asked = panels(criterion, reviews, used)
        keys = [part_key(criterion, panel.lane) for panel in asked]
        values = {key: value for key, value in zip(keys, own, strict=False) if value is not None}
        found = Scorer(used).score(known({}), reviews, values).told
        line = next(line for line in found.lines if line.code == criterion.code)
        assert line.reviewers == tuple(value for panel in asked for value in panel.values)
        if any(panel.missing for panel in asked) or any(panel.apart(used) for panel in asked):
            assert (line.points, line.weighted) == (None, None)
            continue
        instead = [values.get(key) for key in keys] if mean is ExpertMean.CALIBRATED else []
        points = points_of(asked, instead)
        assert (line.points, line.weighted) == (points, two_places(criterion.weight * points / 10))


@settings(max_examples=25, deadline=None)
@given(rule_sets(), st.integers(-9999, 9999).filter(bool))
def test_weights_sum_to_100_or_the_rules_are_refused(used: RuleSet, off: int) -> None:
    assert sum(item.weight for item in from_json(to_json(used)).criteria) == 100
    first, *rest = used.criteria
    wrong = replace(used, criteria=(replace(first, weight=first.weight + D(off) / 100), *rest))
    with pytest.raises(Problems) as caught:
        from_json(to_json(wrong))
    assert "weights" in {problem.code for problem in caught.value.problems}


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(points, points), min_size=2, max_size=5), st.randoms(use_true_random=False))
def test_the_order_of_reviews_changes_nothing(given_marks: list[tuple[D, D]], shuffled: random.Random) -> None:
    reviews = [marks(f"{first:f}", technology=f"{second:f}") for first, second in given_marks]
    mixed = list(reviews)
    shuffled.shuffle(mixed)
    scorer, project = Scorer(rules()), known({"leverage": D(2), "npv": D(1)})
    assert scorer.score(project, reviews).digest == scorer.score(project, mixed).digest


def test_the_order_of_figures_and_of_scores_changes_nothing() -> None:
    figures = {name: D(place) + D("0.5") for place, name in enumerate(NUMBERS)}
    mixed = dict(random.Random(4).sample(list(figures.items()), len(figures)))
    scorer = Scorer(rules())
    assert scorer.score(known(figures), ()).digest == scorer.score(known(mixed), ()).digest
    scores = [Scored(f"JP-2018-IS-{n:05}", f"{n:064x}", None) for n in range(20)]
    assert output_digest(scores) != output_digest(scores[1:])
