"""Office files are archives: their directory is read before anything is unpacked.

A small archive may unpack to gigabytes, lie about its sizes, use one piece of data for thousands of entries,
or carry programs. What passes here is bounded by its own directory; who reads the content does so in a child
process with limits (:mod:`portal.documents.tables`), because a directory may lie.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from typing import BinaryIO, Final

from portal.core.language import N_, Message
from portal.documents.kinds import DOCX, XLSX

MAX_ENTRIES: Final = 2_000
MAX_DIRECTORY: Final = 1024 * 1024
MAX_UNPACKED: Final = 200 * 1024 * 1024
MAX_RATIO: Final = 100
RATIO_FROM: Final = 1024 * 1024
_MAX_TYPES: Final = 512 * 1024
_MAX_PATH: Final = 400

_END: Final = b"PK\x05\x06"
_END_SIZE: Final = 22
_ZIP64: Final = (0xFFFF, 0xFFFFFFFF)
_ENCRYPTED: Final = 0x1
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

_MAIN_PARTS: Final = {
    b"wordprocessingml.document.main+xml": DOCX,
    b"spreadsheetml.sheet.main+xml": XLSX,
}
_MACROS: Final = ("vbaproject", "vbadata", "macrosheets/", "activex/", "dialogsheets/")
_ARCHIVES: Final = (".zip", ".rar", ".7z", ".gz", ".jar")
_PROGRAMS: Final = (
    ".exe",
    ".dll",
    ".com",
    ".scr",
    ".bat",
    ".cmd",
    ".ps1",
    ".vbs",
    ".js",
    ".hta",
    ".lnk",
    ".msi",
)

DAMAGED: Final = N_("The file is damaged or was not uploaded to its end. Open it on your computer, save it again.")
TOO_LARGE_INSIDE: Final = N_(
    "The file unpacks to far more than it may hold. Remove what is not needed in it and save it again."
)
MACROS: Final = N_("The file contains macros. Save it without them, as DOCX or XLSX.")
LOCKED: Final = N_("The file is protected by a password. Save it without one.")
NESTED: Final = N_("The file contains another archive or a program. Remove it and save the file again.")
NOT_OFFICE: Final = N_("This is an archive, not a document. Upload the documents in it one by one.")


class BadFile(Exception):
    """The content of a file cannot be accepted; ``code`` is stable, ``message`` says what to do."""

    def __init__(self, code: str, message: Message) -> None:
        self.code = code
        self.message = message
        super().__init__(code)


def office_type(file: BinaryIO, size: int) -> str:
    """DOCX or XLSX by the archive's own list of parts. Raises :class:`BadFile`."""
    _check_end(file, size)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            _check_entries(entries, size)
            return _main_part(archive)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, UnicodeError, EOFError) as error:
        raise BadFile("damaged", DAMAGED) from error


def _check_end(file: BinaryIO, size: int) -> None:
    """The end record bounds how much of a directory the library will read into memory."""
    tail_size = min(size, _END_SIZE + 0xFFFF)
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_SIZE:
        raise BadFile("damaged", DAMAGED)
    count, directory, start = struct.unpack("<HII", tail[place + 10 : place + 20])
    if count in _ZIP64 or directory in _ZIP64 or start in _ZIP64:
        raise BadFile("zip_bomb", TOO_LARGE_INSIDE)
    if count > MAX_ENTRIES or directory > MAX_DIRECTORY:
        raise BadFile("zip_bomb", TOO_LARGE_INSIDE)


def _check_entries(entries: list[zipfile.ZipInfo], size: int) -> None:
    packed, unpacked = sum(e.compress_size for e in entries), sum(e.file_size for e in entries)
    shared = len({e.header_offset for e in entries}) < len(entries) or packed > size
    if len(entries) > MAX_ENTRIES or unpacked > MAX_UNPACKED or shared:
        raise BadFile("zip_bomb", TOO_LARGE_INSIDE)
    for entry in entries:
        if entry.file_size > RATIO_FROM and entry.file_size > MAX_RATIO * max(entry.compress_size, 1):
            raise BadFile("zip_bomb", TOO_LARGE_INSIDE)
        if entry.flag_bits & _ENCRYPTED:
            raise BadFile("locked", LOCKED)
        _check_name(entry)


def _check_name(entry: zipfile.ZipInfo) -> None:
    name = entry.filename.lower().replace("\\", "/")
    if len(name) > _MAX_PATH or name.startswith("/") or ".." in name.split("/") or ":" in name:
        raise BadFile("damaged", DAMAGED)
    if entry.compress_type not in _METHODS:
        raise BadFile("damaged", DAMAGED)
    if any(mark in name for mark in _MACROS):
        raise BadFile("macros", MACROS)
    if name.endswith(_ARCHIVES + _PROGRAMS):
        raise BadFile("nested", NESTED)


def _main_part(archive: zipfile.ZipFile) -> str:
    try:
        with archive.open("[Content_Types].xml") as part:
            types = part.read(_MAX_TYPES)
    except KeyError:
        raise BadFile("not_office", NOT_OFFICE) from None
    except (zipfile.BadZipFile, OSError, RuntimeError, ValueError, zlib.error) as error:
        raise BadFile("damaged", DAMAGED) from error
    if b"macroEnabled" in types:
        raise BadFile("macros", MACROS)
    for mark, content_type in _MAIN_PARTS.items():
        if mark in types:
            return content_type
    raise BadFile("not_office", NOT_OFFICE)
