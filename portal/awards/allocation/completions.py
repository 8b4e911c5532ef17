"""What the other part can add to each set of one part, until nothing better is left. Pure; decision 17.

A set of one part leaves so much of the rows that both take of. The linear relaxation of the other part beside it gives
multipliers, and these a bound for every set: its points, the Lagrangian bound of the other part, and what is left of
the rows at the multipliers' prices (the cuts of Benders 1962, in whole numbers). Sets whose bound is below the answer
are done with. The most promising of the rest is looked at: all sets of the other part within what it lacks are paired
with it, and with whomever else they reach.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from portal.awards.allocation.departures import Part, Sets, sides_of
from portal.awards.allocation.ground import UNIT, Ground, priced
from portal.awards.allocation.pairing import TooMany, Whole
from portal.awards.allocation.programme import Beside
from portal.awards.allocation.relaxation import counted_rows, in_whole, middle

TIES: Final = 5_000
"""Answers of equal points among which the first in rank order is looked for."""

APART: Final = (1_000, 4_000)
"""Steps by which somebody for whom a row has no room left is kept out; the more, the less is told of other sets."""

RELAXATION: Final = 1_000
"""What a relaxation counts as, in sums."""

STATES: Final = (2_000, 10_000, 50_000, 300_000)
"""Sums of departures that one look at the other part takes."""

TOGETHER: Final = 4_000_000
"""Pairs at a time: memory."""


@dataclass(slots=True)
class Best:
    """The best answers seen so far. ``value``: steps of points; ``found``: all that have it, unless ``all_ties`` is
    False; ``work``: sums and relaxations that may still be made."""

    value: int
    work: int
    found: set[tuple[int, ...]] = field(default_factory=set)
    all_ties: bool = True

    def take(self, value: int, answers: Iterable[tuple[int, ...]]) -> None:
        if value > self.value:
            self.value, self.all_ties = value, True
            self.found.clear()
        for answer in answers:
            if len(self.found) >= TIES:
                self.all_ties = False
                return
            self.found.add(answer)


@dataclass(slots=True)
class Cut:
    """``whole``: the multipliers of the part, of FINE; ``near``: its sets within ``loss``, where it was looked at, the
    best first; ``lost``: what each of these loses; ``changes``: what each takes of the shared rows beside the base;
    ``useful``: how many sets it was the end of."""

    part: Part
    whole: list[int]
    near: Sets | None = None
    loss: int = -1
    lost: Whole = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    changes: dict[int, Whole] = field(default_factory=dict)
    useful: int = 0

    def look(self, loss: int, shared: Sequence[int]) -> None:
        """Make all sets of the part within the loss. Raises TooMany."""
        near = self.part.within(loss)
        order = np.argsort(-near.worth, kind="stable")
        self.near = Sets(near.worth[order], near.points[order], near.ways[order])
        self.loss = loss
        self.lost = self.part.most - self.near.worth
        self.changes = dict(zip(shared, self.part.all_changed(shared, self.near.ways), strict=True))


class Completions:
    """``mine``: the part whose sets are completed; ``other``: those who complete; ``shared``: rows of both."""

    def __init__(self, mine: Part, other: Ground, shared: Sequence[int]) -> None:
        self.model, self.mine, self.other, self.shared = mine.model, mine, other, shared
        self.cuts: list[Cut] = []
        self.members = other.members.tolist()
        rows = set(other.rows)
        self.counted = [each for each in counted_rows(self.model, self.members) if each[0] in rows]
        self.beside = Beside(self.model, self.members, other.rows)

    def settle(self, sets: Sets, bound: Whole, best: Best) -> int:
        """Look for answers with these sets until none is left that could be as good as the best.

        ``bound``: of each set's answers, in units. Returns the bound of those that the work did not suffice for, or -1.
        """
        open_ = _Open(self, sets, bound)
        hard = -1
        self.cuts.sort(key=lambda cut: -cut.useful)
        for cut in self.cuts:
            if not open_.sets_left(best.value):
                break
            self._use(cut, open_, best)
        while open_.sets_left(best.value):
            if best.work <= 0:
                return max(hard, open_.highest())
            at = open_.first()
            used = open_.used(at)
            best.work -= RELAXATION
            duals = self.beside.duals(used)
            if duals is not None and not self._settled(at, duals, used, open_, best):
                hard = max(hard, int(open_.bound[at]))
            open_.drop(at)
        return hard

    def _settled(self, at: int, duals: Sequence[float], used: dict[int, int], open_: _Open, best: Best) -> bool:
        """Whether all is seen that the other part can add beside this set."""
        full = any(most <= used.get(row, 0) for row, most, _ in self.counted)
        for apart in APART if full else APART[:1]:
            cut = self._cut(duals, used, apart)
            self.cuts.append(cut)
            said = open_.lower(cut, best.value * UNIT)
            need = int(said[at]) - best.value * UNIT
            if need < 0:
                return True
            if cut.part.few(need, STATES[0]):
                break
        for states in STATES:
            if cut.part.few(need, states):
                best.work -= states
                loss = need * 5 // 4 if cut.part.few(need * 5 // 4, states) else need
                try:
                    cut.look(loss, self.shared)
                except TooMany:
                    return False
                self._take(cut, said, open_, best)
                return True
        return False

    def _cut(self, duals: Sequence[float], used: dict[int, int], apart: int) -> Cut:
        prices = middle(self.other.costs(duals), self.other.at, self.counted, duals, used, apart)
        whole = in_whole(self.model, prices)
        return Cut(Part(self.other, whole), whole)

    def _use(self, cut: Cut, open_: _Open, best: Best) -> None:
        """Lower the bounds; of whom everything within reach was seen is done with."""
        self._take(cut, open_.lower(cut, best.value * UNIT), open_, best)

    def _take(self, cut: Cut, said: Whole, open_: _Open, best: Best) -> None:
        if cut.near is not None:
            there = np.flatnonzero((said - best.value * UNIT <= cut.loss) & (open_.bound >= best.value * UNIT))
            self._pair(open_, there, said, cut, cut.near, best)
            open_.drop(there)

    def _pair(self, open_: _Open, there: Whole, own: Whole, cut: Cut, near: Sets, best: Best) -> None:
        """All answers of ``there`` with ``near`` that are as good as the best."""
        if not len(near.worth):
            return
        part = cut.part
        chunk = max(TOGETHER // len(near.worth), 1)
        for start in range(0, len(there), chunk):
            some = there[start : start + chunk]
            reach = np.searchsorted(cut.lost, own[some] - best.value * UNIT, "right")
            left = np.repeat(some, reach)
            right = np.arange(len(left)) - np.repeat(np.cumsum(reach) - reach, reach)
            points = open_.points[left] + near.points[right]
            good = np.flatnonzero(points >= best.value)
            for row in self.shared:
                if not len(good):
                    break
                least, most = sides_of(self.model.rows[row], part.taken[row])
                both = open_.use(row, left[good]) + cut.changes[row][right[good]]
                good = good[(both >= least) & (both <= most)]
            if not len(good):
                continue
            top = int(points[good].max())
            same = good[points[good] == top][: TIES + 1]
            best.take(
                top,
                (
                    tuple(sorted([*open_.chosen(int(left[at])), *part.chosen(near.ways[right[at]].tolist())]))
                    for at in same.tolist()
                ),
            )


class _Open:
    """The sets that are not done with, in columns that shrink with them."""

    def __init__(self, of: Completions, sets: Sets, bound: Whole) -> None:
        self.model, self.mine, self.shared = of.model, of.mine, of.shared
        self.ways, self.points, self.bound = sets.ways, sets.points, bound
        self.values: list[Whole] = []
        codes: list[npt.NDArray[np.int32]] = []
        for row in self.shared:
            use = self.mine.taken[row] + self.mine.changed(self.model.column(row), sets.ways)
            values, code = np.unique(use, return_inverse=True)
            self.values.append(values)
            codes.append(code.astype(np.int32))
        self.codes = np.array(codes, dtype=np.int32).reshape(len(self.shared), len(self.points))
        self.place = {row: place for place, row in enumerate(self.shared)}
        self.ends = np.cumsum([0, *map(len, self.values)])
        self.of = np.repeat(np.arange(len(self.shared)), np.diff(self.ends))
        self.all = np.concatenate([np.zeros(0, dtype=np.int64), *self.values])

    def sets_left(self, value: int) -> bool:
        left = self.bound >= value * UNIT
        if not left.all():
            self.ways, self.points, self.bound = self.ways[left], self.points[left], self.bound[left]
            self.codes = self.codes[:, left]
        return bool(len(self.points))

    def highest(self) -> int:
        return int(self.bound.max())

    def first(self) -> int:
        """The set that promises most."""
        return int(self.bound.argmax())

    def use(self, row: int, sets: Whole) -> Whole:
        """What some of the sets take of a shared row."""
        place = self.place[row]
        return np.asarray(self.values[place][self.codes[place, sets]], dtype=np.int64)

    def used(self, at: int) -> dict[int, int]:
        return {row: int(self.values[place][self.codes[place, at]]) for place, row in enumerate(self.shared)}

    def drop(self, at: int | Whole) -> None:
        self.bound[at] = -1

    def lower(self, cut: Cut, floor: int) -> Whole:
        """What these multipliers say of each set, in units; the bounds are lowered to it. ``floor``: what a bound must
        reach to be of interest."""
        multipliers = [cut.whole[row] for row in self.shared]
        sides = [
            ((row.most if multiplier > 0 else row.least) or 0)
            for row, multiplier in zip((self.model.rows[row] for row in self.shared), multipliers, strict=True)
        ]
        prices = -priced(multipliers, self.of, self.all - np.array(sides, dtype=np.int64)[self.of])
        said = self.points * UNIT + cut.part.most
        for place, multiplier in enumerate(multipliers):
            if multiplier:
                said += prices[self.ends[place] : self.ends[place + 1]][self.codes[place]]
        before = np.count_nonzero(self.bound >= floor)
        self.bound = np.minimum(self.bound, said)
        cut.useful += int(before - np.count_nonzero(self.bound >= floor))
        return said

    def chosen(self, at: int) -> list[int]:
        return self.mine.chosen(self.ways[at].tolist())
