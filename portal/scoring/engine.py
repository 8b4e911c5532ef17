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

It is computed in whole numbers, steps of 0.0001 points and hundredths of weighted points: the same result in a third
of the time. What a score keeps has codes, values and points and no sentence (:mod:`portal.scoring.wording`). It is
written here as canonical JSON (:mod:`portal.core.canonical`) straight away, because that is what is stored and hashed;
a test holds it equal to what the general writer makes of the same data.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from functools import lru_cache
from math import lcm
from typing import Any, Final, NamedTuple

from portal.applications.eligibility import RuleOutcome, check
from portal.applications.figures.facts import Facts
from portal.core.canonical import canonical_text, plain_decimal
from portal.core.figures import exact
from portal.core.language import without_wording
from portal.review.rules import Marks, part_key
from portal.scoring.measuring import Measured, measured
from portal.scoring.scales import Scored, Units, half_up, points_text, ready, steps_exactly, units
from portal.scoring.sheets import ToldSheet, told
from portal.scoring.wording import Why, why
from portal.tenders.metrics import METRICS
from portal.tenders.ruleset import Criterion, ExpertMean, RuleSet

FORMAT: Final = 2
_NOTHING: Final = Decimal("0.00")
_CENT: Final = Decimal("0.01")
_TEN: Final = Decimal(10)
_MISSING: Final[Scored] = (0, why("missing"))
_ANSWERS: Final = {True: "true", False: "false", None: "null"}


class ScoreSheet(NamedTuple):
    """The explained score. ``total`` and ``expert_total`` are None until the reviews are complete.

    ``text``: the sheet as it is kept, ``digest``: the SHA-256 of it without wording
    (:func:`portal.scoring.sheets.digest_of`), ``recommended``: True when every gate is passed, False when one is not,
    None while it is open, ``rules``: those it was scored by.
    """

    text: str
    digest: str
    objective_total: Decimal
    expert_total: Decimal | None
    total: Decimal | None
    recommended: bool | None
    rules: RuleSet

    def to_json(self) -> dict[str, Any]:
        """The sheet as it is read when it has been kept."""
        found: dict[str, Any] = json.loads(self.text)
        return found

    @property
    def told(self) -> ToldSheet:
        """The sheet in words, read from the text each time."""
        return told(self.to_json(), self.rules)


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


