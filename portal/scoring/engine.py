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

What a score keeps has codes, values and points and no sentence (:mod:`portal.scoring.wording`). It is written here as
canonical JSON (:mod:`portal.core.canonical`) straight away, because that is what is stored and hashed; a test holds
it equal to what the general writer makes of the same data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final, NamedTuple

from portal.applications.eligibility import RuleOutcome, check
from portal.applications.figures.facts import Facts
from portal.core.canonical import canonical_text, plain_decimal
from portal.core.figures import exact
from portal.core.language import Message, read_kept, without_wording
from portal.review.rules import Marks, Panel, difference, part_key, points_of, values_of
from portal.scoring.measuring import Measured, measured
from portal.scoring.scales import Scored, ready, scored
from portal.scoring.wording import Why, component_reason, expert_reason, gate_reason, joined, why
from portal.tenders.metrics import METRICS, Metric
from portal.tenders.ruleset import Criterion, ExpertMean, RuleSet, Text

FORMAT: Final = 2
_ZERO: Final = Decimal("0.0000")
_NOTHING: Final = Decimal("0.00")
_STEP: Final = Decimal("0.0001")
_CENT: Final = Decimal("0.01")
_TEN: Final = Decimal(10)
_MISSING: Final = scored(_ZERO, why("missing"))
_ANSWERS: Final = {True: "true", False: "false", None: "null"}


class Part(NamedTuple):
    """One component of a criterion; ``given``: the value of the metric that was used, as it is kept."""

    metric: Metric
    points: Decimal
    share: Decimal
    why: Why
    given: str | None

    @property
    def value(self) -> Decimal | None:
        """The value of the metric that was used."""
        return None if self.given is None else Decimal(self.given)

    @property
    def reason(self) -> Message:
        return component_reason(self.metric, self.share, self.value, self.points, self.why)


class ScoreLine(NamedTuple):
    """One criterion: points of 0 to 10, and weighted points; both None while reviews are missing.

    ``text`` is how it is kept: ``{"code", "parts": [{"inputs", "metric", "points", "value", "why"}], "points",
    "weighted"}``, an expert one ``{"code", "points", "reviewers", "weighted", "why"}``.
    """

    code: str
    title: Text
    expert: bool
    weight: Decimal
    points: Decimal | None
    weighted: Decimal | None
    why: Why | None
    text: str
    parts: tuple[Part, ...] = ()
    reviewers: tuple[Decimal, ...] = ()

    @property
    def reason(self) -> Message:
        if self.why is None:
            return joined([part.reason for part in self.parts])
        return expert_reason(self.why, self.points)


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

    def text(self, *, counted: bool = False) -> str:
        """How it is kept: ``{"code", "failed": [{"rule", "reason"}], "passed", "why"}``; ``counted``: for a digest."""
        failed = ""
        if self.failed:
            shown = [{"rule": code, "reason": reason} for code, reason in self.failed]
            failed = f'"failed":{canonical_text(without_wording(shown) if counted else shown)},'
        return f'{{"code":"{self.code}",{failed}"passed":{_ANSWERS[self.passed]},"why":{self.why.text}}}'


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

    def written(self) -> tuple[str, str]:
        """The sheet as it is kept, and the SHA-256 of it without wording (:func:`portal.scoring.sheets.digest_of`).

        Codes, and numbers as plain strings; of sentences only those of rules that failed.
        """
        before = f'{{"expert_total":{_text(self.expert_total)},"format":{FORMAT},"gates":['
        after = (
            f'],"lines":[{",".join([line.text for line in self.lines])}],"max_objective":{_text(self.max_objective)},'
            f'"objective_total":{_text(self.objective_total)},"recommended":{_ANSWERS[self.recommended]},'
            f'"total":{_text(self.total)}}}'
        )
        text = counted = f"{before}{','.join([gate.text() for gate in self.gates])}{after}"
        if any(gate.failed for gate in self.gates):
            counted = f"{before}{','.join([gate.text(counted=True) for gate in self.gates])}{after}"
        return text, hashlib.sha256(counted.encode("utf-8", "surrogatepass")).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """The sheet as it is read when it has been kept."""
        found: dict[str, Any] = json.loads(self.written()[0])
        return found

    @property
    def digest(self) -> str:
        """SHA-256 of what is kept, without wording."""
        return self.written()[1]


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
    """A component of a criterion with its scale made ready; ``inputs``: name of a fact -> how it is written."""

    metric: Metric
    name: str
    share: Decimal
    scale: Callable[[Decimal], Scored]
    inputs: Sequence[tuple[str, str]]


class _Objective(NamedTuple):
    """A criterion that is computed, with its components made ready; ``tenth`` of its weight."""

    criterion: Criterion
    code: str
    tenth: Decimal
    components: Sequence[_Ready]
    plain: bool


class Scorer:
    """A rule set made ready to score many projects."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        with exact():
            self._criteria = [(item, _objective(item) if item.components else None) for item in rules.criteria]
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
                    _objective_line(objective, known.figures)
                    if objective
                    else _expert_line(criterion, self.rules, self._panels(criterion, reviews), calibrated or {})
                    for criterion, objective in self._criteria
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


def _objective(criterion: Criterion) -> _Objective:
    components = [
        _Ready(
            METRICS[each.metric],
            each.metric,
            each.share,
            ready(each.scale),
            [(name, f"{canonical_text(name)}:") for name in sorted({*METRICS[each.metric].inputs})],
        )
        for each in criterion.components
    ]
    # One component that counts whole has its points already.
    plain = len(components) == 1 and components[0].share == 1
    return _Objective(criterion, canonical_text(criterion.code), criterion.weight / _TEN, components, plain)


def _objective_line(objective: _Objective, figures: Mapping[str, str]) -> ScoreLine:
    criterion, code, tenth, components, plain = objective
    total, whole = _ZERO, ""
    parts, texts = [], []
    for metric, name, share, scale, inputs in components:
        given = figures.get(name)
        points, whole, reason = _MISSING if given is None else scale(Decimal(given))
        shown = ",".join([f'{key}"{figures[each]}"' for each, key in inputs if each in figures])
        value = "null" if given is None else f'"{given}"'
        texts.append(
            f'{{"inputs":{{{shown}}},"metric":"{name}","points":"{whole}","value":{value},"why":{reason.text}}}'
        )
        parts.append(Part(metric, points, share, reason, given))
        total = points if plain else total + points * share
    if not plain:
        total = total.quantize(_STEP, ROUND_HALF_UP)
        whole = plain_decimal(total)
    weighted = (tenth * total).quantize(_CENT, ROUND_HALF_UP)
    text = f'{{"code":{code},"parts":[{",".join(texts)}],"points":"{whole}","weighted":"{plain_decimal(weighted)}"}}'
    return ScoreLine(
        criterion.code, criterion.title, False, criterion.weight, total, weighted, None, text, tuple(parts)
    )


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
    weighted = None if points is None else (criterion.weight * points / _TEN).quantize(_CENT, ROUND_HALF_UP)
    given = ",".join([f'"{plain_decimal(value)}"' for value in values])
    return ScoreLine(
        code=criterion.code,
        title=criterion.title,
        expert=True,
        weight=criterion.weight,
        points=points,
        weighted=weighted,
        why=reason,
        text=f'{{"code":{canonical_text(criterion.code)},"points":{_text(points)},"reviewers":[{given}],'
        f'"weighted":{_text(weighted)},"why":{reason.text}}}',
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


def _text(value: Decimal | None) -> str:
    return "null" if value is None else f'"{plain_decimal(value)}"'
