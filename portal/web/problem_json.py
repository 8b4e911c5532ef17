"""Refusals for scripts of our pages: RFC 9457 problem documents where a request speaks JSON.

``code`` is for the script: ``signed_out``, ``expired`` (the CSRF token is of another session), ``refused``,
``not_found``, ``conflict``, ``problems``, ``unavailable``, ``failed``, or ``http`` for the rest; ``title`` is for
the reader.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Response, json, request

from portal.core.language import Message
from portal.web.language import say

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"


def speaks_json() -> bool:
    """Whether the request is a script's: it sends JSON, or asks for nothing but it."""
    return request.mimetype == JSON or request.accept_mimetypes.best == JSON


def problem(status: int, code: str, title: Message | str = "", **more: Any) -> Response:
    """The problem document of a refusal."""
    body = {"status": status, "code": code, "title": say(title) if title else "", **more}
    return Response(json.dumps(body), status, mimetype=PROBLEM)
