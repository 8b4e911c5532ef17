"""What the parts of the stripper share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

MOST_TEXT: Final = 2_000_000
"""Characters of text that are read of one file."""


class CannotStrip(Exception):
    """Why no copy can be made, as a code of :data:`portal.documents.stripping.FAULTS`."""


@dataclass
class Texts:
    """Text of a file by its place: ``[kind, where, text]``; ``unread``: the places that hold pictures and no text."""

    found: list[tuple[str, str, str]] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    length: int = 0

    def add(self, kind: str, where: str, text: str) -> None:
        """Keep a text of a place. Raises :class:`CannotStrip` when the file holds more than can be read."""
        if not text.strip():
            return
        self.length += len(text)
        if self.length > MOST_TEXT:
            raise CannotStrip("too_large")
        self.found.append((kind, where, text))
