"""What a file is by its content, and whether it is whole. Names and what browsers claim count for nothing."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Iterator
from typing import BinaryIO, Final
from xml.parsers import expat

import filetype

from portal.core.language import N_
from portal.documents.archives import DAMAGED, LOCKED, BadFile, office_type
from portal.documents.kinds import CSV, JPEG, PDF, PNG, XML

_BLOCK: Final = 64 * 1024
_TAIL: Final = 2048
_COMPOUND: Final = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_LOCKED_PDF: Final = re.compile(rb"/Encrypt\s*(?:\d+\s+\d+\s+R|<<)")
_PNG_END: Final = b"IEND\xaeB`\x82"
_JPEG_END: Final = b"\xff\xd9"
# The end of an archive behind the end of a document: one file that is two, for two programs.
_ZIP_END: Final = b"PK\x05\x06"
# Controls that no text file has; tab, line feed and carriage return stay.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

UNKNOWN: Final = N_("This kind of file is not known. Save it in one of the kinds that are accepted.")
EMPTY: Final = N_("The file is empty.")
OLD_OFFICE: Final = N_(
    "The file is in an old format of Office or protected by a password. Save it as DOCX or XLSX without a password."
)
NOT_XML: Final = N_("This is not a whole XML file, or it declares a document type, which is not accepted.")
NOT_TEXT: Final = N_("The text cannot be read: save the table as CSV in UTF-8 or Windows-1251.")


def content_type(file: BinaryIO) -> str:
    """The content type, one of :mod:`portal.documents.kinds`. Raises :class:`BadFile` with what to do."""
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        raise BadFile("empty", EMPTY)
    file.seek(0)
    head = file.read(_BLOCK)
    if head.startswith(_COMPOUND):
        raise BadFile("old_office", OLD_OFFICE)
    if head.startswith(b"PK"):
        return office_type(file, size)
    if head.startswith(b"%PDF-"):
        return _pdf(file, size)
    kind = filetype.guess(head)
    if kind is None:
        return _text(file, head)
    if kind.mime in (PNG, JPEG):
        return _picture(file, size, kind.mime)
    raise BadFile("unknown_type", UNKNOWN)


def _pdf(file: BinaryIO, size: int) -> str:
    tail = _tail(file, size)
    if b"%%EOF" not in tail or _ZIP_END in tail.rpartition(b"%%EOF")[2]:
        raise BadFile("damaged", DAMAGED)
    before = b""
    for block in _blocks(file):
        if _LOCKED_PDF.search(before + block):
            raise BadFile("locked", LOCKED)
        before = block[-64:]
    return PDF


def _picture(file: BinaryIO, size: int, kind: str) -> str:
    end, tail = _PNG_END if kind == PNG else _JPEG_END, _tail(file, size)
    if end not in tail or _ZIP_END in tail.rpartition(end)[2]:
        raise BadFile("damaged", DAMAGED)
    return kind


def _text(file: BinaryIO, head: bytes) -> str:
    start = head.removeprefix(codecs.BOM_UTF8).lstrip()
    if start.startswith(b"<"):
        return _xml(file)
    for encoding in ("utf-8-sig", "cp1251"):
        if _readable(file, encoding):
            return CSV
    raise BadFile("unknown_type" if b"\x00" in head else "encoding", NOT_TEXT)


def _readable(file: BinaryIO, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in _blocks(file):
            if _CONTROLS.search(decoder.decode(block)):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _xml(file: BinaryIO) -> str:
    parser = expat.ParserCreate()

    def refuse(*declaration: object) -> None:
        raise BadFile("xml", NOT_XML)

    # A document type is where entities that multiply or reach out are declared.
    parser.StartDoctypeDeclHandler = refuse
    try:
        for block in _blocks(file):
            parser.Parse(block, False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        raise BadFile("xml", NOT_XML) from error
    return XML


def _tail(file: BinaryIO, size: int) -> bytes:
    file.seek(max(0, size - _TAIL))
    return file.read()


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(_BLOCK):
        yield block
