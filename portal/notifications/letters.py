"""What a letter says: sentences of the rooms, written as text and as HTML in the reader's language."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from portal.core.language import N_, Message, render

_place: dict[str, str] = {}

_FOOT: Final = N_("This letter was sent by the Joint Projects Portal. You need not answer it.")
_STYLE: Final = "font-family:Arial,sans-serif;font-size:16px;line-height:1.5;color:#141a2b;max-width:640px"


@dataclass(frozen=True, slots=True)
class Composed:
    """A letter's subject, its text and its HTML; everything in the HTML is escaped."""

    subject: str
    text: str
    html: str


def configure(public_url: str) -> None:
    """How people reach the portal, for the links of letters."""
    _place["url"] = public_url.rstrip("/")


def address(path: str) -> str:
    """The full address of a page of the portal, given by its path."""
    return _place.get("url", "") + path


def compose(subject: Message, paragraphs: Sequence[Message], link: tuple[Message, str] | None, locale: str) -> Composed:
    """Write the letter. ``link`` is the text of its one link and the path it leads to."""
    title = render(subject, locale)
    said = [render(paragraph, locale) for paragraph in paragraphs]
    foot = render(_FOOT, locale)
    text = [*said]
    html = [f"<p>{escape(paragraph)}</p>" for paragraph in said]
    if link is not None:
        label, url = render(link[0], locale), address(link[1])
        text.append(f"{label}: {url}")
        html.append(f'<p><a href="{escape(url)}" style="color:#2747b8">{escape(label)}</a></p>')
    text.append(f"--\n{foot}")
    html.append(f'<p style="color:#4a5468;font-size:14px">{escape(foot)}</p>')
    body = (
        f'<!doctype html><html lang="{escape(locale)}"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head>"
        f'<body><div style="{_STYLE}"><h1 style="font-size:20px">{escape(title)}</h1>{"".join(html)}</div>'
        "</body></html>"
    )
    return Composed(title, "\n\n".join(text) + "\n", body)
