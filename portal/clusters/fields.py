"""Clusters and members as people write them: every field checked, every problem found. Pure.

A form and an import give the same texts, so that both say the same about the same mistake. A key that is not
among the texts is not among the values either: an import without a column leaves that column as it is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
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
    check_okpd2,
    check_okved2,
)
from portal.core.language import N_
from portal.core.money import NumberError, parse_decimal, parse_money

MAX_NAME: Final = 300
MAX_SECTOR: Final = 200
MARKS: Final = ("special_territory", "spic", "starting")
"""Marks of a member that Decree 779 asks for; see :class:`~portal.clusters.models.ClusterMember`."""

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
    for mark in MARKS:
        read.each(mark, yes_or_no)
    return read.values, read.problems


def supply(texts: Mapping[str, str]) -> tuple[Values, list[Problem]]:
    """A line of the functional map from texts, and all problems; the parties stay as identifiers."""
    read = _Reading(texts)
    for party in ("supplier", "buyer"):
        read.each(f"{party}_inn", check_inn)
        read.each(f"{party}_kpp", lambda text: check_kpp(text) if text else None)
    read.each("okpd2", check_okpd2)
    read.each("product_ru", _required_product)
    read.each("product_en", _text(MAX_PRODUCT))
    read.each("year", year)
    read.each("volume", _positive_money)
    same = read.values.get("supplier_inn") == read.values.get("buyer_inn")
    if "supplier_inn" in read.values and same and texts.get("supplier_kpp") == texts.get("buyer_kpp"):
        read.add("parties", "buyer_inn", N_("The supplier and the buyer are the same organisation."))
    return read.values, read.problems


def figures(texts: Mapping[str, str]) -> tuple[Values, list[Problem]]:
    """A member's figures of a year from texts, and all problems."""
    read = _Reading(texts)
    read.each("inn", check_inn)
    read.each("kpp", lambda text: check_kpp(text) if text else None)
    read.each("year", year)
    read.each("output", parse_money)
    read.each("exports", lambda text: parse_money(text or "0"))
    read.each("jobs", _count)
    read.each("hp_jobs", lambda text: _count(text or "0"))
    read.each("value_added", lambda text: parse_money(text, allow_negative=True) if text else None)
    output, exports = read.values.get("output"), read.values.get("exports")
    if output is not None and exports is not None and exports > output:
        read.add("too_large", "exports", N_("The exports cannot be more than the whole output."))
    jobs, hp_jobs = read.values.get("jobs"), read.values.get("hp_jobs")
    if jobs is not None and hp_jobs is not None and hp_jobs > jobs:
        read.add("too_large", "hp_jobs", N_("There cannot be more high-productivity jobs than jobs."))
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
        except (FieldError, IdentifierError, NumberError) as error:
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


def year(text: str) -> int:
    """A reporting year from 2000 to 2100."""
    if not re.fullmatch("2[0-9]{3}", text) or int(text) > 2100:
        raise FieldError("format", N_("Enter a year with four digits, for example 2017."))
    return int(text)


def day(text: str) -> date | None:
    """A date as people write it, or None for an empty text."""
    return _day(text)


def _count(text: str) -> int:
    return int(parse_decimal(text, places=0, maximum=Decimal(10_000_000)))


def _positive_money(text: str) -> Decimal:
    amount = parse_money(text)
    if amount == 0:
        raise FieldError("too_small", N_("Enter an amount above zero."))
    return amount


def _required_product(text: str) -> str:
    if not text:
        raise FieldError("empty", N_("Enter the product."))
    return _text(MAX_PRODUCT)(text)


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