class Scorer:
    """A rule set made ready to score many projects."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        with exact():
            self._criteria = [_Objective(item) if item.components else _Expert(item, rules) for item in rules.criteria]
        self._most = plain_decimal(sum((item.weight for item in rules.criteria if not item.expert), _NOTHING))
        self._least = plain_decimal(rules.threshold)
        self._open = _gate("threshold", None, why("total_open", least=rules.threshold).text)

    def score(
        self, known: Measured, reviews: Sequence[Marks], calibrated: Mapping[str, Decimal] | None = None
    ) -> ScoreSheet:
        """The sheet of one project; ``calibrated``: its values by part (:func:`portal.review.rules.part_key`)."""
        lines: list[str] = []
        objective, expert, waiting = 0, 0, False
        for criterion in self._criteria:
            if isinstance(criterion, _Objective):
                line, cents = criterion.line(known.figures)
                objective += cents
            else:
                line, given = criterion.line(reviews, calibrated or {})
                waiting = waiting or given is None
                expert += given or 0
            lines.append(line)
        return self._sheet(known, lines, objective, None if waiting else expert)

    def _sheet(self, known: Measured, lines: Sequence[str], objective: int, expert: int | None) -> ScoreSheet:
        objective_text, objective_total = weighted(objective)
        expert_text, expert_total = _OPEN_TOTAL if expert is None else weighted(expert)
        total_text, total = _OPEN_TOTAL if expert is None else weighted(objective + expert)
        npv, npv_passed = _npv_gate(known.number("npv"))
        threshold, reached = self._threshold_gate(total, total_text)
        eligible = _eligible(known)
        recommended = every((eligible, npv_passed, reached))
        before = f'{{"expert_total":{expert_text},"format":{FORMAT},"gates":['
        after = (
            f',{npv},{threshold}],"lines":[{",".join(lines)}],"max_objective":"{self._most}",'
            f'"objective_total":{objective_text},"recommended":{_ANSWERS[recommended]},"total":{total_text}}}'
        )
        if known.failed:
            kept, plain = _failed_gates(known.failed)
            text, counted = f"{before}{kept}{after}", f"{before}{plain}{after}"
        else:
            text = counted = f"{before}{_HOLD if eligible else _OPEN}{after}"
        digest = hashlib.sha256(counted.encode("utf-8", "surrogatepass")).hexdigest()
        return ScoreSheet(text, digest, objective_total, expert_total, total, recommended, self.rules)

    def _threshold_gate(self, total: Decimal | None, text: str) -> tuple[str, bool | None]:
        if total is None:
            return self._open, None
        passed = total >= self.rules.threshold
        said = "total_reached" if passed else "total_below"
        return _gate("threshold", passed, f'{{"least":"{self._least}","said":"{said}","total":{text}}}'), passed


class _Part(NamedTuple):
    """A component of a criterion with its scale made ready.

    ``inputs``: name of a fact -> how it is written; ``share`` in parts of the criterion's ``whole``.
    """

    name: str
    share: int
    scale: Callable[[Units], Scored]
    inputs: Sequence[tuple[str, str]]


class _Objective:
    """A criterion that is computed. It is kept as ``{"code", "parts": [{"inputs", "metric", "points", "value",
    "why"}], "points", "weighted"}``, ``value`` being the one of the metric that was used.
    """

    def __init__(self, criterion: Criterion) -> None:
        self._head = f'{{"code":{canonical_text(criterion.code)},"parts":['
        self._whole = lcm(*(each.share.as_integer_ratio()[1] for each in criterion.components))
        self._parts = [
            _Part(
                each.metric,
                int(each.share * self._whole),
                ready(each.scale),
                [(name, f"{canonical_text(name)}:") for name in sorted({*METRICS[each.metric].inputs})],
            )
            for each in criterion.components
        ]
        self._weigh = _weighing(criterion)

    def line(self, figures: Mapping[str, str]) -> tuple[str, int]:
        """How the criterion is kept, and its weighted points in hundredths."""
        total, texts = 0, []
        for name, share, scale, inputs in self._parts:
            given = figures.get(name)
            steps, reason = _MISSING if given is None else scale(units(given))
            shown = ",".join([f'{key}"{figures[each]}"' for each, key in inputs if each in figures]) if inputs else ""
            value = "null" if given is None else f'"{given}"'
            texts.append(
                f'{{"inputs":{{{shown}}},"metric":"{name}","points":"{points_text(steps)}","value":{value},'
                f'"why":{reason.text}}}'
            )
            total += steps * share
        points = half_up(total, self._whole)
        cents = self._weigh(points)
        text = f'{self._head}{",".join(texts)}],"points":"{points_text(points)}","weighted":{weighted(cents)[0]}}}'
        return text, cents


class _Lane(NamedTuple):
    """What one lane scores of a criterion, its aspects by code; ``key``: how its value is called where it is
    calibrated.
    """

    reviewers: int
    aspects: Sequence[str]
    key: str


class _Expert:
    """A criterion that reviewers score. It is kept as ``{"code", "points", "reviewers", "weighted", "why"}``.

    The same as :class:`portal.review.rules.Panel` in whole numbers; a property test holds them equal.
    """

    def __init__(self, criterion: Criterion, rules: RuleSet) -> None:
        self._code = criterion.code
        self._head = f'{{"code":{canonical_text(criterion.code)},"points":'
        self._lanes = [
            _Lane(lane.reviewers, [aspect.code for aspect in aspects], part_key(criterion, lane))
            for lane in rules.expertise
            if (aspects := lane.of(criterion))
        ]
        self._limit = rules.spread_limit
        self._limit_steps = steps_exactly(rules.spread_limit)
        self._calibrate = rules.expert_mean is ExpertMean.CALIBRATED
        self._weigh = _weighing(criterion)

    def line(self, reviews: Sequence[Marks], calibrated: Mapping[str, Decimal]) -> tuple[str, int | None]:
        """How the criterion is kept, and its weighted points in hundredths; None while reviews are missing."""
        asked = [self._values(lane.aspects, reviews) for lane in self._lanes]
        steps, reason = self._points(asked, calibrated)
        given = ",".join([f'"{points_text(value)}"' for values in asked for value in values])
        if steps is None:
            return f'{self._head}null,"reviewers":[{given}],"weighted":null,"why":{reason.text}}}', None
        cents = self._weigh(steps)
        text = (
            f'{self._head}"{points_text(steps)}","reviewers":[{given}],"weighted":{weighted(cents)[0]},'
            f'"why":{reason.text}}}'
        )
        return text, cents

    def _values(self, aspects: Sequence[str], reviews: Sequence[Marks]) -> list[int]:
        """The complete reviewers' means of some aspects in steps, ascending."""
        found = []
        for marks in reviews:
            given = marks.get(self._code)
            points = [given[aspect] for aspect in aspects if aspect in given] if given else []
            if points and len(points) == len(aspects):
                found.append(half_up(sum([steps_exactly(each) for each in points]), len(points)))
        found.sort()
        return found

    def _points(self, asked: Sequence[Sequence[int]], calibrated: Mapping[str, Decimal]) -> tuple[int | None, Why]:
        done = needed = count = spread = 0
        for lane, values in zip(self._lanes, asked, strict=True):
            given = len(values)
            count += given
            needed += lane.reviewers
            done += min(given, lane.reviewers)
            if given and given == lane.reviewers:
                spread = max(spread, values[-1] - values[0])
        if done < needed:
            return None, why("awaited", done=done, needed=needed)
        if spread > self._limit_steps:
            return None, why("apart", spread=Decimal(points_text(spread)), limit=self._limit)
        raw = self._mean([half_up(sum(values), len(values)) for values in asked])
        if not self._calibrate:
            return raw, _mean(count, len(asked))
        own = [calibrated.get(lane.key) for lane in self._lanes]
        if all(value is None for value in own):
            return raw, why("uncalibrated", count=count)
        instead = [
            half_up(sum(values), len(values)) if value is None else steps_exactly(value)
            for value, values in zip(own, asked, strict=True)
        ]
        return self._mean(instead), why("calibrated", count=count, raw=Decimal(points_text(raw)))

    def _mean(self, means: Sequence[Units]) -> int:
        """The mean over the aspects of the means of their lanes, in steps."""
        sizes = [len(lane.aspects) for lane in self._lanes]
        return half_up(sum([mean * size for mean, size in zip(means, sizes, strict=True)]), sum(sizes))


