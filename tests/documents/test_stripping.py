"""Copies of files say nothing of who made them, and are still what they were to their reader."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import pytest
import typst
import xlsxwriter
from docx import Document
from python_calamine import CalamineWorkbook

from portal.demo.papers import paper
from portal.documents import stripping
from portal.documents.stripping import FAULTS, Stripped, Stripper
from tests.documents import samples

NAME = "Romashka"


@pytest.fixture(scope="module")
def stripper() -> Iterator[Stripper]:
    with Stripper() as held:
        yield held


def docx(*more: tuple[str, bytes]) -> bytes:
    """A DOCX that names its author wherever office programs do."""
    document = Document()
    document.core_properties.author = document.core_properties.last_modified_by = NAME
    document.add_paragraph(f"The plan of {NAME} LLC")
    held = io.BytesIO()
    document.save(held)
    source = zipfile.ZipFile(held)
    parts = {name: source.read(name) for name in source.namelist()}
    marks = (
        f'w:rsidR="00A1B2C3"><w:ins w:id="1" w:author="{NAME}" w:date="2018-01-01T00:00:00Z"><w:r><w:t>new</w:t></w:r>'
    )
    parts["word/document.xml"] = parts["word/document.xml"].replace(b"<w:p>", f"<w:p {marks}</w:ins>".encode(), 1)
    parts["docProps/app.xml"] = f"<Properties><Company>{NAME}</Company></Properties>".encode()
    parts["word/media/image1.jpg"] = jpeg()
    return samples.archive(*parts.items(), *more)


def xlsx() -> bytes:
    held = io.BytesIO()
    with xlsxwriter.Workbook(held, {"in_memory": True}) as book:
        book.set_properties({"author": NAME, "company": NAME})
        sheet = book.add_worksheet("Plan")
        sheet.write(3, 1, "Costs of Vasilek")
        sheet.write(0, 0, 17)
        sheet.write_comment("A1", "see below", {"author": NAME})
    return held.getvalue()


def jpeg(orientation: int = 6) -> bytes:
    """A JPEG of no pixels with Exif (an orientation, a maker), a comment, and a second picture behind its end."""
    tiff = b"II*\0" + struct.pack("<IH", 8, 2)
    tiff += struct.pack("<HHII", 0x010F, 2, 9, 38) + struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    tiff += b"\0\0\0\0" + NAME.encode() + b"\0"
    segments = ((0xE0, b"JFIF\0" + bytes(9)), (0xE1, b"Exif\0\0" + tiff), (0xFE, NAME.encode()), (0xDB, bytes(65)))
    made = b"".join(struct.pack(">BBH", 0xFF, mark, len(body) + 2) + body for mark, body in segments)
    return b"\xff\xd8" + made + b"\xff\xda\x00\x02\x11\xff\x00\x22\xff\xd9" + NAME.encode()


def png() -> bytes:
    chunks = ((b"IHDR", bytes(13)), (b"tEXt", f"Author\0{NAME}".encode()), (b"IDAT", b"1"), (b"IEND", b""))
    made = (
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def test_a_word_document_keeps_its_text_and_loses_its_people(stripper: Stripper) -> None:
    found = stripper.strip(docx())
    copy = zipfile.ZipFile(io.BytesIO(found.content))
    assert found.fault == ""
    assert not [name for name in copy.namelist() if name.startswith("docProps/")]
    document = copy.read("word/document.xml")
    assert document.count(NAME.encode()) == 1  # in the text
    assert b"rsid" not in document
    assert b"2018-01-01" not in document
    assert NAME.encode() not in copy.read("word/media/image1.jpg")
    assert Document(io.BytesIO(found.content)).paragraphs[0].text == f"The plan of {NAME} LLC"
    assert any(kind == "text" and NAME in text for kind, _, text in found.texts)


def test_a_workbook_keeps_its_cells_and_tells_where_words_stand(stripper: Stripper) -> None:
    found = stripper.strip(xlsx())
    with zipfile.ZipFile(io.BytesIO(found.content)) as copy:
        assert not [name for name in copy.namelist() if NAME.encode() in copy.read(name)]
    rows = CalamineWorkbook.from_filelike(io.BytesIO(found.content)).get_sheet_by_index(0).to_python()
    assert (rows[0][0], rows[3][1]) == (17, "Costs of Vasilek")
    assert ("cell", "Plan!B4", "Costs of Vasilek") in found.texts


def test_a_pdf_loses_its_info_and_its_xmp(stripper: Stripper) -> None:
    source = typst.compile(b'#set document(author: "Romashka", title: "Romashka")\nThe plan\n#pagebreak()\nof Vasilek')
    for content in (source, paper("DOC-02", "The plan", NAME)):
        assert NAME.encode() in content
        found = stripper.strip(content)
        assert (found.fault, NAME.encode() in found.content) == ("", False)
        assert any("The plan" in text for _, _, text in found.texts)
    pages = {where: text for kind, where, text in stripper.strip(source).texts if kind == "page"}
    assert "Vasilek" in pages["2"]


def test_pictures_keep_their_pixels_and_how_they_lie(stripper: Stripper) -> None:
    found = stripper.strip(jpeg())
    assert NAME.encode() not in found.content
    assert found.content.endswith(b"\xff\xda\x00\x02\x11\xff\x00\x22\xff\xd9")
    assert struct.pack(">HHIHH", 0x0112, 3, 1, 6, 0) in found.content
    assert found.unread == (("picture", ""),)
    assert b"Exif" not in stripper.strip(jpeg(orientation=1)).content
    drawn = stripper.strip(png()).content
    assert (NAME.encode() in drawn, drawn.count(b"IDAT")) == (False, 1)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (paper("a", "b").replace(b"/Type /Catalog", b"/AcroForm << /SigFlags 3 >> /Type /Catalog"), "signed"),
        (
            paper("a", "b").replace(b"/Type /Catalog", b"/Names << /EmbeddedFiles 5 0 R >> /Type /Catalog"),
            "attachments",
        ),
        (samples.docx(("_xmlsignatures/sig1.xml", b"<s/>")), "signed"),
        (samples.docx(("word/embeddings/book.xlsx", b"x")), "attachments"),
        (samples.docx(("word/comments.xml", b"<a")), "damaged"),
        (b"\xff\xd8\xff\xe1\xff\xff", "damaged"),
        (b"%PDF-1.4 nothing %%EOF", "damaged"),
        (b"a;b\n", "unknown"),
    ],
)
def test_what_cannot_be_cleared_is_told(stripper: Stripper, content: bytes, fault: str) -> None:
    assert stripper.strip(content) == Stripped(fault=fault)
    assert fault in FAULTS


def test_a_child_that_dies_or_thinks_too_long_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    with Stripper() as stripper:
        with monkeypatch.context() as patch:
            patch.setattr(stripping, "SECONDS", 0.0)
            assert stripper.strip(png()).fault == "too_large"
        assert stripper.strip(png()).fault == ""
        child = stripper._running()
        child.kill()
        child.wait()
        assert stripper.strip(png()).fault == ""
