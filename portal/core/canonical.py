"""One way to write a value as JSON, so that equal values have equal bytes and equal digests.

Keys are sorted, nothing but what JSON needs stands between the tokens, the text is UTF-8 without escapes.
Decimals become plain strings without trailing zeros ("7.5", never "7.50" or "75E-1"); floats are refused,
because the same sum may differ in its last bit from one machine to the next.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Final
from uuid import UUID

import orjson


def canonical_json(value: object) -> bytes:
    """Write ``value`` as canonical JSON. TypeError for floats and for unknown types.

    Besides JSON's own types: Decimal, date and datetime (ISO 8601), UUID, Enum (its value), tuple; keys may
    be whole numbers, UUIDs or Enums too. A lone surrogate that somebody sent is written, not refused.
    """
    return canonical_text(_plain(value)).encode("utf-8", "surrogatepass")


def canonical_text(plain: object) -> str:
    """The canonical JSON of what consists of JSON's own types already and holds no float: nothing is converted."""
    try:
        return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        # Lone surrogates, whole numbers of more than 64 bits, and what has no canonical form at all.
        return _ENCODER.encode(plain)


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON of ``value``, 64 lower-case hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def plain_decimal(value: Decimal) -> str:
    """The one spelling of a number: no exponent, no trailing zeros, no negative zero."""
    text = str(value)
    # An exponent, NaN or Infinity: everything else is written without one already, in a third of the time of format().
    if "E" in text or "N" in text or "I" in text:
        if not value.is_finite():
            raise TypeError("only finite numbers have a canonical form")
        text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def plain_digest(plain: object) -> str:
    """The same of what :func:`canonical_text` takes: nothing is converted."""
    return hashlib.sha256(canonical_text(plain).encode("utf-8", "surrogatepass")).hexdigest()


_AS_THEY_ARE: Final = frozenset({str, int, bool, type(None)})


def _plain(value: object) -> object:
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value
    if isinstance(value, Enum):
        return _plain(value.value)
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, Mapping):
        return {key if type(key) is str else _key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _key(key: object) -> str:
    if isinstance(key, Enum):
        return str(key.value)
    if isinstance(key, (str, int, UUID)) and not isinstance(key, bool):
        return str(key)
    raise TypeError(f"{type(key).__name__} cannot be a key")
