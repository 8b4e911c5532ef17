"""Scenarios of the what-if room: what they stand on, what they change, the list that follows, and the difference.

Pure. A :class:`Ground` is what a decision would rest on now: the explained points of a run, the money left, the rules.
:func:`portal.awards.scenarios.outcome.follow` applies :class:`Changes` to it and gives a :class:`Result`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, Final, NamedTuple

from portal.awards.allocation.problem import Limit, Policy
from portal.core.canonical import digest, plain_decimal
from portal.core.language import Message
from portal.tenders.ruleset import RuleSet

ZERO: Final = Decimal("0.00")
HUNDRED: Final = Decimal(100)


class Outcome(StrEnum):
    """What a list gives an application; ``open``: nothing yet, its reviews are not complete."""

    AWARD = "award"
    RESERVE = "reserve"
    DECLINE = "decline"
    OPEN = "open"


class Departure(StrEnum):
    """What a scenario changes that is not the commission's to change: published rules, reviews, the ledger."""

    WEIGHTS = "weights"
    THRESHOLD = "threshold"
    MONEY = "money"
    POLICY = "policy"
    LIMITS = "limits"
    SCORES = "scores"


class Scored(NamedTuple):
    """A criterion of a kept sheet: points of 0 to 10 and weighted points; None while reviews are missing."""

    points: Decimal | None
    weighted: Decimal | None


@dataclass(frozen=True, slots=True)
class Project:
    """An application as the run left it. ``gates``: all but that of the threshold, with reasons where not passed.

    ``amounts``: requested roubles by year; ``sheet``: the digest of its score. What limits look at: ``region`` of the
    initiator, code of the ``cluster``, INNs of the ``organisations`` that take part, ``categories`` of the initiator.
    """

    application_id: str
    number: str
    lines: Mapping[str, Scored]
    gates: tuple[tuple[bool | None, Message | None], ...]
    amounts: Mapping[int, Decimal]
    hpj: int | None
    registered_at: datetime
    sheet: str
    lot: str = ""
    region: str = ""
    cluster: str = ""
    organisations: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    unwilling: bool = False


@dataclass(frozen=True)
class Ground:
    """What a scenario stands on. ``output``: the digest of the run's scores; ``available``: year -> roubles, of the
    years that the rules or the requests name: what is given for others changes nothing here; ``beside``: what another
    track leaves of the limits over both (:mod:`portal.awards.scenarios.beside`), which no scenario changes.

    ``digest`` covers all that decides and does not depend on the order of the projects.
    """

    rules: RuleSet
    rules_digest: str
    output: str
    available: Mapping[int, Decimal]
    projects: Sequence[Project]
    beside: tuple[Limit, ...] = ()

    @cached_property
    def digest(self) -> str:
        beside = {"beside": [limit.to_plain() for limit in self.beside]} if self.beside else {}
        return digest(
            {
                **beside,
                "rules": self.rules_digest,
                "scores": self.output,
                "available": _amounts(self.available),
                "projects": [
                    [each.number, each.sheet, _amounts(each.amounts), each.hpj, each.lot, *_groups(each)]
                    for each in sorted(self.projects, key=lambda each: each.number)
                ],
            }
        )

    @cached_property
    def years(self) -> tuple[int, ...]:
        """The years of the rules and of what is asked for, ascending."""
        return years_of(self.rules, self.projects)

    @cached_property
    def left(self) -> Mapping[int, Decimal]:
        """Each of the years -> roubles, zero where there is no envelope."""
        return {year: self.available.get(year, ZERO) for year in self.years}

    @cached_property
    def numbers(self) -> Mapping[str, Project]:
        return {each.number: each for each in self.projects}


def years_of(rules: RuleSet, projects: Iterable[Project]) -> tuple[int, ...]:
    """The years whose money decides on these projects."""
    asked = {year for each in projects for year, amount in each.amounts.items() if amount}
    return tuple(sorted({*asked, *rules.years}))


@dataclass(frozen=True, slots=True)
class Supposed:
    """Points of 0 to 10 that are supposed for one criterion of one application, and why."""

    points: Decimal
    reason: str


