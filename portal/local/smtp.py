"""A real SMTP server that delivers to a folder: one ``.eml`` file for each letter."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from portal.local.redis import free_port

RECIPIENTS: Final = "X-Envelope-To"
ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class ReceivedMail:
    """A letter as it arrived.

    ``to`` are the envelope's addresses, joined by ", "; ``text`` and ``html`` are "" where it has none.
    """

    sent_at: datetime
    to: str
    subject: str
    text: str
    html: str
    path: Path


def received(folder: Path | str, limit: int | None = None, to: str = "") -> list[ReceivedMail]:
    """The letters in ``folder`` (with ``to``: those to this address), newest first; a missing folder has none."""
    paths = sorted(Path(folder).glob("*.eml"), reverse=True)
    if to:
        paths = [path for path in paths if to in _recipients(path)]
    return [_read(path) for path in paths[:limit]]


@contextmanager
def smtp(folder: Path) -> Iterator[str]:
    """Run the server in a thread of this process, on a free port of the loopback; gives its URL."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    controller = _start(folder)
    try:
        yield f"smtp://127.0.0.1:{controller.port}"
    finally:
        controller.stop()


def _start(folder: Path) -> Controller:
    for attempt in range(ATTEMPTS):
        controller = Controller(_Delivery(folder), hostname="127.0.0.1", port=free_port(), ready_timeout=30)
        try:
            controller.start()
        except OSError:  # somebody took the port in between
            if attempt == ATTEMPTS - 1:
                raise
        else:
            break
    return controller


class _Delivery:
    """Writes each accepted letter; the file appears whole or not at all, and only then is it accepted."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        name = f"{time.time_ns():020d}-{os.urandom(4).hex()}"
        header = f"{RECIPIENTS}: {', '.join(envelope.rcpt_tos)}\r\n".encode()
        part = self._folder / f"{name}.part"
        part.write_bytes(header + cast(bytes, envelope.original_content))
        part.rename(self._folder / f"{name}.eml")
        return "250 OK"


@lru_cache(maxsize=20_000)
def _recipients(path: Path) -> str:
    """The line that :class:`_Delivery` put on top. Reading whole letters takes milliseconds each."""
    with path.open(encoding="utf-8", errors="replace") as letter:
        return letter.readline()


def _read(path: Path) -> ReceivedMail:
    letter = message_from_bytes(path.read_bytes(), policy=default)
    nanoseconds = int(path.name.split("-")[0])
    return ReceivedMail(
        sent_at=datetime.fromtimestamp(nanoseconds / 1e9, UTC),
        to=str(letter[RECIPIENTS]),
        subject=str(letter["Subject"] or ""),
        text=_body(letter, "plain"),
        html=_body(letter, "html"),
        path=path,
    )


def _body(letter: EmailMessage, kind: str) -> str:
    part = letter.get_body(preferencelist=(kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""
