"""What a file is by its content."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest

from portal.documents.archives import MAX_ENTRIES, BadFile
from portal.documents.inspection import content_type
from portal.documents.kinds import CSV, DOCX, JPEG, PDF, PNG, XLSX, XML
from tests.documents import samples


def named(value: object) -> str:
    """Names of cases must not hold content: archives carry the time of their making."""
    return value if isinstance(value, str) else "content"


def kind(data: bytes) -> str:
    return content_type(io.BytesIO(data))


def fault(data: bytes) -> str:
    with pytest.raises(BadFile) as caught:
        kind(data)
    return caught.value.code


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (samples.PDF, PDF),
        (samples.PNG, PNG),
        (samples.JPEG, JPEG),
        (samples.XML, XML),
        (samples.docx(), DOCX),
        (samples.xlsx([["a"]]), XLSX),
        (samples.csv("код;ИНН\r\nD1;1"), CSV),
        (samples.csv("код;ИНН\r\nD1;1", "cp1251"), CSV),
        (samples.csv("код;ИНН\r\nD1;1", "utf-8-sig"), CSV),
        (b"x", CSV),
    ],
    ids=named,
)
def test_whole_files_are_known_by_content(data: bytes, expected: str) -> None:
    assert kind(data) == expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (samples.PDF[:-8], "damaged"),
        (samples.PNG[:-6], "damaged"),
        (samples.JPEG[:-2], "damaged"),
        (samples.docx()[:-10], "damaged"),
        (samples.docx()[:40], "damaged"),
        (b"PK\x03\x04" + b"\x00" * 100, "damaged"),
        (samples.XML[:-5], "xml"),
        (b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><x>&a;</x>", "xml"),
        (b"<html><body>not closed", "xml"),
        (b"a;b\x00;c", "unknown_type"),
        (b"a;b\x07;c", "encoding"),
        (b"\x98\x00\xff" * 50, "unknown_type"),
        (b"\x7fELF" + b"\x00" * 60, "unknown_type"),
        (b"GIF89a" + b"\x00" * 60, "unknown_type"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 600, "old_office"),
        (samples.PDF.replace(b"/Root 1 0 R", b"/Root 1 0 R /Encrypt 5 0 R"), "locked"),
        (samples.archive(("a.txt", b"text")), "not_office"),
        (samples.docx(kind="ms-word.document.macroEnabled.main+xml"), "macros"),
        (samples.docx(("word/vbaProject.bin", b"x")), "macros"),
        (samples.docx(("word/inner.zip", samples.archive(("a", b"a")))), "nested"),
        (samples.docx(("word/setup.exe", b"MZ")), "nested"),
        (samples.docx(("../../outside.xml", b"x")), "damaged"),
        (samples.docx(("/absolute.xml", b"x")), "damaged"),
        (samples.PDF + samples.archive(("a", b"a")), "damaged"),
        (samples.PNG + samples.archive(("a", b"a")), "damaged"),
        (samples.JPEG + samples.archive(("a", b"a")), "damaged"),
    ],
    ids=named,
)
def test_broken_or_dangerous_files_are_refused(data: bytes, code: str) -> None:
    assert fault(data) == code


def test_an_embedded_workbook_of_a_chart_is_ordinary() -> None:
    inner = samples.xlsx([["a"]])
    assert kind(samples.docx(("word/embeddings/Workbook1.xlsx", inner))) == DOCX


def test_zip_bomb_by_ratio() -> None:
    bomb = samples.docx(("word/media/image1.xml", b"\x00" * (50 * 1024 * 1024)))
    assert len(bomb) < 100_000
    assert fault(bomb) == "zip_bomb"


def test_zip_bomb_by_number_of_entries() -> None:
    entries = [(f"word/{n}.xml", b"") for n in range(MAX_ENTRIES)]
    assert fault(samples.docx(*entries)) == "zip_bomb"


def test_zip_bomb_by_entries_that_share_their_data() -> None:
    data = bytearray(samples.docx(("word/a.xml", b"a" * 5000), ("word/b.xml", b"b" * 5000)))
    with zipfile.ZipFile(io.BytesIO(data)) as whole:
        first = whole.getinfo("word/a.xml").header_offset
        second = whole.getinfo("word/b.xml").header_offset
    place = data.rfind(struct.pack("<I", second), 0, len(data) - 22)
    data[place : place + 4] = struct.pack("<I", first)
    assert fault(bytes(data)) == "zip_bomb"


def test_zip_bomb_by_the_long_form_of_the_end_record() -> None:
    data = bytearray(samples.docx())
    end = data.rfind(b"PK\x05\x06")
    data[end + 10 : end + 12] = b"\xff\xff"
    assert fault(bytes(data)) == "zip_bomb"


def test_encrypted_entry_is_locked() -> None:
    data = bytearray(samples.docx())
    place = data.rfind(b"PK\x01\x02")
    data[place + 8] |= 1
    assert fault(bytes(data)) == "locked"
