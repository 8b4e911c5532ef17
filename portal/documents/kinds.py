"""Kinds of files that people may upload, and what each is called."""

from __future__ import annotations

from typing import Final

from portal.core.language import N_, Message

PDF: Final = "application/pdf"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
CSV: Final = "text/csv"
XML: Final = "application/xml"
PNG: Final = "image/png"
JPEG: Final = "image/jpeg"

TABLES: Final = frozenset({XLSX, CSV})
SCANS: Final = frozenset({PDF, PNG, JPEG})
DOCUMENTS: Final = frozenset({PDF, DOCX, XLSX, PNG, JPEG})

EXTENSIONS: Final[dict[str, str]] = {
    PDF: "pdf",
    DOCX: "docx",
    XLSX: "xlsx",
    CSV: "csv",
    XML: "xml",
    PNG: "png",
    JPEG: "jpg",
}
"""Content type -> the extension under which such a file is kept."""

ALIASES: Final[dict[str, frozenset[str]]] = {JPEG: frozenset({"jpeg", "jpg", "jpe"})}
"""Further extensions that may stay as they are."""

NAMES: Final[dict[str, Message]] = {
    PDF: N_("PDF"),
    DOCX: N_("Word document (DOCX)"),
    XLSX: N_("Excel workbook (XLSX)"),
    CSV: N_("table as text (CSV)"),
    XML: N_("XML"),
    PNG: N_("PNG picture"),
    JPEG: N_("JPEG picture"),
}


def accept(allowed: frozenset[str]) -> str:
    """The ``accept`` attribute of a file input for these types: ``.csv,.xlsx``."""
    return ",".join(sorted(f".{EXTENSIONS[kind]}" for kind in allowed))


def listed(allowed: frozenset[str]) -> str:
    """The extensions in capitals, for a sentence: ``CSV, XLSX``."""
    return ", ".join(sorted(EXTENSIONS[kind].upper() for kind in allowed))
