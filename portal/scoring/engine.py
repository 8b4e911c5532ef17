"""Scoring: from facts to an explained score sheet. Pure: the same input gives the same digest.

Arithmetic, so that anyone can follow it by hand: metrics have four decimals; a scale gives points of 0 to 10
with four decimals; a criterion's points are its components' points times their shares, to four decimals; the
weighted points are ``weight x points / 10`` to two decimals; totals are the plain sums of the weighted points
that are shown. Every rounding is half up. Missing values give no points, and the reason says so.

A reviewer's value of an expert criterion is the mean of its aspects, the criterion the mean of the reviewers.
It stays open until there are as many reviews as the rule set asks for, and one more where two differ by more
than its limit. Where the rule set has lanes, this holds for each lane and the aspects that it scores, and the
criterion is the mean over its aspects of the means of their lanes. Where the rule set counts the calibrated mean
(:mod:`portal.review.calibration`), the calibrated value of the application takes the place of each lane's mean;
where there is none, because the reviews of the track are too few, the plain mean stays.

What a score keeps has codes, values and points and no sentence (:mod:`portal.scoring.wording`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NamedTuple

from portal.applications.eligibility import RuleOutcome, check
from portal.applications.facts import Facts
from portal.core.canonical import plain_decimal
from portal.core.figures import exact
from portal.core.language import Message, read_kept
from portal.review.rules import Marks, Panel, difference, part_key, points_of, values_of
from portal.scoring.measuring import Measured, measured
from portal.scoring.scales import Scored, ready, scored
from portal.scoring.sheets import digest_of
from portal.scoring.wording import Why, component_reason, expert_reason, gate_reason, joined, why
from portal.tenders.metrics import METRICS, Metric
from portal.tenders.ruleset import Component, Criterion, ExpertMean, RuleSet, Text

FORMAT: Final = 2
_ZERO: Final = Decimal("0.0000")
_NOTHING: Final = Decimal("0.00")
_STEP: Final = Decimal("0.0001")
_CENT: Final = Decimal("0.01")
_TEN: Final = Decimal(10)
_MISSING: Final = scored(_ZERO, why("missing"))


class Part(NamedTuple):
    """One component of a criterion; ``json`` is how it is kept: the metric, the value used, points, reason."""

    metric: Metric
    points: Decimal
    share: Decimal
    why: Why
    json: Mapping[str, Any]

    @property
    def value(self) -> Decimal | None:
        """The value of the metric that was used."""
        text = self.json["value"]
        return None if text is None else Decimal(text)

    @property
    def reason(self) -> Message:
        return component_reason(self.metric, self.share, self.value, self.points, self.why)


class ScoreLine(NamedTuple):
    """One criterion: points of 0 to 10, and weighted points; both None while reviews are missing."""

    code: str
    title: Text
    expert: bool
    weight: Decimal
    points: Decimal | None
    weighted: Decimal | None
    why: Why | None
    parts: tuple[Part, ...] = ()
    reviewers: tuple[Decimal, ...] = ()

    @property
    def reason(self) -> Message:
        if self.why is None:
            return joined([part.reason for part in self.parts])
        return expert_reason(self.why, self.points)

    def to_json(self) -> dict[str, Any]:
        shown = {"code": self.code, "points": _text(self.points), "weighted": _text(self.weighted)}
        if self.why is None:
            return shown | {"parts": [part.json for part in self.parts]}
        return shown | {"reviewers": [plain_decimal(value) for value in self.reviewers], "why": self.why.json}


class Gate(NamedTuple):
    """A condition that no number of points replaces; ``passed`` is None while it is open.

    ``code``: "eligibility", "npv" or "threshold"; ``failed``: the eligibility rules that failed, with the reason.
    """

    code: str
    passed: bool | None
    why: Why
    failed: Sequence[tuple[str, Mapping[str, Any]]] = ()

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple(code for code, _ in self.failed)

    @property
    def reason(self) -> Message:
        return gate_reason(self.why, [(code, read_kept(reason)) for code, reason in self.failed])

    def to_json(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"code": self.code, "passed": self.passed, "why": self.why.json}
        if self.failed:
            shown["failed"] = [{"rule": code, "reason": reason} for code, reason in self.failed]
        return shown


class ScoreSheet(NamedTuple):
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
        """The sheet as it is kept: codes and numbers as plain strings; of sentences only those of failed rules."""
        return {
            "format": FORMAT,
            "lines": [line.to_json() for line in self.lines],
            "objective_total": plain_decimal(self.objective_total),
            "max_objective": plain_decimal(self.max_objective),
            "expert_total": _text(self.expert_total),
            "total": _text(self.total),
            "gates": [gate.to_json() for gate in self.gates],
            "recommended": self.recommended,
        }

    @property
    def digest(self) -> str:
        """SHA-256 of what is kept, without wording (:func:`portal.scoring.sheets.digest_of`)."""
        return digest_of(self.to_json())


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
    found = check(package, facts, rules, on) if outcomes is None else outcomes
    return Scorer(rules).score(measured(facts, found), reviews or ())


class _Ready(NamedTuple):
    """A component of a criterion with its scale made ready."""

    metric: Metric
    share: Decimal
    whole: bool
    scale: Callable[[Decimal], Scored]


class Scorer:
    """A rule set made ready to score many projects."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self._criteria = [(item, [_component(each) for each in item.components]) for item in rules.criteria]
        self._lanes = {
            item.code: [(lane, len(aspects)) for lane in rules.expertise if (aspects := lane.of(item))]
            for item in rules.expert_criteria()
        }
        self._most = sum((item.weight for item in rules.criteria if not item.expert), _NOTHING)
        self._open = why("total_open", least=rules.threshold)

    def score(
        self, known: Measured, reviews: Sequence[Marks], calibrated: Mapping[str, Decimal] | None = None
    ) -> ScoreSheet:
        """The sheet of one project; ``calibrated``: its values by part (:func:`portal.review.rules.part_key`)."""
        with exact():
            lines = tuple(
                [
                    _objective_line(criterion, components, known)
                    if components
                    else _expert_line(criterion, self.rules, self._panels(criterion, reviews), calibrated or {})
                    for criterion, components in self._criteria
                ]
            )
            objective = _sum(line for line in lines if not line.expert)
            expert = _sum(line for line in lines if line.expert)
            assert objective is not None, "objective lines always have points"
            total = None if expert is None else objective + expert
            gates = (_eligibility_gate(known), _npv_gate(known.number("npv")), self._threshold_gate(total))
            return ScoreSheet(
                lines=lines,
                objective_total=objective,
                max_objective=self._most,
                expert_total=expert,
                total=total,
                gates=gates,
                recommended=every(gate.passed for gate in gates),
            )

    def _panels(self, criterion: Criterion, reviews: Sequence[Marks]) -> list[Panel]:
        """As :func:`portal.review.rules.panels`, with the lanes of each criterion found beforehand."""
        lanes = self._lanes[criterion.code]
        return [Panel(lane, count, tuple(values_of(criterion, reviews, lane))) for lane, count in lanes]

    def _threshold_gate(self, total: Decimal | None) -> Gate:
        if total is None:
            return Gate("threshold", None, self._open)
        passed = total >= self.rules.threshold
        said = "total_reached" if passed else "total_below"
        return Gate("threshold", passed, why(said, total=total, least=self.rules.threshold))


