"""Pairs of sums that together keep rows and lose little, without looking at every pair. Pure; decision 17.

Two lists of sums; each sum costs something, is worth something, and takes something of each row. What a pair leaves
over of a row that has a multiplier costs too. So a pair within the loss leaves little over, and the less the more its
own two costs are: sums are put into layers by cost, and a grid with cells as wide as what may be left over finds the
partners of a sum in at most two cells for each row (Horowitz and Sahni 1974 with a grid in several dimensions).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Whole = npt.NDArray[np.int64]

LAYERS: Final = ((5_000, 1), (40_000, 2), (200_000, 5), (2**62, 16))
"""Up to so many sums so many layers by cost: each pair of layers is a search of its own."""

PIECE: Final = 100_000
"""Sums whose partners are looked up at a time: memory."""

FEW: Final = 100_000
"""So many pairs are looked at one by one: a grid would take longer."""
CHUNK: Final = 1_000_000
"""Pairs that are looked at at a time: memory."""

LOOKED_AT: Final = 150_000_000
"""Pairs that are looked at at most."""

SHARES: Final = 2
"""The searches of pairs of layers can be dealt to so many processes."""

PRICED: Final = 2**40


class TooMany(Exception):
    """More sums or pairs than can be looked at."""


@dataclass(frozen=True, slots=True)
class Sums:
    """One line for each sum. ``cost``: at least 0; ``use``: what it takes, a column for each row; ``counts``: packed
    (see ``counting.py``), a column for each word."""

    cost: Whole
    worth: Whole
    use: Whole
    counts: Whole


@dataclass(frozen=True, slots=True)
class Window:
    """A row whose upper side (``sign`` 1) or lower side (-1) has a multiplier: ``PRICED`` units left over of it cost
    ``price``."""

    column: int
    sign: int
    price: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Pairs that take between ``lower`` and ``upper`` of each row and are worth at least ``least``; those pairs cost
    at most ``loss``. ``start``, ``guard``: of the counts that they keep."""

    upper: Whole
    lower: Whole
    least: int
    loss: int
    windows: Sequence[Window]
    start: Whole
    guard: Whole


