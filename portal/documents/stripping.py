"""Copies of files without their properties (author, company, revisions, place of a photograph), and their text.

The work is done in a child process with limits on memory and time (:mod:`portal.documents.stripper`); one child
serves many files.
"""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from types import TracebackType
from typing import Any, Final, Self

from portal.core.language import N_, Message

SECONDS: Final = 60.0
"""How long one file may take."""
FAULTS: Final[Mapping[str, Message]] = {
    "signed": N_("The file is signed inside: a copy without names would break its signature. Ask for an unsigned one."),
    "encrypted": N_("The file is protected by a password. Ask for one without a password."),
    "attachments": N_("Other files are embedded in the file. Ask for one without them."),
    "damaged": N_("The file cannot be read to its end. Ask for it once more."),
    "too_large": N_("The file holds more than can be looked through. Ask for a shorter one."),
    "unknown": N_("The file is of a kind that cannot be cleared of names. Ask for a PDF."),
}
"""Why a file has no copy, and what an officer can do."""

_ROOT: Final = Path(__file__).parents[2]
_START: Final = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); from portal.documents.stripper.__main__ import main; main()"
)


@dataclass(frozen=True, slots=True)
class Stripped:
    """A copy, or the ``fault`` (of :data:`FAULTS`) for which there is none.

    ``texts`` are (kind, where, text) by place: ``page`` with its number, ``cell`` with sheet and cell, ``text`` of the
    document, ``note`` and ``aside`` without a place. ``unread`` are places that hold pictures and no text.
    """

    content: bytes = b""
    fault: str = ""
    texts: tuple[tuple[str, str, str], ...] = ()
    unread: tuple[tuple[str, str], ...] = ()


class Stripper:
    """A child that strips one file after the other; use it in a ``with``."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def strip(self, content: bytes) -> Stripped:
        """A copy of a file by its content. What the child dies of is ``damaged``, what takes too long ``too_large``."""
        child = self._running()
        assert child.stdin is not None
        late = Timer(SECONDS, child.kill)
        late.start()
        try:
            child.stdin.write(struct.pack(">I", len(content)) + content)
            child.stdin.flush()
            told: dict[str, Any] = json.loads(self._read(child))
            copy = self._read(child)
        except (OSError, EOFError):
            timely = late.is_alive()
            self._end()
            return Stripped(fault="damaged" if timely else "too_large")
        finally:
            late.cancel()
        texts = tuple((kind, where, text) for kind, where, text in told["texts"])
        return Stripped(copy, told["fault"], texts, tuple((kind, where) for kind, where in told["unread"]))

    @staticmethod
    def _read(child: subprocess.Popen[bytes]) -> bytes:
        assert child.stdout is not None
        head = child.stdout.read(4)
        if len(head) < 4:
            raise EOFError
        (length,) = struct.unpack(">I", head)
        body = child.stdout.read(length)
        if len(body) < length:
            raise EOFError
        return body

    def _running(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._end()
            self._child = subprocess.Popen(  # noqa: S603 - our own interpreter and code
                [sys.executable, "-I", "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"LC_ALL": "C.UTF-8"},
            )
        return self._child

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is None:
            return
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue
        child.kill()
        child.wait()
