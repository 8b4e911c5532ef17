"""Scoring: from facts to an explained score sheet. Pure: the same input gives the same digest.

Arithmetic, so that anyone can follow it by hand: metrics have four decimals; a scale gives points of 0 to 10
with four decimals; a criterion's points are its components' points times their shares, to four decimals; the
weighted points are ``weight x points / 10`` to two decimals; totals are the plain sums of the weighted points
that are shown. Every rounding is half up. Missing values give no points, and the reason says so.

A reviewer's value of an expert criterion is the mean of its aspects, the criterion the mean of the reviewers.
It stays open until there are as many reviews as the rule set asks for, and one more where two differ by more
than its limit. Where the rule set has lanes, this holds for each lane and the aspects that it scores, and the
criterion is the mean over its aspects of the means of their lanes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from typing import Any, Final

from portal.applications.eligibility import RuleOutcome, blocking, check
from portal.applications.facts import Facts
from portal.core.canonical import digest, plain_decimal
from portal.core.figures import exact, four_places, number, roubles, two_places
from portal.core.language import LOCALES, N_, Message, both
from portal.review.rules import Marks, Panel, difference, panels, points_of
from portal.scoring.wording import NOT_YET, component_reason, joined
from portal.tenders.metrics import METRICS
from portal.tenders.ruleset import Component, Criterion, RuleSet, Severity, Text

_ZERO: Final = Decimal("0.0000")
_NOTHING: Final = Decimal("0.00")


@dataclass(frozen=True, slots=True)
class Part:
    """One component of a criterion: the metric, the value used, the points of its scale."""

    metric: str
    value: Decimal | None
    points: Decimal
    share: Decimal
    inputs: tuple[tuple[str, Decimal], ...]
    reason: Message

    def to_json(self) -> dict[str, Any]:
        metric = METRICS[self.metric]
        return {
            "metric": self.metric,
            "title": _title(metric.name),
            "unit": metric.unit.value,
            "value": _text(self.value),
            "points": _text(self.points),
            "share": _text(self.share),
            "inputs": {name: _text(value) for name, value in self.inputs},
            "reason": both(self.reason),
        }


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One criterion: points of 0 to 10, and weighted points; both None while reviews are missing."""

    code: str
    title: Text
    expert: bool
    weight: Decimal
    points: Decimal | None
    weighted: Decimal | None
    reason: Message
    parts: tuple[Part, ...] = ()
    reviewers: tuple[Decimal, ...] = ()

    def to_json(self) -> dict[str, Any]:
        parts = [part.to_json() for part in self.parts]
        return {
            "code": self.code,
            "title": self.title.both(),
            "kind": "expert" if self.expert else "objective",
            "weight": _text(self.weight),
            "points": _text(self.points),
            "weighted": _text(self.weighted),
            "parts": parts,
            "reviewers": [_text(value) for value in self.reviewers],
            # The same sentences as the parts', rendered once.
            "reason": _sentences(parts) if parts else both(self.reason),
        }


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition that no number of points replaces; ``passed`` is None while it is open.

    ``code``: "eligibility", "npv" or "threshold"; ``rules``: the eligibility rules that failed.
    """

    code: str
    passed: bool | None
    reason: Message
    rules: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "passed": self.passed,
            "reason": both(self.reason),
            "rules": list(self.rules),
        }


@dataclass(frozen=True)
class ScoreSheet:
    """The explained score. ``total`` and ``expert_total`` are None until the reviews are complete.

    ``recommended``: True when every gate is passed, False when one is not, None while it is open.
    """

    lines: tuple[ScoreLine, ...]
    objective_total: Decimal
    max_objective: Decimal
    expert_total: Decimal | None
    total: Decimal | None
    gates: tuple[Gate, ...]
    recommended: bool | None

    def to_json(self) -> dict[str, Any]:
        """The sheet with all reasons in both languages; numbers as plain strings."""
        return dict(self._json)

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        return digest(self._json)

    @cached_property
    def _json(self) -> dict[str, Any]:
        return {
            "format": 1,
            "lines": [line.to_json() for line in self.lines],
            "objective_total": _text(self.objective_total),
            "max_objective": _text(self.max_objective),
            "expert_total": _text(self.expert_total),
            "total": _text(self.total),
            "gates": [gate.to_json() for gate in self.gates],
            "recommended": self.recommended,
        }


def score(
    package: Mapping[str, Any],
    facts: Facts,
    rules: RuleSet,
    reviews: Sequence[Marks] | None = None,
    outcomes: Sequence[RuleOutcome] | None = None,
    on: date | None = None,
) -> ScoreSheet:
    """Score one project.

    ``outcomes``: its eligibility as already checked; without them it is checked here as filed on ``on``.
    """
    with exact():
        lines = tuple(_line(criterion, facts, rules, reviews or ()) for criterion in rules.criteria)
        objective = _sum(line for line in lines if not line.expert)
        expert = _sum(line for line in lines if line.expert)
        assert objective is not None, "objective lines always have points"
        total = None if expert is None else objective + expert
        gates = (
            _eligibility_gate(check(package, facts, rules, on) if outcomes is None else outcomes),
            _npv_gate(facts),
            _threshold_gate(total, rules),
        )
        return ScoreSheet(
            lines=lines,
            objective_total=objective,
            max_objective=sum((line.weight for line in lines if not line.expert), _NOTHING),
            expert_total=expert,
            total=total,
            gates=gates,
            recommended=_all(gate.passed for gate in gates),
        )


def _line(criterion: Criterion, facts: Facts, rules: RuleSet, reviews: Sequence[Marks]) -> ScoreLine:
    if criterion.expert:
        return _expert_line(criterion, rules, panels(criterion, reviews, rules))
    scored = tuple(_part(component, facts) for component in criterion.components)
    points = four_places(sum((part.points * part.share for part in scored), _ZERO))
    return ScoreLine(
        code=criterion.code,
        title=criterion.title,
        expert=False,
        weight=criterion.weight,
        points=points,
        weighted=_weighted(criterion, points),
        reason=joined([part.reason for part in scored]),
        parts=scored,
    )


def _part(component: Component, facts: Facts) -> Part:
    metric = METRICS[component.metric]
    value = value_of(facts, metric.name)
    inputs = ((name, value_of(facts, name)) for name in metric.inputs)
    points = _ZERO if value is None else component.scale.score(value)
    return Part(
        metric=metric.name,
        value=value,
        points=points,
        share=component.share,
        inputs=tuple((name, amount) for name, amount in inputs if amount is not None),
        reason=component_reason(metric, component, value, points),
    )


def value_of(facts: Facts, name: str) -> Decimal | None:
    """The value of a metric, or of an input of one, by its name."""
    value = getattr(facts, name)
    return None if value is None else Decimal(value)


def _expert_line(criterion: Criterion, rules: RuleSet, scored: Sequence[Panel]) -> ScoreLine:
    values = [value for panel in scored for value in panel.values]
    differing = [difference(panel.values) for panel in scored if panel.apart(rules)]
    points: Decimal | None = None
    if any(panel.missing for panel in scored):
        needed = sum(panel.lane.reviewers for panel in scored)
        done = sum(min(len(panel.values), panel.lane.reviewers) for panel in scored)
        reason = N_("%(done)s of %(needed)s reviews are in.", done=done, needed=needed)
    elif differing:
        reason = N_(
            "The reviewers differ by %(spread)s points, more than %(limit)s: another review is needed.",
            spread=number(max(differing)),
            limit=number(rules.spread_limit),
        )
    else:
        points = points_of(scored)
        reason = (
            N_(
                "The mean of %(count)s reviewers is %(points)s of 10 points.",
                count=len(values),
                points=number(points),
            )
            if len(scored) == 1
            else N_(
                "The mean over the aspects, by %(count)s reviewers in %(lanes)s lanes, is %(points)s of 10 points.",
                count=len(values),
                lanes=len(scored),
                points=number(points),
            )
        )
    return ScoreLine(
        code=criterion.code,
        title=criterion.title,
        expert=True,
        weight=criterion.weight,
        points=points,
        weighted=None if points is None else _weighted(criterion, points),
        reason=reason,
        reviewers=tuple(values),
    )


def _eligibility_gate(outcomes: Sequence[RuleOutcome]) -> Gate:
    failed = blocking(outcomes)
    if failed:
        codes = tuple(outcome.code for outcome in failed)
        named = [N_("%(code)s: %(reason)s", code=outcome.code, reason=outcome.reason) for outcome in failed]
        return Gate("eligibility", False, joined(named), codes)
    if any(outcome.holds is None and outcome.severity is Severity.BLOCKS for outcome in outcomes):
        return Gate("eligibility", None, N_("Some eligibility rules cannot be checked yet."))
    return Gate("eligibility", True, N_("Every blocking eligibility rule holds."))


def _npv_gate(facts: Facts) -> Gate:
    if facts.npv is None:
        return Gate("npv", None, NOT_YET)
    value = roubles(facts.npv)
    if facts.npv < 0:
        return Gate("npv", False, N_("The net present value is %(npv)s, below zero.", npv=value))
    return Gate("npv", True, N_("The net present value is %(npv)s, not below zero.", npv=value))


def _threshold_gate(total: Decimal | None, rules: RuleSet) -> Gate:
    least = number(rules.threshold)
    if total is None:
        return Gate(
            "threshold",
            None,
            N_("The total is known when the reviews are in; %(least)s is needed.", least=least),
        )
    if total < rules.threshold:
        message = N_("The total of %(total)s is below the threshold of %(least)s.", total=number(total), least=least)
        return Gate("threshold", False, message)
    message = N_("The total of %(total)s reaches the threshold of %(least)s.", total=number(total), least=least)
    return Gate("threshold", True, message)


def _weighted(criterion: Criterion, points: Decimal) -> Decimal:
    return two_places(criterion.weight * points / 10)


def _sum(lines: Any) -> Decimal | None:
    total = _NOTHING
    for line in lines:
        if line.weighted is None:
            return None
        total += line.weighted
    return total


def _all(answers: Any) -> bool | None:
    given = list(answers)
    if False in given:
        return False
    return None if None in given else True


def _sentences(parts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {language: " ".join(part["reason"][language] for part in parts) for language in LOCALES}


@cache
def _title(metric: str) -> dict[str, str]:
    return both(METRICS[metric].title)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain_decimal(value)