def pairs(one: Sums, other: Sums, wanted: Wanted, shares: Sequence[int] = ()) -> Iterator[tuple[int, Whole, Whole]]:
    """All wanted pairs as two lists of places, the cheap ones first: with what every later pair costs at least.

    ``shares``: only these of the ``SHARES`` that all pairs are dealt into, one after the other. Raises
    :class:`TooMany` when more than ``LOOKED_AT`` pairs are near enough to be looked at; each share has its share.
    """
    layers = next(layers for most, layers in LAYERS if len(one.cost) + len(other.cost) <= most)
    layer = wanted.loss // layers + 1
    mine, others = _layers(one.cost, layer, layers), _layers(other.cost, layer, layers)
    searches = [(level, before) for level in range(layers) for before in range(level + 1)]
    dealt = [searches[share::SHARES] for share in shares] if shares else [searches]
    for share in dealt:
        looked_at = 0
        for level, before in share:
            left, right = mine[before], others[level - before]
            if len(left) and len(right):
                for near in _near(one, other, left, right, wanted, (layers - level) * layer):
                    looked_at += int((near[3] - near[2]).sum())
                    if looked_at > (LOOKED_AT // SHARES if shares else LOOKED_AT):
                        raise TooMany
                    for found in _sound(one, other, *near, wanted):
                        yield level * layer, *found


def _layers(cost: Whole, layer: int, layers: int) -> list[Whole]:
    of = cost // layer
    return [np.flatnonzero(of == number) for number in range(layers)]


def _near(
    one: Sums, other: Sums, left: Whole, right: Whole, wanted: Wanted, rest: int
) -> Iterator[tuple[Whole, Whole, Whole, Whole]]:
    """For sums of one layer the places ``low`` to ``high`` of the other where partners may be: ``rest`` is what a pair
    may lose beside its costs."""
    if len(left) * len(right) <= FEW:
        yield left, right, np.zeros(len(left), dtype=np.int64), np.full(len(left), len(right), dtype=np.int64)
        return
    key = np.zeros(len(right), dtype=np.int64)
    goals: list[tuple[Whole, int]] = []
    for window in wanted.windows:
        last = len(goals) == len(wanted.windows) - 1
        there = window.sign * other.use[right, window.column]
        start, spread = int(there.min()), int(there.max() - there.min())
        over = min(rest * PRICED // window.price + 1, 2**60)
        # Within the cells of the other rows the sums stand in the order of the last one: there a range is enough.
        wide = max(spread >> 22, 0) + 1 if last else max(over, (spread >> 19) + 1)
        size = spread // wide + 1
        key = key * size + (there - start) // wide
        side = int(wanted.upper[window.column] if window.sign > 0 else -wanted.lower[window.column])
        goal = side - start - window.sign * one.use[left, window.column]
        if last:
            least, most = np.maximum((goal - over) // wide, 0), np.minimum(goal // wide, size - 1)
        else:
            goals.append(((goal - wide) // wide, size))
    order = np.argsort(key, kind="stable")
    key, right = key[order], right[order]
    if not wanted.windows:
        yield left, right, np.zeros(len(left), dtype=np.int64), np.full(len(left), len(right), dtype=np.int64)
        return
    # In the order of the cells that they look into, neighbours look at the same memory: a third of the time.
    wish = np.zeros(len(left), dtype=np.int64)
    for goal, cells in goals:
        wish = wish * cells + goal
    order = np.argsort(wish * size + least, kind="stable")
    left, least, most = left[order], least[order], most[order]
    goals = [(goal[order], cells) for goal, cells in goals]
    offsets = np.array(list(np.ndindex(*([2] * len(goals)))), dtype=np.int64).reshape(2 ** len(goals), len(goals))
    for begin in range(0, len(left), PIECE):
        piece = slice(begin, begin + PIECE)
        inside = np.broadcast_to(least[piece] <= most[piece], (len(offsets), len(left[piece])))
        cell = np.zeros(inside.shape, dtype=np.int64)
        for place, (goal, cells) in enumerate(goals):
            at = goal[piece] + offsets[:, place, None]
            inside = inside & (at >= 0) & (at < cells)
            cell = cell * cells + at
        number, there = np.nonzero(inside)
        cell = cell[number, there] * size
        low = np.searchsorted(key, cell + least[piece][there], "left")
        high = np.searchsorted(key, cell + most[piece][there], "right")
        some = np.flatnonzero(high > low)
        yield left[piece][there[some]], right, low[some], high[some]


def _sound(
    one: Sums, other: Sums, left: Whole, right: Whole, low: Whole, high: Whole, wanted: Wanted
) -> Iterator[tuple[Whole, Whole]]:
    """Of each of ``left`` with ``right[low:high]`` those that are wanted."""
    ends = np.cumsum(high - low)
    begin = 0
    while begin < len(left):
        done = int(ends[begin - 1]) if begin else 0
        stop = max(int(np.searchsorted(ends, done + CHUNK, "right")), begin + 1)
        count = high[begin:stop] - low[begin:stop]
        first = np.repeat(left[begin:stop], count)
        place = np.arange(len(first)) - np.repeat(np.cumsum(count) - count, count)
        second = right[place + np.repeat(low[begin:stop], count)]
        kept = one.worth[first] + other.worth[second] >= wanted.least
        first, second = first[kept], second[kept]
        use = one.use[first] + other.use[second]
        kept = ((use <= wanted.upper) & (use >= wanted.lower)).all(axis=1)
        first, second = first[kept], second[kept]
        counts = one.counts[first] + other.counts[second] + wanted.start
        kept = ((counts & wanted.guard) == 0).all(axis=1)
        yield first[kept], second[kept]
        begin = stop
