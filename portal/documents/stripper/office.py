"""DOCX and XLSX without what their properties tell (ECMA-376, parts 1 and 2), and their text."""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from portal.documents.stripper import pictures
from portal.documents.stripper.common import CannotStrip, Texts

_GONE: Final = re.compile(
    r"^(?:docProps/|customXml/|_xmlsignatures/|xl/revisions/|xl/printerSettings/|word/people\.xml$|xl/persons/|xl/threadedComments/"
    r"|word/printerSettings|xl/customProperty|docMetadata/)",
    re.IGNORECASE,
)
"""Parts that say who made the file and with what; nothing of what is read stands in them."""
_SIGNED: Final = "_xmlsignatures/"
_EMBEDDED: Final = re.compile(r"/embeddings/|/activex/", re.IGNORECASE)
_WHO: Final = frozenset({"author", "initials", "userName", "lastEditedBy", "userId", "providerId"})
"""Attributes of comments, changes and locks that name a person."""
_CHANGES: Final = frozenset({"ins", "del", "comment", "moveFrom", "moveTo", "rPrChange", "pPrChange"})
_DROPPED: Final = frozenset({"rsids", "absPath", "attachedTemplate", "docId", "fileSharing", "revisionPtr", "docVars"})
"""Elements that tell the path, the template, the identity or the sessions of a file."""
_SPOKEN: Final = frozenset({"descr", "title", "name", "alt", "tooltip", "display", "prompt", "Target"})
_WITHOUT_WORDS: Final = re.compile(
    r"theme|styles|fontTable|webSettings|\[Content_Types\]|settings\.xml|calcChain", re.IGNORECASE
)
_MAIN: Final = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LINKS: Final = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
_R: Final = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_PRINTER: Final = ("pageSetup", f"{_R}id")
_DAY: Final = (1980, 1, 1, 0, 0, 0)
_PARSER: Final = {"resolve_entities": False, "no_network": True, "load_dtd": False, "huge_tree": False}
_PATH: Final = re.compile(r"^(?:file:|[A-Za-z]:\\|\\\\)")


def office(content: bytes, texts: Texts) -> bytes:
    """The copy; its text goes to ``texts``. Raises :class:`CannotStrip`."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
            if any(name.startswith(_SIGNED) for name in names):
                raise CannotStrip("signed")
            if any(_EMBEDDED.search(name) for name in names):
                raise CannotStrip("attachments")
            parts = {name: archive.read(name) for name in names if not _GONE.match(name)}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error) as error:
        raise CannotStrip("damaged") from error
    try:
        trees = {name: _parsed(data) for name, data in parts.items() if name.endswith((".xml", ".rels"))}
    except (etree.XMLSyntaxError, ValueError) as error:
        raise CannotStrip("damaged") from error
    for name, tree in trees.items():
        _strip(name, tree, set(parts))
        parts[name] = etree.tostring(tree, xml_declaration=True, encoding="UTF-8", standalone=True)
    for name, data in parts.items():
        parts[name] = _media(name, data) if name not in trees else data
    _read(trees, parts, texts)
    return _packed(parts)


def _parsed(data: bytes) -> Any:
    return etree.fromstring(data, etree.XMLParser(**_PARSER))


def _packed(parts: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            entry = zipfile.ZipInfo(name, _DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    return held.getvalue()


def _media(name: str, data: bytes) -> bytes:
    """Pictures without their properties; what is no part of a document that we know, without a copy."""
    if data.startswith(pictures.PNG_HEAD):
        return pictures.png(data)
    if data.startswith(pictures.JPEG_HEAD):
        return pictures.jpeg(data)
    if name.lower().endswith((".emf", ".wmf", ".gif", ".bmp", ".odttf", ".fntdata", ".vml")):
        return data
    raise CannotStrip("attachments")


def _strip(name: str, tree: Any, kept: set[str]) -> None:
    if name == "[Content_Types].xml":
        for each in list(tree):
            if each.get("PartName", "/").lstrip("/") not in kept and each.get("PartName"):
                tree.remove(each)
        return
    if name.endswith(".rels"):
        _strip_links(name, tree, kept)
        return
    for each in list(tree.iter()):
        if not isinstance(each.tag, str):
            _remove(each)
            continue
        _strip_element(each)


def _strip_links(name: str, tree: Any, kept: set[str]) -> None:
    """Links to parts that are gone go too, and so do paths of somebody's disk (a template, a linked workbook)."""
    folder = posixpath.dirname(posixpath.dirname(name))
    for link in list(tree.iter(_LINKS)):
        target = link.get("Target", "")
        if link.get("TargetMode") == "External":
            if link.get("Type", "").endswith("/attachedTemplate"):
                tree.remove(link)
            elif _PATH.match(target):
                link.set("Target", "file")
            continue
        part = target.lstrip("/") if target.startswith("/") else posixpath.normpath(posixpath.join(folder, target))
        if _GONE.match(part) and part not in kept:
            tree.remove(link)


