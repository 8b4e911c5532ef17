"""A form that came without its session: kept whole on the page that refuses it, to be sent again with one press.

Signed out, or signed in anew since the form was opened: what was typed travels on in hidden inputs, with a token of
the present session and the form's own idempotency key, so that sending it twice still does its work once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from flask import current_app, request

from portal.web.sessions import SAFE

_OURS: Final = ("csrf_token",)


@dataclass(frozen=True, slots=True)
class Resend:
    """``action``: where the form went. ``page``: the page it stood on, "" where that cannot be told."""

    action: str
    page: str
    fields: list[tuple[str, str]]


def resendable() -> Resend | None:
    """The present POST as a form to be sent again; None where it was not a page of ours that sent it, or where it
    carries what must not stand in a page (passwords, files)."""
    if request.method in SAFE or request.blueprint == "security" or request.files or not _from_here():
        return None
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in _OURS]
    if any("password" in name for name, _value in fields):
        return None
    adapter = current_app.create_url_adapter(request)
    shown = adapter is not None and adapter.test(request.path, "GET")
    return Resend(request.full_path.rstrip("?"), request.path if shown else "", fields)


def _from_here() -> bool:
    """Whether the browser says that a page of this host sent the form: another site's form is not offered again."""
    origin = request.headers.get("Origin", "")
    return bool(origin) and urlsplit(origin).netloc == request.host
