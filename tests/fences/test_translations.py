"""The Russian catalogue is complete: every message, with the same placeholders, none of it guessed or left over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_file
from babel.messages.pofile import read_po
from jinja2 import Environment
from jinja2.ext import extract_from_ast

ROOT: Final = Path(__file__).parents[2]
KEYWORDS: Final = {**DEFAULT_KEYWORDS, "N_": None, "_l": None, "lazy_gettext": None}
ASKING: Final = re.compile(rf"\b({'|'.join(KEYWORDS)})\s*\(")
"""Half of the modules ask for nothing: their tokens need not be read."""
TEMPLATES: Final = Environment(extensions=["jinja2.ext.i18n"], trim_blocks=True, lstrip_blocks=True)
PLACEHOLDER: Final = re.compile(r"%\((\w+)\)[sd]")
CYRILLIC: Final = re.compile("[а-яё]", re.IGNORECASE)


def extracted() -> Catalog:
    """What the sources ask to be translated, as `make messages` finds it (babel.cfg)."""
    catalog = Catalog()
    for method, path in [
        *(("python", path) for path in (ROOT / "portal").rglob("*.py") if ASKING.search(path.read_text())),
        *((of_template, path) for path in (ROOT / "templates").rglob("*") if path.suffix in (".html", ".txt")),
    ]:
        for line, message, comments, context in extract_from_file(method, path, KEYWORDS):
            name = str(path.relative_to(ROOT))
            catalog.add(message, None, [(name, line)], auto_comments=comments, context=context)
    return catalog


def of_template(file: IO[bytes], keywords: Iterable[str], tags: object, options: object) -> Iterator[tuple[Any, ...]]:
    """What Jinja's own extractor finds, without reading each template a second time for comments."""
    for line, function, message in extract_from_ast(TEMPLATES.parse(file.read().decode()), list(keywords)):
        yield line, function, message, []


def catalogue(language: str) -> Catalog:
    with (ROOT / "portal" / "translations" / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def texts(value: object) -> tuple[str, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (str(value or ""),)


def test_the_catalogues_are_complete_and_true() -> None:
    """In one test: reading all sources takes longer than all that is asked of them."""
    asked = [message for message in extracted() if message.id]
    russian = catalogue("ru")
    assert untranslated(asked, russian) == []
    assert of_other_placeholders(asked, russian) == []
    assert [message.id for message in asked if CYRILLIC.search(texts(message.id)[0])] == [], "English is asked for"
    for held in (russian, catalogue("en")):
        assert [message.id for message in held if message.fuzzy and message.id] == []
        assert list(held.obsolete) == []
        known = {key(message) for message in asked}
        assert [message.id for message in held if message.id and key(message) not in known] == []


def key(message: Message) -> object:
    return message.id if isinstance(message.id, str) else tuple(message.id)


def untranslated(asked: list[Message], russian: Catalog) -> list[object]:
    found = ((message, russian.get(message.id)) for message in asked)
    return [
        (message.id, message.locations[0]) for message, held in found if held is None or not all(texts(held.string))
    ]


def of_other_placeholders(asked: list[Message], russian: Catalog) -> list[object]:
    wrong: list[object] = []
    for message in asked:
        found = russian.get(message.id)
        if found is None:
            continue
        wanted = set(PLACEHOLDER.findall(texts(message.id)[-1]))
        for text in texts(found.string):
            # A count may be left out of the form for one.
            if text and not wanted - {"num", "count"} <= set(PLACEHOLDER.findall(text)) <= wanted:
                wrong.append((message.id, text))
    return wrong
