"""Scores by hand, gates, reviews, and what holds for every score."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from portal.applications.eligibility import check
from portal.applications.figures.facts import facts
from portal.core.figures import number
from portal.core.language import render
from portal.demo.projects import PROJECTS
from portal.review.rules import difference, needs_another_review
from portal.scoring.engine import Marks, Scorer, ScoreSheet, score
from portal.scoring.measuring import measured
from portal.scoring.sheets import digest_of
from portal.tenders.rulebook import load_lanes
from portal.tenders.ruleset import ExpertMean, RuleSet, from_json, to_json
from tests.factories.packages import marks, package, rules

D = Decimal
TWO = (marks("8"), marks("7"))


def sheet(content: dict[str, Any], reviews: tuple[Marks, ...] = (), used: RuleSet | None = None) -> ScoreSheet:
    used = used or rules(content.get("track", "import_substitution"))
    found = facts(content, used)
    return score(content, found, used, reviews, check(content, found, used, date(2018, 9, 1)))


def lines(found: ScoreSheet) -> dict[str, tuple[str, str]]:
    return {line.code: (f"{line.points:.4f}", f"{line.weighted:.2f}") for line in found.told.lines}


def test_p01_by_hand() -> None:
    found = sheet(package(), TWO)
    assert lines(found) == {
        "CR-01": ("5.7053", "11.41"),  # 445/195 = 2.2821; 5 + 0.2821 * 5/2 = 5.70525
        "CR-02": ("10.0000", "20.00"),  # 610/195 = 3.1282
        "CR-03": ("10.0000", "20.00"),  # 70 - 25 = 45
        "CR-06": ("6.4744", "9.71"),  # 62/1.95 = 31.7949; 5 + 11.7949 * 5/40 = 6.47436
        "CR-07": ("6.3334", "6.33"),  # 40 % -> 6.6667, 4 participants -> 6; mean 6.33335
        "CR-08": ("4.8000", "2.40"),  # 12 % of 15 % -> 6 * 12/15
        "CR-09": ("6.0000", "3.00"),  # 7 points: 5 + 2/2
        "CR-10": ("7.5000", "3.75"),
    }
    assert found.objective_total == D("72.85")
    assert (found.expert_total, found.total, found.told.max_objective) == (D("3.75"), D("76.60"), D(95))
    assert found.recommended is True


def test_p09_export_by_hand() -> None:
    found = sheet(package(row="P09"), (marks("8", "export"), marks("8", "export")))
    assert lines(found) == {
        "CR-01": ("9.1935", "13.79"),  # 2280/620 = 3.6774
        "CR-02": ("10.0000", "15.00"),
        "CR-04": ("8.7500", "21.88"),  # 3100/620 = 5
        "CR-05": ("9.3000", "9.30"),  # 0.7 * 9 + 0.3 * 10
        "CR-06": ("6.7339", "6.73"),  # 210/6.2 = 33.8710
        "CR-07": ("7.9167", "7.92"),  # 0.5 * 5.8333 + 0.5 * 10 = 7.91665
        "CR-08": ("4.8000", "2.40"),
        "CR-09": ("6.0000", "3.00"),
        "CR-10": ("8.0000", "4.00"),
    }


def test_totals_are_the_sums_of_what_is_shown() -> None:
    for row, project in PROJECTS.items():
        found = sheet(package(row=row), (marks("8", project.track), marks("7", project.track)))
        assert found.total == sum(line.weighted for line in found.told.lines if line.weighted is not None)


def test_good_projects_are_recommended_and_spread() -> None:
    totals = {}
    for row, project in PROJECTS.items():
        found = sheet(package(row=row), (marks("8", project.track), marks("7", project.track)))
        if row not in ("P14", "P15"):
            assert found.recommended is True, row
            totals[row] = found.total
    assert all(total is not None and 60 <= total <= 85 for total in totals.values())
    assert len(set(totals.values())) == len(totals)


def test_p14_fails_for_its_npv_and_its_tax_debt() -> None:
    found = sheet(package(row="P14"))
    assert {gate.code: (gate.passed, gate.rules) for gate in found.told.gates} == {
        "eligibility": (False, ("EL-12",)),
        "npv": (False, ()),
        "threshold": (None, ()),
    }
    assert found.recommended is False
    reasons = [render(gate.reason, "en") for gate in found.told.gates]
    assert reasons[0] == "EL-12: Declared as not fulfilled by: Demo Parts 141 LLC."
    assert reasons[1] == "The net present value is RUB\u00a0-18,000,000, below zero."


def test_p15_fails_for_its_share_alone() -> None:
    found = sheet(package(row="P15"), (marks("8", "export"), marks("7", "export")))
    assert {gate.code: (gate.passed, gate.rules) for gate in found.told.gates} == {
        "eligibility": (False, ("EL-07",)),
        "npv": (True, ()),
        "threshold": (True, ()),
    }
    assert found.recommended is False


def test_without_reviews_the_total_is_open() -> None:
    found = sheet(package())
    assert (found.expert_total, found.total, found.recommended) == (None, None, None)
    assert sheet(package(), (marks("9"),)).total is None
    assert render(sheet(package(), (marks("9"),)).told.lines[-1].reason, "en") == "1 of 2 reviews are in."


def test_an_incomplete_review_does_not_count() -> None:
    half: Marks = {"CR-10": {"technology": D(9)}}
    assert sheet(package(), (marks("9"), half)).total is None


def test_reviewers_who_differ_too_much_need_a_third() -> None:
    apart = (marks("9"), marks("5.9"))
    assert needs_another_review(apart, rules()) is True
    assert sheet(package(), apart).total is None
    assert needs_another_review((marks("9"), marks("6")), rules()) is False
    assert needs_another_review((marks("9"),), rules()) is False
    third = (*apart, marks("8"))
    assert needs_another_review(third, rules()) is False
    assert sheet(package(), third).told.lines[-1].points == D("7.6333")
    assert difference([D(2), D(9), D(4)]) == D(7)
    assert difference([]) == 0


def test_a_reviewers_value_is_the_mean_of_the_aspects() -> None:
    uneven = marks("6", technology="9", risks="4")
    assert sheet(package(), (uneven, uneven)).told.lines[-1].points == D("6.2000")


def test_missing_values_give_no_points_and_say_so() -> None:
    found = sheet({"track": "import_substitution"})
    assert found.objective_total == 0
    assert found.recommended is False  # fewer than two participants
    assert render(found.told.lines[0].reason, "en") == (
        "Private money per rouble of subsidy: not filled in yet, so there are no points."
    )
    gates = {gate.code: gate.passed for gate in sheet(package(project={"npv": None}), TWO).told.gates}
    assert gates == {"eligibility": True, "npv": None, "threshold": True}


def test_npv_of_zero_passes() -> None:
    assert sheet(package(project={"npv": "0.00"}), TWO).recommended is True
    assert sheet(package(project={"npv": "-0.01"}), TWO).recommended is False


def test_the_threshold_counts_the_total_that_is_shown() -> None:
    total = sheet(package(), TWO).total
    assert total is not None
    for least, passed in ((total, True), (total + D("0.01"), False)):
        used = from_json({**to_json(rules()), "threshold": str(least)})
        assert sheet(package(), TWO, used).told.gates[2].passed is passed


def test_every_line_is_explained() -> None:
    found = sheet(package(), TWO)
    assert render(found.told.lines[0].reason, "en") == (
        "Private money per rouble of subsidy: 2.2821; between 2 (5 points) and 4 (10 points) "
        "the scale gives 5.7053 points."
    )
    kept = found.to_json()
    assert kept["lines"][0]["parts"][0] == {
        "metric": "leverage",
        "value": "2.2821",
        "points": "5.7053",
        "inputs": {"private": "445000000", "subsidy": "195000000"},
        "why": {"said": "between", "x0": "2", "y0": "5", "x1": "4", "y1": "10"},
    }
    for locale in ("ru", "en"):
        for line in found.told.lines:
            said = render(line.reason, locale)
            assert all(number(part.points)[locale] in said for part in line.parts)
        assert all(render(gate.reason, locale) for gate in found.told.gates)


def test_the_same_input_gives_the_same_digest() -> None:
    first, second = sheet(package(), TWO), sheet(json.loads(json.dumps(package())), TWO)
    assert first.digest == second.digest == digest_of(json.loads(json.dumps(first.to_json())))
    assert json.loads(json.dumps(first.to_json())) == first.to_json()
    assert sheet(package(), (marks("8"), marks("7.1"))).digest != first.digest


def test_the_order_of_participants_and_reviews_changes_nothing() -> None:
    content = package(row="P06")
    first = sheet(content, (marks("5"), marks("8"), marks("7")))
    random.Random(7).shuffle(content["participants"])
    assert sheet(content, (marks("7"), marks("5"), marks("8"))).digest == first.digest


BETTER = {
    "taxes_total": 2_000_000_000,
    "hpj_new": 500,
    "import_share_now": 100,
    "sold_to_members": 100,
    "irr": 60,
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(BETTER)), st.integers(0, 1000), st.integers(0, 1000))
def test_a_better_value_never_gives_fewer_points(field: str, one: int, other: int) -> None:
    low, high = (BETTER[field] * share // 1000 for share in sorted((one, other)))
    worse = sheet(package(project={field: str(low)}))
    better = sheet(package(project={field: str(high)}))
    assert 0 <= worse.objective_total <= better.objective_total <= better.told.max_objective


def test_a_criterion_of_several_lanes_waits_for_all_of_them() -> None:
    used = replace(rules(), lanes=load_lanes())
    whole = marks("8")["CR-10"]
    technical = {"CR-10": {name: whole[name] for name in ("technology", "team")}}
    financial = {"CR-10": {name: D(6) for name in ("market", "plan")}}
    legal = {"CR-10": {"risks": D(3)}}
    found = sheet(package(), (technical, technical, financial), used)
    line = found.told.lines[-1]
    assert line.points is None
    assert render(line.reason, "en") == "3 of 5 reviews are in."
    found = sheet(package(), (technical, technical, financial, financial, legal), used)
    assert lines(found)["CR-10"] == ("6.2000", "3.10")  # (8 * 2 + 6 * 2 + 3) / 5
    apart = {"CR-10": {"technology": D(1), "team": D(2)}}
    found = sheet(package(), (technical, apart, financial, financial, legal), used)
    assert render(found.told.lines[-1].reason, "en").startswith("The reviewers differ by 6.5 points")


def test_the_calibrated_value_takes_the_place_of_the_mean_where_the_rules_say_so() -> None:
    used = replace(rules(), expert_mean=ExpertMean.CALIBRATED)
    known = measured(facts(package(), used), ())
    found = Scorer(used).score(known, TWO, {"CR-10/general": D("8.1234")})
    assert lines(found)["CR-10"] == ("8.1234", "4.06")
    assert render(found.told.lines[-1].reason, "en") == (
        "The mean of 2 reviewers is 7.5; with the reviewers' severity taken out it is 8.1234 of 10 points."
    )
    plain = Scorer(used).score(known, TWO)
    assert lines(plain)["CR-10"] == ("7.5000", "3.75")
    assert "too few reviews in the track" in render(plain.told.lines[-1].reason, "en")
    assert Scorer(rules()).score(known, TWO, {"CR-10/general": D(9)}).digest == Scorer(rules()).score(known, TWO).digest
    waiting = Scorer(used).score(known, TWO[:1], {"CR-10/general": D(9)})
    assert waiting.told.lines[-1].points is None  # a calibrated value does not stand in for a review that is missing


def test_of_several_lanes_those_without_a_calibrated_value_keep_their_mean() -> None:
    used = replace(rules(), lanes=load_lanes(), expert_mean=ExpertMean.CALIBRATED)
    whole = marks("8")["CR-10"]
    technical = {"CR-10": {name: whole[name] for name in ("technology", "team")}}
    financial = {"CR-10": {name: D(6) for name in ("market", "plan")}}
    legal = {"CR-10": {"risks": D(3)}}
    reviews = (technical, technical, financial, financial, legal)
    known = measured(facts(package(), used), ())
    found = Scorer(used).score(known, reviews, {"CR-10/technical": D(9)})
    assert lines(found)["CR-10"] == ("6.6000", "3.30")  # (9 * 2 + 6 * 2 + 3) / 5
