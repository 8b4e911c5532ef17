"""Letters to fill in and sign, as DOCX: paragraphs of plain text, no macros; the same text gives the same bytes."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from xml.sax.saxutils import escape


class Look(StrEnum):
    """How a paragraph stands on the page."""

    TITLE = "title"
    TEXT = "text"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str
    look: Look = Look.TEXT


_TYPES: Final = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/word/document.xml" ContentType='
    '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
)
_RELATIONS: Final = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"'
    ' Target="word/document.xml"/></Relationships>'
)
_WORD: Final = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_FONT: Final = '<w:rFonts w:ascii="Times New Roman" w:hAnsi="Times New Roman" w:cs="Times New Roman"/>'
_PLACES: Final = {
    Look.TITLE: '<w:jc w:val="center"/><w:spacing w:before="240" w:after="240"/>',
    Look.TEXT: '<w:jc w:val="both"/><w:spacing w:after="120"/>',
    Look.RIGHT: '<w:jc w:val="right"/><w:spacing w:after="120"/>',
}
_PAGE: Final = (
    '<w:sectPr><w:pgSz w:w="11906" w:h="16838"/>'
    '<w:pgMar w:top="1134" w:right="850" w:bottom="1134" w:left="1701" w:header="708" w:footer="708" w:gutter="0"/>'
    "</w:sectPr>"
)
_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)


def as_docx(paragraphs: Iterable[Paragraph]) -> bytes:
    """A document of A4 pages in Times New Roman, 12 points."""
    body = "".join(_paragraph(each) for each in paragraphs)
    document = (
        f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:document xmlns:w="{_WORD}">'
        f"<w:body>{body}{_PAGE}</w:body></w:document>"
    )
    parts = (("[Content_Types].xml", _TYPES), ("_rels/.rels", _RELATIONS), ("word/document.xml", document))
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts:
            archive.writestr(zipfile.ZipInfo(name, _LONG_AGO), content.encode("utf-8"), zipfile.ZIP_DEFLATED)
    return held.getvalue()


def _paragraph(each: Paragraph) -> str:
    bold = "<w:b/>" if each.look is Look.TITLE else ""
    lines = [escape(_printable(line)) for line in each.text.split("\n")]
    text = "<w:br/>".join(f'<w:t xml:space="preserve">{line}</w:t>' for line in lines)
    look = f'<w:rPr>{_FONT}{bold}<w:sz w:val="24"/></w:rPr>'
    return f"<w:p><w:pPr>{_PLACES[each.look]}</w:pPr><w:r>{look}{text}</w:r></w:p>"


def _printable(text: str) -> str:
    return "".join(c for c in text if c >= " " or c == "\t")
