"""Kept score sheets: their digest, reading them in both formats, and where two of them differ first.

Format 1 (until November 2026) keeps titles and sentences in both languages; format 2 keeps codes and figures, and
titles, weights and shares are those of the rule set.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import zip_longest
from typing import Any, NamedTuple

from portal.core.canonical import canonical_text
from portal.core.language import N_, Message, read_kept, without_wording
from portal.scoring.wording import component_reason, expert_reason, gate_reason, joined, read_why
from portal.tenders.metrics import METRICS
from portal.tenders.ruleset import RuleSet, Text


def digest_of(sheet: Mapping[str, Any]) -> str:
    """SHA-256 of the sheet's canonical JSON. Of format 2 no wording counts: message ids are left out."""
    counted = sheet
    if sheet["format"] != 1 and any("failed" in gate for gate in sheet["gates"]):
        gates = [without_wording(gate) if "failed" in gate else gate for gate in sheet["gates"]]
        counted = {**sheet, "gates": gates}
    return hashlib.sha256(canonical_text(counted).encode("utf-8", "surrogatepass")).hexdigest()


class ToldPart(NamedTuple):
    """A metric of a criterion as it is shown."""

    metric: str
    title: Message
    value: Decimal | None
    points: Decimal
    share: Decimal
    inputs: Mapping[str, Decimal]
    reason: Message


class ToldLine(NamedTuple):
    """A criterion as it is shown."""

    code: str
    title: Text
    expert: bool
    weight: Decimal
    points: Decimal | None
    weighted: Decimal | None
    reason: Message
    parts: tuple[ToldPart, ...]
    reviewers: tuple[Decimal, ...]


class ToldGate(NamedTuple):
    """A condition as it is shown; ``rules``: the eligibility rules that do not hold."""

    code: str
    passed: bool | None
    reason: Message
    rules: tuple[str, ...] = ()


class ToldSheet(NamedTuple):
    """A kept sheet in words."""

    lines: tuple[ToldLine, ...]
    objective_total: Decimal
    max_objective: Decimal
    expert_total: Decimal | None
    total: Decimal | None
    gates: tuple[ToldGate, ...]
    recommended: bool | None


def told(sheet: Mapping[str, Any], rules: RuleSet) -> ToldSheet:
    """A kept sheet of either format in words; ``rules``: the rule set it was scored by."""
    line = _old_line if sheet["format"] == 1 else _line
    return ToldSheet(
        lines=tuple(line(each, rules) for each in sheet["lines"]),
        objective_total=Decimal(sheet["objective_total"]),
        max_objective=Decimal(sheet["max_objective"]),
        expert_total=_number(sheet["expert_total"]),
        total=_number(sheet["total"]),
        gates=tuple(told_gate(gate) for gate in sheet["gates"]),
        recommended=sheet["recommended"],
    )


def told_gate(gate: Mapping[str, Any]) -> ToldGate:
    """A kept gate of either format in words."""
    if "why" not in gate:
        return ToldGate(gate["code"], gate["passed"], _texts(gate["reason"]))
    failed = [(each["rule"], read_kept(each["reason"])) for each in gate.get("failed", ())]
    rules = tuple(code for code, _ in failed)
    return ToldGate(gate["code"], gate["passed"], gate_reason(read_why(gate["why"]), failed), rules)


def _line(data: Mapping[str, Any], rules: RuleSet) -> ToldLine:
    criterion = rules.criterion(data["code"])
    points = _number(data["points"])
    parts = tuple(
        _part(each, component.share)
        for each, component in zip(data.get("parts", ()), criterion.components, strict=True)
    )
    return ToldLine(
        code=criterion.code,
        title=criterion.title,
        expert=criterion.expert,
        weight=criterion.weight,
        points=points,
        weighted=_number(data["weighted"]),
        reason=joined([part.reason for part in parts]) if parts else expert_reason(read_why(data["why"]), points),
        parts=parts,
        reviewers=tuple(Decimal(value) for value in data.get("reviewers", ())),
    )


def _part(data: Mapping[str, Any], share: Decimal) -> ToldPart:
    metric, value, points = METRICS[data["metric"]], _number(data["value"]), Decimal(data["points"])
    return ToldPart(
        metric=metric.name,
        title=metric.title,
        value=value,
        points=points,
        share=share,
        inputs=_inputs(data),
        reason=component_reason(metric, share, value, points, read_why(data["why"])),
    )


def _old_line(data: Mapping[str, Any], rules: RuleSet) -> ToldLine:
    parts = tuple(
        ToldPart(
            metric=part["metric"],
            title=_texts(part["title"]),
            value=_number(part["value"]),
            points=Decimal(part["points"]),
            share=Decimal(part["share"]),
            inputs=_inputs(part),
            reason=_texts(part["reason"]),
        )
        for part in data["parts"]
    )
    return ToldLine(
        code=data["code"],
        title=Text(**data["title"]),
        expert=data["kind"] == "expert",
        weight=Decimal(data["weight"]),
        points=_number(data["points"]),
        weighted=_number(data["weighted"]),
        reason=_texts(data["reason"]),
        parts=parts,
        reviewers=tuple(Decimal(value) for value in data["reviewers"]),
    )


def _inputs(data: Mapping[str, Any]) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in data["inputs"].items()}


def _texts(texts: Mapping[str, str]) -> Message:
    """A sentence that was kept in both languages, as a message again."""
    return N_("%(text)s", text=texts)


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


class Difference(NamedTuple):
    """Where two kept sheets differ: criterion or gate ("" for the whole), field, and both values as kept."""

    place: str
    field: str
    before: str | None
    after: str | None


def first_difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> Difference | None:
    """The first difference of two sheets in the order of their criteria and gates, wording left out."""
    return next(_differences(without_wording(before), without_wording(after)), None)


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Difference]:
    for name in ("lines", "gates"):
        pairs: Iterator[tuple[Any, Any]] = zip_longest(before[name], after[name], fillvalue={})
        for old, new in pairs:
            place = str(old.get("code", new.get("code")))
            yield from (Difference(place, *found) for found in _fields("", old, new))
    yield from (Difference("", *found) for found in _fields("", _totals(before), _totals(after)))


def _totals(sheet: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in sheet.items() if name not in ("lines", "gates")}


def _fields(path: str, before: Any, after: Any) -> Iterator[tuple[str, str | None, str | None]]:
    """Path, value before and value after of every leaf that differs, in the order of the names."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for name in sorted({*before, *after}):
            yield from _fields(f"{path}.{name}" if path else name, before.get(name), after.get(name))
    elif isinstance(before, list) and isinstance(after, list):
        for at, (old, new) in enumerate(zip_longest(before, after)):
            yield from _fields(f"{path}.{at}" if path else str(at), old, new)
    elif before != after:
        yield path, _shown(before), _shown(after)


def _shown(value: Any) -> str | None:
    return None if value is None else value if isinstance(value, str) else canonical_text(value)
