"""The calendar of a tender: what follows from the notice, from working days, and from amendments."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core import calendar
from portal.core.clock import MOSCOW
from portal.tenders.rulebook import load_rulebook
from portal.tenders.schedule import (
    MOVABLE,
    calendar_of,
    milestones,
    order_problems,
    questions_until,
)

NOTICE = datetime(2018, 7, 20, 7, tzinfo=UTC)
OPENS = datetime(2018, 8, 1, 6, tzinfo=UTC)
CLOSES = datetime(2018, 8, 31, 15, tzinfo=UTC)
RULES = load_rulebook("import_substitution")


@dataclass
class Dates:
    published_at: datetime | None = NOTICE
    opens_at: datetime | None = OPENS
    closes_at: datetime | None = CLOSES
    results_published_at: datetime | None = None
    cancelled_at: datetime | None = None
    question_days: int = 5
    moved: dict[str, str] = field(default_factory=dict)


def test_milestones_are_counted_in_working_days() -> None:
    found = milestones(Dates(), RULES, MOSCOW)
    assert [(step.code, step.at or step.day, step.after, step.working_days) for step in found] == [
        ("announced", NOTICE, "", None),
        ("opens", OPENS, "", None),
        ("questions", date(2018, 8, 24), "closes", -5),
        ("closes", CLOSES, "", None),
        ("formal_check", date(2018, 9, 14), "closes", 10),
        ("correction", date(2018, 9, 21), "formal_check", 5),
        ("expertise", date(2018, 10, 12), "formal_check", 20),
        ("commission", date(2018, 10, 26), "expertise", 10),
        ("minutes", date(2018, 10, 31), "commission", 3),
        ("order", date(2018, 11, 8), "minutes", 5),
        ("results", date(2018, 11, 13), "order", 3),
        ("agreement", date(2018, 12, 11), "results", 20),
    ]


def test_a_tender_without_dates_has_no_milestones() -> None:
    empty = Dates(published_at=None, opens_at=None, closes_at=None)
    assert milestones(empty, RULES, MOSCOW) == []
    assert questions_until(empty, MOSCOW) is None


def test_a_day_that_ends_after_midnight_elsewhere_is_counted_in_the_zone_of_the_tender() -> None:
    late = Dates(closes_at=datetime(2018, 8, 30, 20, tzinfo=UTC))
    days = {str(zone): milestones(late, RULES, zone)[4].day for zone in (ZoneInfo("Asia/Kamchatka"), ZoneInfo("UTC"))}
    assert days == {"Asia/Kamchatka": date(2018, 9, 14), "UTC": date(2018, 9, 13)}


def test_a_moved_step_carries_those_that_are_counted_from_it() -> None:
    plain = {step.code: step for step in milestones(Dates(), RULES, MOSCOW)}
    moved = {step.code: step for step in milestones(Dates(moved={"expertise": "2018-10-19"}), RULES, MOSCOW)}
    assert moved["expertise"].day == date(2018, 10, 19)
    assert moved["expertise"].moved
    assert moved["commission"].day == date(2018, 11, 2)
    for code in ("questions", "closes", "formal_check", "correction"):
        assert moved[code] == plain[code]


def test_published_results_stand_at_their_instant_and_agreements_follow_them() -> None:
    at = datetime(2018, 9, 24, 12, tzinfo=UTC)
    found = {step.code: step for step in milestones(Dates(results_published_at=at), RULES, MOSCOW)}
    assert (found["results"].at, found["agreement"].day) == (at, date(2018, 10, 22))


def test_the_later_day_of_the_tracks_holds() -> None:
    slow = replace(RULES, review_days=25)
    both = {step.code: step.day for step in calendar_of(Dates(), [RULES, slow], MOSCOW)}
    assert both["expertise"] == {s.code: s.day for s in milestones(Dates(), slow, MOSCOW)}["expertise"]


def test_questions_end_with_their_day_and_never_after_the_closing() -> None:
    assert questions_until(Dates(), MOSCOW) == datetime(2018, 8, 24, 21, tzinfo=UTC)
    assert questions_until(Dates(question_days=0), MOSCOW) == CLOSES
    assert questions_until(Dates(moved={"questions": "2018-08-27"}), MOSCOW) == datetime(2018, 8, 27, 21, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moved", "fields"),
    [
        ({}, []),
        ({"commission": "2018-10-12"}, []),
        ({"commission": "2018-10-11"}, ["day-commission"]),
        ({"questions": "2018-09-03"}, ["day-questions"]),
        ({"questions": "2018-07-31"}, ["day-questions"]),
        ({"formal_check": "2018-08-30", "minutes": "2018-09-03"}, ["day-formal_check", "day-minutes"]),
    ],
)
def test_steps_keep_the_order_of_the_procedure(moved: dict[str, str], fields: list[str]) -> None:
    steps = milestones(Dates(moved=moved), RULES, MOSCOW)
    assert [problem.field for problem in order_problems(steps, MOSCOW)] == fields


@given(st.dates(date(2018, 1, 1), date(2027, 12, 31)), st.integers(0, 40))
def test_working_days_back_and_forth(event: date, days: int) -> None:
    """Counting back passes exactly that many working days; from a working day both ways lead home."""
    before = calendar.subtract_working_days(event, days)
    passed = [before + timedelta(days=n) for n in range((event - before).days)]
    assert sum(map(calendar.is_working_day, passed)) == days
    if calendar.is_working_day(event):
        assert calendar.add_working_days(before, days) == event


@given(st.integers(0, 30), st.dictionaries(st.sampled_from(MOVABLE), st.dates(date(2018, 9, 1), date(2019, 6, 1))))
def test_steps_are_never_before_what_they_are_counted_from_unless_moved(days: int, moved: dict[str, date]) -> None:
    tender = Dates(question_days=days, moved={code: day.isoformat() for code, day in moved.items()})
    steps = milestones(tender, RULES, MOSCOW)
    by_code = {step.code: step for step in steps}
    refused = {problem.field.removeprefix("day-") for problem in order_problems(steps, MOSCOW)}
    assert refused <= set(moved)
    for step in steps:
        if step.after and step.working_days and step.working_days > 0 and step.code not in refused:
            assert step.date(MOSCOW) >= by_code[step.after].date(MOSCOW)


def test_a_negative_length_is_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        calendar.subtract_working_days(date(2018, 8, 1), -1)
