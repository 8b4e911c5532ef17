"""Rule sets: lossless JSON, all problems at once, invariants, scales, the official rulebook."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.errors import Problems
from portal.tenders.checks import CHECKS
from portal.tenders.metrics import METRICS
from portal.tenders.rulebook import TRACKS, anchored, load_lanes, load_rulebook
from portal.tenders.ruleset import (
    GENERAL,
    Bands,
    ExpertMean,
    Linear,
    Need,
    RuleSet,
    Tie,
    TieEffect,
    TieRuling,
    YesNo,
    from_json,
    rules_digest,
    settled,
    to_json,
)

D = Decimal


def faults(data: object) -> list[tuple[str, str]]:
    with pytest.raises(Problems) as caught:
        from_json(data)
    return [(problem.field, problem.code) for problem in caught.value.problems]


def content(track: str = "import_substitution") -> dict[str, Any]:
    return deepcopy(to_json(load_rulebook(track)))


@pytest.mark.parametrize("track", TRACKS)
def test_official_rule_set_survives_json_without_loss(track: str) -> None:
    rules = load_rulebook(track)
    assert from_json(to_json(rules)) == rules
    assert rules_digest(from_json(to_json(rules))) == rules_digest(rules) == rules_digest(to_json(rules))


@pytest.mark.parametrize(
    ("track", "weights"),
    [
        (
            "import_substitution",
            {
                "CR-01": 20,
                "CR-02": 20,
                "CR-03": 20,
                "CR-06": 15,
                "CR-07": 10,
                "CR-08": 5,
                "CR-09": 5,
                "CR-10": 5,
            },
        ),
        (
            "export",
            {
                "CR-01": 15,
                "CR-02": 15,
                "CR-04": 25,
                "CR-05": 10,
                "CR-06": 10,
                "CR-07": 10,
                "CR-08": 5,
                "CR-09": 5,
                "CR-10": 5,
            },
        ),
    ],
)
def test_official_weights(track: str, weights: dict[str, int]) -> None:
    assert {item.code: int(item.weight) for item in load_rulebook(track).criteria} == weights
    assert sum(weights.values()) == 100


def test_official_codes_are_complete() -> None:
    both = [load_rulebook(track) for track in TRACKS]

    def codes(name: str) -> set[str]:
        return {item.code for rules in both for item in getattr(rules, name)}

    assert codes("eligibility") == {f"EL-{n:02}" for n in range(1, 24)}
    assert codes("categories") == {f"CC-{n:02}" for n in range(1, 13)} | {"CC-99"}
    assert codes("exclusions") == {f"NX-{n:02}" for n in range(1, 7)}
    assert codes("documents") == {f"DOC-{n:02}" for n in range(1, 22)}
    assert codes("criteria") == {f"CR-{n:02}" for n in range(1, 11)}
    assert codes("kpis") == {f"K{n}" for n in range(1, 13)}
    assert codes("refusal_reasons") == {f"R{n:02}" for n in range(1, 16)}


def test_track_specific_rules_stay_on_their_track() -> None:
    imports, exports = (load_rulebook(track) for track in TRACKS)
    assert "EL-06" not in {rule.code for rule in imports.eligibility}
    assert "EL-05" not in {rule.code for rule in exports.eligibility}
    assert imports.category("CC-11") is None
    assert exports.category("CC-11") is not None
    assert (imports.category("CC-10").cap, exports.category("CC-10").cap) == (D(10), D(20))  # type: ignore[union-attr]
    assert (imports.project_cap, exports.project_cap) == (D(500_000_000), D(700_000_000))


def test_documents_that_must_be_uploaded() -> None:
    documents = load_rulebook("import_substitution").documents
    assert [item.code for item in documents if item.need is Need.REQUIRED] == [
        "DOC-02",
        "DOC-07",
        "DOC-09",
        "DOC-12",
    ]
    assert [item.code for item in documents if item.need is Need.PORTAL] == [
        "DOC-01",
        "DOC-04",
        "DOC-05",
        "DOC-06",
    ]


def test_years_and_periods() -> None:
    rules = load_rulebook("export", [2020, 2021])
    assert rules.cost_years == (2015, 2016, 2017, 2018, 2019, 2020, 2021)
    assert rules.kpi_periods == ("2020H2", "2021H1", "2021H2")
    with pytest.raises(KeyError):
        load_rulebook("research")


def test_all_faults_of_shape_are_told_at_once() -> None:
    data = content()
    del data["threshold"]
    data["cap_share"] = 0.5
    data["years"] = "2018"
    data["surprise"] = 1
    data["criteria"][3]["weight"] = "many"
    data["criteria"][0]["components"][0]["scale"]["kind"] = "formula"
    data["eligibility"][0]["severity"] = "X"
    assert sorted(faults(data)) == [
        ("cap_share", "not_number"),
        ("criteria.0.components.0.scale.kind", "unknown_kind"),
        ("criteria.3.weight", "not_number"),
        ("eligibility.0.severity", "not_allowed"),
        ("surprise", "unknown"),
        ("threshold", "required"),
        ("years", "not_a_list"),
    ]


def test_all_broken_invariants_are_told_at_once() -> None:
    data = content()
    data["years"] = [2018, 2018]
    data["threshold"] = "101"
    data["criteria"][3]["weight"] = "16"
    data["criteria"][1]["code"] = "CR-01"
    data["criteria"][4]["components"][0]["share"] = "0.4"
    data["criteria"][0]["components"][0]["metric"] = "luck"
    data["criteria"][2]["components"][0]["scale"]["points"] = [["0", "0"], ["0", "12"], ["40", "3"]]
    data["categories"][0]["cap"] = "120"
    data["eligibility"][3]["params"] = {}
    data["tie_rules"] = ["registered_at"]
    assert sorted(faults(data)) == [
        ("categories.0.cap", "out_of_range"),
        ("criteria", "weights"),
        ("criteria.0.components.0.metric", "unknown_metric"),
        ("criteria.1.code", "duplicate"),
        ("criteria.2.components.0.scale.points", "not_increasing"),
        ("criteria.2.components.0.scale.points", "not_monotone"),
        ("criteria.2.components.0.scale.points.1.1", "out_of_range"),
        ("criteria.4.components", "shares"),
        ("eligibility.3.params", "wrong_params"),
        ("threshold", "out_of_range"),
        ("tie_rules", "open_tie"),
        ("years", "not_increasing"),
    ]


@pytest.mark.parametrize("data", [None, [], "text", 7, {}])
def test_anything_else_is_refused_politely(data: object) -> None:
    assert faults(data)


def test_a_rule_set_names_only_known_checks_and_metrics() -> None:
    for track in TRACKS:
        rules = load_rulebook(track)
        assert {rule.check for rule in rules.eligibility} <= set(CHECKS)
        assert {part.metric for item in rules.criteria for part in item.components} <= set(METRICS)


@pytest.mark.parametrize(
    ("value", "points"),
    [("0", "0"), ("1", "0"), ("1.5", "2.5"), ("2", "5"), ("2.2821", "5.7053"), ("4", "10"), ("99", "10")],
)
def test_linear_scale(value: str, points: str) -> None:
    scale = Linear(((D(1), D(0)), (D(2), D(5)), (D(4), D(10))))
    assert scale.score(D(value)) == D(points)


@pytest.mark.parametrize(("value", "points"), [("9", "0"), ("10", "4"), ("39.9", "4"), ("40", "10")])
def test_bands(value: str, points: str) -> None:
    assert Bands(((D(10), D(4)), (D(40), D(10)))).score(D(value)) == D(points)


@pytest.mark.parametrize(("value", "points"), [("9", "10"), ("10", "10"), ("39.9", "10"), ("40", "4")])
def test_falling_bands_that_are_open_give_the_most_below_the_first_step(value: str, points: str) -> None:
    line = ((D(10), D(10)), (D(40), D(4)))
    assert Bands(line, open_below=True).score(D(value)) == D(points)
    assert Bands(line).score(D("9.99")) == 0  # what rules said that were published before


def test_a_draft_has_its_falling_bands_open_and_published_rules_stay_as_they_are() -> None:
    held = load_rulebook("export")
    first = held.criteria[0]

    def with_scale(scale: Bands) -> RuleSet:
        component = replace(first.components[0], scale=scale, share=D(1))
        return replace(held, criteria=(replace(first, components=(component,)), *held.criteria[1:]))

    falling, rising = Bands(((D(1), D(10)), (D(3), D(4)))), Bands(((D(1), D(4)), (D(3), D(10))))
    before = with_scale(falling)
    assert "open_below" not in json.dumps(to_json(before))
    assert from_json(to_json(before)) == before
    assert settled(before) == with_scale(replace(falling, open_below=True)) != before
    assert from_json(to_json(settled(before))) == settled(before)
    assert settled(with_scale(rising)) == with_scale(rising)
    assert settled(held) == held
    with pytest.raises(Problems) as caught:
        from_json(to_json(with_scale(replace(rising, open_below=True))))
    assert [problem.code for problem in caught.value.problems] == ["not_falling"]


def test_rules_without_rulings_on_ties_are_written_as_before_and_each_tie_is_ruled_once() -> None:
    held = load_rulebook("export")
    assert "conflict_ties" not in to_json(held)
    ruled = replace(held, conflict_ties=(TieRuling(Tie.CLUSTER, TieEffect.NONE),))
    assert from_json(to_json(ruled)) == ruled
    twice = replace(ruled, conflict_ties=(*ruled.conflict_ties, TieRuling(Tie.CLUSTER, TieEffect.BARS)))
    assert ("conflict_ties.1.tie", "duplicate") in faults(to_json(twice))


def test_yes_no() -> None:
    scale = YesNo(D(10), D(2))
    assert (scale.score(D(1)), scale.score(D(0))) == (D(10), D(2))


numbers = st.decimals(min_value=-1000, max_value=1000, places=4, allow_nan=False)


@given(
    st.lists(numbers, min_size=2, max_size=6, unique=True),
    st.lists(st.decimals(min_value=0, max_value=10, places=2), min_size=6, max_size=6),
    numbers,
    numbers,
)
def test_a_better_value_never_gives_fewer_points(values: list[D], scores: list[D], one: D, other: D) -> None:
    points = tuple(zip(sorted(values), sorted(scores[: len(values)]), strict=True))
    low, high = sorted((one, other))
    for scale in (Linear(points), Bands(points)):
        assert 0 <= scale.score(low) <= scale.score(high) <= 10


def test_rules_without_lanes_have_one_and_are_written_as_before() -> None:
    rules = load_rulebook("export")
    assert "lanes" not in to_json(rules)
    (only,) = rules.expertise
    assert (only.code, only.reviewers, len(only.aspects)) == (GENERAL, 2, 5)


@pytest.mark.parametrize("track", TRACKS)
def test_the_usual_lanes_fit_the_official_rules(track: str) -> None:
    rules = replace(load_rulebook(track), lanes=load_lanes())
    assert from_json(to_json(rules)) == rules
    assert rules.expertise == load_lanes()
    assert rules_digest(rules) != rules_digest(load_rulebook(track))


@pytest.mark.parametrize(
    ("place", "change", "found"),
    [
        (0, {"aspects": ["CR-10-technology"]}, [("criteria.7.aspects.2.lane", "not_one_lane")]),
        (2, {"aspects": ["CR-10-team", "CR-10-risks"]}, [("criteria.7.aspects.2.lane", "not_one_lane")]),
        (2, {"aspects": ["CR-10-risks", "CR-99-x"]}, [("lanes", "unknown_aspect")]),
        (2, {"aspects": []}, [("lanes.2", "nothing_to_score"), ("criteria.7.aspects.4.lane", "not_one_lane")]),
        (1, {"code": "legal"}, [("lanes.2.code", "duplicate")]),
        (1, {"reviewers": 0}, [("lanes.1.reviewers", "out_of_range")]),
        (1, {"title": {"ru": "", "en": "x"}}, [("lanes.1.title.ru", "required")]),
    ],
)
def test_every_aspect_belongs_to_one_lane(place: int, change: dict[str, Any], found: list[tuple[str, str]]) -> None:
    data = to_json(replace(load_rulebook("import_substitution"), lanes=load_lanes()))
    data["lanes"][place] |= change
    assert faults(data) == found


def test_rules_by_the_plain_mean_are_written_as_before_and_the_calibrated_one_is_kept() -> None:
    rules = load_rulebook("export")
    assert "expert_mean" not in to_json(rules)
    assert from_json({**to_json(rules), "expert_mean": "raw"}) == rules
    changed = replace(rules, expert_mean=ExpertMean.CALIBRATED)
    assert from_json(to_json(changed)) == changed
    assert rules_digest(changed) != rules_digest(rules)
    with pytest.raises(Problems):
        from_json({**to_json(rules), "expert_mean": "median"})


@pytest.mark.parametrize("track", TRACKS)
def test_rules_without_anchors_are_written_as_before_and_anchors_are_kept(track: str) -> None:
    rules = load_rulebook(track)
    assert "anchors" not in str(to_json(rules))
    changed = anchored(rules)
    assert from_json(to_json(changed)) == changed
    assert rules_digest(changed) != rules_digest(rules)
    spans = [[each.span for each in aspect.anchors] for item in changed.expert_criteria() for aspect in item.aspects]
    assert spans == [["0–2", "3–5", "6–8", "9–10"]] * 5


@pytest.mark.parametrize(
    ("place", "change", "found"),
    [
        (1, {"least": 4}, [("anchors.1.least", "anchor")]),
        (1, {"least": 2}, [("anchors.1.least", "anchor")]),
        (1, {"most": 2}, [("anchors.1.least", "anchor")]),
        (3, {"most": 9}, [("anchors.3.most", "anchor")]),
        (3, {"most": 11}, [("anchors.3.most", "anchor")]),
        (0, {"text": {"ru": "", "en": "x"}}, [("anchors.0.text.ru", "required")]),
        (0, {"least": "0"}, [("anchors.0.least", "not_whole_number")]),
    ],
)
def test_anchors_go_from_zero_to_ten(place: int, change: dict[str, Any], found: list[tuple[str, str]]) -> None:
    data = to_json(anchored(load_rulebook("import_substitution")))
    data["criteria"][7]["aspects"][0]["anchors"][place] |= change
    assert faults(data) == [(f"criteria.7.aspects.0.{field}", code) for field, code in found]
