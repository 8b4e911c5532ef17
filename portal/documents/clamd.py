"""A client of clamd: one INSTREAM conversation per file (man clamd(8), "zINSTREAM").

The address is ``tcp://host:port`` or ``unix:///path/of.socket``. Without one nothing is scanned, and files say so.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote, urlsplit

PORT: Final = 3310
SECONDS: Final = 60.0
_LONGEST_ANSWER: Final = 4096
_configured: dict[str, str] = {}


class ScanFailed(Exception):
    """The scanner is away, or it did not give an answer; try again later."""


def configure(url: str | None) -> None:
    """Where the scanner listens; None for no scanner. Raises ``ValueError`` for an address of another kind."""
    _configured.clear()
    if url:
        place = urlsplit(url)
        if not ((place.scheme == "tcp" and place.hostname) or (place.scheme == "unix" and place.path)):
            raise ValueError(f"CLAMD_URL is neither tcp://host:port nor unix:///path: {url}")
        _configured["url"] = url


def configured() -> bool:
    return "url" in _configured


def scan(blocks: Iterable[bytes]) -> str | None:
    """The name of what was found in the content, or None for nothing. Raises :class:`ScanFailed`."""
    try:
        with _connect(_configured["url"]) as connection:
            answer = _converse(connection, blocks)
    except OSError as error:
        raise ScanFailed(f"clamd is not reached: {error}") from error
    said = answer.removeprefix("stream: ")
    if said == "OK":
        return None
    if said.endswith(" FOUND"):
        return said.removesuffix(" FOUND")
    raise ScanFailed(f"clamd says: {answer or 'nothing'}")


def _connect(url: str) -> socket.socket:
    place = urlsplit(url)
    if place.scheme == "tcp":
        return socket.create_connection((place.hostname or "", place.port or PORT), timeout=SECONDS)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(SECONDS)
        connection.connect(unquote(place.path))
    except OSError:
        connection.close()
        raise
    return connection


def _converse(connection: socket.socket, blocks: Iterable[bytes]) -> str:
    connection.sendall(b"zINSTREAM\0")
    try:
        for block in blocks:
            if block:
                connection.sendall(struct.pack(">I", len(block)) + block)
        connection.sendall(struct.pack(">I", 0))
    except (BrokenPipeError, ConnectionResetError):
        pass  # clamd answers and hangs up when a file is longer than its StreamMaxLength: the answer says so
    answer = b""
    while not answer.endswith(b"\0") and len(answer) < _LONGEST_ANSWER:
        piece = connection.recv(_LONGEST_ANSWER)
        if not piece:
            break
        answer += piece
    return answer.rstrip(b"\0\n").decode("utf-8", "replace")
