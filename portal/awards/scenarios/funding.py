"""Who gets money in each of many draws of a simulation: the policies and limits of decision 17. Pure.

:mod:`portal.awards.allocation` gives money out for one list and says why; here the same is done for thousands of
orders at once, and only who gets some is kept. Whole kopecks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Final

import numpy as np
from numpy.typing import NDArray

from portal.awards.allocation.problem import PROJECTS, Policy, Problem
from portal.awards.allocation.rows import Model, kopecks

Whole = NDArray[np.int64]
Truth = NDArray[np.bool_]
Order = NDArray[np.intp]

_NOTHING: Final = Decimal(0)
_HUGE: Final = np.iinfo(np.int64).max


def _none() -> Whole:
    return np.zeros((0, 0), np.int64)


@dataclass(frozen=True)
class Money:
    """The money that n applications share over k years, within r upper limits.

    ``asked``: n x k, ``available``: k, kopecks; ``nothing``: whether who asks for nothing counts as funded; ``floors``:
    n x k, the least amounts of a part, -1 for the whole or nothing (partial funding only). ``bounds``: r, kopecks over
    all years, or projects where ``counts``; ``inside``: n x r, whom they count. ``problem`` with ``places``, key of a
    candidate -> its row of ``asked``: what is searched for the best total.
    """

    asked: Whole
    available: Whole
    policy: Policy = Policy.STRICT
    nothing: bool = True
    floors: Whole = field(default_factory=_none)
    bounds: Whole = field(default_factory=lambda: np.zeros(0, np.int64))
    counts: Truth = field(default_factory=lambda: np.zeros(0, np.bool_))
    inside: Truth = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    problem: Problem | None = None
    places: Mapping[str, int] = field(default_factory=dict)

    def funded(self, totals: Whole, order: Order, recommended: Truth) -> Truth:
        """Draws x places, whether the application at a place gets money. ``totals``: draws x n, hundredths of points;
        ``order``: draws x places, who stands there; ``recommended``: draws x places."""
        if self.policy is Policy.BEST_TOTAL:
            return self._best(totals, order, recommended)
        if self.policy is Policy.STRICT and not len(self.bounds):
            return self._straight(order, recommended)
        return self._walked(order, recommended)

    def _straight(self, order: Order, recommended: Truth) -> Truth:
        """Strict rank order without limits: everybody before the first that does not fit."""
        fits = recommended.copy()
        for year in range(self.asked.shape[1]):
            fits &= np.cumsum(self.asked[:, year][order], axis=1) <= self.available[year]
        return np.logical_and.accumulate(fits, axis=1)

    def _walked(self, order: Order, recommended: Truth) -> Truth:
        """As :mod:`portal.awards.allocation.rank_order` walks one list, all draws place by place."""
        left, room = np.tile(self.available, (len(order), 1)), np.tile(self.bounds, (len(order), 1))
        wants: Truth = np.logical_or(self.asked.any(axis=1), self.nothing)
        ended, given = np.zeros(len(order), np.bool_), np.zeros(order.shape, np.bool_)
        for place in range(order.shape[1]):
            chosen = order[:, place]
            wanted, member = self.asked[chosen], self._members(chosen)
            met = recommended[:, place] & wants[chosen] & ~ended
            over = member & (np.where(self.counts, 1, wanted.sum(axis=1)[:, None]) > room)
            limited, dry = over.any(axis=1), (wanted > left).any(axis=1)
            gets = met & ~limited & ~dry
            granted = np.where(gets[:, None], wanted, 0)
            if self.policy is Policy.PARTIAL:
                part, found = self._parts(np.minimum(wanted, left), chosen, member, room)
                found &= met & ~gets & ~(over & self.counts).any(axis=1)
                granted, gets = np.where(found[:, None], part, granted), gets | found
            elif self.policy is Policy.STRICT:
                ended |= met & dry & ~limited
            left -= granted
            room -= member * np.where(self.counts, gets[:, None], granted.sum(axis=1)[:, None])
            given[:, place] = gets
        return given

    def _members(self, chosen: Order) -> Truth:
        return self.inside[chosen] if len(self.bounds) else np.zeros((len(chosen), 0), np.bool_)

    def _parts(self, part: Whole, chosen: Order, member: Truth, room: Whole) -> tuple[Whole, Truth]:
        """What limits in roubles leave of ``part`` (draws x years), cut from the last years first; if it is enough."""
        floors = self.floors[chosen]
        limits = np.where(member & ~self.counts, room, _HUGE).min(axis=1, initial=_HUGE)
        over = np.maximum(part.sum(axis=1) - limits, 0)
        for year in reversed(range(part.shape[1])):
            cut = np.minimum(over, np.maximum(part[:, year] - floors[:, year], 0))
            part[:, year] -= cut
            over -= cut
        agreed = (floors >= 0).all(axis=1)
        return part, agreed & (over == 0) & (part >= floors).all(axis=1) & part.any(axis=1)

    def _best(self, totals: Whole, order: Order, recommended: Truth) -> Truth:
        """Each draw is a search of its own."""
        from portal.awards.allocation.policies import allocate

        assert self.problem is not None
        given = np.zeros(order.shape, np.bool_)
        for draw in range(len(order)):
            stands = np.empty(order.shape[1], np.intp)
            stands[order[draw]] = np.arange(order.shape[1])
            at = {each.key: self.places[each.key] for each in self.problem.candidates}
            held = tuple(
                replace(each, place=int(stands[at[each.key]]) + 1, points=_points(totals[draw, at[each.key]]))
                for each in self.problem.candidates
                if recommended[draw, stands[at[each.key]]]
            )
            found = allocate(replace(self.problem, candidates=held), compare=False, prices=False)
            given[draw, [stands[at[key]] for key in found.winners]] = True
        return given


def money_of(problem: Problem, numbers: Sequence[str], years: Sequence[int], *, nothing: bool) -> Money:
    """The money that ``problem`` gives out, its candidates at the places of ``numbers``. Others ask for nothing."""
    model = Model(problem)
    places, columns = ({key: at for at, key in enumerate(keys)} for keys in (numbers, years))
    # A limit that all together keep decides nothing.
    limits = [row for row in model.rows if row.code and row.most is not None and sum(row.takes) > row.most]
    asked = np.zeros((len(numbers), len(years)), np.int64)
    floors = np.full(asked.shape, -1, np.int64)
    inside = np.zeros((len(numbers), len(limits)), np.bool_)
    at = np.array([places[each.number] for each in model.candidates], np.intp)
    for place, each in zip(at, model.candidates, strict=True):
        for year, amount in each.asked.items():
            asked[place, columns[year]] = kopecks(amount)
        if each.least is not None:
            floors[place] = [kopecks(each.least.get(year, _NOTHING)) for year in years]
    for column, row in enumerate(limits):
        inside[at[list(row.members)], column] = True
    left = {row.year: row.most or 0 for row in model.rows if not row.code}
    return Money(
        asked=asked,
        available=np.array([left.get(year, 0) for year in years], np.int64),
        policy=problem.policy,
        nothing=nothing,
        floors=floors,
        bounds=np.array([row.most for row in limits], np.int64),
        counts=np.array([row.unit == PROJECTS for row in limits], np.bool_),
        inside=inside,
        problem=problem,
        places={each.key: int(place) for each, place in zip(model.candidates, at, strict=True)},
    )


def _points(hundredths: np.int64) -> Decimal:
    return Decimal(int(hundredths)).scaleb(-2)