@lru_cache(maxsize=100)
def _mean(count: int, lanes: int) -> Why:
    return why("mean", count=count) if lanes == 1 else why("lanes", count=count, lanes=lanes)


def _weighing(criterion: Criterion) -> Callable[[int], int]:
    """From points in steps to weighted points in hundredths: ``weight x points / 10``, half up."""
    top, bottom = criterion.weight.as_integer_ratio()
    # A step is 1 / 10,000 of a point and ten points bring the weight, in hundredths: top / (1,000 x bottom).
    twice, half, run = 2 * top, 1000 * bottom, 2000 * bottom
    return lambda steps: (twice * steps + half) // run


@lru_cache(maxsize=10_001)
def weighted(cents: int) -> tuple[str, Decimal]:
    """Hundredths of weighted points, as they are written in a sheet, and as a number."""
    points = cents * _CENT
    return f'"{plain_decimal(points)}"', points


_OPEN_TOTAL: Final = ("null", None)


def value_of(facts: Facts, name: str) -> Decimal | None:
    """The value of a metric, or of an input of one, by its name."""
    value = getattr(facts, name)
    return None if value is None else Decimal(value)


def _gate(code: str, passed: bool | None, reason: str, failed: str = "") -> str:
    """How a condition that no number of points replaces is kept: ``{"code", "failed": [{"rule", "reason"}], "passed",
    "why"}``; ``code``: "eligibility", "npv" or "threshold", ``passed``: None while it is open, ``failed``: the
    eligibility rules that do not hold.
    """
    return f'{{"code":"{code}",{failed}"passed":{_ANSWERS[passed]},"why":{reason}}}'


_HOLD: Final = _gate("eligibility", True, why("rules_hold").text)
_OPEN: Final = _gate("eligibility", None, why("rules_open").text)
_FAIL: Final = why("rules_fail").text
_NO_NPV: Final = _gate("npv", None, why("npv_missing").text)


def _eligible(known: Measured) -> bool | None:
    return False if known.failed else None if known.open else True


def _failed_gates(failed: Sequence[tuple[str, Mapping[str, Any]]]) -> tuple[str, str]:
    """The gate with the rules that do not hold as it is kept, and as it is counted: without wording."""
    rules = [_failed_rule(code, reason) for code, reason in failed]
    kept, plain = (
        _gate("eligibility", False, _FAIL, f'"failed":[{",".join(each)}],') for each in zip(*rules, strict=True)
    )
    return kept, plain


def _failed_rule(code: str, reason: Mapping[str, Any]) -> tuple[str, str]:
    """A rule that does not hold as :func:`portal.core.language.kept` keeps its reason, with and without wording."""
    values, end = canonical_text(reason["values"]), f'}},"rule":{canonical_text(code)}}}'
    head = '{"reason":{"values":'
    # A sentence inside the sentence has a wording of its own.
    counted = canonical_text(without_wording(reason["values"])) if '"wording":' in values else values
    return f'{head}{values},"wording":{canonical_text(reason["wording"])}{end}', f"{head}{counted}{end}"


def _npv_gate(npv: Decimal | None) -> tuple[str, bool | None]:
    if npv is None:
        return _NO_NPV, None
    passed = npv >= 0
    said = "npv_reached" if passed else "npv_below"
    return _gate("npv", passed, f'{{"npv":"{plain_decimal(npv)}","said":"{said}"}}'), passed


def every(answers: Iterable[bool | None]) -> bool | None:
    """False where one is not, None while one is open, True otherwise."""
    given = list(answers)
    if False in given:
        return False
    return None if None in given else True