def _component(component: Component) -> _Ready:
    return _Ready(METRICS[component.metric], component.share, component.share == 1, ready(component.scale))


def _objective_line(criterion: Criterion, components: Sequence[_Ready], known: Measured) -> ScoreLine:
    figures = known.figures
    total = _ZERO
    parts = []
    for metric, share, whole, scale in components:
        text = figures.get(metric.name)
        points, shown, reason = _MISSING if text is None else scale(Decimal(text))
        content = {
            "metric": metric.name,
            "value": text,
            "points": shown,
            "inputs": {name: figures[name] for name in metric.inputs if name in figures},
            "why": reason.json,
        }
        parts.append(Part(metric, points, share, reason, content))
        total += points if whole else points * share
    points = total.quantize(_STEP, ROUND_HALF_UP)
    weighted = _weighted(criterion, points)
    return ScoreLine(criterion.code, criterion.title, False, criterion.weight, points, weighted, None, tuple(parts))


def value_of(facts: Facts, name: str) -> Decimal | None:
    """The value of a metric, or of an input of one, by its name."""
    value = getattr(facts, name)
    return None if value is None else Decimal(value)


def _expert_line(
    criterion: Criterion, rules: RuleSet, asked: Sequence[Panel], calibrated: Mapping[str, Decimal]
) -> ScoreLine:
    values = [value for panel in asked for value in panel.values]
    differing = [difference(panel.values) for panel in asked if panel.apart(rules)]
    points: Decimal | None = None
    if any(panel.missing for panel in asked):
        needed = sum(panel.lane.reviewers for panel in asked)
        done = sum(min(len(panel.values), panel.lane.reviewers) for panel in asked)
        reason = why("awaited", done=done, needed=needed)
    elif differing:
        reason = why("apart", spread=max(differing), limit=rules.spread_limit)
    elif rules.expert_mean is ExpertMean.CALIBRATED:
        points, reason = _calibrated(criterion, asked, calibrated)
    else:
        points = points_of(asked)
        count = len(values)
        reason = why("mean", count=count) if len(asked) == 1 else why("lanes", count=count, lanes=len(asked))
    return ScoreLine(
        code=criterion.code,
        title=criterion.title,
        expert=True,
        weight=criterion.weight,
        points=points,
        weighted=None if points is None else _weighted(criterion, points),
        why=reason,
        reviewers=tuple(values),
    )


def _calibrated(criterion: Criterion, asked: Sequence[Panel], calibrated: Mapping[str, Decimal]) -> tuple[Decimal, Why]:
    keys = [part_key(criterion, panel.lane) for panel in asked]
    raw, count = points_of(asked), sum(len(panel.values) for panel in asked)
    if not any(key in calibrated for key in keys):
        return raw, why("uncalibrated", count=count)
    points = points_of(asked, [calibrated.get(key) for key in keys])
    return points, why("calibrated", count=count, raw=raw)


_HOLD: Final = why("rules_hold")
_OPEN: Final = why("rules_open")
_FAIL: Final = why("rules_fail")
_NO_NPV: Final = Gate("npv", None, why("npv_missing"))


def _eligibility_gate(known: Measured) -> Gate:
    if known.failed:
        return Gate("eligibility", False, _FAIL, known.failed)
    return Gate("eligibility", None, _OPEN) if known.open else Gate("eligibility", True, _HOLD)


def _npv_gate(npv: Decimal | None) -> Gate:
    if npv is None:
        return _NO_NPV
    return Gate("npv", npv >= 0, why("npv_reached" if npv >= 0 else "npv_below", npv=npv))


def _weighted(criterion: Criterion, points: Decimal) -> Decimal:
    return (criterion.weight * points / _TEN).quantize(_CENT, ROUND_HALF_UP)


def _sum(lines: Iterable[ScoreLine]) -> Decimal | None:
    total = _NOTHING
    for line in lines:
        if line.weighted is None:
            return None
        total += line.weighted
    return total


def every(answers: Iterable[bool | None]) -> bool | None:
    """False where one is not, None while one is open, True otherwise."""
    given = list(answers)
    if False in given:
        return False
    return None if None in given else True


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain_decimal(value)
