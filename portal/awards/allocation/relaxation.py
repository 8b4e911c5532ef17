"""Multipliers of the linear relaxation, the exact bound that they give, and what each candidate costs. Decision 17."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

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


def centred(model: Model, usable: Sequence[int], duals: Sequence[float], rounds: int = 3) -> list[float]:
    """Multipliers of the same bound that tell more about each candidate.

    The simplex method ends in a corner: of a row that takes at most so many, the multiplier is what the last one in
    or the first one out is worth, and that one's reduced cost is 0, as if it were undecided. Everything between the
    two gives the same bound (it is convex and flat there); the middle says how sure both are.
    """
    costs = [float(points) for points in model.points]
    for row, dual in zip(model.rows, duals, strict=True):
        if dual:
            for member, take in zip(row.members, row.takes, strict=True):
                costs[member] -= dual * take
    inside = set(usable)
    counted = []
    for at, row in enumerate(model.rows):
        members = [member for member in row.members if member in inside]
        if row.most is not None and row.least is None and len(members) > row.most and set(row.takes) == {1}:
            counted.append((at, row.most, members))
    middle = list(duals)
    for _ in range(rounds):
        for at, most, members in counted:
            worth = sorted((costs[member] + middle[at] for member in members), reverse=True)
            last_in, first_out = worth[max(most - 1, 0)], max(worth[most], 0.0)
            new = max((last_in + first_out) / 2, 0.0) if last_in > 0 else 0.0
            for member in members:
                costs[member] += middle[at] - new
            middle[at] = new
    return middle


def relaxed(model: Model, usable: Sequence[int], duals: Sequence[float]) -> Relaxed:
    """Bound and reduced costs in whole numbers; right for any multipliers, good for those of the optimum.

    A multiplier whose side a row does not have is zero. Who is not usable has the reduced cost 0 and no part in it.
    """
    bound = 0
    whole: list[int] = []
    for row, dual in zip(model.rows, duals, strict=True):
        multiplier = round(dual * FINE)
        side = row.most if multiplier > 0 else row.least
        whole.append(multiplier if side is not None else 0)
        bound += whole[-1] * (side or 0)
    reduced = [0] * len(model.candidates)
    for at in usable:
        reduced[at] = model.points[at] * FINE - sum(whole[row] * take for row, take in model.rows_of[at])
        bound += max(reduced[at], 0)
    return Relaxed(bound, reduced, tuple(duals), whole)
