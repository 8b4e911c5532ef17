"""The Russian working calendar of a five-day week, and the periods counted by it.

Days off and working Saturdays come from `holidays` (RU), with the exceptions it lacks. For 2018 to 2027 they
were compared with the Government's yearly transfers, and a test holds them to that table. **Other years** are
`holidays` as it stands: 2016 and 2017 hold, and from 2028 on only the permanent holidays of article 112 of
the Labour Code are known, so that a period may shift by a day or two once the transfers are decreed.

The paid "non-working days" of spring 2020, and of May and November 2021, are working days here: they are
no holidays by the Labour Code.

Counting follows articles 190 to 194 of the Civil Code: a period starts on the day **after** its event; one
in calendar days that would end on a day off ends on the next working day; the last day lasts until 24:00.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import Final

from holidays import country_holidays

SATURDAY: Final = 5
DAY: Final = timedelta(days=1)

# Days off decreed during the year (Victory Parade and the vote on the Constitution).
_DECREED_OFF: Final = frozenset({date(2020, 6, 24), date(2020, 7, 1)})


def is_working_day(day: date) -> bool:
    """Whether ``day`` is worked in a five-day week: weekdays that are not off, and the decreed Saturdays."""
    off, worked = _exceptions(day.year)
    return day in worked if day.weekday() >= SATURDAY else day not in off


def next_working_day(day: date) -> date:
    """``day`` itself when it is worked, else the first working day after it."""
    while not is_working_day(day):
        day += DAY
    return day


def add_working_days(event: date, n: int) -> date:
    """The last day of a period of ``n`` working days ("рабочих дней") that follows ``event``.

    The day after the event is the first to count. ``n == 0`` gives the day of the event, or the next working
    day when that is off. Raises ``ValueError`` for a negative ``n``.
    """
    if n < 0:
        raise ValueError("a period has no negative length")
    if n == 0:
        return next_working_day(event)
    day = event
    for _ in range(n):
        day = next_working_day(day + DAY)
    return day


def subtract_working_days(event: date, n: int) -> date:
    """The ``n``-th working day before ``event``.

    For a working day as event, ``add_working_days`` leads back to it. ``n == 0`` gives the day of the event.
    Raises ``ValueError`` for a negative ``n``.
    """
    if n < 0:
        raise ValueError("a period has no negative length")
    day = event
    for _ in range(n):
        day -= DAY
        while not is_working_day(day):
            day -= DAY
    return day


def working_days_between(event: date, day: date) -> int:
    """How many working days have been counted by ``day`` in a period that follows ``event``.

    Counts the days after ``event`` up to and including ``day``; 0 when ``day`` is not later.
    """
    return sum(is_working_day(event + i * DAY) for i in range(1, (day - event).days + 1))


def end_of_period(event: date, days: int) -> date:
    """The last day of a period of ``days`` calendar days ("дней") that follows ``event``.

    When that day is off, the period ends on the next working day. Raises ``ValueError`` if negative.
    """
    if days < 0:
        raise ValueError("a period has no negative length")
    return next_working_day(event + days * DAY)


def end_of_day(day: date, zone: tzinfo) -> datetime:
    """24:00 of ``day`` in ``zone``, which is 00:00 of the next day: in time is what happens **before** it."""
    return datetime.combine(day + DAY, time.min, zone)


def deadline(event: date, working_days: int, zone: tzinfo) -> datetime:
    """The instant at which a period of ``working_days`` after ``event`` is over.

    It is 24:00 of the last day, given as 00:00 of the day after it, and exclusive: an act is in time when
    ``act < deadline(...)``. So no microsecond is lost, as it would be with 23:59:59.
    """
    return end_of_day(add_working_days(event, working_days), zone)


@lru_cache(maxsize=64)
def _exceptions(year: int) -> tuple[frozenset[date], frozenset[date]]:
    """(days off, weekend days worked) of one year."""
    calendar = country_holidays("RU", years=year)
    return frozenset(calendar) | _DECREED_OFF, frozenset(calendar.weekend_workdays)
