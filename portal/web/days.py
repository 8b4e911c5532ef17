"""Days as people type them, and the instants at which they begin in Moscow."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from portal.core.clock import MOSCOW

_FORMATS: Final = ("%d.%m.%Y", "%Y-%m-%d")


def read_day(text: str) -> date | None:
    """``31.08.2018`` or ``2018-08-31``; None for anything else, and outside the years 2000 to 2100."""
    for form in _FORMATS:
        try:
            day = datetime.strptime(text.strip(), form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
        return day if 2000 <= day.year <= 2100 else None
    return None


def begins(day: date) -> datetime:
    """The first instant of a day in Moscow."""
    return datetime(day.year, day.month, day.day, tzinfo=MOSCOW)


def ends(day: date) -> datetime:
    """The first instant after a day in Moscow."""
    return begins(day + timedelta(days=1))


def written(day: date | None) -> str:
    """As inputs show it."""
    return f"{day:%d.%m.%Y}" if day else ""
