"""The best total: the set of projects with most points under every envelope and limit, proven with HiGHS. Decision 17.

Maximise the sum of ``points`` over the chosen, subject to every :class:`~portal.awards.allocation_rows.Row`; of several
optima the one that is first in rank order. The way there (Balas and Zemel 1980; Pisinger 1997, for one row):

1. The linear relaxation gives multipliers. Rounded to whole numbers they give an upper bound that is valid exactly,
   whatever the solver's tolerances: ``sum(multiplier * side) + sum(max(0, points - multipliers * takes))``.
2. A core of the candidates with the smallest reduced cost is solved as an integer programme: a good answer.
3. Whoever's reduced cost alone would push the bound below that answer is fixed; the rest is solved as one programme.

An answer of the solver counts only when whole numbers confirm it. One that is over a row by less than the solver's
tolerance is cut off by the cover inequality of that row, and the programme is solved again. So floats never decide
what is feasible; that nothing better exists rests on HiGHS' branch and bound (1e-9), or on the exact bound of step 1.

Deterministic: one thread, a fixed seed, limits on nodes. The clock is only the last resort, and is told of.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Final

import highspy
import numpy as np
import numpy.typing as npt

from portal.awards.allocation_rows import Model, Row
from portal.core.highs import quiet_solver

CORE: Final = 60
"""Candidates that the first integer programme decides on."""

WHOLE: Final = 1_000
"""As many candidates are solved to proven optimality, if nodes last; of more only a larger core."""

POOL: Final = 400
NEAR: Final = 50
"""Of the ``POOL`` candidates that the relaxation is least sure of, so many are decided anew at a time."""

BLOCK: Final = 20
"""Candidates whose order one tie-breaking programme decides: weights up to 2 ** 19 are exact in a float."""

_FINE: Final = 2**60
"""Multipliers are whole numbers of this fraction of a step for each kopeck."""

_ROUNDS: Final = 50

Floats = npt.NDArray[np.float64]


class Infeasible(Exception):
    """No set of candidates meets the rows: minimums are too high."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Nodes of branch and bound for the core and for the proof, turns of polishing; ``until``: the clock's last
    word (monotonic)."""

    core: int
    turns: int
    proof: int
    until: float

    @property
    def seconds(self) -> float:
        return max(self.until - time.monotonic(), 0.0)


@dataclass(frozen=True, slots=True)
class Found:
    """``chosen``: indices in canonical order; ``value`` and ``bound`` in steps of points."""

    chosen: tuple[int, ...]
    value: int
    bound: int
    canonical: bool
    by_clock: bool
    multipliers: tuple[float, ...]

    @property
    def proven(self) -> bool:
        return self.bound <= self.value


@dataclass(frozen=True, slots=True)
class _Answer:
    chosen: tuple[int, ...] | None
    bound: int | None
    finished: bool


@dataclass(slots=True)
class _Relaxed:
    """The exact bound (times _FINE) and every candidate's exact reduced cost, from rounded multipliers."""

    bound: int
    reduced: list[int]
    multipliers: tuple[float, ...]

    def open(self, value: int) -> list[int]:
        """Who may be on either side in an answer of at least ``value``."""
        return [at for at, cost in enumerate(self.reduced) if self.bound - abs(cost) >= value * _FINE]


def best_total(model: Model, budget: Budget, *, tie_break: bool = True) -> Found:
    """The best set. Raises :class:`Infeasible` when the minimums cannot be met together."""
    return _Search(model, budget).run(tie_break)


