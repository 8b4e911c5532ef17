"""A PDF without what its properties tell (ISO 32000-1: 14.3 metadata, 14.5 page-piece dictionaries), and its text.

The copy is written anew from what the document's root reaches: earlier revisions that a file carries along are gone.
"""

from __future__ import annotations

import io
from typing import Any, Final

from pypdf import PdfReader, PdfWriter
from pypdf.errors import PyPdfError
from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject, StreamObject

from portal.documents.stripper.common import CannotStrip, Texts
from portal.documents.stripper.pictures import jpeg

_DROPPED: Final = ("/Metadata", "/PieceInfo", "/LastModified", "/Thumb")
_OF_NOTES: Final = ("/T", "/CreationDate", "/M", "/NM")
"""Who wrote a note on a page, and when; of a field of a form ``/T`` is its name."""
_SPOKEN: Final = ("/Contents", "/RC", "/TU", "/URI", "/Title", "/Alt", "/ActualText", "/V")
_REFUSED: Final = {"/ByteRange": "signed", "/EF": "attachments", "/EmbeddedFiles": "attachments", "/XFA": "unknown"}
_MOST_OBJECTS: Final = 500_000


def pdf(content: bytes, texts: Texts) -> bytes:
    """The copy; its text goes to ``texts`` by page. Raises :class:`CannotStrip`."""
    try:
        reader = PdfReader(io.BytesIO(content))
        if reader.is_encrypted:
            raise CannotStrip("encrypted")
        _refuse_signed(reader)
        writer = PdfWriter(clone_from=reader)
        writer.metadata = None
        _walk(writer.root_object, texts)
        writer.compress_identical_objects(remove_duplicates=False, remove_unreferenced=True)
        held = io.BytesIO()
        writer.write(held)
        for number, page in enumerate(reader.pages, start=1):
            text = page.extract_text() or ""
            texts.add("page", str(number), text)
            if len(text.strip()) < 8 and _draws(page):
                texts.unread.append(("page", str(number)))
    except CannotStrip:
        raise
    except RecursionError:
        raise CannotStrip("damaged") from None
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError) as error:
        raise CannotStrip("damaged") from error
    return held.getvalue()


def _refuse_signed(reader: PdfReader) -> None:
    """A signature inside the file would be broken by any change, and names its signer."""
    form = reader.root_object.get("/AcroForm")
    form = form.get_object() if form is not None else {}
    flags = form.get("/SigFlags", 0) if isinstance(form, DictionaryObject) else 0
    if "/Perms" in reader.root_object or int(flags) & 1:
        raise CannotStrip("signed")


def _walk(root: Any, texts: Texts) -> None:
    """Take the properties off everything that the root reaches."""
    waiting, seen = [root], set[tuple[int, int]]()
    while waiting:
        each = waiting.pop()
        if isinstance(each, IndirectObject):
            key = (each.idnum, each.generation)
            if key in seen:
                continue
            seen.add(key)
            each = each.get_object()
        if len(seen) > _MOST_OBJECTS:
            raise CannotStrip("too_large")
        if isinstance(each, DictionaryObject):
            _strip(each, texts)
            waiting.extend(each.raw_get(name) for name in each if name != "/Parent")
        elif isinstance(each, ArrayObject):
            waiting.extend(list.__iter__(each))


def _strip(held: DictionaryObject, texts: Texts) -> None:
    for name, reason in _REFUSED.items():
        if name in held:
            raise CannotStrip(reason)
    note = "/Rect" in held and held.get("/Subtype") != "/Widget"
    for name in (*_DROPPED, *(_OF_NOTES if note else ())):
        if name in held:
            del held[name]
    for name in _SPOKEN:
        said = held.get(name)
        if isinstance(said, str) and not said.startswith("/"):
            texts.add("note", "", said)
    if isinstance(held, StreamObject) and _is_jpeg(held.get("/Filter")):
        held._data = jpeg(held._data)  # the library has no door for the bytes as they stand in the file


def _is_jpeg(kind: Any) -> bool:
    return kind == "/DCTDecode" or (isinstance(kind, ArrayObject) and list(kind) == ["/DCTDecode"])


def _draws(page: Any) -> bool:
    """Whether a page draws pictures or forms, as a scan does."""
    resources = page.get("/Resources")
    resources = resources.get_object() if resources is not None else {}
    drawn = resources.get("/XObject")
    return bool(drawn and drawn.get_object())
