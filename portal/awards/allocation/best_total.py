"""The best total: the set of projects with most points under every envelope and limit, proven. Decision 17.

Maximise the sum of ``points`` over the chosen, subject to every :class:`~portal.awards.allocation.rows.Row`; of several
optima the one that is first in rank order. The way there:

1. The linear relaxation gives multipliers, and these an upper bound in whole numbers.
2. A core of the candidates about whom it is least sure is solved by HiGHS: a first answer (Balas and Zemel 1980).
3. All answers near the bound are looked at, part by part (see ``near_best.py``); where these are too many, what each
   part adds at most to the best sets of the other (``completions.py``): most often the proof.
4. Else HiGHS: whoever's reduced cost alone would push the bound below the answer is fixed, the rest is one programme.

An answer of the solver counts only when whole numbers confirm it. One that is over a row by less than the solver's
tolerance is cut off by the cover inequality of that row, and the programme is solved again. So floats never decide
what is feasible; only what step 4 proves rests on HiGHS' branch and bound (1e-9).

Deterministic: HiGHS has one thread and a fixed seed; limits are on nodes, sums and pairs. The clock is the last resort,
and is told of.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from portal.awards.allocation.ground import UNIT
from portal.awards.allocation.near_best import TwoParts
from portal.awards.allocation.pairing import TooMany
from portal.awards.allocation.programme import Answer, Infeasible, Programme, Undecided
from portal.awards.allocation.relaxation import FINE, Relaxed, centred, counted_rows, in_whole, relaxed, softened
from portal.awards.allocation.rows import Model, Row
from portal.awards.allocation.second import Second

__all__ = ["Budget", "Found", "Infeasible", "Undecided", "best_total", "cut_off"]

CORE: Final = 60
"""Candidates that the first integer programme decides on."""

WHOLE: Final = 1_000
"""As many candidates are solved to proven optimality, if nodes last; of more only a larger core."""

SMALL: Final = 250
PRECISE: Final = 10_000
"""Of more than ``SMALL`` candidates an answer is good enough when the gap is at most one part in ``PRECISE``."""

SOFT: Final = 36
"""What may be lost, in units of the softness of multipliers (``softened``): few sums are made and few sets found."""

HARD: Final = 40_000
"""From so many sums on a second process helps: it takes a third of a second to start."""

POOL: Final = 300
NEAR: Final = 100
"""Of the ``POOL`` candidates that the relaxation is least sure of, so many are decided anew at a time."""

ANY: Final = 10_000
"""Nodes in which a set that meets the minimums is looked for when none is known."""

BLOCK: Final = 20
"""Candidates whose order one tie-breaking programme decides: weights up to 2 ** 19 are exact in a float."""

TIES: Final = 5
"""The order among equals may take one part in so many of the nodes of the proof."""

_ROUNDS: Final = 50


@dataclass(frozen=True, slots=True)
class Budget:
    """``core``, ``proof``: nodes of branch and bound; ``sums``: of departures for half of a part, stage by stage;
    ``completed``: the same where the sets of one part are completed from the other, within ``work`` (see ``Best``) in
    all; ``turns``: of polishing; ``until``: the clock's last word (monotonic)."""

    core: int
    sums: tuple[int, ...]
    turns: int
    proof: int
    until: float
    completed: tuple[int, ...] = ()
    work: int = 0

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


