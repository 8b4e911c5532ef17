"""The tables of an import: their columns in both languages, and what an uploaded sheet says. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from portal.clusters import fields
from portal.clusters.models import ImportKind
from portal.core.errors import Problem
from portal.core.language import N_, Message, both

MAX_SHOWN: Final = 120


@dataclass(frozen=True, slots=True)
class Column:
    """A column: the key of :mod:`portal.clusters.fields`, its names, and an example for the template."""

    key: str
    ru: str
    en: str
    example: tuple[str, str]
    required: bool = False

    def name(self, locale: str) -> str:
        return self.ru if locale == "ru" else self.en


CLUSTERS: Final = (
    Column("code", "Код кластера", "Cluster code", ("DEMO-1", "DEMO-1"), required=True),
    Column("name_ru", "Название", "Name in Russian", ("Демо-кластер станкостроения",) * 2, required=True),
    Column("name_en", "Название на английском", "Name in English", ("Demo machine tool cluster",) * 2),
    Column("sector_ru", "Отрасль", "Sector in Russian", ("станкостроение",) * 2),
    Column("sector_en", "Отрасль на английском", "Sector in English", ("machine tools",) * 2),
    Column("regions", "Регионы", "Regions", ("36, 48", "36, 48"), required=True),
    Column("registered_on", "В реестре с", "In the register from", ("01.06.2016", "2016-06-01")),
    Column("valid_until", "В реестре до", "In the register until", ("01.06.2021", "2021-06-01")),
    Column("spec_inn", "ИНН специализированной организации", "INN of the specialised organisation", ("", "")),
    Column("spec_kpp", "КПП специализированной организации", "KPP of the specialised organisation", ("", "")),
)
MEMBERS: Final = (
    Column("cluster", "Код кластера", "Cluster code", ("DEMO-1", "DEMO-1"), required=True),
    Column("inn", "ИНН", "INN", ("3699900012",) * 2, required=True),
    Column("kpp", "КПП", "KPP", ("369901001",) * 2, required=True),
    Column("ogrn", "ОГРН", "OGRN", ("1163699000013",) * 2, required=True),
    Column("okved2", "ОКВЭД 2", "OKVED 2", ("28.14",) * 2, required=True),
    Column("region", "Регион", "Region", ("36",) * 2, required=True),
    Column("name_ru", "Название", "Name in Russian", ("ООО «Демо-Арматура»",) * 2, required=True),
    Column("name_en", "Название на английском", "Name in English", ("Demo Valves LLC",) * 2),
    Column("final_producer", "Конечный производитель", "Final producer", ("да", "yes")),
    Column("product", "Продукция", "Product", ("задвижки", "gate valves")),
    Column("special_territory", "Особая территория", "Special territory", ("нет", "no")),
    Column("spic", "СПИК", "Special investment contract", ("нет", "no")),
    Column("starting", "Ещё не производит", "Not producing yet", ("нет", "no")),
)
_INN: Final = ("3699900012", "3699900020")
SUPPLIES: Final = (
    Column("supplier_inn", "ИНН поставщика", "INN of the supplier", (_INN[0],) * 2, required=True),
    Column("supplier_kpp", "КПП поставщика", "KPP of the supplier", ("", "")),
    Column("buyer_inn", "ИНН покупателя", "INN of the buyer", (_INN[1],) * 2, required=True),
    Column("buyer_kpp", "КПП покупателя", "KPP of the buyer", ("", "")),
    Column("okpd2", "ОКПД 2", "OKPD 2", ("24.51.11",) * 2, required=True),
    Column("product_ru", "Продукция", "Product in Russian", ("отливки корпусов",) * 2, required=True),
    Column("product_en", "Продукция на английском", "Product in English", ("valve body castings",) * 2),
    Column("year", "Год", "Year", ("2017",) * 2, required=True),
    Column("volume", "Объём без НДС, руб.", "Volume without VAT, RUB", ("48500000", "48500000"), required=True),
)
FIGURES: Final = (
    Column("inn", "ИНН", "INN", (_INN[0],) * 2, required=True),
    Column("kpp", "КПП", "KPP", ("", "")),
    Column("year", "Год", "Year", ("2017",) * 2, required=True),
    Column("output", "Выпуск без НДС, руб.", "Output without VAT, RUB", ("210000000",) * 2, required=True),
    Column("exports", "В том числе экспорт, руб.", "Of it exports, RUB", ("12000000",) * 2, required=True),
    Column("jobs", "Рабочие места", "Jobs", ("180",) * 2, required=True),
    Column("hp_jobs", "Из них высокопроизводительные", "Of them high-productivity", ("104",) * 2, required=True),
    Column("value_added", "Добавленная стоимость, руб.", "Value added, RUB", ("84000000",) * 2),
)
TABLES: Final[Mapping[ImportKind, tuple[Column, ...]]] = {
    ImportKind.CLUSTERS: CLUSTERS,
    ImportKind.MEMBERS: MEMBERS,
    ImportKind.SUPPLIES: SUPPLIES,
    ImportKind.FIGURES: FIGURES,
}
KEYS: Final[Mapping[ImportKind, tuple[str, ...]]] = {
    ImportKind.CLUSTERS: ("code",),
    ImportKind.MEMBERS: ("cluster", "inn", "kpp"),
    ImportKind.SUPPLIES: ("supplier_inn", "supplier_kpp", "buyer_inn", "buyer_kpp", "okpd2", "year"),
    ImportKind.FIGURES: ("inn", "kpp", "year"),
}
"""What tells two rows of a table apart."""
READERS: Final[Mapping[ImportKind, Callable[[Mapping[str, str]], tuple[fields.Values, list[Problem]]]]] = {
    ImportKind.CLUSTERS: fields.cluster,
    ImportKind.MEMBERS: fields.member,
    ImportKind.SUPPLIES: fields.supply,
    ImportKind.FIGURES: fields.figures,
}

Fault = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sheet:
    """An uploaded table with its header understood: rows as (line, texts by key), faults of the header.

    ``first`` is the line on which each row's key stands first, ``organisations`` the line that says what an
    organisation is: a later line may not say otherwise.
    """

    kind: ImportKind
    rows: tuple[tuple[int, dict[str, str]], ...]
    faults: tuple[Fault, ...]
    first: Mapping[tuple[str, ...], int]
    organisations: Mapping[tuple[str, str], tuple[int, tuple[str, ...]]]


def fault(line: int, key: str, message: Message, value: str = "") -> Fault:
    """A fault as it is kept in the report."""
    return {"line": line, "field": key, "value": value[:MAX_SHOWN], "reason": both(message)}


def template(kind: ImportKind, locale: str) -> list[list[str]]:
    """The header and one example row; the example's check digits hold, its organisation does not exist."""
    place = 0 if locale == "ru" else 1
    return [
        [column.name(locale) for column in TABLES[kind]],
        [column.example[place] for column in TABLES[kind]],
    ]