@dataclass(frozen=True, slots=True)
class Changes:
    """What a scenario changes; empty is as it is. ``available``: year -> roubles; ``scores``: number -> criterion;
    ``policy`` and ``limits`` None are those of the rules."""

    weights: Mapping[str, Decimal] = field(default_factory=dict)
    threshold: Decimal | None = None
    available: Mapping[int, Decimal] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, Supposed]] = field(default_factory=dict)
    policy: Policy | None = None
    limits: tuple[Limit, ...] | None = None

    @property
    def departures(self) -> tuple[Departure, ...]:
        """What of it the commission cannot decide; without any, the scenario is a list it may draft."""
        held = (
            (Departure.WEIGHTS, bool(self.weights)),
            (Departure.THRESHOLD, self.threshold is not None),
            (Departure.MONEY, bool(self.available)),
            (Departure.POLICY, self.policy is not None),
            (Departure.LIMITS, self.limits is not None),
            (Departure.SCORES, bool(self.scores)),
        )
        return tuple(each for each, there in held if there)

    def to_json(self) -> dict[str, Any]:
        """As it is kept; what is not changed is left out, so that equal changes have equal JSON."""
        content: dict[str, Any] = {}
        if self.weights:
            content["weights"] = {code: plain_decimal(weight) for code, weight in self.weights.items()}
        if self.threshold is not None:
            content["threshold"] = plain_decimal(self.threshold)
        if self.available:
            content["available"] = _amounts(self.available)
        if self.scores:
            content["scores"] = {
                number: {
                    code: {"points": plain_decimal(each.points), "reason": each.reason} for code, each in held.items()
                }
                for number, held in self.scores.items()
            }
        if self.policy is not None:
            content["policy"] = self.policy.value
        if self.limits is not None:
            content["limits"] = [limit.to_plain() for limit in self.limits]
        return content


def read_changes(data: Mapping[str, Any]) -> Changes:
    """The changes that were kept."""
    threshold = data.get("threshold")
    return Changes(
        weights={code: Decimal(weight) for code, weight in data.get("weights", {}).items()},
        threshold=None if threshold is None else Decimal(threshold),
        available=_read_amounts(data.get("available", {})),
        scores={
            number: {code: Supposed(Decimal(each["points"]), each["reason"]) for code, each in held.items()}
            for number, held in data.get("scores", {}).items()
        },
        policy=Policy(data["policy"]) if "policy" in data else None,
        limits=tuple(_limit(each) for each in data["limits"]) if "limits" in data else None,
    )


def _limit(data: Mapping[str, Any]) -> Limit:
    bounds = {name: None if data[name] is None else Decimal(data[name]) for name in ("least", "most")}
    return Limit(**{**data, **bounds})


def policy_of(rules: RuleSet) -> Policy:
    """How the rules of a track give the money out."""
    return Policy(rules.allotment.value)


def limits_of(rules: RuleSet) -> tuple[Limit, ...]:
    """The limits of the rules of a track."""
    return tuple(
        Limit(each.code, each.field.value, each.value.strip(), each.least, each.most, each.unit.value)
        for each in rules.limits
    )


def limits_in(ground: Ground, changes: Changes) -> tuple[Limit, ...]:
    """All limits within which a scenario gives out the money: its own or those of the rules, and those over both
    tracks."""
    own = limits_of(ground.rules) if changes.limits is None else changes.limits
    return (*own, *ground.beside)


def _same(some: Sequence[Limit], others: Sequence[Limit]) -> bool:
    """Whether the limits are the same ones, however they are called."""
    return [replace(each, code="") for each in some] == [replace(each, code="") for each in others]


def reduced(ground: Ground, changes: Changes) -> Changes:
    """The same changes without what equals the ground: the one form of a scenario."""
    weights = {each.code: each.weight for each in ground.rules.criteria}
    scores = {}
    for number, held in changes.scores.items():
        lines = ground.numbers[number].lines
        other = {code: each for code, each in held.items() if lines.get(code, _NONE).points != each.points}
        if other:
            scores[number] = other
    return Changes(
        weights={} if dict(changes.weights) == weights else changes.weights,
        threshold=None if changes.threshold == ground.rules.threshold else changes.threshold,
        available={
            year: amount for year, amount in changes.available.items() if amount != ground.available.get(year, ZERO)
        },
        scores=scores,
        policy=None if changes.policy is policy_of(ground.rules) else changes.policy,
        limits=None if changes.limits is None or _same(changes.limits, limits_of(ground.rules)) else changes.limits,
    )


