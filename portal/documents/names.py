"""Names of files as people gave them, made harmless and still recognisable."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from portal.documents.kinds import ALIASES, EXTENSIONS

MAX_STEM: Final = 100

_SEPARATORS: Final = re.compile(r"[/\\]")
_FORBIDDEN: Final = re.compile(r'[<>:"|?*%]')
# Controls, format characters (bidi marks, zero-width), surrogates, private use, unassigned.
_DROPPED: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
_MAX_INPUT: Final = 4096


def visible(name: str) -> str:
    """The last part of a path without invisible characters, and without those that change the direction of text."""
    last = _SEPARATORS.split(unicodedata.normalize("NFC", name[-_MAX_INPUT:]))[-1]
    kept = "".join(
        " " if unicodedata.category(c).startswith("Z") else c for c in last if unicodedata.category(c) not in _DROPPED
    )
    return " ".join(_FORBIDDEN.sub("_", kept).split())


def clean(name: str, content_type: str) -> str:
    """The name without folders, invisible characters and what shells or Windows read as orders.

    It gets the extension of its content; an extension of ours that lies about the content is taken off. The
    stem is cut to :data:`MAX_STEM` characters; nothing left of it gives ``file``.
    """
    stem = visible(name)
    own = EXTENSIONS[content_type]
    aliases = ALIASES.get(content_type, frozenset())
    head, dot, tail = stem.rpartition(".")
    if dot and tail.lower() in {*EXTENSIONS.values(), *aliases}:
        stem = head
        own = tail.lower() if tail.lower() in aliases else own
    return f"{stem.strip('. ')[:MAX_STEM].rstrip('. ') or 'file'}.{own}"
