"""The order of a public draw of lots. Pure, and short enough that anyone can write it anew.

Before the draw the fund publishes the SHA-256 of what it commits to: the track, the round, the registration numbers,
and the public event whose outcome will be the randomness. Afterwards each number's lot is HMAC-SHA-256 (RFC 2104) of
the number with the randomness as key, and the smallest lot comes first. Nobody who commits can know the order, and
nobody who knows the order can change what was committed to.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from portal.core.canonical import digest


def lot(randomness: str, number: str) -> str:
    """The lot of a registration number, 64 lower-case hexadecimal digits; the smallest wins."""
    return hmac.new(randomness.encode(), number.encode(), "sha256").hexdigest()


def order(randomness: str, numbers: Iterable[str]) -> list[str]:
    """The registration numbers in the order of their lots."""
    return sorted(numbers, key=lambda number: lot(randomness, number))


def committed(
    tender: str, track: str, round_: int, numbers: Sequence[str], source: dict[str, str], url: str, draws_at: datetime
) -> dict[str, Any]:
    """What the digest of a commitment covers; ``draws_at`` in UTC to the second."""
    return {
        "draw": 1,
        "tender": tender,
        "track": track,
        "round": round_,
        "numbers": sorted(numbers),
        "source": source,
        "url": url,
        "draws_at": draws_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def commitment_digest(content: dict[str, Any]) -> str:
    """SHA-256 of the canonical JSON (sorted keys, no spaces, UTF-8)."""
    return digest(content)


SNIPPET = """\
import hashlib, hmac, json, urllib.request

draw = json.load(urllib.request.urlopen("{address}"))
text = json.dumps(draw["committed"], ensure_ascii=False, sort_keys=True, separators=(",", ":"))
assert hashlib.sha256(text.encode()).hexdigest() == draw["commitment"]
key = draw["randomness"].encode()
lots = {{number: hmac.new(key, number.encode(), "sha256").hexdigest() for number in draw["committed"]["numbers"]}}
for place, number in enumerate(sorted(lots, key=lots.get), start=1):
    print(place, number, lots[number])
"""
"""What the public page shows, with the ``address`` of the draw's JSON: prints the order."""
