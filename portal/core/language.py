"""Sentences that the rooms say, in both languages, without knowing of any web framework.

English is the message id. A room marks a sentence with :func:`N_`; whoever shows or stores it renders
it with :func:`render` or :func:`both`. The catalogues are the same ones that the pages use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final

from babel.dates import format_date
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations

LOCALES: Final = ("ru", "en")
DEFAULT_LOCALE: Final = "ru"
CATALOGUES: Final = Path(__file__).resolve().parent.parent / "translations"


@dataclass(frozen=True, slots=True)
class Message:
    """A sentence with its parameters: ``%(name)s`` in ``msgid`` is replaced by ``params['name']``.

    A parameter may be a number, a date, or another :class:`Message`; each is written in the reader's way.
    """

    msgid: str
    params: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return render(self, "en")


def N_(msgid: str, **params: object) -> Message:
    """Mark a sentence for translation and bind its parameters."""
    return Message(msgid, params)


@lru_cache(maxsize=len(LOCALES))
def catalogue(locale: str) -> NullTranslations:
    """The compiled catalogue of a locale; English has none, its ids are the text."""
    return Translations.load(str(CATALOGUES), [locale])


def render(message: Message, locale: str) -> str:
    """Write the sentence in ``locale`` ('ru' or 'en')."""
    text = catalogue(locale).gettext(message.msgid)
    if not message.params:
        return text
    return text % {name: _written(value, locale) for name, value in message.params.items()}


def both(message: Message) -> dict[str, str]:
    """The sentence in both languages, as kept with scores and decisions: ``{"ru": ..., "en": ...}``."""
    return {locale: render(message, locale) for locale in LOCALES}


def _written(value: object, locale: str) -> str:
    if isinstance(value, Message):
        return render(value, locale)
    if isinstance(value, Mapping):
        return str(value[locale])
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return format_decimal(value, locale=locale, format="#,##0.######")
    if isinstance(value, date) and not isinstance(value, datetime):
        return format_date(value, format="dd.MM.yyyy" if locale == "ru" else "d MMM yyyy", locale=locale)
    return str(value)
