"""The assignment as a minimum-cost flow, solved to a proven optimum. Pure.

A *need* is a lane of a project with the number of reviewers that are missing. An arc
from a need to an expert costs what the expert lacks in fit; experts pay a rising price for each further review, so that
loads are even, and one for each review of a cluster beyond its fair share. What is forbidden (a conflict, an absence,
another lane) is no arc; what is limited (the load, one lane per project and expert) is a capacity. A need may stay
open at a price above every possible detour, so that there always is a plan and nothing is left open for a better fit.

Every arc lies in one need and in a chain project < cluster < expert: two laminar families, whose matrix is totally
unimodular (Edmonds 1970; Schrijver, Combinatorial Optimization, 2003, ch. 13 and 41). So the vertex that the simplex
method ends at is integral, and the linear optimum is the optimum: no branching, the bound is a proof. Arcs are priced
in as their reduced costs ask for (column generation); when time is over, the Lagrangian bound of the last round tells
how far from the optimum the plan can be at most. Decision 13.

Deterministic: sorted input, one thread, a fixed seed, whole-number costs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Final
from uuid import UUID

import highspy
import numpy as np
import numpy.typing as npt

from portal.core.highs import quiet_solver
from portal.review.assignment import (
    CROWDED,
    FULL_LOAD,
    LANE_POINTS,
    LANGUAGE_POINTS,
    MOVED,
    PERFECT,
    SECONDS,
    Choice,
    Inputs,
    OutOfTime,
    Pair,
    Plan,
    Shortage,
    class_points,
    cost_of,
    fair_share,
    load_cost,
)
from portal.tenders.ruleset import GENERAL

START: Final = 8
"""Arcs of each need in the first round."""

ADDED: Final = 4
"""Arcs that a need gets in each further round at most."""

_ZERO: Final = 1e-6

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def solve(inputs: Inputs, seconds: float = SECONDS) -> Plan:
    """The plan of the smallest price. Raises :class:`OutOfTime` when not even a first one is found in ``seconds``."""
    network = _Network(inputs)
    if not network.needs or not network.experts:
        return network.plan(np.zeros(network.allowed.shape, dtype=np.bool_), 0.0, 0)
    until = time.monotonic() + seconds
    active, found, missing, rounds = network.first_arcs(), None, 0.0, 0
    while True:
        try:
            found = _Round(network, active, until - time.monotonic())
        except OutOfTime:
            if found is None:
                raise
            return network.plan(found.chosen, missing, rounds)
        rounds += 1
        priced = np.where(network.allowed & ~active, found.reduced, 0.0)
        missing = float(-np.minimum(priced, 0.0).sum())
        if missing <= _ZERO:
            return network.plan(found.chosen, 0.0, rounds)
        worth = np.argsort(priced, axis=1, kind="stable")[:, :ADDED]
        picked = np.zeros_like(active)
        np.put_along_axis(picked, worth, True, axis=1)
        active = active | (picked & (priced < -_ZERO))


class _Network:
    """The inputs as arrays, in the order of the keys: needs are rows, experts are columns."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.experts = sorted(inputs.experts, key=lambda each: each.id)
        self.projects = sorted(inputs.projects, key=lambda each: each.id)
        self.needs = sorted(
            (need for need in inputs.needs if need.count > 0), key=lambda need: (need.project, need.lane)
        )
        clusters = sorted({project.cluster for project in self.projects})
        column = {each.id: place for place, each in enumerate(self.experts)}
        row = {each.id: place for place, each in enumerate(self.projects)}
        place_of = {cluster: place for place, cluster in enumerate(clusters)}
        self.project_of: Ints = np.array([row[need.project] for need in self.needs], dtype=np.int64)
        cluster_of = np.array([place_of[project.cluster] for project in self.projects], dtype=np.int64)
        self.cluster_of: Ints = cluster_of[self.project_of] if self.needs else np.zeros(0, dtype=np.int64)
        self.counts: Ints = np.array([need.count for need in self.needs], dtype=np.int64)
        self.room: Ints = np.array([max(each.limit - each.load, 0) for each in self.experts], dtype=np.int64)
        share = fair_share(inputs)
        self.shares: Ints = np.full((len(self.experts), len(clusters)), share, dtype=np.int64)
        for (who, where), count in inputs.held.items():
            if who in column and where in place_of:
                self.shares[column[who], place_of[where]] = max(share - count, 0)
        self.barred = self._marks(inputs.barred, column, row)
        self.undecided = self._marks(inputs.undecided, column, row)
        self.taken = self._marks(inputs.taken, column, row)
        self._column = column

    def _marks(self, pairs: Iterable[Pair], column: Mapping[UUID, int], row: Mapping[UUID, int]) -> Bools:
        marks = np.zeros((len(self.projects), len(self.experts)), dtype=np.bool_)
        for who, what in pairs:
            if who in column and what in row:
                marks[row[what], column[who]] = True
        return marks

    @cached_property
    def in_lane(self) -> Bools:
        """Which experts work in the lane of each need."""
        lanes = {need.lane for need in self.needs}
        works = {
            lane: np.array([not each.lanes or lane in each.lanes or lane == GENERAL for each in self.experts])
            for lane in sorted(lanes)
        }
        shape = (len(self.needs), len(self.experts))
        return np.array([works[need.lane] for need in self.needs], dtype=np.bool_).reshape(shape)

    @cached_property
    def away(self) -> Bools:
        return np.array([each.absent for each in self.experts], dtype=np.bool_)

    @cached_property
    def reads(self) -> Bools:
        """Who reads Russian, in which everything is written."""
        return np.array(["ru" in each.languages for each in self.experts], dtype=np.bool_)

    @cached_property
    def allowed(self) -> Bools:
        """The arcs: who may be asked for which need, loads aside."""
        if not self.needs:
            return np.zeros((0, len(self.experts)), dtype=np.bool_)
        closed = self.barred | self.undecided | self.taken
        return self.in_lane & ~closed[self.project_of] & self.reads & ~self.away & (self.room > 0)

    @cached_property
    def fits(self) -> Ints:
        """The points of fit of every expert for every need."""
        kinds = sorted({tuple(sorted(project.codes)) for project in self.projects})
        tables = {
            codes: np.array([class_points(each.classes, frozenset(codes)) for each in self.experts], dtype=np.int64)
            for codes in kinds
        }
        english = np.array(["en" in each.languages for each in self.experts])
        named = {
            lane: np.array([lane in each.lanes or lane == GENERAL for each in self.experts])
            for lane in sorted({need.lane for need in self.needs})
        }
        rows = []
        for need, place in zip(self.needs, self.project_of, strict=True):
            project = self.projects[place]
            points = tables[tuple(sorted(project.codes))] + LANE_POINTS * named[need.lane]
            rows.append(points + LANGUAGE_POINTS * (english | (not project.abroad)))
        return np.array(rows, dtype=np.int64).reshape(len(self.needs), len(self.experts))

    @cached_property
    def costs(self) -> Ints:
        costs = PERFECT - self.fits
        for at, who in self._present():
            costs[at, who] -= MOVED
        return costs

    def _present(self) -> Iterable[tuple[int, int]]:
        """The arcs that are there already: need and expert."""
        place = {(need.project, need.lane): at for at, need in enumerate(self.needs)}
        for (who, what), lane in self.inputs.present.items():
            if (what, lane) in place and who in self._column:
                yield place[what, lane], self._column[who]

    @cached_property
    def open_price(self) -> int:
        """More than any chain of exchanges can save: a chain passes a need once, and each step saves less than this."""
        step = 2 * (PERFECT + FULL_LOAD + CROWDED + MOVED)
        return step * (len(self.needs) + 1)

    def first_arcs(self) -> Bools:
        """A few good arcs for each need, those of equal price taken in turn, and what is there already."""
        size = len(self.experts)
        turn = (np.arange(size)[None, :] - 7 * np.arange(len(self.needs))[:, None]) % size
        order = np.where(self.allowed, self.costs * size + turn, np.iinfo(np.int64).max)
        best = np.argsort(order, axis=1, kind="stable")[:, :START]
        active = np.zeros_like(self.allowed)
        np.put_along_axis(active, best, True, axis=1)
        for at, who in self._present():
            active[at, who] = True
        return active & self.allowed

    def plan(self, chosen: Bools, missing: float, rounds: int) -> Plan:
        """The answer, checked against every limit by whole numbers."""
        self._check(chosen)
        choices = tuple(
            Choice(self.needs[at].project, self.needs[at].lane, self.experts[who].id, int(self.fits[at, who]))
            for at, who in np.argwhere(chosen)
        )
        cost = cost_of(self.inputs, choices)
        return Plan(choices, tuple(self._shortages(chosen)), cost, missing / max(cost, 1), rounds)

    def _check(self, chosen: Bools) -> None:
        if not self.needs:
            return
        pairs = np.zeros((len(self.projects), len(self.experts)), dtype=np.int64)
        np.add.at(pairs, self.project_of, chosen.astype(np.int64))
        sound = (
            not (chosen & ~self.allowed).any()
            and (chosen.sum(axis=1) <= self.counts).all()
            and (chosen.sum(axis=0) <= self.room).all()
            and (pairs <= 1).all()
        )
        if not sound:
            raise AssertionError("the solver's answer breaks a limit")

    def _shortages(self, chosen: Bools) -> Iterable[Shortage]:
        busy = np.zeros((len(self.projects), len(self.experts)), dtype=np.bool_)
        for at in range(len(self.needs)):
            busy[self.project_of[at]] |= chosen[at]
        for at, need in enumerate(self.needs):
            open_places = need.count - int(chosen[at].sum())
            if open_places == 0:
                continue
            place = self.project_of[at]
            left = np.ones(len(self.experts), dtype=np.bool_)
            reasons = {}
            for word, why in (
                ("lane", ~self.in_lane[at]),
                ("taken", self.taken[place] | busy[place]),
                ("conflict", self.barred[place]),
                ("undecided", self.undecided[place]),
                ("language", ~self.reads),
                ("absent", self.away),
                ("load", np.ones_like(left)),
            ):
                found = int((left & why).sum())
                left = left & ~why
                if found:
                    reasons[word] = found
            yield Shortage(need.project, need.lane, open_places, reasons)


