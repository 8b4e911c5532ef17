"""What the forms of a tender and a programme hold, with everything that is wrong with it by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from portal.core.errors import Problem
from portal.core.language import N_
from portal.tenders import rules as life

CODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,19}")
LONGEST_TITLE: Final = 300
LONGEST_NOTICE: Final = 20_000
LONGEST_REASON: Final = 1_000
DEFAULT_QUESTION_DAYS: Final = 5
MOST_QUESTION_DAYS: Final = 60


@dataclass(frozen=True, slots=True)
class TenderValues:
    """``opens`` and ``closes`` are wall-clock times of ``zone`` (IANA name), without zone.

    ``question_days``: working days before the closing until which questions are taken; None is the usual number.
    """

    code: str
    year: int | None
    title_ru: str = ""
    title_en: str = ""
    notice_ru: str = ""
    notice_en: str = ""
    zone: str = "Europe/Moscow"
    opens: datetime | None = None
    closes: datetime | None = None
    question_days: int | None = DEFAULT_QUESTION_DAYS

    def problems(self) -> list[Problem]:
        """All that is wrong; a draft may lack a language and its dates."""
        found = code_problems(self.code)
        if self.year is None or not 2000 <= self.year <= 2100:
            found.append(Problem("out_of_range", "year", N_("The year must be between 2000 and 2100.")))
        if self.question_days is not None and not 0 <= self.question_days <= MOST_QUESTION_DAYS:
            message = N_("Give a number of working days from 0 to %(most)s.", most=MOST_QUESTION_DAYS)
            found.append(Problem("out_of_range", "question_days", message))
        if not (self.title_ru.strip() or self.title_en.strip()):
            found.append(Problem("required", "title_ru", N_("Give a title.")))
        titles = dict.fromkeys(("title_ru", "title_en"), LONGEST_TITLE)
        notices = dict.fromkeys(("notice_ru", "notice_en"), LONGEST_NOTICE)
        found += too_long(asdict(self), titles | notices)
        if life.zone(self.zone) is None:
            found.append(Problem("unknown", "zone", N_("There is no such time zone.")))
            return found
        opens = at_wall(self.opens, self.zone, "opens", found)
        closes = at_wall(self.closes, self.zone, "closes", found)
        if opens is not None and closes is not None and closes <= opens:
            found.append(Problem("before_opening", "closes", N_("Intake must close after it opens.")))
        return found

    def columns(self) -> dict[str, Any]:
        """The columns of the tender's row."""
        ignored: list[Problem] = []
        texts = {name: getattr(self, name).strip() for name in ("title_ru", "title_en", "notice_ru", "notice_en")}
        return {
            "code": self.code,
            "year": self.year,
            **texts,
            "zone": self.zone,
            "question_days": DEFAULT_QUESTION_DAYS if self.question_days is None else self.question_days,
            "opens_at": at_wall(self.opens, self.zone, "opens", ignored),
            "closes_at": at_wall(self.closes, self.zone, "closes", ignored),
        }


@dataclass(frozen=True, slots=True)
class ProgrammeValues:
    """The code and the names of a funding programme."""

    code: str
    name_ru: str
    name_en: str

    def problems(self) -> list[Problem]:
        found = code_problems(self.code)
        found += [
            Problem("required", name, N_("Give the name in both languages."))
            for name in ("name_ru", "name_en")
            if not getattr(self, name).strip()
        ]
        return found + too_long(asdict(self), {"name_ru": LONGEST_TITLE, "name_en": LONGEST_TITLE})


def at_wall(wall: datetime | None, zone: str, field: str, found: list[Problem]) -> datetime | None:
    """The instant of a wall-clock time; a time that the zone's clocks skip becomes a problem of ``field``."""
    place = life.zone(zone)
    if wall is None or place is None:
        return None
    instant = life.instant(wall, place)
    if instant is None:
        found.append(Problem("skipped", field, N_("Clocks of this zone never show this time.")))
    return instant


def code_problems(code: str) -> list[Problem]:
    if CODE.fullmatch(code):
        return []
    return [Problem("format", "code", N_("A code has Latin letters, digits and hyphens, 20 at most."))]


def reason_problems(reason: str) -> list[Problem]:
    if not reason.strip():
        return [Problem("required", "reason", N_("Give the reason."))]
    return too_long({"reason": reason}, {"reason": LONGEST_REASON})


def too_long(values: Mapping[str, Any], limits: Mapping[str, int]) -> list[Problem]:
    """Texts that are longer than their limit, or that the database could not keep."""
    found = []
    for name, most in limits.items():
        if len(values[name]) > most:
            message = N_("This text must have at most %(most)s characters.", most=most)
            found.append(Problem("too_long", name, message))
        if not storable(values[name]):
            found.append(Problem("unstorable", name, UNSTORABLE))
    return found


UNSTORABLE: Final = N_("This text has characters that cannot be stored.")


def storable(value: object) -> bool:
    """Whether PostgreSQL can keep all texts in ``value``: no NUL and no half of a surrogate pair."""
    if isinstance(value, str):
        return "\x00" not in value and not any("\ud800" <= sign <= "\udfff" for sign in value)
    if isinstance(value, Mapping):
        return all(storable(key) and storable(inner) for key, inner in value.items())
    if isinstance(value, list | tuple):
        return all(map(storable, value))
    return True
