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
from portal.applications.facts import Facts
from portal.applications.facts import facts as facts_of
from portal.core.canonical import plain_decimal
from portal.core.language import Message, kept, read_kept
from portal.tenders.metrics import METRICS
from portal.tenders.ruleset import RuleSet, Severity

FIGURES: Final = tuple(
    dict.fromkeys(["npv", "hpj", *(name for metric in METRICS.values() for name in (metric.name, *metric.inputs))])
)
"""The facts that are kept: every metric, what its formula takes, and what the gates and the ranking need."""


class Measured(NamedTuple):
    """``figures``: fact -> value, without those that are missing; ``amounts``: year -> requested roubles.

    ``failed``: blocking rules that do not hold, with the reason; ``open``: some cannot be checked yet.
    """

    figures: Mapping[str, Decimal]
    amounts: Mapping[str, Decimal]
    failed: tuple[tuple[str, Message], ...]
    open: bool

    @property
    def hpj(self) -> int | None:
        value = self.figures.get("hpj")
        return None if value is None else int(value)

    def to_json(self) -> dict[str, Any]:
        return {
            "figures": {name: plain_decimal(value) for name, value in self.figures.items()},
            "amounts": {year: plain_decimal(amount) for year, amount in self.amounts.items()},
            "failed": [[code, kept(reason)] for code, reason in self.failed],
            "open": self.open,
        }


def measure(package: Mapping[str, Any], rules: RuleSet, on: date | None) -> Measured:
    """Everything from a package, filed on ``on``."""
    known = facts_of(package, rules)
    return measured(known, check(package, known, rules, on))


def measured(facts: Facts, outcomes: Sequence[RuleOutcome]) -> Measured:
    """What is known already, gathered."""
    values = ((name, getattr(facts, name)) for name in FIGURES)
    return Measured(
        figures={name: Decimal(value) for name, value in values if value is not None},
        amounts=facts.subsidy_by_year,
        failed=tuple((outcome.code, outcome.reason) for outcome in blocking(outcomes)),
        open=any(outcome.holds is None and outcome.severity is Severity.BLOCKS for outcome in outcomes),
    )


def read_measured(data: Mapping[str, Any]) -> Measured:
    """What :meth:`Measured.to_json` wrote."""
    return Measured(
        figures={name: Decimal(text) for name, text in data["figures"].items()},
        amounts={year: Decimal(text) for year, text in data["amounts"].items()},
        failed=tuple((code, read_kept(reason)) for code, reason in data["failed"]),
        open=data["open"],
    )
