"""Sealing: content under a fresh key, the key wrapped so that any two keepers together open it.

Pure. Keepers have X25519 keys; the private half is kept under a key from a passphrase (Argon2id, the second
recommended option of RFC 9106). A data key is wrapped with HPKE (RFC 9180, base mode) for one keeper, and what
comes of it for the other. Content is AES-256-GCM with a random nonce in front. Everything is bound to a context.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from portal.core.canonical import canonical_json

KEY_SIZE: Final = 32
SALT_SIZE: Final = 16
NONCE_SIZE: Final = 12
PASSES: Final = 3
LANES: Final = 4
KIBIBYTES: Final = 64 * 1024
_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_DOMAIN: Final = "joint-projects-portal/sealing/1"


class CannotOpen(Exception):
    """The passphrase or key is not the right one, or the content is not what was sealed."""


@dataclass(frozen=True, slots=True)
class Locked:
    """A secret under a passphrase: the salt, and nonce with ciphertext."""

    salt: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class KeeperKey:
    """A keeper's new key: the public half, and the private half under the keeper's passphrase."""

    public: bytes
    private: Locked


def new_key() -> bytes:
    """A fresh 256-bit key."""
    return os.urandom(KEY_SIZE)


def encrypt(key: bytes, content: bytes, context: Mapping[str, str]) -> bytes:
    """AES-256-GCM; the random nonce stands in front."""
    nonce = os.urandom(NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, content, _bound(context))


def decrypt(key: bytes, sealed: bytes, context: Mapping[str, str]) -> bytes:
    """The content again. Raises :class:`CannotOpen` when a single bit of it, or of the context, is another."""
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], _bound(context))
    except (InvalidTag, ValueError) as error:
        raise CannotOpen from error


def lock(passphrase: str, secret: bytes, context: Mapping[str, str]) -> Locked:
    """A secret under a passphrase."""
    salt = os.urandom(SALT_SIZE)
    return Locked(salt, encrypt(_stretched(passphrase, salt), secret, context))


def unlock(passphrase: str, locked: Locked, context: Mapping[str, str]) -> bytes:
    """The secret again. Raises :class:`CannotOpen`."""
    return decrypt(_stretched(passphrase, locked.salt), locked.content, context)


def make_keeper_key(passphrase: str, context: Mapping[str, str]) -> KeeperKey:
    """A new key of a keeper; the private half leaves this function under the passphrase only."""
    private = X25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    return KeeperKey(public, lock(passphrase, private.private_bytes_raw(), {**context, "public": public.hex()}))


def open_keeper_key(passphrase: str, public: bytes, locked: Locked, context: Mapping[str, str]) -> bytes:
    """The private half, which belongs to the public one. Raises :class:`CannotOpen`."""
    private = unlock(passphrase, locked, {**context, "public": public.hex()})
    if public_of(private) != public:
        raise CannotOpen
    return private


def public_of(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def wrap(key: bytes, keepers: Mapping[str, bytes], context: Mapping[str, str]) -> dict[str, bytes]:
    """The key for every pair of keepers: ``{"first:second": wrapped}``; ``keepers`` are public keys by name."""
    wrapped = {}
    for pair in combinations(sorted(keepers), 2):
        info = _bound({**context, "pair": ":".join(pair)})
        content = key
        for name in pair:
            content = _SUITE.encrypt(content, X25519PublicKey.from_public_bytes(keepers[name]), info)
        wrapped[":".join(pair)] = content
    return wrapped


def unwrap(wrapped: Mapping[str, bytes], keepers: Mapping[str, bytes], context: Mapping[str, str]) -> bytes:
    """The key by the private keys of any two keepers. :class:`CannotOpen` for fewer, others, or changed bytes."""
    for pair in combinations(sorted(keepers), 2):
        content = wrapped.get(":".join(pair))
        if content is None:
            continue
        info = _bound({**context, "pair": ":".join(pair)})
        try:
            for name in reversed(pair):
                content = _SUITE.decrypt(content, X25519PrivateKey.from_private_bytes(keepers[name]), info)
        except (InvalidTag, ValueError) as error:
            raise CannotOpen from error
        return content
    raise CannotOpen


def pack(content: Mapping[str, Any]) -> bytes:
    """Plain JSON, compressed."""
    return zlib.compress(json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode())


def unpack(packed: bytes) -> dict[str, Any]:
    """The inverse of :func:`pack`. Raises :class:`CannotOpen` for anything else."""
    try:
        found = json.loads(zlib.decompress(packed))
    except (ValueError, zlib.error) as error:
        raise CannotOpen from error
    if not isinstance(found, dict):
        raise CannotOpen
    return found


def _stretched(passphrase: str, salt: bytes) -> bytes:
    stretch = Argon2id(salt=salt, length=KEY_SIZE, iterations=PASSES, lanes=LANES, memory_cost=KIBIBYTES)
    return stretch.derive(passphrase.encode("utf-8", "surrogatepass"))


def _bound(context: Mapping[str, str]) -> bytes:
    return canonical_json({"domain": _DOMAIN, **context})