_NONE: Final = Scored(None, None)


@dataclass(frozen=True, slots=True)
class Place:
    """An application in a list. ``asked`` and ``amounts`` (what it would get): roubles by year."""

    number: str
    application_id: str
    place: int
    outcome: Outcome
    total: Decimal | None
    asked: Mapping[int, Decimal]
    amounts: Mapping[int, Decimal]
    reason: Mapping[str, str]

    @property
    def partly(self) -> bool:
        """Whether it gets less than it asks for."""
        return self.outcome is Outcome.AWARD and dict(self.amounts) != dict(self.asked)

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "application": self.application_id,
            "place": self.place,
            "outcome": self.outcome.value,
            "total": None if self.total is None else plain_decimal(self.total),
            "asked": _amounts(self.asked),
            "amounts": _amounts(self.amounts),
        }


@dataclass(frozen=True)
class Result:
    """The list that follows, in the order of its places. ``available``: roubles by year that it was drawn against."""

    places: Sequence[Place]
    available: Mapping[int, Decimal]

    @cached_property
    def by_number(self) -> Mapping[str, Place]:
        return {each.number: each for each in self.places}

    @cached_property
    def awarded(self) -> frozenset[str]:
        """The numbers of those that would get money."""
        return frozenset(each.number for each in self.places if each.outcome is Outcome.AWARD)

    @cached_property
    def spent(self) -> Mapping[int, Decimal]:
        """Year -> roubles of all awards."""
        spent = dict.fromkeys(self.available, ZERO)
        for each in self.places:
            for year, amount in each.amounts.items():
                spent[year] = spent.get(year, ZERO) + amount
        return spent

    def count(self, outcome: str) -> int:
        return sum(each.outcome == outcome for each in self.places)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over money and places; wording does not count."""
        return digest({"available": _amounts(self.available), "places": [each.to_json() for each in self.places]})

    def to_json(self) -> dict[str, Any]:
        """As it is kept, with the reasons in both languages."""
        return {
            "available": _amounts(self.available),
            "places": [each.to_json() | {"reason": dict(each.reason)} for each in self.places],
        }


def read_result(data: Mapping[str, Any]) -> Result:
    """The list that was kept."""
    return Result(
        [
            Place(
                number=each["number"],
                application_id=each["application"],
                place=each["place"],
                outcome=Outcome(each["outcome"]),
                total=None if each["total"] is None else Decimal(each["total"]),
                asked=_read_amounts(each["asked"]),
                amounts=_read_amounts(each["amounts"]),
                reason=each["reason"],
            )
            for each in data["places"]
        ],
        _read_amounts(data["available"]),
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """What another list changes against a first one. ``entered`` and ``left``: who gets money only in the other, or
    only in the first; ``moved``: number -> places won (negative for places lost); ``money``: year -> roubles of
    awards in both."""

    entered: frozenset[str]
    left: frozenset[str]
    moved: Mapping[str, int]
    money: Mapping[int, tuple[Decimal, Decimal]]


def difference(before: Result, after: Result) -> Difference:
    """What the second list changes against the first. Applications that are in one of them only do not move."""
    old = {each.number: each.place for each in before.places}
    moved = {
        each.number: old[each.number] - each.place
        for each in after.places
        if old.get(each.number, each.place) != each.place
    }
    years = sorted({*before.spent, *after.spent})
    money = {year: (before.spent.get(year, ZERO), after.spent.get(year, ZERO)) for year in years}
    return Difference(after.awarded - before.awarded, before.awarded - after.awarded, moved, money)


def _groups(each: Project) -> list[object]:
    unwilling = ["unwilling"] if each.unwilling else []
    return [each.region, each.cluster, sorted(each.organisations), sorted(each.categories), *unwilling]


def _amounts(amounts: Mapping[int, Decimal]) -> dict[str, str]:
    return {str(year): f"{amount:.2f}" for year, amount in sorted(amounts.items())}


def _read_amounts(data: Mapping[str, str]) -> dict[int, Decimal]:
    return {int(year): Decimal(amount) for year, amount in data.items()}
