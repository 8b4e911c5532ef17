"""Tables that people download: no cell of them is ever a formula, the header included."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import xlsxwriter

from portal.documents.kinds import CSV, XLSX

_ORDERS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_MAX_WIDTH: Final = 60

_EXACT_DIGITS: Final = 15
_NAME: Final = 31
_UNFIT: Final = "[]:*?/\\'"

Rows = Iterable[Sequence[str]]


def as_csv(rows: Rows) -> bytes:
    """UTF-8 with a mark and semicolons, for Russian Excel; a cell like a formula gets an apostrophe."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    for row in rows:
        writer.writerow([f"'{cell}" if cell.startswith(_ORDERS) else cell for cell in row])
    return text.getvalue().encode("utf-8-sig")


def as_xlsx(rows: Rows) -> bytes:
    """One sheet of texts with a fixed, bold header; every cell is a text, so that zeros in front stay."""
    held = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(held, options) as book:
        sheet = book.add_worksheet()
        head, text = book.add_format({"bold": True, "num_format": "@"}), book.add_format({"num_format": "@"})
        widths: dict[int, int] = {}
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                sheet.write_string(number, place, cell, text if number else head)
                widths[place] = min(max(widths.get(place, 8), len(cell) + 2), _MAX_WIDTH)
        for place, width in widths.items():
            sheet.set_column(place, place, width, text)
        sheet.freeze_panes(1, 0)
    return held.getvalue()


@dataclass(frozen=True, slots=True)
class Formula:
    """A cell that a spreadsheet computes; ``value`` is what it comes to now. Only ours, never of what was typed."""

    text: str
    value: Decimal


Cell = str | Decimal | Formula


@dataclass(frozen=True, slots=True)
class Page:
    """A sheet of a workbook. Rows before ``head`` are notes; ``head`` is the row of headings, from 0."""

    name: str
    rows: Sequence[Sequence[Cell]]
    head: int = 0


def as_workbook(pages: Iterable[Page]) -> bytes:
    """Several sheets with numbers as numbers and texts as texts: what was typed is never a formula.

    A number that a spreadsheet cannot hold exactly (more than 15 digits) is written as a text.
    """
    held = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    taken: set[str] = set()
    with xlsxwriter.Workbook(held, options) as book:
        formats = {
            "head": book.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"}),
            "note": book.add_format({"font_color": "#4a5468"}),
            "text": book.add_format({"num_format": "@", "text_wrap": True, "valign": "top"}),
            "number": book.add_format({"num_format": "#,##0.00##", "valign": "top"}),
            "sum": book.add_format({"num_format": "#,##0.00", "bold": True, "valign": "top"}),
        }
        for page in pages:
            _page(book.add_worksheet(_sheet_name(page.name, taken)), page, formats)
    return held.getvalue()


def _page(sheet: Any, page: Page, formats: dict[str, Any]) -> None:
    for number, row in enumerate(page.rows):
        for place, cell in enumerate(row):
            if isinstance(cell, Formula):
                sheet.write_formula(number, place, f"={cell.text}", formats["sum"], float(cell.value))
            elif isinstance(cell, Decimal) and len(cell.as_tuple().digits) <= _EXACT_DIGITS:
                sheet.write_number(number, place, float(cell), formats["number"])
            elif str(cell):
                kind = "head" if number == page.head else "note" if number < page.head else "text"
                sheet.write_string(number, place, str(cell), formats[kind])
    width = max((len(row) for row in page.rows), default=1)
    sheet.set_column(0, 0, 12)
    sheet.set_column(1, 1, 48)
    sheet.set_column(2, max(2, width - 1), 18)
    sheet.freeze_panes(page.head + 1, 2)


def _sheet_name(wanted: str, taken: set[str]) -> str:
    """A name that a workbook takes: 31 characters, none of ``[]:*?/\\'``, not twice."""
    plain = " ".join("".join(" " if sign in _UNFIT else sign for sign in wanted).split()) or "1"
    name, number = plain[:_NAME], 1
    while name.casefold() in taken:
        number += 1
        name = f"{plain[: _NAME - len(str(number)) - 1]} {number}"
    taken.add(name.casefold())
    return name


WRITERS: Final = {"csv": (as_csv, CSV), "xlsx": (as_xlsx, XLSX)}
"""Extension -> how the table is written, and its content type."""
