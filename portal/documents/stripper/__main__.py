"""Reads files from standard input and answers with their copies, until the input ends.

A question is four bytes of length (big endian) and the content; an answer the same twice: a JSON object
``{"fault": "", "texts": [[kind, where, text]], "unread": [[kind, where]]}`` and the copy.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
from typing import Any, Final

from portal.documents.stripper.common import CannotStrip, Texts
from portal.documents.stripper.pictures import JPEG_HEAD, PNG_HEAD, jpeg, png

MEMORY: Final = 1024 * 1024 * 1024


def main() -> None:
    """Answer one question after the other."""
    for what, amount in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(what, (amount, amount))
    source, target = sys.stdin.buffer, sys.stdout.buffer
    while len(head := source.read(4)) == 4:
        told, copy = answer(source.read(struct.unpack(">I", head)[0]))
        for part in (json.dumps(told).encode(), copy):
            target.write(struct.pack(">I", len(part)) + part)
        target.flush()


def answer(content: bytes) -> tuple[dict[str, Any], bytes]:
    """What is told of one file, and its copy; an empty one with the fault."""
    texts = Texts()
    try:
        copy = _stripped(content, texts)
    except CannotStrip as reason:
        return {"fault": str(reason), "texts": [], "unread": []}, b""
    except MemoryError:
        return {"fault": "too_large", "texts": [], "unread": []}, b""
    return {"fault": "", "texts": texts.found, "unread": texts.unread}, copy


def _stripped(content: bytes, texts: Texts) -> bytes:
    if content.startswith((PNG_HEAD, JPEG_HEAD)):
        texts.unread.append(("picture", ""))
        return png(content) if content.startswith(PNG_HEAD) else jpeg(content)
    # The libraries are loaded for what needs them.
    if content.startswith(b"%PDF-"):
        from portal.documents.stripper.pdf import pdf

        return pdf(content, texts)
    if content.startswith(b"PK"):
        from portal.documents.stripper.office import office

        return office(content, texts)
    raise CannotStrip("unknown")


if __name__ == "__main__":
    main()
