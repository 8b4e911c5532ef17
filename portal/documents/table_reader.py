"""Reads one table from standard input and writes its cells as JSON: the child process of :mod:`.tables`.

It is run alone (``python -I table_reader.py``), imports nothing of the portal, and gives itself its limits
before it looks at the first byte: what an untrusted file does to it, it does to nobody else.
"""

from __future__ import annotations

import csv
import io
import json
import math
import resource
import sys
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

MEMORY: Final = 512 * 1024 * 1024
CPU_SECONDS: Final = 20
MAX_CELLS_TEXT: Final = 40_000_000


class Unreadable(Exception):
    """The reason as a code that :mod:`.tables` knows."""


def main(max_rows: int, max_columns: int, max_sheets: int = 0) -> dict[str, Any]:
    """The first table, or with ``max_sheets`` every sheet with its name."""
    data = sys.stdin.buffer.read()
    try:
        if max_sheets:
            return {"sheets": _sheets(data, max_rows, max_columns, max_sheets)}
        cells = _workbook(data, max_rows) if data[:2] == b"PK" else _text(data, max_rows)
        return {"rows": _bounded(cells, max_rows, max_columns)}
    except Unreadable as reason:
        return {"fault": str(reason)}
    except MemoryError:
        return {"fault": "too_large"}


def limit() -> None:
    for what, amount in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(what, (amount, amount))


def _workbook(data: bytes, max_rows: int) -> list[list[str]]:
    from python_calamine import CalamineWorkbook

    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            sheet = book.get_sheet_by_index(0)
            rows = sheet.to_python(skip_empty_area=False, nrows=max_rows + 1)
    except MemoryError:
        raise
    except BaseException as error:  # a panic of the library is not an Exception
        raise Unreadable("damaged") from error
    return [[_written(cell) for cell in row] for row in rows]


def _sheets(data: bytes, max_rows: int, max_columns: int, max_sheets: int) -> list[dict[str, Any]]:
    if data[:2] != b"PK":
        return [{"name": "", "rows": _bounded(_text(data, max_rows), max_rows, max_columns)}]
    from python_calamine import CalamineWorkbook

    found = []
    try:
        with CalamineWorkbook.from_filelike(io.BytesIO(data)) as book:
            shown = book.sheet_names
            if len(shown) > max_sheets:
                raise Unreadable("too_many_sheets")
            for name in shown:
                rows = book.get_sheet_by_name(name).to_python(skip_empty_area=False, nrows=max_rows + 1)
                cells = _bounded([[_written(cell) for cell in row] for row in rows], max_rows, max_columns)
                found.append({"name": name, "rows": cells})
    except (MemoryError, Unreadable):
        raise
    except BaseException as error:  # a panic of the library is not an Exception
        raise Unreadable("damaged") from error
    return found


def _written(cell: object) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, float):
        if cell.is_integer() and abs(cell) < 1e15:
            return str(int(cell))
        # As spreadsheets show it: of what a formula leaves behind the 15th digit nobody sees anything.
        return format(Decimal(format(cell, ".15g")), "f") if math.isfinite(cell) else repr(cell)
    if isinstance(cell, datetime):
        return cell.date().isoformat() if not (cell.hour or cell.minute or cell.second) else cell.isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)


def _text(data: bytes, max_rows: int) -> list[list[str]]:
    for encoding in ("utf-8-sig", "cp1251"):
        try:
            text = data.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise Unreadable("encoding")
    first = next((line for line in text.splitlines() if line.strip()), "")
    # The header decides: whichever separator it holds most of.
    delimiter = max(";,\t", key=first.count)
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            rows.append(row)
            if len(rows) > max_rows:
                break
    except csv.Error as error:
        raise Unreadable("quotes") from error
    return rows


def _bounded(rows: list[list[str]], max_rows: int, max_columns: int) -> list[list[str]]:
    while rows and not any(cell.strip() for cell in rows[-1]):
        rows.pop()
    if len(rows) > max_rows:
        raise Unreadable("too_many_rows")
    total = 0
    for row in rows:
        while row and not row[-1].strip():
            row.pop()
        if len(row) > max_columns:
            raise Unreadable("too_many_columns")
        total += sum(len(cell) for cell in row)
        if total > MAX_CELLS_TEXT:
            raise Unreadable("too_large")
    return rows


if __name__ == "__main__":
    limit()
    json.dump(main(*(int(argument) for argument in sys.argv[1:])), sys.stdout)
