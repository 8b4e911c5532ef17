"""The form of a scenario: what stands in its inputs, and what was typed as changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Final

from portal.awards.allocation.problem import Limit, Policy
from portal.awards.scenarios.changes import ZERO, Changes, Ground, Supposed, limits_of, policy_of
from portal.awards.scenarios.checks import MOST_LIMITS, problems
from portal.core.canonical import plain_decimal
from portal.core.errors import Problem
from portal.core.language import N_
from portal.core.money import NumberError, grouped, parse_decimal, parse_money

SPARE: Final = 2
"""Empty rows for single scores beside those that are filled in."""
MOST_ROWS: Final = 60
LIMIT_FIELDS: Final = ("group", "unit", "least", "most")
FIELDS: Final = ("number", "criterion", "points", "reason")


def typed_of(ground: Ground, changes: Changes) -> dict[str, str]:
    """Input name -> text, of all inputs: as the scenario has it, or as it is."""
    typed = {
        f"weights-{each.code}": plain_decimal(changes.weights.get(each.code, each.weight))
        for each in ground.rules.criteria
    }
    least = ground.rules.threshold if changes.threshold is None else changes.threshold
    typed["threshold"] = plain_decimal(least)
    for year in ground.years:
        typed[f"available-{year}"] = grouped(changes.available.get(year, ground.available.get(year, ZERO)))
    rows = [(number, code, each) for number, held in changes.scores.items() for code, each in held.items()]
    typed["policy"] = (changes.policy or policy_of(ground.rules)).value
    for place, limit in enumerate(limits_of(ground.rules) if changes.limits is None else changes.limits):
        bounds = ("" if bound is None else plain_decimal(bound) for bound in (limit.least, limit.most))
        texts = (f"{limit.field}:{limit.value}", limit.unit, *bounds)
        typed |= {f"limits-{place}-{name}": text for name, text in zip(LIMIT_FIELDS, texts, strict=True)}
    for place, (number, code, each) in enumerate(rows):
        texts = (number, code, plain_decimal(each.points), each.reason)
        typed |= {f"score-{place}-{name}": text for name, text in zip(FIELDS, texts, strict=True)}
    return typed


def rows_of(typed: Mapping[str, str]) -> list[int]:
    """The rows of single scores that the form shows: the filled ones and some to spare."""
    filled = [place for place in range(MOST_ROWS) if any(typed.get(f"score-{place}-{name}") for name in FIELDS)]
    last = filled[-1] + 1 if filled else 0
    return list(range(min(last + SPARE, MOST_ROWS)))


def limit_rows(typed: Mapping[str, str]) -> list[int]:
    """The rows of limits that the form shows: the filled ones and one to spare."""
    filled = [place for place in range(MOST_LIMITS) if _limited(typed, place)]
    last = filled[-1] + 1 if filled else 0
    return list(range(min(last + 1, MOST_LIMITS)))


def _limited(typed: Mapping[str, str], place: int) -> bool:
    return any(typed.get(f"limits-{place}-{name}", "").strip() for name in ("group", "least", "most"))


class Reading:
    """What was typed, read: ``changes``, and ``problems`` with the ids of the inputs as their fields."""

    def __init__(self, ground: Ground, typed: Mapping[str, str]) -> None:
        self.ground = ground
        self.typed = typed
        self.problems: list[Problem] = []
        self._rows: dict[tuple[str, str], int] = {}
        self._limit_rows: list[int] = []
        self.changes = Changes(
            weights={each.code: self._number(f"weights-{each.code}", 2) for each in ground.rules.criteria},
            threshold=self._number("threshold", 2),
            available={year: self._money(f"available-{year}") for year in ground.years},
            scores=self._scores(),
            policy=self._policy(),
            limits=tuple(self._limits()),
        )

    def _text(self, name: str) -> str:
        return self.typed.get(name, "").replace("\x00", "").strip()

    def _number(self, name: str, places: int) -> Decimal:
        try:
            return parse_decimal(self._text(name), places=places, maximum=Decimal(100))
        except NumberError as error:
            self.problems.append(Problem(error.code, name, error.message))
            return Decimal(0)

    def _money(self, name: str) -> Decimal:
        try:
            return parse_money(self._text(name))
        except NumberError as error:
            self.problems.append(Problem(error.code, name, error.message))
            return Decimal(0)

    def _scores(self) -> dict[str, dict[str, Supposed]]:
        found: dict[str, dict[str, Supposed]] = {}
        for place in range(MOST_ROWS):
            number, criterion, points, reason = (self._text(f"score-{place}-{name}") for name in FIELDS)
            if not (number or criterion or points or reason):
                continue
            if not number or not criterion:
                said = N_("Choose an application and a criterion.")
                self.problems.append(Problem("choose", f"score-{place}-{'criterion' if number else 'number'}", said))
                continue
            if (number, criterion) in self._rows:
                said = N_("This criterion of this application is there already.")
                self.problems.append(Problem("twice", f"score-{place}-criterion", said))
                continue
            self._rows[number, criterion] = place
            value = self._number(f"score-{place}-points", 4)
            found.setdefault(number, {})[criterion] = Supposed(value, reason)
        return found

    def _policy(self) -> Policy | None:
        try:
            return Policy(self._text("policy") or policy_of(self.ground.rules))
        except ValueError:
            said = N_("Choose how the money is given out.")
            self.problems.append(Problem("policy", "policy", said))
            return None

    def _limits(self) -> Iterator[Limit]:
        """Rows that are filled in; their places in the changes are kept for the problems."""
        for place in range(MOST_LIMITS):
            if not _limited(self.typed, place):
                continue
            field, _, value = self._text(f"limits-{place}-group").partition(":")
            unit = self._text(f"limits-{place}-unit")
            least, most = self._bound(f"limits-{place}-least"), self._bound(f"limits-{place}-most")
            self._limit_rows.append(place)
            yield Limit(f"L{len(self._limit_rows)}", field, value, least, most, unit)

    def _bound(self, name: str) -> Decimal | None:
        if not self._text(name):
            return None
        try:
            return parse_decimal(self._text(name))
        except NumberError as error:
            self.problems.append(Problem(error.code, name, error.message))
            return None

    def wrong(self) -> list[Problem]:
        """What could not be read, with what else is wrong that does not follow from it; nothing where all is read."""
        if not self.problems:
            return []
        unread = {problem.field for problem in self.problems}
        kinds = {field.partition("-")[0] for field in unread}
        found = [self.placed(problem) for problem in problems(self.ground, self.changes)]
        more = [
            problem
            for problem in found
            if problem.field not in unread
            and not ("weights" in kinds and problem.field == "weights")
            and not ("limits" in kinds and problem.field.startswith("limits"))
        ]
        return [*self.problems, *more]

    def placed(self, problem: Problem) -> Problem:
        """A problem of the changes, on the input that it is about."""
        if problem.field.startswith("limits."):
            _, place, part = problem.field.split(".")
            return replace(problem, field=f"limits-{self._limit_rows[int(place)]}-{part}")
        if not problem.field.startswith("scores."):
            return replace(problem, field=problem.field.replace(".", "-"))
        _, number, criterion = problem.field.split(".", 2)
        part = "reason" if problem.code == "reason" else "points"
        return replace(problem, field=f"score-{self._rows.get((number, criterion), 0)}-{part}")
