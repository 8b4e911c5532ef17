"""The list that would follow from a scenario. Pure.

Totals are computed as the engine does (:mod:`portal.scoring.engine`): ``weight x points / 10`` of each criterion to two
decimals, half up, and their sum. Ranking and strict rank order are those of a real decision
(:mod:`portal.awards.proposal`); policies and limits are those of decision 17
(:mod:`portal.awards.allocation.policies`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from portal.awards import proposal
from portal.awards.allocation.inputs import JOINT
from portal.awards.allocation.problem import PROJECTS, ROUBLES, Candidate, Limit, Policy, smallest_part
from portal.awards.allocation.problem import Problem as Question
from portal.awards.allocation.words import told
from portal.awards.scenarios.changes import (
    ZERO,
    Changes,
    Ground,
    Outcome,
    Place,
    Project,
    Result,
    Supposed,
    limits_in,
    policy_of,
)
from portal.core.errors import Conflict
from portal.core.figures import exact, number, percent, roubles
from portal.core.language import N_, Message, both
from portal.scoring.engine import every
from portal.scoring.ranking import Entry, Ranked, rank
from portal.scoring.wording import gate_reason, joined, why
from portal.tenders.ruleset import RuleSet
from portal.tenders.wording import limit_group

SECONDS: Final = 8.0
"""A page waits at most so long for the best total."""
_CENT: Final = Decimal("0.01")
_TEN: Final = Decimal(10)


class TooSlow(Exception):
    """The best total was not found in time: the answer would depend on the machine, and is none."""


class _Given(NamedTuple):
    """What a list gives: the outcome, roubles by year, and why."""

    outcome: Outcome
    amounts: Mapping[int, Decimal]
    reason: Message


def follow(ground: Ground, changes: Changes | None = None) -> Result:
    """The list that follows from the ground with these changes; the order of the projects does not matter.

    An application whose reviews are not complete stays ``open``, unless a supposed score completes it; the others
    share the money as if it were not there.
    """
    held = changes or Changes()
    available = {**ground.available, **held.available}
    terms = _terms(ground.rules, held)
    with exact():
        entries = [_entry(each, terms) for each in ground.projects]
    ranked = rank(entries, ground.rules)
    settled = [each for each in ranked if each.entry.recommended is not None]
    policy = held.policy or policy_of(ground.rules)
    limits = limits_in(ground, held)
    if policy is Policy.STRICT and not limits:
        given = {
            line.application_id: _Given(Outcome(line.outcome.value), line.amounts, line.reason)
            for line in proposal.propose(settled, available)
        }
    else:
        given = _allocated(ground, policy, limits, settled, available)
    return Result([_place(each, given.get(each.entry.application_id)) for each in ranked], available)


def as_it_is(ground: Ground) -> Result:
    """The list that follows from the ground as it is: the same for equal grounds, and kept for the last ones.

    Raises :class:`Conflict` where the rules want the best total and it is not found in time.
    """
    try:
        return _unchanged(_Same(ground))
    except TooSlow:
        raise Conflict(N_("The list by the rules of this tender was not found in time. See its allocation.")) from None


@dataclass(frozen=True, slots=True, eq=False)
class _Same:
    """A ground that is the same as another one of the same digest and rules."""

    ground: Ground

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Same):
            return False
        return self.ground.digest == other.ground.digest and self.ground.rules == other.ground.rules

    def __hash__(self) -> int:
        return hash(self.ground.digest)


@lru_cache(maxsize=2)
def _unchanged(same: _Same) -> Result:
    return follow(same.ground)


def _allocated(
    ground: Ground,
    policy: Policy,
    limits: Sequence[Limit],
    settled: Sequence[Ranked],
    available: Mapping[int, Decimal],
) -> dict[str, _Given]:
    """What a policy with limits gives. Who asks for nothing gets nothing and takes nothing."""
    from portal.awards.allocation.policies import Undecided, allocate

    recommended = [each for each in settled if each.entry.recommended]
    question = problem_of(ground, policy, limits, recommended, available)
    try:
        found = allocate(question, seconds=SECONDS, compare=False, prices=False)
    except Undecided as undecided:
        raise TooSlow from undecided
    if not found.reproducible:
        raise TooSlow
    names = {limit.code: limit_name(limit) for limit in limits}
    given = {}
    for each in settled:
        entry = each.entry
        outcome = found.outcomes.get(entry.application_id)
        if outcome is None:
            reasons = entry.gate_reasons or (N_("It asks for no subsidy."),)
            kind = Outcome.RESERVE if entry.recommended else Outcome.DECLINE
            given[entry.application_id] = _Given(kind, {}, joined(reasons))
        else:
            kind = Outcome.AWARD if outcome.granted else Outcome.RESERVE
            given[entry.application_id] = _Given(kind, outcome.granted, told(outcome, names))
    return given


def problem_of(
    ground: Ground,
    policy: Policy,
    limits: Sequence[Limit],
    ranked: Sequence[Ranked],
    available: Mapping[int, Decimal],
) -> Question:
    """What the allocation is asked of these applications; those that ask for no subsidy are left out."""
    parts, track = policy is Policy.PARTIAL, ground.rules.track
    return Question(
        candidates=tuple(_candidate(each, ground, track, parts) for each in ranked if each.entry.subsidy),
        envelopes={(track, year): amount for year, amount in available.items()},
        policy=policy,
        limits=tuple(limits),
    )


def _candidate(each: Ranked, ground: Ground, track: str, parts: bool) -> Candidate:
    """``parts``: whether a part may be given to those who have not refused one."""
    entry, project = each.entry, ground.numbers[each.entry.number]
    assert entry.total is not None
    return Candidate(
        key=entry.application_id,
        number=entry.number,
        track=track,
        place=each.place,
        points=entry.total,
        asked={year: amount for year, amount in entry.amounts.items() if amount},
        least=smallest_part(entry.amounts, ground.rules.smallest_part) if parts and not project.unwilling else None,
        organisations=project.organisations,
        region=project.region,
        cluster=project.cluster,
        categories=project.categories,
    )


def limit_name(limit: Limit) -> Message:
    """A limit in words: of what, and how many or how much."""
    if limit.code.startswith(JOINT):
        return N_("both tracks together, what the other one leaves: %(limit)s", limit=_limit_name(limit))
    return _limit_name(limit)


def _limit_name(limit: Limit) -> Message:
    what = limit_group(limit.field, limit.value)
    least, most = _bound(limit, limit.least), _bound(limit, limit.most)
    counted = limit.unit == PROJECTS
    if limit.least is None:
        if counted:
            return N_("%(what)s: number of projects at most %(most)s", what=what, most=most)
        return N_("%(what)s: at most %(most)s", what=what, most=most)
    if limit.most is None:
        if counted:
            return N_("%(what)s: number of projects at least %(least)s", what=what, least=least)
        return N_("%(what)s: at least %(least)s", what=what, least=least)
    if counted:
        return N_("%(what)s: number of projects from %(least)s to %(most)s", what=what, least=least, most=most)
    return N_("%(what)s: from %(least)s to %(most)s", what=what, least=least, most=most)


def _bound(limit: Limit, bound: Decimal | None) -> object:
    value = bound if bound is not None else ZERO
    if limit.unit == PROJECTS:
        return number(value)
    if limit.unit == ROUBLES:
        return roubles(value)
    return N_("%(share)s of the money", share=percent(value))


def _place(each: Ranked, line: _Given | None) -> Place:
    entry = each.entry
    return Place(
        number=entry.number,
        application_id=entry.application_id,
        place=each.place,
        outcome=Outcome.OPEN if line is None else line.outcome,
        total=entry.total,
        asked={year: amount for year, amount in sorted(entry.amounts.items()) if amount},
        amounts={} if line is None else {year: amount for year, amount in sorted(line.amounts.items()) if amount},
        reason=both(line.reason if line is not None else entry.gate_reasons[-1]),
    )


def weigh(weight: Decimal, points: Decimal) -> Decimal:
    """The points of 0 to 10 of a criterion, weighted, to two decimals, half up: the engine's arithmetic."""
    return (weight * points / _TEN).quantize(_CENT, ROUND_HALF_UP)


