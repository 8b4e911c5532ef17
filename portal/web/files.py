"""Stored files as answers: downloads that no browser runs, and what may be shown inside a page.

Only PDF and pictures are ever shown; both come with their own content type, ``nosniff``, and a policy that gives
them no scripts, no connections and no other page as a frame than ours. Everything else is a download.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

from flask import Response, request

from portal.core.errors import NotFound
from portal.documents import service as documents
from portal.documents.kinds import JPEG, PDF, PNG
from portal.documents.models import StoredFile

SHOWN: Final = frozenset({PDF, PNG, JPEG})
_ALONE: Final = "sandbox; default-src 'none'"
_FRAMED: Final = (
    "sandbox; default-src 'none'; img-src 'self'; object-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'"
)


def send(file: StoredFile, name: str = "") -> Response:
    """A stored file as a download that no browser runs or shows. :class:`NotFound` when the store lost it.

    ``name``: what the reader gets it as, where that is not its own name.
    """
    return _answer(file, "attachment", _ALONE, name)


def show(file: StoredFile, name: str = "") -> Response:
    """A PDF or a picture for a frame of ours; anything else as a download."""
    if file.content_type not in SHOWN:
        return send(file, name)
    return _answer(file, "inline", _FRAMED, name)


def begins(response: Response) -> bool:
    """Whether an answer brings content from the first byte on: later pieces of one reading are not counted again."""
    return response.status_code == 200 or (
        response.status_code == 206 and response.headers.get("Content-Range", "").startswith("bytes 0-")
    )


def disposition(kind: str, name: str) -> str:
    """``Content-Disposition`` with the name in both of its forms (RFC 6266, RFC 8187)."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _answer(file: StoredFile, kind: str, policy: str, name: str = "") -> Response:
    try:
        content = documents.chunks(file)
    except FileNotFoundError:
        raise NotFound from None
    response = Response(content, mimetype=file.content_type)
    response.content_length = file.size
    response.set_etag(file.sha256)
    response.headers["Content-Disposition"] = disposition(kind, name or file.name)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    response.headers["Cache-Control"] = "private, no-store"
    response.make_conditional(request.environ, accept_ranges=True, complete_length=file.size)
    return response
