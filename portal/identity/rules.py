"""What an organisation's profile must be. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from portal.core import identifiers, regions
from portal.core.errors import Problem
from portal.core.identifiers import IdentifierError
from portal.core.language import N_, Message
from portal.core.money import NumberError, parse_decimal, parse_money
from portal.identity.sme import NONE, SIZES, status

INVITATION_LIFETIME: Final = timedelta(days=14)
MAX_NAME: Final = 300
MAX_PERSON_NAME: Final = 200
MAX_HEADCOUNT: Final = 5_000_000
_EMPTY: Final = {
    "inn": N_("Enter the INN."),
    "kpp": N_("Enter the KPP."),
    "ogrn": N_("Enter the OGRN."),
    "okved2": N_("Enter the main activity by OKVED 2."),
    "name_ru": N_("Enter the name in Russian."),
    "name_en": N_("Enter the name in English."),
}
"""Said of fields left empty, so that the lines of a summary can be told apart."""


@dataclass(frozen=True, slots=True)
class Profile:
    """An organisation's checked values, ready for its columns; ``income`` in roubles a year, share in %."""

    inn: str
    kpp: str | None
    ogrn: str
    okved2: str
    region: str
    name_ru: str
    name_en: str
    sme: str
    headcount: int | None
    income: Decimal | None
    offshore_share: Decimal | None
    state_share: Decimal | None = None
    large_share: Decimal | None = None


def check_profile(values: Mapping[str, str]) -> tuple[Profile | None, list[Problem]]:
    """Read what was typed. Gives the profile, or None with every problem by field.

    ``values`` are texts by the names of :class:`Profile`; ``sme`` is a category, or "" for the one that
    follows from headcount, income and owners.
    """
    reading = _Reading(values)
    person = len("".join(reading.text("inn").split())) == 12
    inn = reading.identifier("inn", identifiers.check_inn)
    kpp = _kpp(reading, person)
    ogrn = reading.identifier("ogrn", identifiers.check_ogrnip if person else identifiers.check_ogrn)
    okved2 = reading.identifier("okved2", identifiers.check_okved2)
    region = reading.region()
    name_ru = reading.name("name_ru")
    name_en = reading.name("name_en")
    headcount = reading.headcount()
    income = reading.number("income", lambda text: parse_money(text))
    offshore_share = reading.number("offshore_share", lambda text: parse_decimal(text, maximum=Decimal(100)))
    state_share = reading.number("state_share", lambda text: parse_decimal(text, maximum=Decimal(100)))
    large_share = reading.number("large_share", lambda text: parse_decimal(text, maximum=Decimal(100)))
    if (state_share or 0) + (large_share or 0) > 100:
        reading.add("too_large", "large_share", N_("The shares of the owners add up to more than 100 per cent."))
    sme = reading.sme() or status(headcount, income, okved2, state_share, large_share).category or NONE
    if reading.problems:
        return None, reading.problems
    profile = Profile(
        inn=inn,
        kpp=kpp,
        ogrn=ogrn,
        okved2=okved2,
        region=region,
        name_ru=name_ru,
        name_en=name_en,
        sme=sme,
        headcount=headcount,
        income=income,
        offshore_share=offshore_share,
        state_share=state_share,
        large_share=large_share,
    )
    return profile, []


def _kpp(reading: _Reading, person: bool) -> str | None:
    if not person:
        return reading.identifier("kpp", identifiers.check_kpp)
    if reading.text("kpp"):
        reading.add("not_for_person", "kpp", N_("An entrepreneur has no KPP: leave this empty."))
    return None


class _Reading:
    """Reads typed fields and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.problems: list[Problem] = []

    def add(self, code: str, field: str, message: Message) -> None:
        self.problems.append(Problem(code, field, message))

    def text(self, field: str) -> str:
        return " ".join((self._values.get(field) or "").replace("\x00", "").split())

    def identifier(self, field: str, check: Callable[[str], str]) -> str:
        try:
            return check(self.text(field))
        except IdentifierError as error:
            self.add(error.code, field, _EMPTY[field] if error.code == "empty" else error.message)
            return ""

    def number(self, field: str, parse: Callable[[str], Decimal]) -> Decimal | None:
        text = self.text(field)
        if not text:
            return None
        try:
            return parse(text)
        except NumberError as error:
            self.add(error.code, field, error.message)
            return None

    def headcount(self) -> int | None:
        read = self.number("headcount", lambda text: parse_decimal(text, places=0, maximum=Decimal(MAX_HEADCOUNT)))
        return None if read is None else int(read)

    def region(self) -> str:
        code = self.text("region")
        if regions.find(code) is None:
            self.add("unknown", "region", N_("Choose the region from the list."))
        return code

    def name(self, field: str) -> str:
        text = self.text(field)
        if not text:
            self.add("empty", field, _EMPTY[field])
        elif len(text) > MAX_NAME:
            self.add("too_long", field, N_("Shorten this to %(limit)s characters.", limit=MAX_NAME))
        return text

    def sme(self) -> str:
        wish = self.text("sme")
        if wish and wish not in SIZES:
            self.add("unknown", "sme", N_("Choose a category from the list."))
        return wish


def check_person_name(text: str) -> tuple[str, list[Problem]]:
    """A person's full name with single spaces, and what is wrong with it."""
    name = " ".join(text.replace("\x00", "").split())
    if not name:
        return name, [Problem("empty", "full_name", N_("Enter your full name."))]
    if len(name) > MAX_PERSON_NAME:
        limit = N_("Shorten this to %(limit)s characters.", limit=MAX_PERSON_NAME)
        return name, [Problem("too_long", "full_name", limit)]
    return name, []
