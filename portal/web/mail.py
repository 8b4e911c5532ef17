"""Demo mode only: the letters that the SMTP sink has received, so that their links can be followed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default
from itertools import islice
from pathlib import Path
from typing import Final

from flask import Blueprint, current_app, render_template, request
from flask.typing import ResponseReturnValue

from portal.core.errors import NotFound
from portal.identity.policy import Permission
from portal.web.page import page

pages = Blueprint("mail", __name__, url_prefix="/demo/mail")

SHOWN: Final = 50
READ: Final = 1000
_NAME: Final = re.compile(r"[0-9]{1,20}-[0-9a-f]{1,16}")
_URL: Final = re.compile(r"https?://[^\s<>\"]+")


@dataclass(frozen=True, slots=True)
class Received:
    """A letter as it arrived; ``parts`` are pieces of its text with the address each links to, or ""."""

    name: str
    sent_at: datetime | None
    to: str
    subject: str
    parts: list[tuple[str, str]]


@page(pages, "/", get=Permission.DEMO_MAIL)
def index() -> ResponseReturnValue:
    """The newest letters, or those to one address."""
    wish = request.args.get("to", "").strip().lower()[:254]
    paths = sorted(_folder().glob("*.eml"), reverse=True)[: READ if wish else SHOWN]
    letters = (_read(path) for path in paths if _names(path, wish))
    shown = list(islice((letter for letter in letters if wish in letter.to.lower()), SHOWN))
    return render_template("mail/index.html", letters=shown, wish=wish)


@page(pages, "/<name>", get=Permission.DEMO_MAIL)
def show(name: str) -> ResponseReturnValue:
    """One letter; its text, with links that can be followed."""
    path = _folder() / f"{name}.eml"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFound
    return render_template("mail/show.html", letter=_read(path))


def _folder() -> Path:
    config = current_app.extensions["portal"]
    if not config.demo or not config.mail_folder:
        raise NotFound
    return Path(config.mail_folder)


def _names(path: Path, wish: str) -> bool:
    """Whether the letter may be to ``wish``: parsing a thousand letters to find one takes many seconds."""
    return not wish.isascii() or wish.encode() in path.read_bytes().lower()


def _read(path: Path) -> Received:
    message = message_from_bytes(path.read_bytes(), policy=default)
    body = message.get_body(("plain",))
    written = message["Date"].datetime if message["Date"] is not None else None
    return Received(
        name=path.stem,
        sent_at=written if written is None or written.tzinfo else written.replace(tzinfo=UTC),
        to=str(message.get("X-Envelope-To") or message.get("To") or ""),
        subject=str(message.get("Subject") or ""),
        parts=_linked(body.get_content() if body is not None else ""),
    )


def _linked(text: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    place = 0
    for match in _URL.finditer(text):
        parts += [(text[place : match.start()], ""), (match.group(), match.group())]
        place = match.end()
    return [(piece, url) for piece, url in [*parts, (text[place:], "")] if piece]
