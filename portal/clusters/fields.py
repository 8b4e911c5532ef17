"""Clusters and members as people write them: every field checked, every problem found. Pure.

A form and an import give the same texts, so that both say the same about the same mistake. A key that is not
among the texts is not among the values either: an import without a column leaves that column as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from portal.clusters.rules import MAX_PRODUCT
from portal.core import regions
from portal.core.errors import Problem
from portal.core.identifiers import (
    IdentifierError,
    check_inn,
    check_kpp,
    check_ogrn,
    check_ogrnip,
    check_okved2,
)
from portal.core.language import N_

MAX_NAME: Final = 300
MAX_SECTOR: Final = 200

Values = dict[str, Any]

_CODE: Final = re.compile(r"[0-9A-Za-zА-Яа-яЁё._-]{1,20}")
_BETWEEN: Final = re.compile(r"[\s,;]+")
_YES: Final = frozenset({"1", "yes", "y", "true", "да", "д", "+", "истина"})
_NO: Final = frozenset({"", "0", "no", "n", "false", "нет", "н", "-", "ложь"})
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def cluster(texts: Mapping[str, str]) -> tuple[Values, list[Problem]]:
    """Columns of a cluster from texts, and all problems; ``spec_inn``, ``spec_kpp`` stay as identifiers."""
    read = _Reading(texts)
    read.each("code", _code)
    read.each("name_ru", _required_name)
    read.each("name_en", _text(MAX_NAME))
    read.each("sector_ru", _text(MAX_SECTOR))
    read.each("sector_en", _text(MAX_SECTOR))
    read.each("regions", _regions)
    read.each("registered_on", _day)
    read.each("valid_until", _day)
    registered_on, valid_until = read.values.get("registered_on"), read.values.get("valid_until")
    if registered_on and valid_until and valid_until < registered_on:
        read.add("dates", "valid_until", N_("The entry cannot end before it begins."))
    read.each("spec_inn", lambda text: check_inn(text) if text else None)
    read.each("spec_kpp", lambda text: check_kpp(text) if text else None)
    if texts.get("spec_kpp", "").strip() and not texts.get("spec_inn", "").strip():
        read.add("empty", "spec_inn", N_("Enter the INN too: a KPP alone does not tell the organisation."))
    return read.values, read.problems


def member(texts: Mapping[str, str]) -> tuple[Values, list[Problem]]:
    """Columns of an organisation and its membership from texts, and all problems."""
    read = _Reading(texts)
    read.each("cluster", _code)
    read.each("inn", check_inn)
    inn = read.values.get("inn", "")
    read.each("kpp", _kpp_for(inn))
    read.each("ogrn", check_ogrnip if len(inn) == 12 else check_ogrn)
    read.each("okved2", check_okved2)
    read.each("region", _region)
    read.each("name_ru", _required_name)
    read.each("name_en", _text(MAX_NAME))
    read.each("final_producer", yes_or_no)
    read.each("product", _text(MAX_PRODUCT))
    return read.values, read.problems


class FieldError(ValueError):
    """A text that is not a value of its field."""

    def __init__(self, code: str, problem: Any) -> None:
        self.code = code
        self.message = problem
        super().__init__(code)


class _Reading:
    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts
        self.values: Values = {}
        self.problems: list[Problem] = []

    def each(self, key: str, check: Callable[[str], Any]) -> None:
        if key not in self.texts:
            return
        try:
            self.values[key] = check(tidy(self.texts[key]))
        except (FieldError, IdentifierError) as error:
            self.add(error.code, key, error.message)

    def add(self, code: str, key: str, message: Any) -> None:
        self.problems.append(Problem(code, key, message))


def tidy(text: str) -> str:
    """The text on one line, composed, without characters that cannot be seen (controls, bidi marks)."""
    spaced = " ".join(unicodedata.normalize("NFC", text).split())
    return "".join(c for c in spaced if unicodedata.category(c) not in _INVISIBLE)


def yes_or_no(text: str) -> bool:
    if text.casefold() in _YES:
        return True
    if text.casefold() in _NO:
        return False
    raise FieldError("format", N_("Write yes or no."))


def _code(text: str) -> str:
    if not text:
        raise FieldError("empty", N_("Enter the code of the cluster."))
    if _CODE.fullmatch(text) is None:
        raise FieldError("format", N_("A code has up to 20 letters, digits, points or hyphens, and no spaces."))
    return text


def _required_name(text: str) -> str:
    if not text:
        raise FieldError("empty", N_("Enter the name in Russian."))
    return _text(MAX_NAME)(text)


def _text(maximum: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if len(text) > maximum:
            raise FieldError("too_long", N_("Shorten this to %(limit)s characters.", limit=maximum))
        return text

    return check


def _regions(text: str) -> list[str]:
    codes = list(dict.fromkeys(_region(part) for part in _BETWEEN.split(text) if part))
    if not codes:
        raise FieldError("empty", N_("Enter the codes of the regions, for example 36 or 50, 69."))
    return codes


def _region(text: str) -> str:
    # A spreadsheet takes the zero of 02 away.
    code = text.zfill(2)
    if regions.find(code) is None:
        raise FieldError(
            "unknown",
            N_("There is no region with the code %(code)s. Enter two digits, for example 36.", code=text[:20]),
        )
    return code


def _day(text: str) -> date | None:
    if not text:
        return None
    for form in ("%Y-%m-%d", "%d.%m.%Y"):
        try:
            day = datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
        except ValueError:
            continue
        if 1991 <= day.year <= 2100:
            return day
    raise FieldError("format", N_("Enter a date, for example 01.06.2016."))


def _kpp_for(inn: str) -> Callable[[str], str | None]:
    def check(text: str) -> str | None:
        if len(inn) == 12:
            if text:
                raise FieldError("unexpected", N_("An entrepreneur has no KPP. Leave the KPP empty."))
            return None
        return check_kpp(text)

    return check
