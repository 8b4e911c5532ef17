"""Many small counts in one whole number: whether any is too high is one addition and one look. Pure; decision 17.

Each count has a field of some bits in a word of 64, shifted so that its highest bit is set just when the count is more
than it may be. Changes of counts are added as words are: sums of departures carry their counts with them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from portal.awards.allocation.pairing import Whole

BITS: Final = 62


@dataclass(frozen=True, slots=True)
class Count:
    """What each way changes of a count, what it is without any, and the most that it may be."""

    changes: Whole
    start: int
    most: int


@dataclass(frozen=True, slots=True)
class Counts:
    """``changes``: a line for each way and a column for each word; some ways together keep all counts just when the sum
    of their changes and ``start`` has no bit of ``guard``."""

    changes: Whole
    start: Whole
    guard: Whole

    def joined(self, other: Counts) -> Counts:
        return Counts(
            np.concatenate([self.changes, other.changes], axis=1),
            np.concatenate([self.start, other.start]),
            np.concatenate([self.guard, other.guard]),
        )

    def first(self, words: int) -> Counts:
        return Counts(self.changes[:, :words], self.start[:words], self.guard[:words])

    def words(self, after: int) -> Iterable[tuple[Whole, int, int]]:
        """Each word but the first ones: its changes, start and guard."""
        return zip(self.changes.T[after:], self.start[after:].tolist(), self.guard[after:].tolist(), strict=True)

    def kept(self, changes: Whole, words: int) -> npt.NDArray[np.bool_]:
        """Which of the lines keep the counts of the first words."""
        sound = np.ones(len(changes), dtype=np.bool_)
        for word in range(words):
            sound &= ((changes[:, word] + self.start[word]) & self.guard[word]) == 0
        return sound


def packed(counts: Iterable[Count], ways: int) -> Counts:
    """Any of ``ways`` may be taken together, each at most once."""
    words: list[Whole] = []
    start: list[int] = []
    guard: list[int] = []
    free = 0
    for count in counts:
        lowest = count.start + int(np.minimum(count.changes, 0).sum())
        highest = count.start + int(np.maximum(count.changes, 0).sum())
        if highest <= count.most:
            continue
        width = max(count.most - lowest, highest - count.most - 1).bit_length() + 1
        if width > free:
            words.append(np.zeros(ways, dtype=np.int64))
            start.append(0)
            guard.append(0)
            free = BITS
        shift = BITS - free
        words[-1] += count.changes << shift
        start[-1] += (count.start + (1 << (width - 1)) - 1 - count.most) << shift
        guard[-1] |= 1 << (shift + width - 1)
        free -= width
    changes = np.array(words, dtype=np.int64).reshape(len(words), ways).T
    return Counts(np.ascontiguousarray(changes), np.array(start, dtype=np.int64), np.array(guard, dtype=np.int64))
