"""Tables that people download: no cell of them is ever a formula, the header included."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

import xlsxwriter

from portal.documents.kinds import CSV, XLSX

_ORDERS: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_MAX_WIDTH: Final = 60

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


WRITERS: Final = {"csv": (as_csv, CSV), "xlsx": (as_xlsx, XLSX)}
"""Extension -> how the table is written, and its content type."""
