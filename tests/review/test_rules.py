"""Marks, the spread between reviewers, and the checklist."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from portal.applications.eligibility import check
from portal.applications.figures.facts import facts
from portal.core.money import NumberError
from portal.review.rules import (
    checklist,
    needed_reviews,
    needs_another_review,
    of_lane,
    panels,
    parse_score,
    review_value,
    spread,
)
from portal.tenders.rulebook import load_lanes
from portal.tenders.ruleset import RuleSet
from tests.factories.packages import marks, package, rules
from tests.factories.points import mean_of, points_of


@pytest.mark.parametrize(
    ("text", "value"), [("0", "0"), ("10", "10"), ("7,5", "7.5"), ("7.5", "7.5"), (" 8 ", "8"), ("7.50", "7.50")]
)
def test_marks_that_are_taken(text: str, value: str) -> None:
    assert parse_score(text) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        ("seven", "not_a_number"),
        ("11", "too_large"),
        ("10.5", "too_large"),
        ("-1", "too_small"),
        ("7.25", "not_half"),
        ("7.1", "not_half"),
        ("1e1", "not_a_number"),
    ],
)
def test_marks_that_are_refused(text: str, code: str) -> None:
    with pytest.raises(NumberError) as caught:
        parse_score(text)
    assert caught.value.code == code


def test_value_of_a_review_is_the_mean_of_its_aspects() -> None:
    criterion = rules().criterion("CR-10")
    assert review_value(marks("8", technology="3"), criterion) == Decimal("7.0000")
    assert review_value({"CR-10": {"technology": Decimal(3)}}, criterion) is None


@pytest.mark.parametrize(
    ("values", "wide", "another", "needed"),
    [
        ([], "0", False, 2),
        (["8"], "0", False, 2),
        (["8", "5"], "3", False, 2),
        (["8", "4.5"], "3.5", True, 3),
        (["8", "4.5", "7"], "3.5", False, 3),
    ],
)
def test_spread_above_the_limit_asks_for_a_third_review(
    values: list[str], wide: str, another: bool, needed: int
) -> None:
    reviews = [marks(value) for value in values]
    assert spread(reviews, rules()) == Decimal(wide)
    assert needs_another_review(reviews, rules()) is another
    assert needed_reviews(reviews, rules(), rules().expertise[0]) == needed


def laned() -> RuleSet:
    return replace(rules(), lanes=load_lanes())


def of(lane: str, value: str) -> dict[str, dict[str, Decimal]]:
    """A review in a lane: the same value for each of its aspects."""
    held = laned().lane(lane)
    assert held is not None
    return {"CR-10": {key.removeprefix("CR-10-"): Decimal(value) for key in held.aspects}}


def test_each_lane_counts_its_own_reviews_and_its_own_spread() -> None:
    used = laned()
    reviews = [of("technical", "9"), of("financial", "2"), of("technical", "5")]
    needed = {lane.code: needed_reviews(reviews, used, lane) for lane in used.lanes}
    assert needed == {"technical": 3, "financial": 2, "legal": 1}
    assert spread(reviews, used) == Decimal(4)
    technical, financial, _ = used.lanes
    assert spread(reviews, used, financial) == 0
    assert needs_another_review(reviews, used, technical) is needs_another_review(reviews, used) is True
    assert needs_another_review(reviews, used, financial) is False
    assert of_lane(reviews, financial, used) == [of("financial", "2")]


def test_points_are_the_mean_over_the_aspects_of_the_means_of_their_lanes() -> None:
    used, criterion = laned(), rules().criterion("CR-10")
    reviews = [of("technical", "8"), of("technical", "7"), of("financial", "6"), of("financial", "6"), of("legal", "2")]
    scored = panels(criterion, reviews, used)
    assert [(panel.lane.code, panel.aspects, mean_of(panel)) for panel in scored] == [
        ("technical", 2, Decimal("7.5")),
        ("financial", 2, Decimal("6")),
        ("legal", 1, Decimal("2")),
    ]
    assert points_of(scored) == Decimal("5.8")  # (7.5 * 2 + 6 * 2 + 2) / 5
    assert not any(panel.missing for panel in scored)
    assert [panel.missing for panel in panels(criterion, reviews[:3], used)] == [False, True, True]


def test_checklist_asks_for_documents_declarations_and_rules() -> None:
    content = package()
    content["participants"][1]["documents"] = []
    known = facts(content, rules())
    items = checklist(rules(), content, check(content, known, rules()))
    documents = [item for item in items if item.kind == "document"]
    members = [part["id"] for part in content["participants"]]
    assert [item.key for item in documents] == ["DOC-02", "DOC-07", "DOC-09", *(f"DOC-12-{key}" for key in members)]
    assert [item.found for item in documents][:5] == [None, None, None, None, False]
    assert {item.code for item in items if item.kind == "declaration"} >= {"EL-11", "EL-12", "EL-17"}
    assert len({item.key for item in items}) == len(items)


def test_a_letter_of_fit_that_was_signed_in_the_portal_needs_no_file() -> None:
    content = package()
    content["documents"] = [item for item in content["documents"] if item["code"] != "DOC-09"]
    item = next(item for item in checklist(rules(), content, ()) if item.key == "DOC-09")
    assert (item.found, str(item.note)) == (False, "No file was given.")
    content["letter_of_fit"] = {"signed_at": "2018-08-20T10:00:00Z"}
    item = next(item for item in checklist(rules(), content, ()) if item.key == "DOC-09")
    assert (item.found, str(item.note)) == (True, "It was signed in the portal.")


def test_a_failed_rule_is_found() -> None:
    content = package(row="P15")
    known = facts(content, rules())
    found = {item.key: item.found for item in checklist(rules(), content, check(content, known, rules()))}
    assert [key for key, value in found.items() if value is False] == ["EL-07", "EL-22"]
