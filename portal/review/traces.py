"""What a project leaves behind to be recognised by: codes, organisations, sums, files, and its text in shingles.

Pure. The text is compared by the hashes of its five-letter shingles. Of these, a MinHash signature (A. Broder,
"On the resemblance and containment of documents", 1997) of 64 functions in 32 bands gives the tokens by which
like texts find each other in an index, without comparing each with each.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from portal.applications.drafts.reading import mapping, parts
from portal.core.figures import decimal_of

SHINGLE: Final = 5
BANDS: Final = 32
ROWS: Final = 2
LONGEST_TEXT: Final = 6_000
MOST_LINES: Final = 300
ROUND: Final = 100_000
"""Sums that are multiples of this, in roubles, agree by chance too often to be evidence."""

_PRIME: Final = (1 << 61) - 1
_NOT_WORD: Final = re.compile(r"[^0-9a-zа-я]+")


def _functions() -> tuple[tuple[int, int], ...]:
    """The same 64 functions in every process: a linear congruence (D. Knuth, MMIX) seeds them."""
    state, numbers = 20_180_831, []
    for _ in range(2 * BANDS * ROWS):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        numbers.append((state >> 3) % (_PRIME - 1) + 1)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


_FUNCTIONS: Final = _functions()


@dataclass(frozen=True, slots=True)
class Firm:
    """An organisation of the project; ``asks``: whether it requests a subsidy."""

    inn: str
    name_ru: str
    name_en: str
    asks: bool = False
    initiator: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """One frozen project. ``lines``: "category:sum" of its cost tables; ``files``: SHA-256 -> name."""

    firms: tuple[Firm, ...] = ()
    okpd2: str = ""
    tn_ved: str = ""
    lines: frozenset[str] = frozenset()
    files: Mapping[str, str] = field(default_factory=dict)
    text: str = ""

    @property
    def inns(self) -> list[str]:
        return sorted({firm.inn for firm in self.firms if firm.inn})

    @property
    def codes(self) -> list[str]:
        """The product's codes as tokens of the index."""
        return [f"{name}:{code}" for name, code in (("okpd2", self.okpd2), ("tn_ved", self.tn_ved)) if code]


def trace_of(package: Mapping[str, Any]) -> Trace:
    """The trace of a frozen package."""
    project = mapping(package.get("project"))
    people = parts(package)
    words = [str(project.get(name) or "") for name in ("name_ru", "name_en", "product_name", "summary")]
    return Trace(
        firms=tuple(_firm(part) for part in people),
        okpd2=str(project.get("okpd2") or ""),
        tn_ved=str(project.get("tn_ved") or ""),
        lines=frozenset(sorted({line for part in people for line in _lines(part)})[:MOST_LINES]),
        files={
            str(item["sha256"]): str(item.get("name") or "")
            for item in map(mapping, package.get("documents") or ())
            if item.get("sha256")
        },
        text=normal(" ".join(words))[:LONGEST_TEXT],
    )


def _firm(part: Mapping[str, Any]) -> Firm:
    organisation = mapping(part.get("organisation"))
    asked = (decimal_of(amount) for amount in mapping(part.get("subsidy")).values())
    return Firm(
        inn=str(organisation.get("inn") or ""),
        name_ru=str(organisation.get("name_ru") or ""),
        name_en=str(organisation.get("name_en") or ""),
        asks=any(amount for amount in asked),
        initiator=part.get("role") == "initiator",
    )


def _lines(part: Mapping[str, Any]) -> Iterator[str]:
    for category, years in mapping(part.get("costs")).items():
        for entry in mapping(years).values():
            amount = decimal_of(entry)
            if amount is not None and amount > 0 and amount % ROUND:
                yield f"{category}:{amount:.2f}"


def normal(text: str) -> str:
    """Words in small letters set off by single blanks, ё as е, nothing else."""
    return _NOT_WORD.sub(" ", text.casefold().replace("ё", "е")).strip()


@lru_cache(maxsize=4096)
def shingles(text: str) -> frozenset[int]:
    """Hashes of all runs of five characters of a normal text; of a shorter one, of itself."""
    padded = f" {text} ".encode() if text else b""
    if not padded:
        return frozenset()
    whole = padded.decode()
    return frozenset(
        zlib.crc32(whole[place : place + SHINGLE].encode()) for place in range(max(1, len(whole) - SHINGLE + 1))
    )


def bands(text: str) -> list[int]:
    """The tokens of a text: two texts share one when a pair of their minima agrees, likelier the more alike."""
    hashes = shingles(text)
    if not hashes:
        return []
    minima = [min((a * value + b) % _PRIME for value in hashes) for a, b in _FUNCTIONS]
    return sorted(
        {zlib.crc32(repr((place, minima[place * ROWS : place * ROWS + ROWS])).encode()) for place in range(BANDS)}
    )