@dataclass(frozen=True, slots=True)
class _Terms:
    """The terms of a scenario, worked out once: all weights, the codes of those that are others, the threshold."""

    weights: Mapping[str, Decimal]
    changed: frozenset[str]
    threshold: Decimal
    scores: Mapping[str, Mapping[str, Supposed]]


def _terms(rules: RuleSet, changes: Changes) -> _Terms:
    weights = {each.code: changes.weights.get(each.code, each.weight) for each in rules.criteria}
    changed = frozenset(each.code for each in rules.criteria if weights[each.code] != each.weight)
    threshold = rules.threshold if changes.threshold is None else changes.threshold
    return _Terms(weights, changed, threshold, changes.scores)


def _entry(project: Project, terms: _Terms) -> Entry:
    total = _total(project, terms)
    least = terms.threshold
    reached = None if total is None else total >= least
    reasons = [reason for passed, reason in project.gates if passed is not True and reason is not None]
    if total is None:
        reasons.append(gate_reason(why("total_open", least=least), ()))
    elif not reached:
        reasons.append(gate_reason(why("total_below", total=total, least=least), ()))
    return Entry(
        application_id=project.application_id,
        number=project.number,
        total=total,
        amounts=project.amounts,
        hpj=project.hpj,
        registered_at=project.registered_at,
        recommended=every([*(passed for passed, _ in project.gates), reached]),
        gate_reasons=tuple(reasons),
        lot=project.lot,
    )


def _total(project: Project, terms: _Terms) -> Decimal | None:
    """The sum of the weighted points; what is not changed counts as it was kept. None while a criterion is open."""
    supposed = terms.scores.get(project.number, {})
    total = ZERO
    for code, (points, weighted) in project.lines.items():
        if code in supposed:
            weighted = weigh(terms.weights[code], supposed[code].points)
        elif code in terms.changed and points is not None:
            weighted = weigh(terms.weights[code], points)
        if weighted is None:
            return None
        total += weighted
    return total