class _Search:
    def __init__(self, model: Model, budget: Budget) -> None:
        self.model = model
        self.budget = budget
        self.rows = list(model.rows)
        self.size = len(model.candidates)
        self.by_clock = False
        self.usable = [at for at in range(self.size) if self._alone(at)]

    def _alone(self, at: int) -> bool:
        """Whether a candidate alone keeps every upper side."""
        sides = ((self.rows[row].most, take) for row, take in self.model.rows_of[at])
        return all(most is None or take <= most for most, take in sides)

    def run(self, tie_break: bool) -> Found:
        relaxed = self._relax()
        answer, finished = self._core(relaxed)
        bound = relaxed.bound // _FINE
        value = self.model.value(answer) if answer is not None else -1
        if answer is not None and not finished and value < bound:
            answer = self._polish(relaxed, answer)
            value = self.model.value(answer)
        if not (finished or value >= bound):
            answer, bound = self._prove(relaxed, answer, bound)
        elif finished:
            bound = value
        if answer is None:
            raise Infeasible
        value = self.model.value(answer)
        canonical = False
        if tie_break and bound <= value:
            answer, canonical = self._first_in_rank(relaxed, answer, value)
        return Found(tuple(sorted(answer)), value, max(bound, value), canonical, self.by_clock, relaxed.multipliers)

    def _core(self, relaxed: _Relaxed) -> tuple[tuple[int, ...] | None, bool]:
        """A good answer, and whether the core was everybody, solved to the end."""
        order = sorted(self.usable, key=lambda at: (abs(relaxed.reduced[at]), at))
        for size in (CORE, 4 * CORE, 16 * CORE, len(order)):
            core, rest = order[:size], order[size:]
            ones = [at for at in rest if relaxed.reduced[at] > 0]
            answer = self._solve(core, ones, self.budget.core)
            if answer.chosen is not None:
                return answer.chosen, answer.finished and not rest
            if not rest:
                if answer.finished:
                    raise Infeasible
                return None, False
        return None, False

    def _polish(self, relaxed: _Relaxed, answer: tuple[int, ...]) -> tuple[int, ...]:
        """Better answers near this one: again and again some fifty of those about whom the relaxation is least sure
        are decided anew beside all others (large neighbourhood search), always the same ones for the same problem."""
        sure = sorted(self.usable, key=lambda at: (abs(relaxed.reduced[at]), at))[:POOL]
        for turn in range(self.budget.turns):
            mixed = sorted(sure, key=lambda at: ((at + 1) * (turn + 1) * 2_654_435_761 % 2**32, at))
            free = sorted({*sure[: NEAR // 2], *mixed[:NEAR]})
            kept = set(free)
            ones = [at for at in answer if at not in kept]
            found = self._solve(free, ones, self.budget.core, start=answer)
            answer = _better(self.model, answer, found.chosen) or answer
        return answer

    def _prove(
        self, relaxed: _Relaxed, answer: tuple[int, ...] | None, bound: int
    ) -> tuple[tuple[int, ...] | None, int]:
        value = self.model.value(answer) if answer is not None else -1
        usable = set(self.usable)
        free = [at for at in relaxed.open(value) if at in usable]
        if len(free) > WHOLE:
            wider = sorted(free, key=lambda at: (abs(relaxed.reduced[at]), at))[:WHOLE]
            ones = self._ones(relaxed, wider)
            better = self._solve(sorted(wider), ones, self.budget.proof, start=answer)
            return _better(self.model, answer, better.chosen), bound
        better = self._solve(free, self._ones(relaxed, free), self.budget.proof, start=answer)
        best = _better(self.model, answer, better.chosen)
        if better.finished:
            return best, self.model.value(best) if best is not None else bound
        return best, bound if better.bound is None else min(bound, better.bound)

    def _ones(self, relaxed: _Relaxed, free: Iterable[int]) -> list[int]:
        undecided = set(free)
        return [at for at in self.usable if at not in undecided and relaxed.reduced[at] > 0]

    def _first_in_rank(self, relaxed: _Relaxed, answer: tuple[int, ...], value: int) -> tuple[tuple[int, ...], bool]:
        """Of all answers of this value the one that is first in rank order: candidate by candidate the better ranked
        one is in. One programme asks whether there is another answer at all; if so, blocks decide in turn."""
        usable = set(self.usable)
        free = [at for at in relaxed.open(value) if at in usable]
        ones = self._ones(relaxed, free)
        enough = Row(tuple(range(self.size)), tuple(self.model.points), value, None)
        other = _differs(free, answer)
        another = self._solve(free, ones, self.budget.proof, more=(enough, other))
        if another.chosen is None:
            return answer, another.finished
        for start in range(0, len(free), BLOCK):
            block = free[start : start + BLOCK]
            weights = {at: 1 << (len(block) - 1 - place) for place, at in enumerate(block)}
            found = self._solve(free[start:], ones, self.budget.proof, more=(enough,), weights=weights, start=answer)
            if found.chosen is None or not found.finished:
                return answer, False
            answer = found.chosen
            taken = set(answer)
            ones += [at for at in block if at in taken]
        return answer, True

    def _relax(self) -> _Relaxed:
        programme = _Programme(self.rows, self.usable, [], self.model.points)
        if programme.hopeless:
            raise Infeasible
        duals = programme.duals(self.budget.seconds)
        return relaxed(self.model, self.usable, duals)

    def _solve(
        self,
        free: Sequence[int],
        ones: Sequence[int],
        nodes: int,
        *,
        more: Sequence[Row] = (),
        weights: dict[int, int] | None = None,
        start: tuple[int, ...] | None = None,
    ) -> _Answer:
        """The best of ``free`` beside ``ones``; rounds of cutting off what whole numbers refuse."""
        gains: Sequence[int] = self.model.points if weights is None else [weights.get(at, 0) for at in range(self.size)]
        for _ in range(_ROUNDS):
            programme = _Programme([*self.rows, *more], free, ones, gains)
            if programme.hopeless:
                return _Answer(None, None, True)
            answer = programme.best(nodes, self.budget.seconds, start)
            self.by_clock = self.by_clock or programme.by_clock
            if answer.chosen is None:
                return answer
            cuts = [cut for row in [*self.model.rows, *more] if (cut := cut_off(row, answer.chosen)) is not None]
            if not cuts:
                return answer
            self.rows += cuts
        return _Answer(None, None, False)


def relaxed(model: Model, usable: Sequence[int], duals: Sequence[float]) -> _Relaxed:
    """Bound and reduced costs in whole numbers; right for any multipliers, good for those of the optimum.

    A multiplier whose side a row does not have is zero. Who is not usable has the reduced cost 0 and no part in it.
    """
    bound = 0
    whole: list[int] = []
    for row, dual in zip(model.rows, duals, strict=True):
        multiplier = round(dual * _FINE)
        side = row.most if multiplier > 0 else row.least
        whole.append(multiplier if side is not None else 0)
        bound += whole[-1] * (side or 0)
    reduced = [0] * len(model.candidates)
    for at in usable:
        reduced[at] = model.points[at] * _FINE - sum(whole[row] * take for row, take in model.rows_of[at])
        bound += max(reduced[at], 0)
    return _Relaxed(bound, reduced, tuple(duals))


def cut_off(row: Row, chosen: Sequence[int]) -> Row | None:
    """An inequality that every right answer keeps and this one breaks, or None when it keeps the row."""
    taken = set(chosen)
    total = row.of(taken)
    if row.most is not None and total > row.most:
        cover = [at for at in row.members if at in taken]
        return Row(tuple(cover), (1,) * len(cover), None, len(cover) - 1)
    if row.least is not None and total < row.least:
        outside = [at for at in row.members if at not in taken]
        return Row(tuple(outside), (1,) * len(outside), 1, None)
    return None


def _differs(free: Sequence[int], answer: Sequence[int]) -> Row:
    """Another set than ``answer``: at least one of ``free`` has changed sides."""
    taken = set(answer)
    signs = tuple(-1 if at in taken else 1 for at in free)
    return Row(tuple(free), signs, 1 - sum(1 for at in free if at in taken), None)


def _better(model: Model, one: tuple[int, ...] | None, other: tuple[int, ...] | None) -> tuple[int, ...] | None:
    if one is None or other is None:
        return one if other is None else other
    return other if model.value(other) > model.value(one) else one


class _Programme:
    """Rows over the free candidates, in numbers that a float holds exactly, as HiGHS wants them."""

    def __init__(self, rows: Sequence[Row], free: Sequence[int], ones: Sequence[int], gains: Sequence[int]) -> None:
        self.free = list(free)
        self.ones = tuple(ones)
        self.gains = np.array([gains[at] for at in self.free], dtype=np.float64)
        self.offset = sum(gains[at] for at in self.ones)
        self.total = len(rows)
        self.by_clock = False
        self.hopeless = False
        self.kept: list[int] = []
        self.scales: list[float] = []
        self._column = {at: place for place, at in enumerate(self.free)}
        columns: list[int] = []
        index: list[int] = []
        values: list[float] = []
        lower: list[float] = []
        upper: list[float] = []
        fixed = set(self.ones)
        for at, row in enumerate(rows):
            pairs = [
                (self._column[member], take)
                for member, take in zip(row.members, row.takes, strict=True)
                if take and member in self._column
            ]
            sides = self._sides(row, row.of(fixed) if fixed else 0, [take for _, take in pairs])
            if sides is None:
                continue
            least, most, divisor, scale = sides
            columns += [place for place, _ in pairs]
            index += [len(self.kept)] * len(pairs)
            values += [take // divisor / scale for _, take in pairs]
            lower.append(-highspy.kHighsInf if least is None else least / scale)
            upper.append(highspy.kHighsInf if most is None else most / scale)
            self.kept.append(at)
            self.scales.append(divisor * scale)
        self._store(np.array(columns, dtype=np.int64), np.array(index, dtype=np.int64), np.array(values), lower, upper)

    def _sides(self, row: Row, used: int, takes: Sequence[int]) -> tuple[int | None, int | None, int, float] | None:
        """Both sides for the free members in units of their greatest common divisor, and the power of two that
        brings them near 1; None when the row cannot bind."""
        high, low = sum(take for take in takes if take > 0), sum(take for take in takes if take < 0)
        most = None if row.most is None or row.most - used >= high else row.most - used
        least = None if row.least is None or row.least - used <= low else row.least - used
        self.hopeless |= (most is not None and most < low) or (least is not None and least > high)
        if most is None and least is None:
            return None
        divisor = max(gcd(*takes), 1)
        largest = max((abs(take) // divisor for take in takes), default=1)
        scale = 2.0 ** max(largest.bit_length() - 4, 0)
        return (
            None if least is None else -(-least // divisor),
            None if most is None else most // divisor,
            divisor,
            scale,
        )

    def _store(
        self,
        columns: npt.NDArray[np.int64],
        index: npt.NDArray[np.int64],
        values: Floats,
        lower: list[float],
        upper: list[float],
    ) -> None:
        order = np.lexsort((index, columns)) if len(columns) else np.zeros(0, dtype=np.int64)
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = len(self.free), len(self.kept)
        model.sense_ = highspy.ObjSense.kMaximize
        model.col_cost_ = self.gains
        model.col_lower_, model.col_upper_ = np.zeros(len(self.free)), np.ones(len(self.free))
        model.row_lower_, model.row_upper_ = np.array(lower), np.array(upper)
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = np.searchsorted(columns[order], np.arange(len(self.free) + 1))
        model.a_matrix_.index_ = index[order]
        model.a_matrix_.value_ = values[order]
        self.model = model

    def duals(self, seconds: float) -> list[float]:
        """Points (in steps) that one more unit of each row brings. Raises Infeasible."""
        solver = _solver(seconds)
        solver.setOptionValue("solver", "simplex")
        solver.passModel(self.model)
        solver.run()
        if solver.getModelStatus() in (
            highspy.HighsModelStatus.kInfeasible,
            highspy.HighsModelStatus.kUnboundedOrInfeasible,
        ):
            raise Infeasible
        found = [0.0] * self.total
        if solver.getModelStatus() == highspy.HighsModelStatus.kOptimal:
            for at, scale, dual in zip(self.kept, self.scales, solver.getSolution().row_dual, strict=True):
                found[at] = dual / scale
        else:
            self.by_clock = True
        return found

    def best(self, nodes: int, seconds: float, start: tuple[int, ...] | None) -> _Answer:
        """The best answer within ``nodes``. Programmes without columns or rows are answered at once."""
        if not self.free or not self.kept:
            chosen = tuple(at for at, gain in zip(self.free, self.gains, strict=True) if gain >= 0)
            answer = tuple(sorted((*self.ones, *chosen)))
            return _Answer(answer, int(self.gains.sum()) + self.offset, True)
        solver = _solver(seconds)
        for name, value in (
            ("mip_max_nodes", nodes),
            ("mip_rel_gap", 0.0),
            ("mip_abs_gap", 0.999),
            ("mip_feasibility_tolerance", 1e-9),
        ):
            solver.setOptionValue(name, value)
        self.model.integrality_ = [highspy.HighsVarType.kInteger] * len(self.free)
        solver.passModel(self.model)
        if start is not None:
            solver.setSolution(self._start(start))
        solver.run()
        return self._read(solver)

    def _start(self, chosen: Sequence[int]) -> highspy.HighsSolution:
        taken = set(chosen)
        solution = highspy.HighsSolution()
        solution.col_value = [1.0 if at in taken else 0.0 for at in self.free]
        return solution

    def _read(self, solver: highspy.Highs) -> _Answer:
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            return _Answer(None, None, True)
        self.by_clock = status == highspy.HighsModelStatus.kTimeLimit
        info = solver.getInfo()
        bound = info.mip_dual_bound
        limit = None if abs(bound) >= highspy.kHighsInf else int(np.floor(bound + 1e-6)) + self.offset
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return _Answer(None, limit, False)
        values = solver.getSolution().col_value
        chosen = [at for at, value in zip(self.free, values, strict=True) if value > 0.5]
        finished = status == highspy.HighsModelStatus.kOptimal
        return _Answer(tuple(sorted((*self.ones, *chosen))), limit, finished)


def _solver(seconds: float) -> highspy.Highs:
    solver = quiet_solver()
    for name, value in (
        ("output_flag", False),
        ("threads", 1),
        ("random_seed", 0),
        ("parallel", "off"),
        ("time_limit", seconds),
    ):
        solver.setOptionValue(name, value)
    return solver
