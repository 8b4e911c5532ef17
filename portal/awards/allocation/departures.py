"""All sets of one part of the problem that lose little against its bound. Pure; decision 17.

A *part* is what shares envelopes: the candidates of a track. With a multiplier for each row no set of a part is worth
more than ``most``, its Lagrangian bound, and every departure from the choice that reaches it has a cost: a set loses at
least the costs of its departures. All sets within a loss are therefore among the sums of departures that cost no more
(Vimont, Boussier and Vasquez 2008 enumerate by such costs): two halves of the departures are summed, and the halves
paired. Candidates of which only one may be in, like those of one organisation, are one choice with several departures.

All is in whole numbers: steps of points times ``UNIT``, rounded so that a bound is never too low; kopecks as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from portal.awards.allocation.pairing import PRICED, Sums, TooMany, Wanted, Whole, Window, pairs
from portal.awards.allocation.relaxation import FINE
from portal.awards.allocation.rows import Model, Row

UNIT: Final = FINE // PRICED
"""Units of one step of points."""

HALF: Final = 2**20
"""The root of ``PRICED``."""

FREE: Final = 2**62
"""A side that a row does not have."""

BINS: Final = 400
WINDOWS: Final = 3
"""Rows that the grid looks at; the others are looked at pair by pair."""

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


class Part:
    """``own``: rows of these members alone; ``shared``: rows that other parts take of too. ``worth`` of a candidate:
    its points less what it takes of shared rows at their multipliers. ``multipliers``: of FINE."""

    def __init__(
        self,
        model: Model,
        members: Sequence[int],
        own: Sequence[int],
        shared: frozenset[int],
        multipliers: Sequence[int],
    ) -> None:
        self.model = model
        self.members = list(members)
        self.multipliers = multipliers
        self.groups, settled = _groups(model, self.members, own, multipliers)
        self.own = [row for row in own if row not in settled]
        priced = [row for row in self.own if multipliers[row]]
        self.worth, net = self._less(shared)
        self.base: list[int] = []
        self.most = sum(side_price(model.rows[row], multipliers[row]) for row in priced)
        self.departures: list[tuple[int, int, int]] = []
        """Cheapest first: cost, who enters, who leaves (-1: nobody)."""
        for group in self.groups:
            self._choose(group, net)
        self.departures.sort()
        self.cost = np.array([cost for cost, _, _ in self.departures], dtype=np.int64)
        self.taken = _taken(model, self.base)

    def _less(self, shared: frozenset[int]) -> tuple[dict[int, int], dict[int, int]]:
        """Points less what is taken of the shared rows, and less what is taken of all, in units; a sum of these and
        the rows' sides is never too low."""
        prices, points, rows_of = self.multipliers, self.model.points, self.model.rows_of
        own = frozenset(row for row in self.own if prices[row])
        worth, net = {}, {}
        for at in self.members:
            theirs = ours = 0
            for row, take in rows_of[at]:
                if row in shared:
                    theirs += prices[row] * take // PRICED
                elif row in own:
                    ours += prices[row] * take // PRICED
            worth[at] = points[at] * UNIT - theirs
            net[at] = worth[at] - ours
        return worth, net

    def _choose(self, group: Sequence[int], net: Mapping[int, int]) -> None:
        best = max(group, key=lambda at: (net[at], -at))
        gain = max(net[best], 0)
        self.most += gain
        chosen = best if gain > 0 else -1
        if gain > 0:
            self.base.append(chosen)
            self.departures.append((gain, -1, chosen))
        self.departures += [(gain - net[at], at, chosen) for at in group if at != chosen]

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
        for bin_ in (costs * BINS // max(loss, 1)).tolist():
            counts[bin_:] = counts[bin_:] + counts[: BINS + 1 - bin_]
        return float(counts.sum())

    def _near(self, loss: int) -> list[tuple[int, int, int]]:
        return self.departures[: int(np.searchsorted(self.cost, loss, "right"))]

    def touched(self, loss: int) -> set[int]:
        """The rows of which sets within the loss may take something else than the base."""
        return {row for _, *both in self._near(loss) for at in both if at >= 0 for row, _ in self.model.rows_of[at]}

    def within(self, loss: int) -> Sets:
        """All sets that keep the part's own rows and are worth at least ``most - loss``."""
        near = self._near(loss)
        touched = self.touched(loss)
        rows = [row for row in self.own if row in touched]
        if not all(kept(self.model.rows[row], self.taken.get(row, 0)) for row in self.own if row not in touched):
            return self._sets(np.zeros(0, dtype=np.int64), np.zeros((0, 0), dtype=np.int64))
        money = sorted(row for row in rows if set(self.model.rows[row].takes) != {1})
        money.sort(key=lambda row: not self.multipliers[row])
        sides = [sides_of(self.model.rows[row], self.taken.get(row, 0)) for row in money]
        worth = sum(self.worth[at] for at in self.base)
        wanted = Wanted(
            np.array([most for _, most in sides], dtype=np.int64),
            np.array([least for least, _ in sides], dtype=np.int64),
            self.most - loss - worth,
            loss,
            windows(money, self.multipliers),
        )
        changes = np.zeros((len(near), len(money)), dtype=np.int64)
        for column, row in enumerate(money):
            changes[:, column] = list(map(_change(self.takes(row)), near))
        one, other = (self._half(loss, half, near, changes) for half in (0, 1))
        found = [(left, right) for _, left, right in pairs(one.sums, other.sums, wanted) if len(left)]
        left = np.concatenate([each for each, _ in found]) if found else np.zeros(0, dtype=np.int64)
        right = np.concatenate([each for _, each in found]) if found else np.zeros(0, dtype=np.int64)
        ways = np.concatenate([one.told(left), other.told(right)], axis=1)
        return self._checked(one.sums.worth[left] + other.sums.worth[right] + worth, ways, set(rows) - set(money))

    def _half(self, loss: int, half: int, near: Sequence[tuple[int, int, int]], changes: Whole) -> _Half:
        """All sums of every other departure that cost at most ``loss``."""
        cost_of, use_of = self.cost[: len(near)][half::2], changes[half::2]
        worth_of = np.array(list(map(_change(self.worth), near[half::2])), dtype=np.int64)
        cost, worth, last = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.full(1, -1, dtype=np.int32)
        use = np.zeros((1, changes.shape[1]), dtype=np.int64)
        levels = [(cost, worth, use, np.zeros(1, dtype=np.int32), last)]
        while len(cost):
            children = np.maximum(np.searchsorted(cost_of, loss - cost, "right") - last - 1, 0)
            parent = np.repeat(np.arange(len(cost), dtype=np.int32), children)
            before = np.cumsum(children) - children
            way = (np.arange(len(parent)) - before[parent] + last[parent] + 1).astype(np.int32)
            cost, worth, use = cost[parent] + cost_of[way], worth[parent] + worth_of[way], use[parent] + use_of[way]
            last = way
            levels.append((cost, worth, use, parent, way))
        costs, worths, uses, parents, ways = zip(*levels, strict=True)
        return _Half(
            half, Sums(np.concatenate(costs), np.concatenate(worths), np.concatenate(uses)), list(parents), list(ways)
        )

    def _checked(self, worth: Whole, ways: Whole, counted: Iterable[int]) -> Sets:
        """Those that choose once of each group and keep the rows that count."""
        group_of = {at: number for number, group in enumerate(self.groups) for at in group}
        of = np.array([group_of[max(enters, leaves)] for _, enters, leaves in self.departures] + [-1], dtype=np.int64)
        chosen = np.sort(of[ways], axis=1)
        sound = ~((chosen[:, 1:] == chosen[:, :-1]) & (chosen[:, 1:] >= 0)).any(axis=1)
        for row in sorted(counted):
            least, most = sides_of(self.model.rows[row], self.taken.get(row, 0))
            change = self.changed(self.takes(row), ways)
            sound &= (change <= most) & (change >= least)
        return self._sets(worth[sound], ways[sound])

    def _sets(self, worth: Whole, ways: Whole) -> Sets:
        points = self.model.value(self.base) + self.changed(dict(enumerate(self.model.points)), ways)
        return Sets(worth, points, ways)

    def takes(self, row: int) -> dict[int, int]:
        return dict(zip(self.model.rows[row].members, self.model.rows[row].takes, strict=True))

    def changed(self, amounts: Mapping[int, int], ways: Whole) -> Whole:
        """What the departures of each set change in the sum of ``amounts``."""
        used = self.departures[: int(ways.max(initial=-1)) + 1]
        each = np.array([*map(_change(amounts), used), 0], dtype=np.int64)
        return np.asarray(each[ways].sum(axis=1), dtype=np.int64)

    def chosen(self, ways: Sequence[int]) -> list[int]:
        """The candidates of one set."""
        found = set(self.base)
        for _, enters, leaves in (self.departures[way] for way in ways if way >= 0):
            found.discard(leaves)
            found.add(enters)
        return sorted(found - {-1})


def _change(amounts: Mapping[int, int]) -> Callable[[tuple[int, int, int]], int]:
    return lambda way: amounts.get(way[1], 0) - amounts.get(way[2], 0)


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


def _taken(model: Model, chosen: Iterable[int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for at in chosen:
        for row, take in model.rows_of[at]:
            found[row] = found.get(row, 0) + take
    return found


def _groups(
    model: Model, members: Sequence[int], own: Sequence[int], multipliers: Sequence[int]
) -> tuple[list[list[int]], set[int]]:
    """Candidates of which at most one may be in, by the dearest rows first; and the rows that this settles."""
    free, inside = set(members), set(members)
    groups: list[list[int]] = []
    settled: set[int] = set()
    single = [row for row in own if model.rows[row].most == 1 and set(model.rows[row].takes) == {1}]
    for row in sorted(single, key=lambda row: (-multipliers[row], row)):
        there = [at for at in model.rows[row].members if at in inside]
        if there and model.rows[row].least is None and free.issuperset(there):
            settled.add(row)
            free.difference_update(there)
            groups.append(there)
    return groups + [[at] for at in sorted(free)], settled


def side_price(row: Row, multiplier: int, taken: int = 0) -> int:
    """What is left of the side that the multiplier is about, in units, rounded up."""
    return -(-multiplier * (((row.most if multiplier > 0 else row.least) or 0) - taken) // PRICED)


def side_prices(row: Row, multiplier: int, taken: Whole) -> Whole:
    """:func:`side_price` for each of what is taken: products of 2 ** 80 in two halves that an int64 holds."""
    over = taken - ((row.most if multiplier > 0 else row.least) or 0)
    high, low = divmod(multiplier, HALF)
    if max(high.bit_length(), 20) + int(np.abs(over).max(initial=1)).bit_length() > 61:
        return np.array([side_price(row, multiplier, each) for each in taken.tolist()], dtype=np.int64)
    return np.asarray(-((high * over + low * over // HALF) // HALF), dtype=np.int64)
