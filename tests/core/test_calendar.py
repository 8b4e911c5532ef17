from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.calendar import (
    add_working_days,
    deadline,
    end_of_day,
    end_of_period,
    is_working_day,
    next_working_day,
    working_days_between,
)

MOSCOW = ZoneInfo("Europe/Moscow")
DAY = timedelta(days=1)
days = st.dates(date(2018, 1, 1), date(2026, 12, 31))

# Weekdays off, weekend days worked, number of working days: the Government's yearly transfers.
DECREED = {
    2018: (
        "01-01 01-02 01-03 01-04 01-05 01-08 02-23 03-08 03-09 04-30 05-01 05-02 05-09 06-11 06-12 11-05 12-31",
        "04-28 06-09 12-29",
        247,
    ),
    2019: (
        "01-01 01-02 01-03 01-04 01-07 01-08 03-08 05-01 05-02 05-03 05-09 05-10 06-12 11-04",
        "",
        247,
    ),
    2020: (
        "01-01 01-02 01-03 01-06 01-07 01-08 02-24 03-09 05-01 05-04 05-05 05-11 06-12 06-24 07-01 11-04",
        "",
        246,
    ),
    2021: (
        "01-01 01-04 01-05 01-06 01-07 01-08 02-22 02-23 03-08 05-03 05-10 06-14 11-04 11-05 12-31",
        "02-20",
        247,
    ),
    2022: (
        "01-03 01-04 01-05 01-06 01-07 02-23 03-07 03-08 05-02 05-03 05-09 05-10 06-13 11-04",
        "03-05",
        247,
    ),
    2023: ("01-02 01-03 01-04 01-05 01-06 02-23 02-24 03-08 05-01 05-08 05-09 06-12 11-06", "", 247),
    2024: (
        "01-01 01-02 01-03 01-04 01-05 01-08 02-23 03-08 04-29 04-30 05-01 05-09 05-10 06-12 11-04 12-30 12-31",
        "04-27 11-02 12-28",
        248,
    ),
    2025: (
        "01-01 01-02 01-03 01-06 01-07 01-08 05-01 05-02 05-08 05-09 06-12 06-13 11-03 11-04 12-31",
        "11-01",
        247,
    ),
    2026: (
        "01-01 01-02 01-05 01-06 01-07 01-08 01-09 02-23 03-09 05-01 05-11 06-12 11-04 12-31",
        "",
        247,
    ),
    2027: (
        "01-01 01-04 01-05 01-06 01-07 01-08 02-22 02-23 03-08 05-03 05-10 06-14 11-04 11-05 12-31",
        "02-20",
        247,
    ),
}


@pytest.mark.parametrize("year", DECREED)
def test_every_day_of_the_year_is_as_decreed(year: int) -> None:
    off, worked, count = DECREED[year]
    first = date(year, 1, 1)
    whole = [first + i * DAY for i in range((date(year + 1, 1, 1) - first).days)]
    assert [f"{d:%m-%d}" for d in whole if d.weekday() < 5 and not is_working_day(d)] == off.split()
    assert [f"{d:%m-%d}" for d in whole if d.weekday() >= 5 and is_working_day(d)] == worked.split()
    assert sum(map(is_working_day, whole)) == count


@pytest.mark.parametrize(
    ("event", "n", "last"),
    [
        (date(2018, 8, 31), 10, date(2018, 9, 14)),
        (date(2018, 12, 27), 5, date(2019, 1, 11)),
        (date(2018, 9, 10), 10, date(2018, 9, 24)),
        (date(2018, 4, 27), 1, date(2018, 4, 28)),
        (date(2018, 9, 10), 0, date(2018, 9, 10)),
        (date(2018, 9, 9), 0, date(2018, 9, 10)),
    ],
)
def test_periods_in_working_days(event: date, n: int, last: date) -> None:
    assert add_working_days(event, n) == last


@pytest.mark.parametrize(
    ("event", "length", "last"),
    [
        (date(2018, 8, 1), 30, date(2018, 8, 31)),
        (date(2018, 8, 1), 31, date(2018, 9, 3)),
        (date(2018, 12, 28), 1, date(2018, 12, 29)),
        (date(2018, 12, 1), 30, date(2019, 1, 9)),
        (date(2018, 8, 1), 0, date(2018, 8, 1)),
    ],
)
def test_periods_in_calendar_days_end_on_a_working_day(event: date, length: int, last: date) -> None:
    assert end_of_period(event, length) == last


def test_a_period_has_no_negative_length() -> None:
    with pytest.raises(ValueError, match="no negative length"):
        add_working_days(date(2018, 8, 1), -1)
    with pytest.raises(ValueError, match="no negative length"):
        end_of_period(date(2018, 8, 1), -1)


def test_working_days_between_two_days() -> None:
    assert working_days_between(date(2018, 12, 27), date(2019, 1, 11)) == 5
    assert working_days_between(date(2018, 8, 31), date(2018, 8, 31)) == 0
    assert working_days_between(date(2018, 9, 14), date(2018, 8, 31)) == 0


@given(days, st.integers(1, 60))
def test_counting_there_and_back_agrees(event: date, n: int) -> None:
    last = add_working_days(event, n)
    assert is_working_day(last)
    assert working_days_between(event, last) == n


@given(days)
def test_the_next_working_day_skips_only_days_off(day: date) -> None:
    found = next_working_day(day)
    assert is_working_day(found)
    assert not any(is_working_day(day + i * DAY) for i in range((found - day).days))


def test_a_deadline_is_the_end_of_its_last_day() -> None:
    assert deadline(date(2018, 8, 31), 10, MOSCOW) == datetime(2018, 9, 14, 21, tzinfo=UTC)
    assert end_of_day(date(2018, 8, 31), MOSCOW) == datetime(2018, 8, 31, 21, tzinfo=UTC)


def test_years_around_the_table_are_known_as_far_as_the_law_goes() -> None:
    assert not is_working_day(date(2016, 2, 22))
    assert is_working_day(date(2016, 2, 20))
    assert not is_working_day(date(2017, 5, 8))
    assert not is_working_day(date(2028, 6, 12))
    assert is_working_day(date(2028, 6, 13))
