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
from typing import Any, Final

from babel.dates import format_date
from babel.numbers import format_decimal
from babel.support import NullTranslations, Translations

from portal.core.canonical import plain_decimal
from portal.core.figures import Figure

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


def translated(text: str, locale: str) -> str:
    """A string of the program in ``locale``. It comes from our own catalogues, so pages may take it for markup."""
    return catalogue(locale).gettext(text)


def render(message: Message, locale: str) -> str:
    """Write the sentence in ``locale`` ('ru' or 'en')."""
    text = catalogue(locale).gettext(message.msgid)
    if not message.params:
        return text
    return text % {name: _written(value, locale) for name, value in message.params.items()}


def both(message: Message) -> dict[str, str]:
    """The sentence in both languages, as kept with scores and decisions: ``{"ru": ..., "en": ...}``."""
    return {locale: render(message, locale) for locale in LOCALES}


def kept(message: Message) -> dict[str, Any]:
    """The sentence as JSON that is rendered when read: ``{"wording": its id, "values": {name: typed value}}``.

    Figures keep their kind and their exact value: ``{"roubles": "1200.5"}``, ``{"percent": "48.5"}``,
    ``{"date": "2018-08-31"}``; texts that are data stand as they are, in both languages where they have two.
    """
    return {"wording": message.msgid, "values": {name: _kept(value) for name, value in message.params.items()}}


def read_kept(data: Mapping[str, Any]) -> Message:
    """The sentence that :func:`kept` wrote."""
    return Message(data["wording"], {name: _read_kept(value) for name, value in data["values"].items()})


def without_wording(data: Any) -> Any:
    """``data`` without the message ids of :func:`kept`: what stays when a sentence is worded anew."""
    if isinstance(data, str):
        return data
    if isinstance(data, dict):
        # Most values are texts: a call for each of them would be half of the time.
        return {
            name: value if isinstance(value, str) else without_wording(value)
            for name, value in data.items()
            if name != "wording"
        }
    if isinstance(data, (list, tuple)):
        return [without_wording(item) for item in data]
    return data


def _kept(value: object) -> Any:
    if isinstance(value, Message):
        return kept(value)
    if isinstance(value, Figure):
        return {value.kind: plain_decimal(Decimal(value.value))}
    if isinstance(value, Mapping):
        return {locale: str(value[locale]) for locale in LOCALES}
    if isinstance(value, Decimal):
        return {"decimal": plain_decimal(value)}
    if isinstance(value, date) and not isinstance(value, datetime):
        return {"date": value.isoformat()}
    return value if isinstance(value, (bool, int)) else str(value)


def _read_kept(value: Any) -> object:
    if not isinstance(value, Mapping):
        return value
    if "wording" in value:
        return read_kept(value)
    if set(value) == set(LOCALES):
        return dict(value)
    ((kind, text),) = value.items()
    if kind == "date":
        return date.fromisoformat(text)
    return Decimal(text) if kind == "decimal" else Figure(kind, Decimal(text))


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
