"""Who gets how much of the envelopes, by one of four policies, and why. Pure; decision 17.

``allocate`` is the one door: it computes the allocation under the problem's policy, compares the policies, prices
each limit, and gives every candidate a reason. The same problem gives the same answer and the same digest, unless the
clock had to end the search: then ``reproducible`` is False.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from typing import Final

from portal.awards.allocation import reasons
from portal.awards.allocation.best_total import SMALL, Budget, Found, Infeasible, Undecided, best_total
from portal.awards.allocation.problem import (
    EACH,
    FIELDS,
    PERCENT,
    PROJECTS,
    ROUBLES,
    SME,
    UNITS,
    Allocation,
    Candidate,
    Limit,
    Outcome,
    Policy,
    Price,
    Problem,
    Used,
    rank_order,
)
from portal.awards.allocation.rank_order import walk
from portal.awards.allocation.rows import Model, Row, kopecks, roubles_of

__all__ = [
    "EACH", "FIELDS", "PERCENT", "PROJECTS", "ROUBLES", "SME", "UNITS",
    "Allocation", "Candidate", "Limit", "Outcome", "Policy", "Price", "Problem", "Undecided", "Used",
    "allocate", "rank_order",
]  # fmt: skip

SECONDS: Final = 60.0
"""When the clock ends a search whose nodes were not used up; far beyond what the nodes take on a usual machine."""

MIDDLE: Final = 2_000
"""Up to so many candidates more sums are made; branch and bound tells less in the same time."""

Progress = Callable[[int, int], None]


def allocate(
    problem: Problem,
    *,
    seconds: float = SECONDS,
    compare: bool = True,
    prices: bool = True,
    on_progress: Progress | None = None,
) -> Allocation:
    """The allocation under ``problem.policy``.

    ``compare``: also the points under the other policies and the loss of the rank order; ``prices``: what each limit
    costs; ``on_progress(done, of)`` is called after each step. ValueError for sums with a third decimal;
    :class:`Undecided` under the best total when the clock ended the search before any allocation was known.
    """
    return _Allocating(problem, seconds, on_progress).run(compare, prices)


class _Allocating:
    def __init__(self, problem: Problem, seconds: float, on_progress: Progress | None) -> None:
        self.began = time.monotonic()
        self.until = self.began + seconds
        self.on_progress = on_progress
        self.done, self.steps = 0, 1
        self.dropped: tuple[str, ...] = ()
        self.by_clock = False
        self.problem = problem
        self.model = Model(problem)

    def run(self, compare: bool, prices: bool) -> Allocation:
        problem, model = self.problem, self.model
        best_is_asked = problem.policy is Policy.BEST_TOTAL
        self.steps = (best_is_asked or compare) + 1 + (len(problem.limits) if prices else 0)
        found = self._best(model) if best_is_asked else self._compared(model) if compare else None
        if best_is_asked:
            assert found is not None
            outcomes = reasons.of_best(self._reachable(model), found)
            value, bound = found.value, found.bound
        else:
            outcomes = walk(model, problem.policy)
            value = bound = _points(model, outcomes)
        self._step()
        winners = [at for at, outcome in outcomes.items() if outcome.granted]
        chosen = found.chosen if found is not None else ()
        priced = tuple(self._price(limit, value, bound, chosen) for limit in problem.limits) if prices else ()
        by_policy = self._by_policy(model, found) if compare else {}
        strict = by_policy.get(Policy.STRICT.value)
        return Allocation(
            policy=problem.policy,
            outcomes={model.candidates[at].key: outcomes[at] for at in range(len(model.candidates))},
            objective=model.told(value),
            bound=model.told(bound),
            gap=_gap(value, bound),
            proven=value >= bound,
            canonical=found.canonical if best_is_asked and found is not None else True,
            reproducible=not self.by_clock,
            order_loss=None if found is None or strict is None else model.told(found.value) - strict,
            by_policy=by_policy,
            prices=priced,
            limits=tuple(_used(row, outcomes, model, winners) for row in model.rows if row.code),
            dropped=self.dropped if best_is_asked else (),
            left=_left(model, outcomes),
            problem_digest=problem.digest,
            shadow=_shadow(model, found),
            seconds=time.monotonic() - self.began,
        )

    def _step(self) -> None:
        self.done += 1
        if self.on_progress is not None:
            self.on_progress(min(self.done, self.steps), self.steps)

    def _best(self, model: Model) -> Found:
        """The best total; minimums of which it is proven that nobody reaches them are dropped, in the order of the
        rules. Raises :class:`Undecided` when the search ended before that was known, of a minimum or of an answer."""
        try:
            found = best_total(model, self._budget(model), known=_by_rank(model))
        except Infeasible:
            self.dropped = self._unreachable(model)
            reachable = self._reachable(model)
            found = best_total(reachable, self._budget(model), known=_by_rank(reachable))
        self.by_clock = self.by_clock or found.by_clock
        self._step()
        return found

    def _compared(self, model: Model) -> Found | None:
        """The best total beside another policy: None when it is not known."""
        try:
            return self._best(model)
        except Undecided:
            return None

    def _reachable(self, model: Model) -> Model:
        """The model without the minimums that were dropped."""
        if not self.dropped:
            return model
        kept = tuple(replace(limit, least=None) if limit.code in self.dropped else limit for limit in model.limits)
        return Model(replace(model.problem, limits=kept))

    def _unreachable(self, model: Model) -> tuple[str, ...]:
        """Minimum by minimum: one that no allocation reaches beside those before it is dropped."""
        limits = model.problem.limits
        dropped: list[str] = []
        for place, limit in enumerate(limits):
            if limit.least is None:
                continue
            tried = tuple(
                replace(each, least=None) if at > place or each.code in dropped else each
                for at, each in enumerate(limits)
            )
            worthless = tuple(replace(each, points=Decimal(0)) for each in model.problem.candidates)
            asked = Model(replace(model.problem, limits=tried, candidates=worthless))
            try:
                found = best_total(asked, self._budget(asked), tie_break=False)
                self.by_clock = self.by_clock or found.by_clock
            except Infeasible:
                dropped.append(limit.code)
        return tuple(dropped)

    def _price(self, limit: Limit, value: int, bound: int, chosen: tuple[int, ...]) -> Price:
        """Without the limit minus with it; between bounds where a search did not end in a proof. ``chosen``: the best
        total with the limit, which keeps the other rows as well."""
        model = Model(self.problem, without=limit.code)
        if self.problem.policy is not Policy.BEST_TOTAL:
            low = high = _points(model, walk(model, self.problem.policy)) - value
        else:
            found = best_total(self._reachable(model), self._price_budget(model), tie_break=False, known=chosen)
            self.by_clock = self.by_clock or found.by_clock
            low, high = max(found.value - bound, 0), max(found.bound - value, 0)
        self._step()
        return Price(limit.code, model.told(low), model.told(high))

    def _by_policy(self, model: Model, found: Found | None) -> dict[str, Decimal]:
        ordered = (Policy.STRICT, Policy.SKIPPING, Policy.PARTIAL)
        points = {policy.value: model.told(_points(model, walk(model, policy))) for policy in ordered}
        if found is not None:
            points[Policy.BEST_TOTAL.value] = model.told(found.value)
        return points

    def _budget(self, model: Model) -> Budget:
        if len(model.candidates) <= SMALL:
            return Budget(
                core=300,
                sums=(20_000, 100_000),
                completed=(10_000, 40_000, 160_000, 500_000, 2_000_000),
                work=20_000_000,
                turns=5,
                proof=10_000,
                until=self.until,
            )
        if len(model.candidates) <= MIDDLE:
            return Budget(core=300, sums=(20_000, 2_000_000, 6_000_000), turns=0, proof=0, until=self.until)
        return Budget(core=300, sums=(20_000, 500_000), turns=0, proof=0, until=self.until)

    def _price_budget(self, model: Model) -> Budget:
        """A price is a difference of two totals, and may be told as an interval: less is spent on it."""
        if len(model.candidates) <= SMALL:
            return Budget(
                core=300,
                sums=(20_000, 100_000),
                completed=(10_000, 40_000, 160_000),
                work=4_000_000,
                turns=0,
                proof=0,
                until=self.until,
            )
        return Budget(core=100, sums=(20_000,), turns=0, proof=0, until=self.until)


def _by_rank(model: Model) -> tuple[int, ...] | None:
    """Whoever the rank order takes, passing over what does not fit: an answer that is there whatever the clock says;
    None when it misses a minimum."""
    taken = {at for at, outcome in walk(model, Policy.SKIPPING).items() if outcome.granted}
    missed = any(row.least is not None and row.of(taken) < row.least for row in model.rows)
    return None if missed else tuple(sorted(taken))


def _points(model: Model, outcomes: Mapping[int, Outcome]) -> int:
    return model.value(at for at, outcome in outcomes.items() if outcome.granted)


def _gap(value: int, bound: int) -> Decimal:
    if bound <= value:
        return Decimal(0)
    missing = Fraction(bound - value, bound)
    exact = Decimal(missing.numerator) / Decimal(missing.denominator)
    return exact.quantize(Decimal("0.000001"), ROUND_CEILING)


def _used(row: Row, outcomes: Mapping[int, Outcome], model: Model, winners: list[int]) -> Used:
    if row.unit == PROJECTS:
        used = Decimal(row.of(winners))
        return Used(row.code, row.value, used, _maybe(row.least), _maybe(row.most), row.unit)
    taken = set(row.members)
    used = sum((outcomes[at].total for at in winners if at in taken), Decimal(0))
    least = None if row.least is None else roubles_of(row.least)
    most = None if row.most is None else roubles_of(row.most)
    return Used(row.code, row.value, used, least, most, row.unit)


def _maybe(count: int | None) -> Decimal | None:
    return None if count is None else Decimal(count)


def _left(model: Model, outcomes: Mapping[int, Outcome]) -> dict[tuple[str, int], Decimal]:
    left = {(row.track, row.year): row.most or 0 for row in model.rows if not row.code}
    for at, outcome in outcomes.items():
        for year, amount in outcome.granted.items():
            left[model.candidates[at].track, year] -= kopecks(amount)
    return {key: roubles_of(amount) for key, amount in left.items()}


def _shadow(model: Model, found: Found | None) -> dict[tuple[str, int], Decimal]:
    """From the multipliers of the relaxation: steps for a kopeck -> points for a million roubles."""
    if found is None:
        return {}
    pairs = zip(model.rows, found.multipliers, strict=True)
    return {
        (row.track, row.year): round(Decimal(max(dual, 0.0)) * 10**8 / 10**model.places, 2)
        for row, dual in pairs
        if not row.code
    }
