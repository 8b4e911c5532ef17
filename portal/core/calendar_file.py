"""Calendars as files that calendar programs subscribe to: iCalendar (RFC 5545).

Instants are written in UTC, days as ``VALUE=DATE`` (whole days, the end exclusive). The identifier of an event never
changes; ``sequence`` and ``stamp`` grow when its time does, so that programs replace what they have.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from icalendar import Event as Component

PRODUCT: Final = "-//Joint Projects Portal//Calendar//EN"
MEDIA_TYPE: Final = "text/calendar; charset=utf-8"
REFRESH: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Event:
    """One entry: an instant ``at``, or a whole ``day``; exactly one of them is given."""

    uid: str
    title: str
    stamp: datetime
    at: datetime | None = None
    day: date | None = None
    note: str = ""
    url: str = ""
    sequence: int = 0
    cancelled: bool = False


def write(events: Iterable[Event], name: str) -> bytes:
    """The calendar as a file: CRLF lines of at most 75 octets, texts escaped."""
    from icalendar import Calendar  # half a second of every start that few processes ever need

    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    for event in events:
        calendar.add_component(_component(event))
    written: bytes = calendar.to_ical()
    return written


def _component(event: Event) -> Component:
    from icalendar import Event as Component

    made = Component()
    made.add("uid", event.uid)
    made.add("dtstamp", event.stamp.astimezone(UTC))
    made.add("last-modified", event.stamp.astimezone(UTC))
    made.add("sequence", event.sequence)
    if event.at is not None:
        made.add("dtstart", event.at.astimezone(UTC).replace(microsecond=0))
    else:
        assert event.day is not None
        made.add("dtstart", event.day)
        made.add("dtend", event.day + timedelta(days=1))
    made.add("summary", _plain(event.title))
    if event.note:
        made.add("description", _plain(event.note))
    if event.url:
        made.add("url", event.url)
    if event.cancelled:
        made.add("status", "CANCELLED")
    made.add("transp", "TRANSPARENT")
    return made


def _plain(text: str) -> str:
    """Without control characters, which no line may hold; line breaks stay and are escaped."""
    return "".join(
        sign for sign in text.replace("\r\n", "\n") if sign == "\n" or sign.isprintable() or sign == "\u00a0"
    )
