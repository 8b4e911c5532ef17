"""Tables that people upload."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from pathlib import Path

import pytest

from portal.core.errors import Problems
from portal.documents import tables
from tests.documents import samples


def fault(data: bytes) -> str:
    with pytest.raises(Problems) as caught:
        tables.rows(data, "register.csv")
    assert caught.value.problems[0].field == "file"
    return caught.value.problems[0].code


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_csv_in_every_encoding_and_separator(encoding: str, separator: str) -> None:
    text = f"код{separator}название\r\nD1{separator}Кластер\r\n"
    assert tables.rows(text.encode(encoding), "a.csv") == [["код", "название"], ["D1", "Кластер"]]


def test_csv_keeps_the_numbers_of_its_rows_and_drops_empty_tails() -> None:
    data = b'a;b;;\r\n\r\n1;"x;\ny";\r\n;;\r\n\r\n'
    assert tables.rows(data, "a.csv") == [["a", "b"], [], ["1", "x;\ny"]]


def test_xlsx_cells_become_texts() -> None:
    day = date(2018, 8, 1)
    data = samples.xlsx([["ИНН", "доля", "да", "дата"], [], [3699900010, 0.5, True, str(day)]])
    assert tables.rows(data, "a.xlsx") == [
        ["ИНН", "доля", "да", "дата"],
        [],
        ["3699900010", "0.5", "1", "2018-08-01"],
    ]


def test_reading_from_a_path(tmp_path: Path) -> None:
    place = tmp_path / "a.csv"
    place.write_bytes(b"a;b")
    assert tables.rows(place, "a.csv") == [["a", "b"]]


def test_too_many_rows_and_columns() -> None:
    assert fault(b"a\n" * (tables.MAX_ROWS + 1)) == "too_many_rows"
    assert len(tables.rows(b"a\n" * tables.MAX_ROWS, "a.csv")) == tables.MAX_ROWS
    assert fault(b";".join([b"a"] * (tables.MAX_COLUMNS + 1))) == "too_many_columns"


def test_an_open_quotation_mark_is_told() -> None:
    assert fault(b'a;b\n"never closed;1\n') == "quotes"


def test_a_workbook_that_is_none_is_told() -> None:
    assert fault(samples.docx()) == "damaged"
    assert fault(samples.xlsx([["a"]])[:200]) == "damaged"


def test_a_sheet_that_needs_too_much_memory_ends_the_child_alone() -> None:
    whole = samples.xlsx([["a"]])
    sheet = "".join(f'<row r="{n}"><c r="A{n}"><v>1</v></c></row>' for n in range(1, 900_000))
    held = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as old, zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "xl/worksheets/sheet1.xml":
                content = (
                    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
                    f'{sheet}<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
                ).encode()
            new.writestr(name, content)
    assert fault(held.getvalue()) in {"too_large", "damaged"}


def test_the_name_stands_in_the_sentence() -> None:
    with pytest.raises(Problems) as caught:
        tables.rows(b'"', "members.csv")
    assert str(caught.value.problems[0].message).startswith("members.csv ")
