"""What the other part can add to each set of one part, until nothing better is left. Pure; decision 17.

A set of one part leaves so much of the rows that both take of. The linear relaxation of the other part beside it gives
multipliers, and these a bound for every set: its points, the Lagrangian bound of the other part, and what is left of
the rows at the multipliers' prices (the cuts of Benders 1962, in whole numbers). Sets whose bound is below the answer
are done with. Of the rest the most promising is looked at: all sets of the other part that are enough beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from portal.awards.allocation.additions import TIES, Added, Additions, Asked
from portal.awards.allocation.calls import Calls, Helper
from portal.awards.allocation.departures import Part, Sets, side_price, summed
from portal.awards.allocation.ground import UNIT, Ground
from portal.awards.allocation.pairing import Whole

ABREAST: Final = 2
"""Sets that are looked at together, also where there is one processor: the answer is to be the same everywhere."""


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
    """``whole``: multipliers, of FINE; ``most``: what the completing part is worth under them, in units; ``useful``:
    how many sets it was the end of."""

    whole: list[int]
    most: int
    useful: int = 0


class Completions:
    """``mine``: the part whose sets are completed; ``other``: those who complete; ``shared``: rows of both."""

    def __init__(self, mine: Part, other: Ground, shared: Sequence[int]) -> None:
        self.model, self.mine, self.other, self.shared = mine.model, mine, other, shared
        self.cuts: list[Cut] = []

    def settle(self, sets: Sets, bound: Whole, best: Best, helper: Helper | None = None) -> int:
        """Look for answers with these sets until none is left that could be as good as the best.

        ``bound``: of each set's answers, in units; ``helper``: who helps. Returns the bound of those that the work did
        not suffice for, or -1.
        """
        open_ = _Open(self, sets, bound)
        hard = -1
        self.cuts.sort(key=lambda cut: -cut.useful)
        for cut in self.cuts:
            if not open_.sets_left(best.value):
                break
            open_.lower(cut, best.value * UNIT)
        here = [Calls(Additions(self.other), None) for _ in range(ABREAST - 1)]
        lanes = [*here, Calls(Additions(self.other), helper)]
        while open_.sets_left(best.value):
            if best.work <= 0:
                return max(hard, open_.highest())
            places = open_.first(len(lanes), best.value * UNIT)
            for lane, at in zip(lanes, places, strict=False):
                lane.begin(Asked(open_.used(at), int(open_.points[at]), best.value))
            for at, added in [(at, lane.end()) for lane, at in zip(lanes, places, strict=False)]:
                self._take(at, added, open_, best)
                if not added.settled and open_.bound[at] >= best.value * UNIT:
                    hard = max(hard, int(open_.bound[at]))
                open_.drop(at)
        return hard

    def _take(self, at: int, added: Added, open_: _Open, best: Best) -> None:
        best.work -= added.work
        if added.whole is not None:
            cut = Cut(added.whole, added.most)
            self.cuts.append(cut)
            open_.lower(cut, best.value * UNIT)
        value = int(open_.points[at]) + added.best
        if added.best >= 0 and value >= best.value:
            mine = open_.chosen(at)
            best.take(value, (tuple(sorted([*mine, *chosen])) for chosen in added.chosen))


class _Open:
    """The sets that are not done with, in columns that shrink with them."""

    def __init__(self, of: Completions, sets: Sets, bound: Whole) -> None:
        self.model, self.mine, self.shared = of.model, of.mine, of.shared
        self.ways, self.points, self.bound = sets.ways, sets.points, bound
        near = int(sets.ways.max(initial=-1)) + 1
        self.enters, self.leaves = self.mine.enters[:near], self.mine.leaves[:near]

    def sets_left(self, value: int) -> bool:
        left = self.bound >= value * UNIT
        count = np.count_nonzero(left)
        if 2 * count < len(left):
            self.ways, self.points, self.bound = self.ways[left], self.points[left], self.bound[left]
        return bool(count)

    def highest(self) -> int:
        return int(self.bound.max())

    def first(self, count: int, floor: int) -> list[int]:
        """So many sets that promise most, those of them that could reach the floor."""
        found: list[int] = []
        kept: list[int] = []
        while len(found) < count and self.bound[at := int(self.bound.argmax())] >= floor:
            found.append(at)
            kept.append(int(self.bound[at]))
            self.bound[at] = -1
        self.bound[found] = kept
        return found

    def used(self, at: int) -> dict[int, int]:
        taken = self.mine.ground.taken(self.chosen(at))
        return {row: taken[row] for row in self.shared}

    def drop(self, at: int) -> None:
        self.bound[at] = -1

    def lower(self, cut: Cut, floor: int) -> None:
        """The bounds are lowered to what these multipliers say of each set: its points, the most that the other part is
        worth, and what is left of the shared rows. ``floor``: what a bound must reach to be of interest, in units."""
        down, up = self.mine.ground.shared_prices(cut.whole)
        base = cut.most + sum(
            side_price(self.model.rows[row], cut.whole[row], self.mine.taken[row])
            for row in self.shared
            if cut.whole[row]
        )
        said = self.points * UNIT + base + summed(up[self.leaves] - down[self.enters], self.ways)
        before = np.count_nonzero(self.bound >= floor)
        self.bound = np.minimum(self.bound, said)
        cut.useful += int(before - np.count_nonzero(self.bound >= floor))

    def chosen(self, at: int) -> list[int]:
        return self.mine.chosen(self.ways[at].tolist())