def best_total(model: Model, budget: Budget, *, tie_break: bool = True, known: tuple[int, ...] | None = None) -> Found:
    """The best set, ``known`` being one that keeps every row. Raises :class:`Infeasible` when it is proven that the
    minimums cannot be met together, :class:`Undecided` when that is open still and no set is known."""
    return _Search(model, budget).run(tie_break, known)


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

    def run(self, tie_break: bool, known: tuple[int, ...] | None) -> Found:
        relaxed = self._relax()
        first, finished = self._core(relaxed)
        answer = _better(self.model, first, known)
        bound = relaxed.bound // FINE
        if finished and answer is not None:
            bound = self.model.value(answer)
        canonical = False
        if tie_break or answer is None or self.model.value(answer) < bound:
            answer, bound, canonical = self._near(relaxed, answer, bound)
        if answer is None:
            answer, bound = self._prove(relaxed, answer, bound)
        elif not self._near_enough(answer, bound):
            answer, bound = self._prove(relaxed, self._polish(relaxed, answer), bound)
        if answer is None:
            raise Undecided
        value = self.model.value(answer)
        if tie_break and not canonical and bound <= value:
            answer, canonical = self._first_in_rank(relaxed, answer, value)
        return Found(tuple(sorted(answer)), value, max(bound, value), canonical, self.by_clock, relaxed.multipliers)

    def _near_enough(self, answer: tuple[int, ...], bound: int) -> bool:
        """Whether branch and bound is not asked any more."""
        missing = bound - self.model.value(answer)
        return not missing or not self.budget.proof or (len(self.usable) > SMALL and missing * PRECISE <= bound)

    def _near(
        self, relaxed: Relaxed, answer: tuple[int, ...] | None, bound: int
    ) -> tuple[tuple[int, ...] | None, int, bool]:
        """All answers near the bound, first a few and then more: the best, the bound, and whether it is settled."""
        canonical = False
        try:
            parts = TwoParts(self.model, self.usable, relaxed.whole)
            for sums in self.budget.sums:
                if not self.budget.seconds:
                    self.by_clock = True
                    break
                near = parts.search(sums, self.model.value(answer) if answer is not None else -1)
                answer = near.chosen or answer
                bound, canonical = min(bound, near.bound), near.canonical
                if canonical:
                    return answer, bound, True
            if answer is not None and self.budget.completed and self.budget.seconds:
                scale = max(parts.most / UNIT - self.model.value(answer), SOFT) / SOFT
                soft = softened(self.model, self.usable, relaxed.multipliers, scale)
                parts = TwoParts(self.model, self.usable, in_whole(self.model, soft))
                near = parts.search(self.budget.sums[0], self.model.value(answer))
                answer, bound = near.chosen or answer, min(bound, near.bound)
                answer, bound, canonical = self._completed(parts, answer, bound)
        except TooMany:
            pass
        return answer, bound, canonical

    def _completed(self, parts: TwoParts, answer: tuple[int, ...], bound: int) -> tuple[tuple[int, ...], int, bool]:
        """The same, the sets of one part being completed from the other: wider stage by stage."""
        canonical = False
        stages = [(sums, False) for sums in self.budget.completed]
        with ExitStack() as helpers:
            second: Second | None = None
            for sums, last in [*stages, *((sums, True) for sums, _ in stages[-1:])]:
                value = self.model.value(answer)
                if last and not parts.aimed_above(value):
                    break
                if not self.budget.seconds:
                    self.by_clock = True
                    break
                if second is None and sums >= HARD:
                    second = helpers.enter_context(Second())
                try:
                    near = parts.complete(sums, value, self.budget.work, last=last, helper=second)
                except TooMany:
                    break
                answer = near.chosen or answer
                bound, canonical = min(bound, near.bound), near.canonical
                if canonical:
                    break
        return answer, bound, canonical

    def _core(self, relaxed: Relaxed) -> tuple[tuple[int, ...] | None, bool]:
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

    def _polish(self, relaxed: Relaxed, answer: tuple[int, ...]) -> tuple[int, ...]:
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
        self, relaxed: Relaxed, answer: tuple[int, ...] | None, bound: int
    ) -> tuple[tuple[int, ...] | None, int]:
        value = self.model.value(answer) if answer is not None else -1
        nodes = max(self.budget.proof, self.budget.core if answer is not None else ANY)
        usable = set(self.usable)
        free = [at for at in relaxed.open(value) if at in usable]
        if len(free) > WHOLE:
            wider = sorted(free, key=lambda at: (abs(relaxed.reduced[at]), at))[:WHOLE]
            ones = self._ones(relaxed, wider)
            better = self._solve(sorted(wider), ones, nodes, start=answer)
            return _better(self.model, answer, better.chosen), bound
        better = self._solve(free, self._ones(relaxed, free), nodes, start=answer)
        best = _better(self.model, answer, better.chosen)
        if better.finished and best is None:
            raise Infeasible
        if better.finished and best is not None:
            return best, self.model.value(best)
        return best, bound if better.bound is None else min(bound, better.bound)

    def _ones(self, relaxed: Relaxed, free: Iterable[int]) -> list[int]:
        undecided = set(free)
        return [at for at in self.usable if at not in undecided and relaxed.reduced[at] > 0]

    def _first_in_rank(self, relaxed: Relaxed, answer: tuple[int, ...], value: int) -> tuple[tuple[int, ...], bool]:
        """Of all answers of this value the one that is first in rank order: candidate by candidate the better ranked
        one is in. One programme asks whether there is another answer at all; if so, blocks decide in turn."""
        usable = set(self.usable)
        free = [at for at in relaxed.open(value) if at in usable]
        ones = self._ones(relaxed, free)
        enough = Row(tuple(range(self.size)), tuple(self.model.points), value, None)
        other = _differs(free, answer)
        # Where the proof was hard, this is as hard again, and of less worth.
        nodes = self.budget.proof // TIES
        another = self._solve(free, ones, nodes, more=(enough, other))
        if another.chosen is None:
            return answer, another.finished
        for start in range(0, len(free), BLOCK):
            block = free[start : start + BLOCK]
            weights = {at: 1 << (len(block) - 1 - place) for place, at in enumerate(block)}
            found = self._solve(free[start:], ones, nodes, more=(enough,), weights=weights, start=answer)
            if found.chosen is None or not found.finished:
                return answer, False
            answer = found.chosen
            taken = set(answer)
            ones += [at for at in block if at in taken]
        return answer, True

    def _relax(self) -> Relaxed:
        programme = Programme(self.rows, self.usable, [], self.model.points)
        if programme.hopeless:
            raise Infeasible
        duals = programme.duals(self.budget.seconds)
        self.by_clock = self.by_clock or programme.by_clock
        counted = counted_rows(self.model, self.usable)
        return relaxed(self.model, self.usable, centred(self.model, self.usable, counted, duals))

    def _solve(
        self,
        free: Sequence[int],
        ones: Sequence[int],
        nodes: int,
        *,
        more: Sequence[Row] = (),
        weights: dict[int, int] | None = None,
        start: tuple[int, ...] | None = None,
    ) -> Answer:
        """The best of ``free`` beside ``ones``; rounds of cutting off what whole numbers refuse."""
        gains: Sequence[int] = self.model.points if weights is None else [weights.get(at, 0) for at in range(self.size)]
        for _ in range(_ROUNDS):
            programme = Programme([*self.rows, *more], free, ones, gains)
            if programme.hopeless:
                return Answer(None, None, True)
            answer = programme.best(nodes, self.budget.seconds, start)
            self.by_clock = self.by_clock or programme.by_clock
            if answer.chosen is None:
                return answer
            cuts = [cut for row in [*self.model.rows, *more] if (cut := cut_off(row, answer.chosen)) is not None]
            if not cuts:
                return answer
            self.rows += cuts
        return Answer(None, None, False)


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
