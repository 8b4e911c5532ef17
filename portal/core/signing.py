"""The portal's own signature: one Ed25519 key (RFC 8032), by which heads of the audit trail and results are signed.

The key is a PEM file (PKCS #8). It is made at the first use where there is none; several machines share one file. Who
has it can sign as the portal, so it belongs where the database's administrators cannot read it.
"""

from __future__ import annotations

import hashlib
import logging
import os
from functools import cache
from pathlib import Path
from typing import Final
from uuid import uuid4

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

log = logging.getLogger(__name__)

_PLACE: Final[dict[str, Path]] = {}


def configure(path: str) -> None:
    """Where the key is kept."""
    _PLACE["key"] = Path(path)


def public_key() -> str:
    """The key by which others check, 64 hexadecimal digits."""
    return _key(_PLACE["key"]).public_key().public_bytes_raw().hex()


def sign(content: bytes) -> str:
    """The signature of ``content``, 128 hexadecimal digits; the same each time."""
    return _key(_PLACE["key"]).sign(content).hex()


def holds(public: str, signature: str, content: bytes) -> bool:
    """Whether the signature of ``content`` was made by the owner of a public key."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), content)
    except (InvalidSignature, ValueError):
        return False
    return True


def secret(purpose: str) -> bytes:
    """32 secret bytes for a purpose, which follow from the key."""
    return hashlib.sha256(purpose.encode() + b"\n" + _key(_PLACE["key"]).private_bytes_raw()).digest()


@cache
def _key(path: Path) -> Ed25519PrivateKey:
    if not path.exists():
        _make(path)
    found = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(found, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no Ed25519 key")
    return found


def _make(path: Path) -> None:
    """A new key under its name at once, and only where nobody else has been quicker."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    part = path.with_name(f"{path.name}.{uuid4().hex}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    try:
        os.link(part, path)
        log.warning("a new signing key was made in %s: back it up, and give every machine the same file", path)
    except FileExistsError:
        pass
    finally:
        part.unlink()
