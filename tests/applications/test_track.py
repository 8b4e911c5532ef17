"""The way of an application through the procedure: which step it is at, and by which day each is done."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from portal.applications.following.track import Dates, latest_days, steps
from portal.applications.models import State
from portal.applications.rules import COMMISSION
from portal.core.calendar import add_working_days, is_working_day
from portal.tenders.models import Track
from portal.tenders.rules import official_rules

RULES = official_rules(Track.IMPORT_SUBSTITUTION, 2018)
CLOSES = datetime(2018, 8, 31, 15, tzinfo=UTC)
MOSCOW = ZoneInfo("Europe/Moscow")


def dates(**given: object) -> Dates:
    values = {
        "closes_at": CLOSES,
        "received_at": datetime(2018, 8, 30, 22, tzinfo=UTC),
        "published_at": None,
        "correction_due": None,
        "zone": MOSCOW,
        **given,
    }
    return Dates(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State.DRAFT, ["now", "next", "next", "next", "next"]),
        (State.WITHDRAWN, ["now", "next", "next", "next", "next"]),
        (State.SUBMITTED, ["done", "now", "next", "next", "next"]),
        (State.RETURNED, ["done", "now", "next", "next", "next"]),
        (State.REJECTED, ["done", "ended"]),
        (State.EXPERTISE, ["done", "done", "now", "next", "next"]),
        (COMMISSION, ["done", "done", "done", "now", "next"]),
        (State.AWARDED, ["done", "done", "done", "done", "now"]),
        (State.RESERVE, ["done", "done", "done", "done", "next"]),
        (State.DECLINED, ["done", "done", "done", "ended"]),
    ],
)
def test_each_state_has_its_place(state: str, expected: list[str]) -> None:
    found = steps(state, dates(), RULES)
    assert [step.state for step in found] == expected
    assert sum(step.state in ("now", "ended") for step in found) <= 1


def test_with_the_agreement_signed_the_way_is_done() -> None:
    found = steps(State.AWARDED, dates(), RULES, agreed=True)
    assert [(step.state, step.note) for step in found] == [("done", None)] * 5
    assert steps(State.RENOUNCED, dates(), RULES, agreed=True)[-1].state == "ended"


def test_days_are_working_days_after_the_close() -> None:
    closes = date(2018, 8, 31)
    found = latest_days(closes, RULES)
    assert found["check"] == add_working_days(closes, RULES.formal_check_days)
    assert list(found.values()) == sorted(found.values())
    assert all(is_working_day(day) for day in found.values())


def test_a_day_is_when_it_was_done_or_when_it_is_due_at_the_latest() -> None:
    draft = steps(State.DRAFT, dates(received_at=None), RULES)
    assert draft[0].day == date(2018, 8, 31)
    sent = steps(State.SUBMITTED, dates(), RULES)
    assert sent[0].day == date(2018, 8, 31)  # 22:00 UTC of the 30th is the 31st in Moscow
    due = date(2018, 9, 20)
    returned = steps(State.RETURNED, dates(correction_due=due), RULES)
    assert returned[1].day == due
    published = steps(State.AWARDED, dates(published_at=datetime(2018, 11, 1, 9, tzinfo=UTC)), RULES)
    assert published[3].day == date(2018, 11, 1)


def test_a_tender_without_a_close_has_no_days() -> None:
    assert all(step.day is None for step in steps(State.DRAFT, dates(closes_at=None, received_at=None), RULES))
