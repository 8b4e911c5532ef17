"""Multipliers of the linear relaxation, the exact bound that they give, and what each candidate costs. Decision 17."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from portal.awards.allocation.problem import PROJECTS
from portal.awards.allocation.rows import Model, Row

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

STEPS: Final = 30
"""Of Newton's method, and halvings of each."""

Floats = npt.NDArray[np.float64]

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


def softened(model: Model, usable: Sequence[int], duals: Sequence[float], scale: float) -> list[float]:
    """Multipliers under which few sets lie within what may be lost, from those of the relaxation, ``duals``.

    Of the relaxation's own a corner leaves a dozen candidates at reduced cost 0: as many departures cost nothing. These
    minimise the bound plus ``scale`` steps times the sum of log(1 + exp(-cost / scale)) over the candidates' costs:
    the logarithm of a bound for the number of sets worth as much as some value (Chernoff). Newton's method, in single
    precision at the end, so that the last bits of another processor's floats do not change it.
    """
    inside = set(usable)
    rows = [at for at, row in enumerate(model.rows) if may_bind(row, inside)]
    sides = np.array([_side(model.rows[at], duals[at]) for at in rows], dtype=np.float64).reshape(len(rows), 2)
    sign, side = sides[:, 0], sides[:, 1]
    takes = np.array([model.column(at)[list(usable)] for at in rows], dtype=np.float64).reshape(len(rows), len(usable))
    most = np.maximum(takes.max(axis=1, initial=0), 1)
    takes, side = takes * (sign / most)[:, None], side * sign / most
    points = np.array([model.points[at] for at in usable], dtype=np.float64)
    found = np.maximum(np.array([duals[at] for at in rows]) * sign * most, 0)

    def costs(multipliers: Floats) -> Floats:
        return np.asarray((points - multipliers @ takes) / scale, dtype=np.float64)

    def total(multipliers: Floats) -> float:
        return float(multipliers @ side / scale + np.logaddexp(0, costs(multipliers)).sum())

    # Where minimums leave hardly a set there is no least value: nobody pays more than twice what anybody is worth.
    highest = np.maximum(2 * points.max(initial=1), found)
    now = total(found)
    for _ in range(STEPS):
        likely = np.exp(-np.logaddexp(0, -costs(found)))
        slope = (side - takes @ likely) / scale
        free = ((found > 0) | (slope < 0)) & ((found < highest) | (slope > 0))
        bend = (takes[free] * (likely * (1 - likely))) @ takes[free].T / scale**2
        bend[np.diag_indices(len(bend))] += bend.max(initial=0) * 1e-9 + 1e-12
        change = np.zeros(len(found))
        change[free] = -np.linalg.solve(bend, slope[free])
        tries = (np.clip(found + change / 2**half, 0, highest) for half in range(STEPS))
        better = next(((each, new) for each in tries if (new := total(each)) < now - 1e-6), None)
        if better is None:
            break
        found, now = better
    soft = [0.0] * len(model.rows)
    for at, each in zip(rows, (found * sign / most).astype(np.float32).tolist(), strict=True):
        soft[at] = each
    return soft


def _side(row: Row, dual: float) -> tuple[int, int]:
    """Which side a multiplier is about (1: upper, -1: lower), and that side."""
    if row.most is None or (row.least is not None and dual < 0):
        return -1, row.least or 0
    return 1, row.most


def may_bind(row: Row, usable: set[int]) -> bool:
    """Whether there are sets of the usable candidates that do not keep the row."""
    total = sum(take for member, take in zip(row.members, row.takes, strict=True) if member in usable)
    return (row.most is not None and total > row.most) or (row.least is not None and row.least > 0)


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