def _strip_element(each: Any) -> None:
    word = etree.QName(each).localname
    for key in list(each.attrib):
        mark = etree.QName(key).localname
        if mark in _WHO:
            each.set(key, "")
        elif mark.startswith("rsid") or (word in _CHANGES and mark == "date") or (word, key) == _PRINTER:
            del each.attrib[key]
    if word in _DROPPED:
        _remove(each)
    elif word == "author" and not len(each):
        each.text = ""


def _remove(each: Any) -> None:
    above = each.getparent()
    if above is not None:
        if each.tail:
            before = each.getprevious()
            if before is not None:
                before.tail = (before.tail or "") + each.tail
            else:
                above.text = (above.text or "") + each.tail
        above.remove(each)


def _read(trees: dict[str, Any], parts: dict[str, bytes], texts: Texts) -> None:
    shared = trees.get("xl/sharedStrings.xml")
    strings = ["".join(item.itertext()) for item in shared] if shared is not None else []
    sheets = _sheet_names(trees)
    for name, tree in trees.items():
        if name == "xl/sharedStrings.xml" or _WITHOUT_WORDS.search(name):
            continue
        if name.startswith("xl/worksheets/") and name.endswith(".xml"):
            for where, text in _cells(tree, strings):
                texts.add("cell", f"{sheets.get(name, '')}!{where}".lstrip("!"), text)
        elif name == "word/document.xml":
            texts.add("text", "", _words(tree))
        elif not name.endswith(".rels"):
            texts.add("aside", "", _words(tree))
        spoken = {
            value for each in tree.iter() for key, value in each.attrib.items() if etree.QName(key).localname in _SPOKEN
        }
        texts.add("aside", "", "\n".join(sorted(spoken)))
    media = any("/media/" in name for name in parts)
    if media and sum(len(text) for kind, _, text in texts.found if kind in ("text", "cell")) < 20:
        texts.unread.append(("text", ""))


def _sheet_names(trees: dict[str, Any]) -> dict[str, str]:
    """Part of a sheet -> its name."""
    book, links = trees.get("xl/workbook.xml"), trees.get("xl/_rels/workbook.xml.rels")
    if book is None or links is None:
        return {}
    parts = {link.get("Id"): posixpath.normpath(posixpath.join("xl", link.get("Target", ""))) for link in links}
    return {parts.get(sheet.get(f"{_R}id"), ""): sheet.get("name", "") for sheet in book.iter(f"{_MAIN}sheet")}


def _cells(tree: Any, strings: list[str]) -> Iterator[tuple[str, str]]:
    for cell in tree.iter(f"{_MAIN}c"):
        kind, value = cell.get("t"), cell.find(f"{_MAIN}v")
        if kind == "s" and value is not None and (value.text or "").isdigit() and int(value.text) < len(strings):
            yield cell.get("r", ""), strings[int(value.text)]
        elif kind in ("inlineStr", "str"):
            yield cell.get("r", ""), "".join(cell.itertext())
    for name in ("headerFooter", "dataValidations"):
        for each in tree.iter(f"{_MAIN}{name}"):
            yield "", " ".join(each.itertext())


def _words(tree: Any) -> str:
    """All text, a line for each paragraph."""
    lines = [
        "".join(each.itertext())
        for each in tree.iter()
        if isinstance(each.tag, str) and etree.QName(each).localname == "p"
    ]
    return "\n".join(lines) if lines else " ".join(tree.itertext())