class _Round:
    """The linear program over the active arcs, solved: what was chosen, and the reduced cost of every arc."""

    def __init__(self, network: _Network, active: Bools, seconds: float) -> None:
        self.network = network
        needs, experts = np.nonzero(active)
        self._rows(needs, experts)
        model, arcs = self._model(needs, experts), len(needs)
        solver = quiet_solver()
        for name, value in (
            ("threads", 1),
            ("random_seed", 0),
            ("solver", "simplex"),
            ("presolve", "off"),
            ("parallel", "off"),
            ("time_limit", max(seconds, 0.0)),
        ):
            solver.setOptionValue(name, value)
        solver.passModel(model)
        solver.run()
        if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise OutOfTime
        solution = solver.getSolution()
        values = np.asarray(solution.col_value, dtype=np.float64)[:arcs]
        if np.abs(values - np.round(values)).max(initial=0.0) > 1e-6:
            raise AssertionError("a vertex of the flow is not integral")
        self.chosen: Bools = np.zeros_like(active)
        self.chosen[needs, experts] = values > 0.5
        self.reduced = self._price(np.asarray(solution.row_dual, dtype=np.float64))

    def _rows(self, needs: Ints, experts: Ints) -> None:
        """Where the rows stand: needs, loads, then the clusters and pairs that can bind."""
        net = self.network
        size = len(net.experts)
        self.loads = len(net.needs)
        crowds, crowd_sizes = np.unique(experts * net.shares.shape[1] + net.cluster_of[needs], return_counts=True)
        self.crowds: Ints = crowds[crowd_sizes > net.shares.ravel()[crowds]]
        pairs, pair_sizes = np.unique(net.project_of[needs] * size + experts, return_counts=True)
        self.pairs: Ints = pairs[pair_sizes > 1]
        self.crowd_at = self.loads + size
        self.pair_at = self.crowd_at + len(self.crowds)
        self.size = self.pair_at + len(self.pairs)

    def _model(self, needs: Ints, experts: Ints) -> highspy.HighsLp:
        net = self.network
        crowd_key = experts * net.shares.shape[1] + net.cluster_of[needs]
        pair_key = net.project_of[needs] * len(net.experts) + experts
        units = np.repeat(np.arange(len(net.experts)), net.room)
        unit_costs = [
            load_cost(each.load + number + 1, each.limit)
            for each, room in zip(net.experts, net.room, strict=True)
            for number in range(room)
        ]
        arcs, opens, over = len(needs), len(net.needs), len(self.crowds)
        columns = arcs + opens + over + len(units)
        entries = [
            (np.arange(arcs), needs, 1.0),
            (np.arange(arcs), self.loads + experts, 1.0),
            self._chain(crowd_key, self.crowds, self.crowd_at),
            self._chain(pair_key, self.pairs, self.pair_at),
            (arcs + np.arange(opens), np.arange(opens), 1.0),
            (arcs + opens + np.arange(over), self.crowd_at + np.arange(over), -1.0),
            (arcs + opens + over + np.arange(len(units)), self.loads + units, -1.0),
        ]
        column = np.concatenate([each[0] for each in entries])
        row = np.concatenate([each[1] for each in entries])
        value = np.concatenate([np.full(len(each[0]), each[2]) for each in entries])
        order = np.lexsort((row, column))
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = columns, self.size
        model.col_cost_ = np.concatenate(
            [net.costs[needs, experts], np.full(opens, net.open_price), np.full(over, CROWDED), unit_costs]
        ).astype(np.float64)
        model.col_lower_ = np.zeros(columns)
        model.col_upper_ = np.concatenate(
            [np.ones(arcs), net.counts, np.full(over, highspy.kHighsInf), np.ones(len(units))]
        )
        rooms = net.shares.ravel()[self.crowds]
        low = np.full(over + len(self.pairs), -highspy.kHighsInf)
        zeros = np.zeros(len(net.experts))
        model.row_lower_ = np.concatenate([net.counts, zeros, low])
        model.row_upper_ = np.concatenate([net.counts, zeros, rooms, np.ones(len(self.pairs))])
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = np.searchsorted(column[order], np.arange(columns + 1))
        model.a_matrix_.index_ = row[order]
        model.a_matrix_.value_ = value[order]
        return model

    def _chain(self, keys: Ints, known: Ints, start: int) -> tuple[Ints, Ints, float]:
        """The arcs that lie in one of the ``known`` rows, and which."""
        if not len(known):
            nothing = np.zeros(0, dtype=np.int64)
            return nothing, nothing, 1.0
        place = np.searchsorted(known, keys).clip(max=len(known) - 1)
        inside = known[place] == keys
        return np.flatnonzero(inside), start + place[inside], 1.0

    def _price(self, dual: Floats) -> Floats:
        net = self.network
        reduced = net.costs - dual[: self.loads, None] - dual[None, self.loads : self.crowd_at]
        crowds = np.zeros(net.shares.size)
        crowds[self.crowds] = dual[self.crowd_at : self.pair_at]
        reduced = reduced - crowds.reshape(net.shares.shape)[:, net.cluster_of].T
        pairs = np.zeros(len(net.projects) * len(net.experts))
        pairs[self.pairs] = dual[self.pair_at :]
        priced: Floats = reduced - pairs.reshape(len(net.projects), len(net.experts))[net.project_of]
        return priced
