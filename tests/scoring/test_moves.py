"""What would have moved an application above a line: each change alone is enough, and is the least that is."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from portal.applications.figures.facts import Facts, facts
from portal.demo.projects import PROJECTS
from portal.scoring.engine import Scorer, score
from portal.scoring.measuring import measure
from portal.scoring.moves import moves
from portal.scoring.sheets import ToldSheet, told
from portal.tenders.ruleset import RuleSet
from tests.factories.packages import marks, package, rules

D = Decimal


def scored(row: str, points: str = "5") -> tuple[ToldSheet, Facts, RuleSet]:
    used = rules(PROJECTS[row].track)
    content = package(row=row)
    reviews = (marks(points, used.track), marks(points, used.track))
    sheet = Scorer(used).score(measure(content, used, date(2018, 9, 1)), reviews)
    return told(sheet.to_json(), used), facts(content, used), used


@pytest.mark.parametrize("row", sorted(PROJECTS))
@pytest.mark.parametrize("gap", ["0.01", "1.5", "6"])
def test_each_change_alone_is_enough(row: str, gap: str) -> None:
    sheet, known, used = scored(row)
    assert sheet.total is not None
    goal = sheet.total + D(gap)
    reviews = (marks("5", used.track), marks("5", used.track))
    for move in moves(sheet, known, used, goal):
        assert move.gain >= D(gap)
        if move.metric is None:
            continue
        changed = replace(known, **{move.metric: move.target})
        again = score(package(row=row), changed, used, reviews, outcomes=())
        assert again.total is not None
        assert again.total >= goal
        assert again.total == sheet.total + move.gain


def test_the_change_is_the_least_that_is_enough() -> None:
    sheet, known, used = scored("P01")
    assert sheet.total is not None
    found = {move.metric: move for move in moves(sheet, known, used, sheet.total + 2)}
    move = found["leverage"]
    assert move.value == D("2.2821")
    # 2 points of weight 20 are 1 of the scale: from 5.7053 to 6.7053, 2 + 1.7053 * 2/5 = 2.6821
    assert move.target == D("2.69")
    less = replace(known, leverage=move.target - D("0.01"))
    reviews = (marks("5"), marks("5"))
    again = score(package(), less, used, reviews, outcomes=())
    assert again.total is not None
    assert again.total < sheet.total + 2


def test_experts_alone_may_be_enough() -> None:
    sheet, known, used = scored("P01", "5")
    assert sheet.total is not None
    expert = [move for move in moves(sheet, known, used, sheet.total + 1) if move.metric is None]
    # one point of weight 5 is 2 of 10
    assert [(move.criterion, move.value, move.target) for move in expert] == [("CR-10", D("5"), D("7"))]
    assert not [move for move in moves(sheet, known, used, sheet.total + 3) if move.metric is None]


def test_nothing_alone_is_told_by_an_empty_list() -> None:
    sheet, known, used = scored("P01")
    assert sheet.total is not None
    assert moves(sheet, known, used, sheet.total + 60) == []
    assert moves(sheet, known, used, sheet.total) == []
    assert moves(sheet._replace(total=None), known, used, D(100)) == []
