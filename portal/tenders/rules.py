"""The life of a tender as arithmetic: its status, what each status allows, wall-clock times."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from portal.core import calendar
from portal.core.errors import Problem
from portal.core.language import N_, Message
from portal.tenders.models import Track
from portal.tenders.rulebook import load_rulebook
from portal.tenders.ruleset import RuleSet


class TenderStatus(StrEnum):
    """Derived from the instants of a tender, never stored."""

    DRAFT = "draft"
    ANNOUNCED = "announced"
    OPEN = "open"
    CLOSED = "closed"
    DECIDED = "decided"
    CANCELLED = "cancelled"

    @property
    def wording(self) -> Message:
        return _STATUSES[self]


_STATUSES: Final = {
    TenderStatus.DRAFT: N_("In preparation"),
    TenderStatus.ANNOUNCED: N_("Announced"),
    TenderStatus.OPEN: N_("Accepting applications"),
    TenderStatus.CLOSED: N_("Under evaluation"),
    TenderStatus.DECIDED: N_("Results published"),
    TenderStatus.CANCELLED: N_("Cancelled"),
}

TRACK_NAMES: Final = {
    Track.IMPORT_SUBSTITUTION: N_("Import substitution"),
    Track.EXPORT: N_("Export"),
}

ZONES: Final = (
    "Europe/Kaliningrad",
    "Europe/Moscow",
    "Europe/Samara",
    "Asia/Yekaterinburg",
    "Asia/Omsk",
    "Asia/Krasnoyarsk",
    "Asia/Irkutsk",
    "Asia/Yakutsk",
    "Asia/Vladivostok",
    "Asia/Magadan",
    "Asia/Kamchatka",
)
"""The zones a tender may be held in, west to east: one for each time zone of the country."""

ALLOWED: Final = {
    "edit": frozenset({TenderStatus.DRAFT}),
    "publish": frozenset({TenderStatus.DRAFT}),
    "amend": frozenset({TenderStatus.ANNOUNCED, TenderStatus.OPEN, TenderStatus.CLOSED}),
    "extend": frozenset({TenderStatus.ANNOUNCED, TenderStatus.OPEN}),
    "except": frozenset({TenderStatus.ANNOUNCED, TenderStatus.OPEN, TenderStatus.CLOSED}),
    "cancel": frozenset({TenderStatus.DRAFT, TenderStatus.ANNOUNCED, TenderStatus.OPEN, TenderStatus.CLOSED}),
    "decide": frozenset({TenderStatus.CLOSED}),
}
"""Verb -> the statuses in which it may be done."""


class Dated(Protocol):
    """What the status follows from."""

    published_at: datetime | None
    opens_at: datetime | None
    closes_at: datetime | None
    results_published_at: datetime | None
    cancelled_at: datetime | None


def status(tender: Dated, now: datetime) -> TenderStatus:
    """The status at the instant ``now``; :data:`portal.tenders.queries.STATUS` is the same in SQL."""
    if tender.cancelled_at is not None:
        return TenderStatus.CANCELLED
    if tender.published_at is None or tender.opens_at is None or tender.closes_at is None:
        return TenderStatus.DRAFT
    if tender.results_published_at is not None:
        return TenderStatus.DECIDED
    if now < tender.opens_at:
        return TenderStatus.ANNOUNCED
    return TenderStatus.OPEN if now < tender.closes_at else TenderStatus.CLOSED


def zone(name: str) -> ZoneInfo | None:
    """The time zone of a name of :data:`ZONES`, or None."""
    return ZoneInfo(name) if name in ZONES else None


def instant(wall: datetime, place: ZoneInfo) -> datetime | None:
    """The instant at which clocks in ``place`` show ``wall``; None where they skip that time."""
    found = wall.replace(tzinfo=place)
    shown = datetime.fromtimestamp(found.timestamp(), place)
    return found if shown.replace(tzinfo=None) == wall else None


def official_rules(track: Track, year: int) -> RuleSet:
    """The official rulebook for a tender of ``year``: its years and first day of costs move with it.

    The tender of 2018 gave 2018-2020 to import substitution and 2019-2021 to export, with costs since 2015.
    """
    first = year + (track is Track.EXPORT)
    rules = load_rulebook(track, range(first, first + 3))
    return replace(rules, version=f"{year}.1", costs_from=date(year - 3, 1, 1))


def publication_problems(tender: Dated, now: datetime) -> list[Problem]:
    """What a notice still lacks; the texts are checked by their field names."""
    found = [
        Problem("required", name, N_("Give this text in both languages before publishing."))
        for name in ("title_ru", "title_en", "notice_ru", "notice_en")
        if not getattr(tender, name).strip()
    ]
    if tender.opens_at is None:
        found.append(Problem("required", "opens", N_("Give the time at which intake opens.")))
    if tender.closes_at is None:
        found.append(Problem("required", "closes", N_("Give the time at which intake closes.")))
    elif tender.closes_at <= now:
        found.append(Problem("past", "closes", N_("Intake must close in the future.")))
    return found


def publication_warnings(
    tender: Dated, year: int, rules: list[RuleSet], now: datetime, place: ZoneInfo
) -> list[Message]:
    """What is unusual about the dates, though not forbidden: the person who publishes decides."""
    if tender.opens_at is None or tender.closes_at is None:
        return []
    found = []
    opens = tender.opens_at.astimezone(place).date()
    closes = tender.closes_at.astimezone(place).date()
    notice = max((held.notice_days for held in rules), default=0)
    announced = calendar.working_days_between(now.astimezone(place).date(), opens)
    if announced < notice:
        message = N_(
            "Between the notice and the opening there are %(days)s working days, fewer than %(usual)s.",
            days=announced,
            usual=notice,
        )
        found.append(message)
    intake = max((held.intake_calendar_days for held in rules), default=0)
    if (closes - opens).days < intake:
        message = N_(
            "Intake lasts %(days)s calendar days, fewer than %(usual)s.",
            days=(closes - opens).days,
            usual=intake,
        )
        found.append(message)
    if not calendar.is_working_day(closes):
        found.append(N_("Intake closes on a day off."))
    if any(held.years[-1] < year for held in rules):
        found.append(N_("The years of a rule set end before the year of the tender."))
    return found
