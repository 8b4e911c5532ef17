"""What a letter says: sentences of the rooms, written as text and as HTML in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from portal.core.language import N_, Message, render

_place: dict[str, str] = {}

_FOOT: Final = N_("This letter was sent by the Joint Projects Portal. You need not answer it.")
_CHOOSE: Final = N_("Choose which letters you get")
_STOP: Final = N_("No more letters of this kind")
_STYLE: Final = "font-family:Arial,sans-serif;font-size:16px;line-height:1.5;color:#141a2b;max-width:640px"
SETTINGS_PATH: Final = "/notifications/settings"


@dataclass(frozen=True, slots=True)
class Composed:
    """A letter's subject, its text and its HTML; everything in the HTML is escaped."""

    subject: str
    text: str
    html: str


@dataclass
class _Draft:
    """The two parts of a letter while it is written."""

    locale: str
    text: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)

    def say(self, paragraph: str) -> None:
        self.text.append(paragraph)
        self.html.append(f"<p>{escape(paragraph)}</p>")

    def link(self, label: str, path: str) -> None:
        url = address(path)
        self.text.append(f"{label}: {url}")
        self.html.append(f"<p>{_anchor(label, url)}</p>")

    def foot(self, stop: str | None) -> None:
        said = render(_FOOT, self.locale)
        lines, marked = [f"--\n{said}"], [escape(said)]
        if stop is not None:
            for label, path in ((_CHOOSE, SETTINGS_PATH), (_STOP, stop)):
                words = render(label, self.locale)
                lines.append(f"{words}: {address(path)}")
                marked.append(_anchor(words, address(path)))
        self.text.append("\n".join(lines))
        self.html.append(f'<p style="color:#4a5468;font-size:14px">{"<br>".join(marked)}</p>')

    def done(self, title: str) -> Composed:
        body = (
            f'<!doctype html><html lang="{escape(self.locale)}"><head><meta charset="utf-8">'
            f"<title>{escape(title)}</title></head>"
            f'<body><div style="{_STYLE}"><h1 style="font-size:20px">{escape(title)}</h1>{"".join(self.html)}</div>'
            "</body></html>"
        )
        return Composed(title, "\n\n".join(self.text) + "\n", body)


def configure(public_url: str) -> None:
    """How people reach the portal, for the links of letters."""
    _place["url"] = public_url.rstrip("/")


def address(path: str) -> str:
    """The full address of a page of the portal, given by its path."""
    return _place.get("url", "") + path


def compose(
    subject: Message,
    paragraphs: Sequence[Message],
    link: tuple[Message, str] | None,
    locale: str,
    *,
    stop: str | None = None,
) -> Composed:
    """Write the letter.

    ``link`` is the text of its one link and the path it leads to; ``stop`` the path that switches such letters off.
    """
    draft = _Draft(locale)
    for paragraph in paragraphs:
        draft.say(render(paragraph, locale))
    if link is not None:
        draft.link(render(link[0], locale), link[1])
    draft.foot(stop)
    return draft.done(render(subject, locale))


def compose_list(
    subject: Message, opening: Message, items: Sequence[tuple[str, str | None]], locale: str, *, stop: str
) -> Composed:
    """A letter that lists what happened: each item is a sentence in the reader's language and a path, if any."""
    draft = _Draft(locale)
    draft.say(render(opening, locale))
    draft.text.append("\n".join(f"* {said}" + (f"\n  {address(path)}" if path else "") for said, path in items))
    lines = [f"<li>{_anchor(said, address(path)) if path else escape(said)}</li>" for said, path in items]
    draft.html.append(f"<ul>{''.join(lines)}</ul>")
    draft.foot(stop)
    return draft.done(render(subject, locale))


def _anchor(label: str, url: str) -> str:
    return f'<a href="{escape(url)}" style="color:#2747b8">{escape(label)}</a>'
