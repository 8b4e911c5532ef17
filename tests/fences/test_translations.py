"""The Russian catalogue is complete: every message, with the same placeholders, none of it guessed or left over."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
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


@pytest.fixture(scope="module")
def asked() -> list[Message]:
    return [message for message in extracted() if message.id]


@pytest.fixture(scope="module")
def russian() -> Catalog:
    return catalogue("ru")


def test_every_message_has_its_russian(asked: list[Message], russian: Catalog) -> None:
    missing = []
    for message in asked:
        found = russian.get(message.id)
        if found is None or not all(texts(found.string)):
            missing.append((message.id, message.locations[0]))
    assert missing == []


def test_the_russian_has_the_same_placeholders(asked: list[Message], russian: Catalog) -> None:
    wrong = []
    for message in asked:
        found = russian.get(message.id)
        if found is None:
            continue
        wanted = set(PLACEHOLDER.findall(texts(message.id)[-1]))
        for text in texts(found.string):
            # A count may be left out of the form for one.
            if text and not wanted - {"num", "count"} <= set(PLACEHOLDER.findall(text)) <= wanted:
                wrong.append((message.id, text))
    assert wrong == []


def test_what_is_asked_for_is_written_in_english(asked: list[Message]) -> None:
    assert [message.id for message in asked if CYRILLIC.search(texts(message.id)[0])] == []


@pytest.mark.parametrize("language", ["ru", "en"])
def test_nothing_is_guessed_or_left_over(language: str, asked: list[Message]) -> None:
    held = catalogue(language)
    assert [message.id for message in held if message.fuzzy and message.id] == []
    assert list(held.obsolete) == []
    known = {message.id if isinstance(message.id, str) else tuple(message.id) for message in asked}
    left = [message.id for message in held if message.id and
            (message.id if isinstance(message.id, str) else tuple(message.id)) not in known]  # fmt: skip
    assert left == []
