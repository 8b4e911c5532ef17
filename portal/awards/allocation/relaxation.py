"""Multipliers of the linear relaxation, the exact bound that they give, and what each candidate costs. Decision 17."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from portal.awards.allocation.problem import PROJECTS
from portal.awards.allocation.rows import Model

FINE: Final = 2**60
"""Multipliers are whole numbers of this fraction of a step for each kopeck."""


@dataclass(slots=True)
class Relaxed:
    """The exact bound (times FINE) and every candidate's exact reduced cost, from rounded multipliers."""

    bound: int
    reduced: list[int]
    multipliers: tuple[float, ...]
    whole: list[int]

    def open(self, value: int) -> list[int]:
        """Who may be on either side in an answer of at least ``value``."""
        return [at for at, cost in enumerate(self.reduced) if self.bound - abs(cost) >= value * FINE]


ROUNDS: Final = 3

Counted = Sequence[tuple[int, int, Sequence[int]]]


def counted_rows(model: Model, usable: Sequence[int]) -> Counted:
    """Rows that take at most so many projects: which row, how many, and who of ``usable`` lies in it."""
    inside = set(usable)
    rows = (
        (at, row.most, [member for member in row.members if member in inside])
        for at, row in enumerate(model.rows)
        if row.most is not None and row.least is None and row.code and row.unit == PROJECTS
    )
    return [each for each in rows if each[2]]


def centred(model: Model, usable: Sequence[int], counted: Counted, duals: Sequence[float]) -> list[float]:
    """Multipliers of the same bound that tell more about each candidate. ``counted``: of :func:`counted_rows`.

    The simplex method ends in a corner: of a row that takes at most so many, the multiplier is what the last one in
    or the first one out is worth, and that one's reduced cost is 0, as if it were undecided. Everything between the
    two gives the same bound (it is convex and flat there); the middle says how sure both are.
    """
    costs = [
        model.points[at] - sum(duals[row] * take for row, take in model.rows_of[at] if duals[row]) for at in usable
    ]
    place = {at: number for number, at in enumerate(usable)}
    return middle(costs, place, counted, duals)


def middle(
    costs: list[float],
    place: Mapping[int, int] | npt.NDArray[np.int64],
    counted: Counted,
    duals: Sequence[float],
    used: Mapping[int, int] | None = None,
    apart: float = 0.0,
) -> list[float]:
    """:func:`centred` from the reduced costs under ``duals``, which it changes; ``place``: where a candidate's stands.

    ``used``: what is taken already of some rows; where nothing is left everybody is out by ``apart`` steps at least.
    """
    taken = used or {}
    tight = [
        (at, left, [int(place[member]) for member in members])
        for at, most, members in counted
        if len(members) > (left := most - taken.get(at, 0))
    ]
    found = list(duals)
    for _ in range(ROUNDS):
        before = list(found)
        for at, left, members in tight:
            worth = sorted([costs[member] + found[at] for member in members], reverse=True)
            if left > 0:
                last_in, first_out = worth[left - 1], max(worth[left], 0.0)
                new = max((last_in + first_out) / 2, 0.0) if last_in > 0 else 0.0
            else:
                new = max(worth[0] + apart, 0.0)
            if new != found[at]:
                for member in members:
                    costs[member] += found[at] - new
                found[at] = new
        if found == before:
            break
    return found


def relaxed(model: Model, usable: Sequence[int], duals: Sequence[float]) -> Relaxed:
    """Bound and reduced costs in whole numbers; right for any multipliers, good for those of the optimum.

    A multiplier whose side a row does not have is zero. Who is not usable has the reduced cost 0 and no part in it.
    """
    whole = in_whole(model, duals)
    bound = sum(
        multiplier * ((row.most if multiplier > 0 else row.least) or 0)
        for row, multiplier in zip(model.rows, whole, strict=True)
    )
    reduced = [0] * len(model.candidates)
    for at in usable:
        reduced[at] = model.points[at] * FINE - sum(whole[row] * take for row, take in model.rows_of[at])
        bound += max(reduced[at], 0)
    return Relaxed(bound, reduced, tuple(duals), whole)


def in_whole(model: Model, duals: Sequence[float]) -> list[int]:
    """Multipliers of FINE; zero where a row does not have the side."""
    found = [0] * len(model.rows)
    for at, dual in enumerate(duals):
        if dual and (model.rows[at].most if dual > 0 else model.rows[at].least) is not None:
            found[at] = round(dual * FINE)
    return found
