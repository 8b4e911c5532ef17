"""From JSON to a rule set and back without loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, cast

from portal.core.canonical import digest
from portal.core.errors import Problem, Problems
from portal.core.typed_json import Unreadable, read, write
from portal.tenders.ruleset.allocation import OFFER_DAYS, SMALLEST_PART, Allotment
from portal.tenders.ruleset.invariants import broken
from portal.tenders.ruleset.model import Blindness, Criterion, ExpertMean, RuleSet, Sight
from portal.tenders.ruleset.scales import Bands


def from_json(data: object) -> RuleSet:
    """The rule set in ``data``; raises Problems with every fault of shape, or else of content, at once."""
    problems: list[Problem] = []
    try:
        rules: RuleSet = read(RuleSet, data, "", problems)
    except Unreadable:
        raise Problems(problems) from None
    problems += broken(rules)
    if problems:
        raise Problems(problems)
    return rules


def to_json(rules: RuleSet) -> dict[str, Any]:
    """The rule set as JSON without floats: ``from_json(to_json(rules)) == rules``.

    Rules that say nothing of what came later (:data:`_BEFORE`, anchors of scores, open scales) are written as before
    there was anything else, so that their digest stays.
    """
    data = cast(dict[str, Any], write(rules))
    for criterion in data["criteria"]:
        _as_before(criterion)
    for name, before in _BEFORE.items():
        if getattr(rules, name) == before:
            del data[name]
    return data


_BEFORE: Final[Mapping[str, object]] = {
    "questions": (),
    "confidential_parts": Sight.ALL_PARTICIPANTS,
    "lanes": (),
    "blindness": Blindness.OPEN,
    "expert_mean": ExpertMean.RAW,
    "commission": None,
    "conflict_ties": (),
    "allotment": Allotment.STRICT,
    "limits": (),
    "smallest_part": SMALLEST_PART,
    "offer_days": OFFER_DAYS,
}
"""What came later, with the value that says nothing."""


def _as_before(criterion: dict[str, Any]) -> None:
    for aspect in criterion["aspects"]:
        if not aspect["anchors"]:
            del aspect["anchors"]
    for component in criterion["components"]:
        if not component["scale"].get("open_below", True):
            del component["scale"]["open_below"]


def settled(rules: RuleSet) -> RuleSet:
    """The rules as a draft keeps them: falling scales by steps give the first step's points below it too."""
    return replace(rules, criteria=tuple(_settled(criterion) for criterion in rules.criteria))


def _settled(criterion: Criterion) -> Criterion:
    components = tuple(
        replace(item, scale=replace(item.scale, open_below=item.scale.falling))
        if isinstance(item.scale, Bands)
        else item
        for item in criterion.components
    )
    return replace(criterion, components=components)


def rules_digest(rules: RuleSet | Mapping[str, Any]) -> str:
    """SHA-256 of the rule set's canonical JSON: what a published tender freezes."""
    return digest(to_json(rules) if isinstance(rules, RuleSet) else rules)
