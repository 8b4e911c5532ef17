"""An integer programme for HiGHS: some candidates are free, others are in, the rest is out. Decision 17."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd

import highspy
import numpy as np
import numpy.typing as npt

from portal.awards.allocation.rows import Model, Row
from portal.core.highs import quiet_solver

Floats = npt.NDArray[np.float64]


class Infeasible(Exception):
    """No set of candidates meets the rows: minimums are too high."""


class Undecided(Exception):
    """Neither a set that meets the rows nor a proof that there is none was found."""

    def __init__(self) -> None:
        super().__init__("the search ended before it was known whether the minimums can be met together")


@dataclass(frozen=True, slots=True)
class Answer:
    chosen: tuple[int, ...] | None
    bound: int | None
    finished: bool


class Programme:
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
        self.by_clock = solver.getModelStatus() == highspy.HighsModelStatus.kTimeLimit
        return found

    def best(self, nodes: int, seconds: float, start: tuple[int, ...] | None) -> Answer:
        """The best answer within ``nodes``. Programmes without columns or rows are answered at once."""
        if not self.free or not self.kept:
            chosen = tuple(at for at, gain in zip(self.free, self.gains, strict=True) if gain >= 0)
            answer = tuple(sorted((*self.ones, *chosen)))
            return Answer(answer, int(self.gains.sum()) + self.offset, True)
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

    def _read(self, solver: highspy.Highs) -> Answer:
        status = solver.getModelStatus()
        if status == highspy.HighsModelStatus.kInfeasible:
            return Answer(None, None, True)
        self.by_clock = status == highspy.HighsModelStatus.kTimeLimit
        info = solver.getInfo()
        bound = info.mip_dual_bound
        limit = None if abs(bound) >= highspy.kHighsInf else int(np.floor(bound + 1e-6)) + self.offset
        if info.primal_solution_status != highspy.SolutionStatus.kSolutionStatusFeasible:
            return Answer(None, limit, False)
        values = solver.getSolution().col_value
        chosen = [at for at, value in zip(self.free, values, strict=True) if value > 0.5]
        finished = status == highspy.HighsModelStatus.kOptimal
        return Answer(tuple(sorted((*self.ones, *chosen))), limit, finished)


class Beside:
    """The linear relaxation of some candidates beside what others take: only the sides of its rows change, so each
    is solved from the corner of the last."""

    def __init__(self, model: Model, members: Sequence[int], rows: Sequence[int]) -> None:
        self.rows = list(rows)
        self.total = len(model.rows)
        self.sides = [(model.rows[row].least, model.rows[row].most) for row in rows]
        self.scales = [2.0 ** max(max(model.rows[row].takes, default=1).bit_length() - 4, 0) for row in rows]
        place = {row: at for at, row in enumerate(self.rows)}
        lines = [[(place[row], take) for row, take in model.rows_of[at] if row in place] for at in members]
        programme = highspy.HighsLp()
        programme.num_col_, programme.num_row_ = len(members), len(self.rows)
        programme.sense_ = highspy.ObjSense.kMaximize
        programme.col_cost_ = np.array([model.points[at] for at in members], dtype=np.float64)
        programme.col_lower_, programme.col_upper_ = np.zeros(len(members)), np.ones(len(members))
        programme.row_lower_ = np.full(len(self.rows), -highspy.kHighsInf)
        programme.row_upper_ = np.full(len(self.rows), highspy.kHighsInf)
        programme.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        programme.a_matrix_.start_ = np.cumsum([0, *map(len, lines)])
        programme.a_matrix_.index_ = np.array([row for line in lines for row, _ in line], dtype=np.int32)
        programme.a_matrix_.value_ = np.array([take / self.scales[row] for line in lines for row, take in line])
        self.solver = _solver(highspy.kHighsInf)
        self.solver.setOptionValue("solver", "simplex")
        self.solver.setOptionValue("presolve", "off")
        self.solver.passModel(programme)
        self.taken: dict[int, int] = {}

    def duals(self, used: Mapping[int, int]) -> list[float] | None:
        """Points (in steps) that one more unit of each row brings when so much is used of some; None when nothing
        fits beside it. Others than optimal ones are right as well: they are only multipliers."""
        for place, (row, (least, most), scale) in enumerate(zip(self.rows, self.sides, self.scales, strict=True)):
            taken = used.get(row, 0)
            if self.taken.get(row) != taken:
                self.taken[row] = taken
                lower = -highspy.kHighsInf if least is None else (least - taken) / scale
                upper = highspy.kHighsInf if most is None else (most - taken) / scale
                self.solver.changeRowBounds(place, lower, upper)
        self.solver.run()
        if self.solver.getModelStatus() == highspy.HighsModelStatus.kInfeasible:
            return None
        found = [0.0] * self.total
        for row, scale, dual in zip(self.rows, self.scales, self.solver.getSolution().row_dual, strict=True):
            found[row] = dual / scale
        return found


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
