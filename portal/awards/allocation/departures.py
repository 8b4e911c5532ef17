"""All sets of one part of the problem that lose little against its bound. Pure; decision 17.

A *part* is what shares envelopes: the candidates of a track. With a multiplier for each row no set of a part is worth
more than ``most``, its Lagrangian bound, and every departure from the choice that reaches it has a cost: a set loses at
least the costs of its departures. All sets within a loss are therefore among the sums of departures that cost no more
(Vimont, Boussier and Vasquez 2008 enumerate by such costs): two halves of the departures are summed, and the halves
paired. Candidates of which only one may be in, like those of one organisation, are one choice with several departures.

All is in whole numbers: steps of points times ``UNIT``, rounded so that a bound is never too low; kopecks as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from portal.awards.allocation.counting import Count, Counts, packed
from portal.awards.allocation.ground import FREE, UNIT, Ground
from portal.awards.allocation.pairing import PRICED, SHARES, Sums, TooMany, Wanted, Whole, Window, pairs
from portal.awards.allocation.rows import Row

BINS: Final = 400
EARLY: Final = 3
"""So many words of counts are carried with the sums; the others are looked at afterwards: memory."""

WINDOWS: Final = 3
"""Rows that the grid looks at; the others are looked at pair by pair."""

ALL: Final = tuple(range(SHARES))

Places = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Sets:
    """Sets of a part: ``worth`` in units, ``points`` in steps; ``ways``: the departures of each, filled up with -1."""

    worth: Whole
    points: Whole
    ways: Whole


@dataclass(frozen=True, slots=True)
class _Half:
    """``parents``, ``ways``: for each number of departures which shorter sum each sum extends, and by which."""

    half: int
    sums: Sums
    parents: list[Places]
    ways: list[Places]

    def told(self, at: Whole) -> Whole:
        """The departures of some of the sums, filled up with -1."""
        ends = np.cumsum([len(level) for level in self.ways])
        level = np.searchsorted(ends, at, "right")
        place = at - np.concatenate([[0], ends])[level]
        depth = int(level.max(initial=0))
        found = np.full((len(at), depth), -1, dtype=np.int64)
        for back in range(depth, 0, -1):
            there = np.flatnonzero(level >= back)
            found[there, back - 1] = self.ways[back][place[there]] * 2 + self.half
            place[there] = self.parents[back][place[there]]
        return found


@dataclass(frozen=True, slots=True)
class Valued:
    """Candidates under multipliers. ``groups``: of each only one may be in, for which the rows ``settled`` need no
    multiplier; ``net``: what each member gains, less than 0 for those who do not; ``fits``: who may be in at all;
    ``own``: rows whose sides are part of ``most``, what no set is worth more than."""

    groups: list[list[int]]
    own: list[int]
    worth: Whole
    net: Whole
    fits: npt.NDArray[np.bool_]
    most: int


def valued(ground: Ground, multipliers: Sequence[int], used: Mapping[int, int] | None = None) -> Valued:
    """``used``: what others take of the shared rows, if that is known. Then these rows are like the part's own, and
    whoever finds no room beside the others is out."""
    beside = used is not None
    taken = used or {}
    fits = ground.fits(taken) if beside else np.ones(len(ground.members), dtype=bool)
    groups, settled = ground.groups(multipliers, fits, taken if beside else None)
    own = [row for row in (ground.rows if beside else ground.own) if row not in settled]
    takes = ground.prices(multipliers)
    is_own = ground.is_own | beside
    unsettled = np.array([row not in settled for row in ground.rows], dtype=bool) & is_own
    worth = ground.points * UNIT - ground.sums(np.where(is_own[ground.row], 0, takes))
    net = worth - ground.sums(np.where(unsettled[ground.row], takes, 0))
    rows = ((row, multipliers[row]) for row in own if multipliers[row])
    most = sum(side_price(ground.model.rows[row], multiplier, taken.get(row, 0)) for row, multiplier in rows)
    together = np.concatenate([np.zeros(0, dtype=np.int64), *groups]).astype(np.int64)
    gain = np.where(fits, np.maximum(net, 0), 0)
    grouped = gain[ground.at[together]]
    most += int(gain.sum() - grouped.sum())
    if groups:
        starts = np.cumsum([0, *(len(group) for group in groups[:-1])])
        most += int(np.maximum.reduceat(grouped, starts).sum())
    return Valued(groups, own, worth, net, fits, most)


class Part:
    """The candidates of ``ground``. ``worth`` of each: its points less what it takes of shared rows at their
    multipliers. ``multipliers``: of FINE; ``used``: see :func:`valued`."""

    def __init__(
        self,
        ground: Ground,
        multipliers: Sequence[int],
        used: Mapping[int, int] | None = None,
        value: Valued | None = None,
    ) -> None:
        self.ground, self.model = ground, ground.model
        self.multipliers = multipliers
        self.beside = used is not None
        value = valued(ground, multipliers, used) if value is None else value
        self.own, self.most = value.own, value.most
        self.worth = np.zeros(len(ground.at), dtype=np.int64)
        self.worth[ground.members] = value.worth
        self._depart(value.groups, value.net, value.fits)
        taken = used or {}
        self.taken = {row: amount + taken.get(row, 0) for row, amount in ground.taken(self.base).items()}

    def _depart(self, groups: Sequence[Sequence[int]], net: Whole, fits: npt.NDArray[np.bool_]) -> None:
        """The choice that reaches the bound, and every departure from it: ``cost``, cheapest first, who ``enters`` and
        who ``leaves`` (-1: nobody), and which choice it is ``about``."""
        ground = self.ground
        apart = fits.copy()
        apart[ground.at[[at for group in groups for at in group]]] = False
        single, gain = ground.members[apart], net[apart]
        self.base = single[gain > 0].tolist()
        nobody = np.full(len(single), -1, dtype=np.int64)
        found = [
            (np.abs(gain), np.where(gain > 0, nobody, single), np.where(gain > 0, single, nobody), ground.at[single])
        ]
        for number, group in enumerate(groups, len(ground.members)):
            found.append(self._choose(group, net, number))
        cost, enters, leaves, about = (np.concatenate(column) for column in zip(*found, strict=True))
        order = np.lexsort((leaves, enters, cost))
        self.cost, self.enters, self.leaves, self.about = cost[order], enters[order], leaves[order], about[order]

    def _choose(self, group: Sequence[int], net: Whole, number: int) -> tuple[Whole, Whole, Whole, Whole]:
        worth = {at: int(net[self.ground.at[at]]) for at in group}
        best = max(group, key=lambda at: (worth[at], -at))
        gain = max(worth[best], 0)
        chosen = best if gain > 0 else -1
        ways = [(gain - worth[at], at, chosen) for at in group if at != chosen]
        if gain > 0:
            self.base.append(chosen)
            ways.append((gain, -1, chosen))
        cost, enters, leaves = np.array(ways, dtype=np.int64).reshape(len(ways), 3).T
        return cost, enters, leaves, np.full(len(ways), number, dtype=np.int64)

    def loss_within(self, states: int, enough: int) -> int:
        """The largest loss, of a row each 1.1 times the last, whose halves need so many states; ``enough`` at most.

        Raises :class:`TooMany` when there is none.
        """
        loss = min(UNIT, enough)
        if not self.few(loss, states):
            raise TooMany
        while loss < enough and self.few(wider := min(loss * 11 // 10, enough), states):
            loss = wider
        return loss

    def few(self, loss: int, states: int) -> bool:
        """Whether no half of the departures has more sums within the loss than ``states``."""
        return all(self._states(loss, half) <= states for half in (0, 1))

    def _states(self, loss: int, half: int) -> float:
        """How many sums of costs of a half are at most ``loss``; never too few: costs are rounded down to a bin."""
        costs = self.cost[half::2]
        costs = costs[: int(np.searchsorted(costs, loss, "right"))]
        if len(costs) > 2_000:
            return float("inf")
        counts = np.zeros(BINS + 1)
        counts[0] = 1
        for bin_ in (costs // (loss // BINS + 1)).tolist():
            counts[bin_:] = counts[bin_:] + counts[: BINS + 1 - bin_]
        return float(counts.sum())

    def _near(self, loss: int) -> int:
        """How many departures cost no more."""
        return int(np.searchsorted(self.cost, loss, "right"))

    def touched(self, loss: int) -> set[int]:
        """The rows of which sets within the loss may take something else than the base."""
        near = self._near(loss)
        return self.ground.rows_of(np.concatenate([self.enters[:near], self.leaves[:near]]))

    def within(self, loss: int, shares: Sequence[int] = ALL) -> Sets:
        """All sets that keep the part's own rows and are worth at least ``most - loss``; or only some of the shares
        that they are dealt into (see :func:`pairs`): those of one share first, then those of the next."""
        near = self._near(loss)
        touched = self.touched(loss)
        sides = {row: self._sides(row) for row in (*self.own, *(() if self.beside else self.ground.shared))}
        if not all(least <= 0 <= most for row, (least, most) in sides.items() if row not in touched):
            return self._sets(np.zeros(0, dtype=np.int64), np.zeros((0, 0), dtype=np.int64))
        rows = [row for row in self.own if row in touched]
        money = sorted(row for row in rows if not self.model.counts(row))
        money.sort(key=lambda row: not self.multipliers[row])
        worth = int(self.worth[self.base].sum())
        choices = packed(self._choices(near), near)
        counts = packed(self._counts(near, {row: sides[row] for row in sides if row in touched}), near)
        early = choices.joined(counts.first(len(counts.guard) if self.beside else EARLY))
        wanted = Wanted(
            np.array([sides[row][1] for row in money], dtype=np.int64),
            np.array([sides[row][0] for row in money], dtype=np.int64),
            self.most - loss - worth,
            loss,
            windows(money, self.multipliers),
            early.start,
            early.guard,
        )
        changes = np.zeros((near, len(money)), dtype=np.int64)
        for column, row in enumerate(money):
            changes[:, column] = self._change(self.model.column(row), near)
        one, other = (self._half(loss, half, near, changes, early, len(choices.guard)) for half in (0, 1))
        found = [(left, right) for _, left, right in pairs(one.sums, other.sums, wanted, shares) if len(left)]
        left = np.concatenate([each for each, _ in found]) if found else np.zeros(0, dtype=np.int64)
        right = np.concatenate([each for _, each in found]) if found else np.zeros(0, dtype=np.int64)
        ways = np.concatenate([one.told(left), other.told(right)], axis=1)
        total = one.sums.worth[left] + other.sums.worth[right] + worth
        if self.beside:
            return self._sets(total, ways)
        sound = np.ones(len(ways), dtype=bool)
        for word, start, guard in counts.words(EARLY):
            sound &= ((summed(word, ways) + start) & guard) == 0
        for row in self.ground.shared:
            if row in touched and not self.model.counts(row):
                change = self.changed(self.model.column(row), ways)
                sound &= (change >= sides[row][0]) & (change <= sides[row][1])
        return self._sets(total[sound], ways[sound])

    def _sides(self, row: int) -> tuple[int, int]:
        """What sets may change of a row; of a shared one, whatever others take."""
        least, most = sides_of(self.model.rows[row], self.taken[row])
        if not self.beside and row in self.ground.others and least > -FREE:
            least -= self.ground.others[row]
        return least, most

    def _choices(self, near: int) -> Iterator[Count]:
        """Of each choice one departure."""
        numbers, often = np.unique(self.about[:near], return_counts=True)
        for number in numbers[often > 1].tolist():
            yield Count((self.about[:near] == number).astype(np.int64), 0, 1)

    def _counts(self, near: int, sides: Mapping[int, tuple[int, int]]) -> Iterator[Count]:
        """What the rows that count allow, those first that leave least."""
        for row, (least, most) in sorted(sides.items(), key=lambda each: (min(each[1][1], -each[1][0]), each[0])):
            if self.model.counts(row):
                change = self._change(self.model.column(row), near)
                if most < FREE:
                    yield Count(change, 0, most)
                if least > -FREE:
                    yield Count(-change, 0, -least)

    def _half(self, loss: int, half: int, near: int, changes: Whole, counts: Counts, choices: int) -> _Half:
        """All sums of every other departure that cost at most ``loss``. ``choices``: so many words of the counts only
        grow: what breaks them is left out with all that extends it."""
        cost_of, use_of, count_of = self.cost[:near][half::2], changes[half::2], counts.changes[half::2]
        worth_of = self._change(self.worth, near)[half::2]
        cost, worth, last = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.full(1, -1, dtype=np.int32)
        use, count = (np.zeros((1, each.shape[1]), dtype=np.int64) for each in (changes, counts.changes))
        levels = [(cost, worth, use, count, np.zeros(1, dtype=np.int32), last)]
        while len(cost):
            children = np.maximum(np.searchsorted(cost_of, loss - cost, "right") - last - 1, 0)
            parent = np.repeat(np.arange(len(cost), dtype=np.int32), children)
            before = np.cumsum(children) - children
            way = (np.arange(len(parent)) - before[parent] + last[parent] + 1).astype(np.int32)
            longer = count[parent] + count_of[way]
            sound = counts.kept(longer, choices)
            count, parent, way = longer[sound], parent[sound], way[sound]
            cost, worth, use = cost[parent] + cost_of[way], worth[parent] + worth_of[way], use[parent] + use_of[way]
            last = way
            levels.append((cost, worth, use, count, parent, way))
        costs, worths, uses, all_counts, parents, ways = zip(*levels, strict=True)
        sums = Sums(*(np.concatenate(each) for each in (costs, worths, uses, all_counts)))
        return _Half(half, sums, list(parents), list(ways))

    def _sets(self, worth: Whole, ways: Whole) -> Sets:
        points = self.model.value(self.base) + self.changed(self.model.all_points, ways)
        return Sets(worth, points, ways)

    def changed(self, amounts: Whole, ways: Whole) -> Whole:
        """What the departures of each set change in the sum of ``amounts``, one for each candidate and 0 for nobody."""
        return summed(self._change(amounts, int(ways.max(initial=-1)) + 1), ways)

    def _change(self, amounts: Whole, near: int) -> Whole:
        return np.asarray(amounts[self.enters[:near]] - amounts[self.leaves[:near]], dtype=np.int64)

    def chosen(self, ways: Sequence[int]) -> list[int]:
        """The candidates of one set."""
        found = set(self.base)
        for way in ways:
            if way >= 0:
                found.discard(int(self.leaves[way]))
                found.add(int(self.enters[way]))
        return sorted(found - {-1})


@dataclass(frozen=True, slots=True)
class Share:
    """The sets of one share of a part, by loss."""

    part: Part
    number: int

    def __call__(self, loss: int) -> Sets:
        return self.part.within(loss, (self.number,))


def joined(found: Sequence[Sets]) -> Sets:
    """The sets of several shares as one list. Those whose sets have fewer departures are filled up with -1."""
    depth = max(each.ways.shape[1] for each in found)
    ways = [np.pad(each.ways, ((0, 0), (0, depth - each.ways.shape[1])), constant_values=-1) for each in found]
    worth, points = (np.concatenate(each) for each in zip(*((one.worth, one.points) for one in found), strict=True))
    return Sets(worth, points, np.concatenate(ways))


def summed(amounts: Whole, ways: Whole) -> Whole:
    """The sum of what each of a line's ways has; -1 has nothing."""
    each = np.append(amounts, 0)
    total = np.zeros(len(ways), dtype=np.int64)
    for place in range(ways.shape[1]):
        total += each[ways[:, place]]
    return total


def windows(rows: Sequence[int], multipliers: Sequence[int]) -> list[Window]:
    """Those of the rows of which nothing is left over for nothing, three at most."""
    return [
        Window(column, 1 if multipliers[row] > 0 else -1, abs(multipliers[row]))
        for column, row in enumerate(rows)
        if multipliers[row]
    ][:WINDOWS]


def sides_of(row: Row, taken: int) -> tuple[int, int]:
    """Both sides when so much is taken already."""
    least = -FREE if row.least is None else row.least - taken
    return least, FREE if row.most is None else row.most - taken


def kept(row: Row, taken: int) -> bool:
    least, most = sides_of(row, taken)
    return least <= 0 <= most


def side_price(row: Row, multiplier: int, taken: int = 0) -> int:
    """What is left of the side that the multiplier is about, in units, rounded up."""
    return -(-multiplier * (((row.most if multiplier > 0 else row.least) or 0) - taken) // PRICED)
