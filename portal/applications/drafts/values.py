"""From what was typed to typed values: one reading per kind of field, with what to do where it fails.

Values are ready for JSON: strings of plain decimals, ISO dates, whole numbers, booleans, lists of codes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from babel import Locale

from portal.core import regions
from portal.core.canonical import plain_decimal
from portal.core.formats import EXAMPLE_DAY
from portal.core.identifiers import IdentifierError, check_okpd2, check_tn_ved
from portal.core.language import LOCALES, N_, Message
from portal.core.money import NumberError, parse_decimal, parse_money

MAX_TEXT: Final = 300
MAX_LONG: Final = 20_000
_MAX_COUNTRIES: Final = 50


class Kind(StrEnum):
    """What a field holds. ``CHOICES`` is typed as a ``FLAG`` for each answer; a ``FILE`` is attached, not typed."""

    TEXT = "text"
    LONG = "long"
    MONEY = "money"
    SIGNED_MONEY = "signed_money"
    PERCENT = "percent"
    SIGNED_PERCENT = "signed_percent"
    NUMBER = "number"
    WHOLE = "whole"
    DATE = "date"
    YES_NO = "yes_no"
    OKPD2 = "okpd2"
    TN_VED = "tn_ved"
    REGION = "region"
    COUNTRIES = "countries"
    CHOICE = "choice"
    CHOICES = "choices"
    FLAG = "flag"
    FILE = "file"


class Unreadable(ValueError):
    """What was typed is not of the field's kind; ``message`` says what to do."""

    def __init__(self, code: str, message: Message) -> None:
        self.code = code
        self.message = message
        super().__init__(code)


def tidy(text: str) -> str:
    """The text as the database can keep it: no NUL, no lone surrogates, plain line ends."""
    kept = text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "\ufffd")
    return kept.replace("\r\n", "\n").replace("\r", "\n")


def longest(kind: Kind) -> int:
    """How many characters a field of this kind keeps."""
    return MAX_LONG if kind is Kind.LONG else MAX_TEXT


def read(kind: Kind, text: str) -> Any:
    """The value of what was typed; None for nothing. Raises :class:`Unreadable`."""
    text = text.strip()
    if not text:
        return None
    try:
        return _figure(kind, text) if kind in _FIGURES else _READERS[kind](text)
    except (NumberError, IdentifierError) as error:
        raise Unreadable(error.code, error.message) from None


@lru_cache(maxsize=4096)
def _figure(kind: Kind, text: str) -> str:
    """Each page of a draft reads the same hundreds of cells again."""
    figure: str = _READERS[kind](text)
    return figure


def _money(text: str) -> str:
    return format(parse_money(text), "f")


def _signed_money(text: str) -> str:
    return format(parse_money(text, allow_negative=True), "f")


def _percent(text: str) -> str:
    return plain_decimal(parse_decimal(text, maximum=Decimal(100)))


def _signed_percent(text: str) -> str:
    return plain_decimal(parse_decimal(text, minimum=Decimal(-1000), maximum=Decimal(1000)))


def _number(text: str) -> str:
    return plain_decimal(parse_decimal(text, places=4, maximum=Decimal(10) ** 12))


def _whole(text: str) -> int:
    return int(parse_decimal(text, places=0, maximum=Decimal(10) ** 9))


def _date(text: str) -> str:
    """``31.08.2018`` as people write it, or ``2018-08-31``."""
    parts = text.replace("/", ".").split(".")
    try:
        if len(parts) == 3:
            day, month, year = (int(part) for part in parts)
            return date(year, month, day).isoformat()
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise Unreadable(
            "not_date", N_("Enter a date as day, month and year, for example %(day)s.", day=EXAMPLE_DAY)
        ) from None


def _yes_no(text: str) -> bool:
    if text not in ("yes", "no"):
        raise Unreadable("not_answer", N_("Choose yes or no."))
    return text == "yes"


def _flag(text: str) -> bool | None:
    """A ticked box; None for one that is not."""
    return True if text == "yes" else None


def _untyped(text: str) -> None:
    raise Unreadable("not_typed", N_("This is not typed here."))


def _region(text: str) -> str:
    if regions.find(text) is None:
        raise Unreadable("unknown_region", N_("Choose a region from the list."))
    return text


@lru_cache(maxsize=1)
def _countries_by_name() -> Mapping[str, str]:
    """Country names of both languages, folded, and codes -> ISO 3166-1 alpha-2."""
    found: dict[str, str] = {}
    for locale in LOCALES:
        for code, name in Locale.parse(locale).territories.items():
            if len(code) == 2 and code.isalpha() and code not in ("ZZ", "EU", "EZ", "UN", "XA", "XB"):
                found[name.casefold().replace("ё", "е")] = code
                found[code.casefold()] = code
    return found


def _countries(text: str) -> list[str]:
    """Names or codes set off by commas, semicolons or new lines; sorted codes."""
    known = _countries_by_name()
    names = [name.strip() for name in text.replace(";", ",").replace("\n", ",").split(",") if name.strip()]
    unknown = [name for name in names if name.casefold().replace("ё", "е") not in known]
    if unknown:
        message = N_("There is no country called %(name)s. Use the short name or the two-letter code.")
        raise Unreadable("unknown_country", Message(message.msgid, {"name": unknown[0][:60]}))
    if len(names) > _MAX_COUNTRIES:
        raise Unreadable("too_many", N_("Name no more than 50 countries."))
    return sorted({known[name.casefold().replace("ё", "е")] for name in names})


_FIGURES: Final = frozenset({Kind.MONEY, Kind.SIGNED_MONEY, Kind.PERCENT, Kind.SIGNED_PERCENT, Kind.NUMBER})
_READERS: Final[Mapping[Kind, Callable[[str], Any]]] = {
    Kind.TEXT: str,
    Kind.LONG: str,
    Kind.MONEY: _money,
    Kind.SIGNED_MONEY: _signed_money,
    Kind.PERCENT: _percent,
    Kind.SIGNED_PERCENT: _signed_percent,
    Kind.NUMBER: _number,
    Kind.WHOLE: _whole,
    Kind.DATE: _date,
    Kind.YES_NO: _yes_no,
    Kind.OKPD2: check_okpd2,
    Kind.TN_VED: check_tn_ved,
    Kind.REGION: _region,
    Kind.COUNTRIES: _countries,
    Kind.CHOICE: str,
    Kind.CHOICES: _untyped,
    Kind.FLAG: _flag,
    Kind.FILE: _untyped,
}
