"""What a score needs of one project: its figures and how the eligibility rules came out.

It follows from the frozen package, the frozen rules and the day of filing alone, so it is computed once, as the
application arrives, and kept (:class:`portal.scoring.models.Measurement`); a run reads figures, not packages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

from portal.applications.eligibility import RuleOutcome, blocking, check
from portal.applications.figures.facts import Facts
from portal.applications.figures.facts import facts as facts_of
from portal.core.canonical import plain_decimal
from portal.core.language import kept
from portal.tenders.metrics import METRICS
from portal.tenders.ruleset import RuleSet, Severity

FIGURES: Final = tuple(
    dict.fromkeys(["npv", "hpj", *(name for metric in METRICS.values() for name in (metric.name, *metric.inputs))])
)
"""The facts that are kept: every metric, what its formula takes, and what the gates and the ranking need."""


class Measured(NamedTuple):
    """What is known of a project, as it is kept: numbers are plain decimals in text.

    ``figures``: fact -> value, without those that are missing; ``amounts``: year -> requested roubles; ``failed``:
    blocking rules that do not hold, ``[code, reason]`` with the reason as :func:`portal.core.language.kept` writes
    it; ``open``: some blocking rules cannot be checked yet.
    """

    figures: Mapping[str, str]
    amounts: Mapping[str, str]
    failed: Sequence[tuple[str, Mapping[str, Any]]]
    open: bool

    def number(self, name: str) -> Decimal | None:
        """The value of a fact, None while it is missing."""
        text = self.figures.get(name)
        return None if text is None else Decimal(text)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON: ``Measured(**json)`` reads it."""
        return self._asdict()


def measure(package: Mapping[str, Any], rules: RuleSet, on: date | None) -> Measured:
    """Everything from a package, filed on ``on``."""
    known = facts_of(package, rules)
    return measured(known, check(package, known, rules, on))


def measured(facts: Facts, outcomes: Sequence[RuleOutcome]) -> Measured:
    """What is known already, gathered."""
    values = ((name, getattr(facts, name)) for name in FIGURES)
    return Measured(
        figures={name: plain_decimal(Decimal(value)) for name, value in values if value is not None},
        amounts={year: plain_decimal(amount) for year, amount in facts.subsidy_by_year.items()},
        failed=[(outcome.code, kept(outcome.reason)) for outcome in blocking(outcomes)],
        open=any(outcome.holds is None and outcome.severity is Severity.BLOCKS for outcome in outcomes),
    )
