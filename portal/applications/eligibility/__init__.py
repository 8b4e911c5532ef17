"""Eligibility: each rule of the rule set checked against a package, with value, limit and reason.

The checks are a fixed catalogue (``tenders.checks``); a rule set names them and gives their parameters.
``holds`` is None while something is not filled in yet; ``todo`` then says what to do. The filing date is an
argument: for a draft, the day on which it is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from portal.applications.eligibility import parties, project
from portal.applications.eligibility.case import Case, Finding
from portal.applications.figures.facts import Facts
from portal.core.figures import exact
from portal.core.language import Message, both
from portal.tenders.ruleset import RuleSet, Severity, Source, Text


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """How one rule came out. ``field``: the place to correct it; ``participants``: the ids it is about."""

    code: str
    title: Text
    severity: Severity
    source: Source
    holds: bool | None
    reason: Message
    value: Message | None = None
    limit: Message | None = None
    todo: Message | None = None
    field: str = ""
    participants: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Everything in both languages: ``{"code", "title", "severity", "holds", "reason", ...}``."""
        return {
            "code": self.code,
            "title": self.title.both(),
            "severity": self.severity.value,
            "source": both(self.source.wording),
            "holds": self.holds,
            "reason": both(self.reason),
            "value": both(self.value) if self.value else None,
            "limit": both(self.limit) if self.limit else None,
            "todo": both(self.todo) if self.todo else None,
            "field": self.field,
            "participants": list(self.participants),
        }


def check(package: Mapping[str, Any], facts: Facts, rules: RuleSet, on: date | None = None) -> list[RuleOutcome]:
    """Every eligibility rule of ``rules``, in its order. ``on``: the filing date, or None if not known."""
    with exact():
        return [_outcome(Case(package, facts, rules, on, rule)) for rule in rules.eligibility]


def blocking(outcomes: Iterable[RuleOutcome]) -> tuple[RuleOutcome, ...]:
    """The outcomes that refuse the application: blocking rules that do not hold."""
    return tuple(item for item in outcomes if item.severity is Severity.BLOCKS and item.holds is False)


def _outcome(case: Case) -> RuleOutcome:
    rule, found = case.rule, CATALOGUE[case.rule.check](case)
    return RuleOutcome(
        code=rule.code,
        title=rule.title,
        severity=rule.severity,
        source=rule.source,
        holds=found.holds,
        reason=found.reason,
        value=found.value,
        limit=found.limit,
        todo=found.todo if found.holds is not True else None,
        field=found.field,
        participants=found.participants,
    )


CATALOGUE: Final[Mapping[str, Callable[[Case], Finding]]] = {
    "cluster_registered": parties.cluster_registered,
    "members_of_cluster": parties.members_of_cluster,
    "enough_participants": parties.enough_participants,
    "document_given": project.document_given,
    "replaces_imports": project.replaces_imports,
    "export_planned": project.export_planned,
    "subsidy_share": project.subsidy_share,
    "project_cap": project.project_cap,
    "agreement_term": project.agreement_term,
    "costs_not_before": project.costs_not_before,
    "declared": parties.declared,
    "answered": parties.answered,
    "declared_with_certificate": parties.declared_with_certificate,
    "offshore_share": parties.offshore_share,
    "industrial_activity": parties.industrial_activity,
    "applications_limit": parties.applications_limit,
    "co_financing": project.co_financing,
    "yearly_requests": project.yearly_requests,
}
"""The check behind each name of ``tenders.checks.CHECKS``."""
