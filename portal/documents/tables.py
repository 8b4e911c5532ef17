"""Tables that people upload (XLSX, CSV), read in a child process with limits on memory and time."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from portal.core.errors import Problems
from portal.core.language import N_, Message

MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 60
MAX_SHEETS: Final = 60
WALL_SECONDS: Final = 30.0

_READER: Final = Path(__file__).with_name("table_reader.py")
_FAULTS: Final = {
    "damaged": N_("%(name)s cannot be read. Open it in a spreadsheet program and save it again as XLSX or CSV."),
    "encoding": N_("%(name)s cannot be read as text: save it as CSV in UTF-8 or Windows-1251."),
    "quotes": N_("%(name)s has a quotation mark that is opened and not closed."),
    "too_large": N_("%(name)s holds more than can be read at once. Split it into several files."),
    "too_many_rows": N_("%(name)s has more than %(rows)s rows. Split it into several files."),
    "too_many_sheets": N_("%(name)s has more than %(sheets)s sheets. Split it into several files."),
    "too_many_columns": N_("%(name)s has more than %(columns)s columns. Leave only those of the template."),
}


def rows(source: Path | bytes, name: str) -> list[list[str]]:
    """All rows of the table, or of a workbook's first sheet, as texts, without trailing empty cells and rows.

    The first row is row 1 of the file: empty rows between stay, so that ``index + 1`` is the row a person
    sees. Whole numbers come without a fraction, dates as ISO dates. Raises :class:`Problems` (field ``file``)
    for what cannot be read, with ``name`` in the sentence.
    """
    data = source.read_bytes() if isinstance(source, Path) else source
    answer = _read(data)
    if "fault" in answer:
        code = str(answer["fault"])
        params = {"name": name, "rows": MAX_ROWS, "columns": MAX_COLUMNS}
        message = Message(_FAULTS[code].msgid, params)
        raise Problems.one(code, "file", message)
    found: list[list[str]] = answer["rows"]
    return found


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet of a workbook as texts; of a text file the only one, without a name."""

    name: str
    rows: list[list[str]]


def sheets(data: bytes, name: str) -> list[Sheet]:
    """Every sheet of a workbook, or the table of a text file, as :func:`rows` gives its first one.

    No more than :data:`MAX_SHEETS`, each with the limits of :func:`rows`. Raises :class:`Problems` (field ``file``).
    """
    answer = _read(data, MAX_SHEETS)
    if "fault" in answer:
        code = str(answer["fault"])
        params = {"name": name, "rows": MAX_ROWS, "columns": MAX_COLUMNS, "sheets": MAX_SHEETS}
        raise Problems.one(code, "file", Message(_FAULTS[code].msgid, params))
    return [Sheet(str(each["name"]), each["rows"]) for each in answer["sheets"]]


def _read(data: bytes, most_sheets: int = 0) -> dict[str, Any]:
    command = [sys.executable, "-I", str(_READER), str(MAX_ROWS), str(MAX_COLUMNS), str(most_sheets)]
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and file, numbers as arguments
            command,
            input=data,
            capture_output=True,
            timeout=WALL_SECONDS,
            check=False,
            env={"LC_ALL": "C.UTF-8"},
        )
    except subprocess.TimeoutExpired:
        return {"fault": "too_large"}
    if done.returncode != 0:
        # Killed by a limit, or by the library's own abort when memory ends.
        return {"fault": "too_large" if done.returncode < 0 else "damaged"}
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
