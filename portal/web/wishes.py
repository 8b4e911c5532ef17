"""What a visitor wanted before signing in: the track to apply on, kept until the application is started.

It goes with the browser's session over signing in and registering, and with the link of the letter that confirms the
address, which may be opened in another browser. It is a wish, never a right: the page that it leads to asks anew.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from flask import session as browser
from flask import url_for

_KEY: Final = "wished_track"


def keep(onward: str) -> None:
    """Note the track when ``onward``, a path of the portal, leads to the start of an application."""
    found = _track_in(onward)
    if found is not None:
        browser[_KEY] = str(found)


def track() -> str:
    """The key of the wished track, or ""."""
    return str(browser.get(_KEY, ""))


def path() -> str:
    """Where the wish is fulfilled, or ""."""
    return url_for("applications.start", track=track()) if track() else ""


def fulfilled() -> None:
    """An application has been started: nothing is wished any more."""
    browser.pop(_KEY, None)


def _track_in(onward: str) -> UUID | None:
    parts = urlsplit(onward)
    if parts.path != url_for("applications.start"):
        return None
    try:
        return UUID(parse_qs(parts.query).get("track", [""])[0])
    except ValueError:
        return None
