"""Some candidates and the rows that may bind them, in columns: a bound for other multipliers costs little. Decision 17.

All is in whole numbers: steps of points times ``UNIT``, rounded so that a bound is never too low; kopecks as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from portal.awards.allocation.pairing import PRICED, Whole
from portal.awards.allocation.relaxation import FINE
from portal.awards.allocation.rows import Model, Row

UNIT: Final = FINE // PRICED
"""Units of one step of points."""

FREE: Final = 2**62
"""A side that a row does not have."""

HALF: Final = 2**20
"""The root of ``PRICED``."""


class Ground:
    """``members``: the candidates of a part; ``own``: rows of these alone; ``shared``: rows that others take of too.

    A line of ``of``, ``row``, ``take`` says how much a member (by its place here) takes of a row (by its place in
    ``rows``); the lines stand in the order of the members.
    """

    def __init__(self, model: Model, members: Sequence[int], own: Sequence[int], shared: Sequence[int]) -> None:
        self.model = model
        self.members = np.array(members, dtype=np.int64)
        self.own, self.shared = list(own), list(shared)
        self.rows = [*own, *shared]
        self.is_own = np.arange(len(self.rows)) < len(own)
        place = {row: at for at, row in enumerate(self.rows)}
        lines = [
            (number, place[row], take)
            for number, at in enumerate(members)
            for row, take in model.rows_of[at]
            if row in place
        ]
        self.of, self.row, self.take = np.array(lines, dtype=np.int64).reshape(len(lines), 3).T.copy()
        self.ends = np.searchsorted(self.of, np.arange(len(members) + 1))
        self.points = np.array([model.points[at] for at in members], dtype=np.int64)
        self.at = np.full(len(model.candidates) + 1, -1, dtype=np.int64)
        """The place of each candidate here, -1 for others and nobody."""
        self.at[self.members] = np.arange(len(members))
        inside = set(members)
        self.single = [
            (row, [at for at in model.rows[row].members if at in inside])
            for row in self.rows
            if one_at_most(model.rows[row])
        ]
        self.others = {row: sum(model.rows[row].takes) - int(self.take[self.row == place[row]].sum()) for row in shared}
        """What all others together take of each shared row."""
        self.lines = np.bincount(self.of[~self.is_own[self.row]], minlength=len(members))
        self.mosts = np.array([FREE if (most := model.rows[row].most) is None else most for row in self.rows])

    def sums(self, amounts: Whole) -> Whole:
        """Of one amount for each line the sum for each member."""
        total = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(amounts)])
        return np.asarray(total[self.ends[1:]] - total[self.ends[:-1]], dtype=np.int64)

    def prices(self, multipliers: Sequence[int]) -> Whole:
        """What each line costs, in units, rounded down."""
        return priced([multipliers[row] for row in self.rows], self.row, self.take)

    def shared_prices(self, multipliers: Sequence[int]) -> tuple[Whole, Whole]:
        """What the shared rows cost each candidate, in units: rounded down and rounded up; the last is nobody."""
        takes = np.where(self.is_own[self.row], 0, self.prices(multipliers))
        down, up = np.zeros((2, len(self.at)), dtype=np.int64)
        down[self.members] = self.sums(takes)
        up[self.members] = down[self.members] + self.lines
        return down, up

    def costs(self, duals: Sequence[float]) -> list[float]:
        """Points of each member less what it takes, in steps."""
        each = np.array([duals[row] for row in self.rows])
        return list((self.points - np.bincount(self.of, each[self.row] * self.take, len(self.members))).tolist())

    def fits(self, used: Mapping[int, int]) -> npt.NDArray[np.bool_]:
        """Which members keep every upper side alone when so much is used of some rows."""
        left = self.mosts - np.array([used.get(row, 0) for row in self.rows], dtype=np.int64)
        return np.asarray(self.sums((self.take > left[self.row]).astype(np.int64)) == 0, dtype=np.bool_)

    def groups(
        self, multipliers: Sequence[int], fits: npt.NDArray[np.bool_], used: Mapping[int, int] | None
    ) -> tuple[list[list[int]], set[int]]:
        """Members of which at most one may be in, by the dearest rows first; and the rows that this settles.
        Shared rows only where it is known what is ``used`` of them."""
        free = set(self.members[fits].tolist())
        possible = set(free)
        found: list[list[int]] = []
        settled: set[int] = set()
        own = set(self.own)
        for row, members in sorted(self.single, key=lambda each: (-multipliers[each[0]], each[0])):
            if row not in own and used is None:
                continue
            there = [at for at in members if at in possible]
            if free.issuperset(there):
                settled.add(row)
                if there:
                    free.difference_update(there)
                    found.append(there)
        return found, settled

    def taken(self, chosen: Sequence[int]) -> Mapping[int, int]:
        """What these candidates together take of each row."""
        inside = np.zeros(len(self.members), dtype=bool)
        inside[self.at[np.array(chosen, dtype=np.int64)]] = True
        there = inside[self.of]
        found = np.zeros(len(self.rows), dtype=np.int64)
        np.add.at(found, self.row[there], self.take[there])
        return dict(zip(self.rows, found.tolist(), strict=True))

    def rows_of(self, candidates: Whole) -> set[int]:
        """The rows that any of these takes of; -1 is nobody."""
        inside = np.zeros(len(self.members) + 1, dtype=bool)
        inside[self.at[candidates]] = True
        inside[-1] = False
        return {self.rows[at] for at in np.unique(self.row[inside[:-1][self.of]]).tolist()}


def one_at_most(row: Row) -> bool:
    """Whether the row says that of its members only one may be in, and nothing else."""
    return row.most == 1 and row.least is None and set(row.takes) == {1}


def priced(multipliers: Sequence[int], of: npt.NDArray[Any], amounts: Whole) -> Whole:
    """``multipliers[of] * amounts``, in units and rounded down: products of 2 ** 80 in two halves of an int64."""
    high, low = np.zeros(len(multipliers), dtype=np.int64), np.zeros(len(multipliers), dtype=np.int64)
    for at, multiplier in enumerate(multipliers):
        if multiplier:
            if abs(multiplier) >> 82:
                return _one_by_one(multipliers, of, amounts)
            high[at], low[at] = divmod(multiplier, HALF)
    each = high[of]
    largest = np.abs(amounts).max(initial=0)
    if largest >> 41 or (np.abs(each).astype(np.float64) * np.abs(amounts)).max(initial=0) > 2.0**61:
        return _one_by_one(multipliers, of, amounts)
    return np.asarray((each * amounts + low[of] * amounts // HALF) // HALF, dtype=np.int64)


def _one_by_one(multipliers: Sequence[int], of: npt.NDArray[Any], amounts: Whole) -> Whole:
    pairs: Iterable[tuple[int, int]] = zip(of.tolist(), amounts.tolist(), strict=True)
    return np.array([multipliers[row] * amount // PRICED for row, amount in pairs], dtype=np.int64)