def read(kind: ImportKind, table: Sequence[Sequence[str]]) -> Sheet:
    """Find the header (the first row that is not empty) and take the rows below it by its names."""
    start = next((number for number, row in enumerate(table) if _filled(row)), None)
    if start is None:
        return Sheet(kind, (), (fault(0, "", N_("The table is empty.")),), {}, {})
    keys, faults = _header(kind, table[start], start + 1)
    rows = tuple(
        (number + 1, {key: cell for key, cell in zip(keys, _padded(row, len(keys)), strict=True) if key})
        for number, row in enumerate(table)
        if number > start and _filled(row)
    )
    faults += [
        fault(number + 1, "", N_("This row has more cells than the header has columns."))
        for number, row in enumerate(table)
        if number > start and _filled(row[len(keys) :])
    ]
    if not rows:
        faults.append(fault(0, "", N_("There are no rows below the header.")))
    first: dict[tuple[str, ...], int] = {}
    organisations: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = {}
    if not faults:
        for line, texts in rows:
            first.setdefault(_key(kind, texts), line)
            if kind == ImportKind.MEMBERS:
                organisations.setdefault(_organisation(texts), (line, _details(texts)))
    return Sheet(kind, rows, tuple(faults), first, organisations)


def check_row(sheet: Sheet, line: int, texts: Mapping[str, str]) -> tuple[fields.Values, list[Fault]]:
    """The values of one row and everything that is wrong with it, as far as the file alone can tell."""
    values, problems = READERS[sheet.kind](texts)
    faults = [fault(line, p.field, p.message, texts.get(p.field, "")) for p in problems]
    first = sheet.first[_key(sheet.kind, texts)]
    own = TABLES[sheet.kind][0].key
    if first != line and not problems:
        message = N_("This repeats line %(line)s. Leave one of the two.", line=first)
        faults.append(fault(line, own, message, texts[own]))
    if sheet.kind == ImportKind.MEMBERS and not problems:
        told, details = sheet.organisations[_organisation(texts)]
        if details != _details(texts):
            message = N_("Line %(line)s describes the same organisation otherwise. Make them equal.", line=told)
            faults.append(fault(line, "inn", message, texts["inn"]))
    return values, faults


def _header(kind: ImportKind, row: Sequence[str], line: int) -> tuple[list[str], list[Fault]]:
    known = {_plain(name): column.key for column in TABLES[kind] for name in (column.ru, column.en, column.key)}
    keys, faults = [], []
    for cell in row:
        name = _plain(cell)
        key = known.get(name, "")
        if name and not key:
            faults.append(fault(line, "", N_("This column is not known. Use the names of the template."), cell))
        if key and key in keys:
            faults.append(fault(line, key, N_("This column is there twice."), cell))
        keys.append(key)
    for column in TABLES[kind]:
        if column.required and column.key not in keys:
            missing = N_("The column “%(column)s” is missing.", column={"ru": column.ru, "en": column.en})
            faults.append(fault(line, column.key, missing))
    return keys, faults


def _plain(name: str) -> str:
    return fields.tidy(name).rstrip("*").strip().casefold().replace("ё", "е")


def _filled(row: Sequence[str]) -> bool:
    return any(cell.strip() for cell in row)


def _padded(row: Sequence[str], width: int) -> list[str]:
    return [*row[:width], *[""] * (width - len(row))]


def _key(kind: ImportKind, texts: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(_identifier(texts.get(name, "")) for name in KEYS[kind])


def _organisation(texts: Mapping[str, str]) -> tuple[str, str]:
    return _identifier(texts["inn"]), _identifier(texts["kpp"])


def _details(texts: Mapping[str, str]) -> tuple[str, ...]:
    names = ("ogrn", "okved2", "region", "name_ru", "name_en")
    return tuple(fields.tidy(texts.get(name, "")) for name in names)


def _identifier(text: str) -> str:
    return "".join(text.split()).upper()
