"""Links in letters that switch off one kind of letters, and can do nothing else: no sign-in, no reading.

RFC 8058 asks for an address that works without a session. The token is the person and the kind with an
HMAC-SHA-256 over both, under a key derived from the portal's secret for this purpose alone.
"""

from __future__ import annotations

import binascii
import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final
from uuid import UUID

_PURPOSE: Final = b"portal.notifications.stop.v1"
_LONGEST: Final = 200
_SEAL: Final = 20
_secret: dict[str, bytes] = {}


def configure(secret_key: str) -> None:
    """Derive the key of the links from the portal's secret."""
    _secret["key"] = hmac.digest(secret_key.encode(), _PURPOSE, "sha256")


def sign(user_id: UUID, kind: str) -> str:
    """The token of a person and a kind; letters, digits, ``-`` and ``_`` only."""
    content = user_id.bytes + kind.encode()
    return urlsafe_b64encode(_seal(content) + content).decode().rstrip("=")


def read(token: str) -> tuple[UUID, str] | None:
    """Person and kind of a token that is ours, or None."""
    if len(token) > _LONGEST or not token.isascii():
        return None
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    seal, content = raw[:_SEAL], raw[_SEAL:]
    if len(content) <= 16 or not hmac.compare_digest(seal, _seal(content)):
        return None
    return UUID(bytes=content[:16]), content[16:].decode()


def stop_path(user_id: UUID, kind: str) -> str:
    """The path of the page that switches off this person's letters of this kind."""
    return f"/notifications/stop/{sign(user_id, kind)}"


def _seal(content: bytes) -> bytes:
    return hmac.digest(_secret["key"], content, "sha256")[:_SEAL]
