"""The Russian catalogue is complete: every message, with the same placeholders, none of it guessed or left over."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

ROOT: Final = Path(__file__).parents[2]
KEYWORDS: Final = {**DEFAULT_KEYWORDS, "N_": None, "_l": None, "lazy_gettext": None}
METHODS: Final = [("portal/**.py", "python"), ("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2")]
PLACEHOLDER: Final = re.compile(r"%\((\w+)\)[sd]")
CYRILLIC: Final = re.compile("[а-яё]", re.IGNORECASE)


def extracted() -> Catalog:
    """What the sources ask to be translated."""
    catalog = Catalog()
    skipped = {"node_modules", ".venv", ".local", "tests"}
    found = extract_from_dir(
        ROOT,
        METHODS,
        {"**.html": {"silent": "false"}, "**.txt": {"silent": "false"}},
        KEYWORDS,
        directory_filter=lambda path: Path(path).name not in skipped,
    )
    for filename, line, message, comments, context in found:
        catalog.add(message, None, [(filename, line)], auto_comments=comments, context=context)
    return catalog


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
