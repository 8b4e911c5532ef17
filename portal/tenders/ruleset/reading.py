"""From JSON to a rule set and back without loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from portal.core.canonical import digest
from portal.core.errors import Problem, Problems
from portal.core.typed_json import Unreadable, read, write
from portal.tenders.ruleset.allocation import Allotment
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

    Rules without extra questions, confidential parts, lanes, anchors of scores, open scales, a commission or ties, or
    with the plain mean of the reviews, are written as before there was anything else, so that their digest stays.
    """
    data = cast(dict[str, Any], write(rules))
    if not rules.questions:
        del data["questions"]
    if rules.confidential_parts is Sight.ALL_PARTICIPANTS:
        del data["confidential_parts"]
    if not rules.lanes:
        del data["lanes"]
    for criterion in data["criteria"]:
        _as_before(criterion)
    if rules.blindness is Blindness.OPEN:
        del data["blindness"]
    if rules.expert_mean is ExpertMean.RAW:
        del data["expert_mean"]
    if rules.commission is None:
        del data["commission"]
    if not rules.conflict_ties:
        del data["conflict_ties"]
    if rules.allotment is Allotment.STRICT:
        del data["allotment"]
    if not rules.limits:
        del data["limits"]
    return data


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
