"""What the other part can add to one exact set of a part. Pure; decision 17.

A set is looked at in two steps. The linear relaxation of the other part beside it gives multipliers: a cut, which says
something of every set. If that does not settle it, all sets of the other part are made that are enough beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from portal.awards.allocation.departures import Part, side_price, valued
from portal.awards.allocation.ground import UNIT, Ground
from portal.awards.allocation.pairing import TooMany
from portal.awards.allocation.programme import Beside
from portal.awards.allocation.relaxation import counted_rows, in_whole, middle

TIES: Final = 5_000
"""Answers of equal points among which the first in rank order is looked for."""

APART: Final = 1_000
"""Steps by which somebody for whom a row has no room left is kept out; the more, the less is told of other sets."""

RELAXATION: Final = 1_000
"""What a relaxation counts as, in sums."""

STATES: Final = (2_000, 10_000, 50_000, 300_000, 1_500_000)
"""Sums of departures that one look at the other part takes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """``used``: what the set takes of the shared rows; ``points`` of it; ``floor``: what an answer must have, in
    steps."""

    used: Mapping[int, int]
    points: int
    floor: int


@dataclass(frozen=True, slots=True)
class Added:
    """``whole``: multipliers, of FINE, None where nothing fits beside the set; ``most``: what the other part is worth
    under them, in units; ``settled``: whether all was seen that is enough; ``best``: the most steps that are added to
    reach the floor, -1 for none, by each of ``chosen``, at most ``TIES`` and one; ``work``: in sums."""

    whole: list[int] | None
    most: int
    settled: bool
    best: int
    chosen: Sequence[Sequence[int]]
    work: int


class Additions:
    """``other``: those who add. Questions are answered in their order: each relaxation is solved from the corner of the
    last one, and of several optimal multipliers these are then the ones. The same questions get the same answers."""

    def __init__(self, other: Ground) -> None:
        self.model, self.other = other.model, other
        members = other.members.tolist()
        rows = set(other.rows)
        self.counted = [each for each in counted_rows(self.model, members) if each[0] in rows]
        self.beside: Beside | None = None

    def __call__(self, asked: Asked) -> Added:
        if self.beside is None:
            self.beside = Beside(self.model, self.other.members.tolist(), self.other.rows)
        duals = self.beside.duals(asked.used)
        if duals is None:
            return Added(None, 0, True, -1, (), RELAXATION)
        prices = middle(self.other.costs(duals), self.other.at, self.counted, duals, asked.used, APART)
        whole = in_whole(self.model, prices)
        most = valued(self.other, whole).most
        floor, points = asked.floor * UNIT, asked.points * UNIT
        left = sum(
            side_price(self.model.rows[row], whole[row], asked.used[row]) for row in self.other.shared if whole[row]
        )
        if points + most + left < floor:
            return Added(whole, most, True, -1, (), RELAXATION)
        value = valued(self.other, whole, asked.used)
        need = points + value.most - floor
        if need < 0:
            return Added(whole, most, True, -1, (), RELAXATION)
        part = Part(self.other, whole, asked.used, value)
        states = next((states for states in STATES if part.few(need, states)), None)
        if states is None:
            return Added(whole, most, False, -1, (), RELAXATION)
        try:
            near = part.within(need)
        except TooMany:
            return Added(whole, most, False, -1, (), RELAXATION + states)
        if not len(near.points):
            return Added(whole, most, True, -1, (), RELAXATION + states)
        best = int(near.points.max())
        same = np.flatnonzero(near.points == best)[: TIES + 1].tolist()
        chosen = [part.chosen(near.ways[place].tolist()) for place in same]
        return Added(whole, most, True, best, chosen, RELAXATION + states)
