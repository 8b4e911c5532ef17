"""What an allocation is asked about, and its answer: candidates, envelopes, limits, policy. Pure; decision 17.

Money is kept in roubles as Decimals and computed in whole kopecks; points are computed in whole steps of their
smallest decimal place. Every comparison is between whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum
from typing import Any, Final

from portal.core.canonical import digest, plain_decimal

EACH: Final = "*"
"""As a limit's value: one limit for every region, cluster, category or organisation that occurs."""

FIELDS: Final = ("region", "cluster", "category", "organisation", "sme")
PROJECTS, ROUBLES, PERCENT = "projects", "roubles", "percent"
UNITS: Final = (PROJECTS, ROUBLES, PERCENT)
SME: Final = "sme"
KOPECK: Final = Decimal("0.01")


class Policy(StrEnum):
    """How the money is given out; the definitions are in decision 17."""

    STRICT = "strict"
    SKIPPING = "skipping"
    PARTIAL = "partial"
    BEST_TOTAL = "best_total"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A recommended application. ``place``: its rank in its track, 1 is best; ``asked``: year -> roubles;
    ``least``: the smallest amounts that its initiator agrees to, None for the whole or nothing."""

    key: str
    number: str
    track: str
    place: int
    points: Decimal
    asked: Mapping[int, Decimal]
    least: Mapping[int, Decimal] | None = None
    organisations: frozenset[str] = frozenset()
    region: str = ""
    cluster: str = ""
    categories: frozenset[str] = frozenset()

    def groups(self, kind: str) -> frozenset[str]:
        """The values of a limit's field that this candidate counts under."""
        if kind == "organisation":
            return self.organisations
        if kind == "category":
            return self.categories
        if kind == SME:
            return self.categories & {SME}
        return frozenset({self.region if kind == "region" else self.cluster}) - {""}


@dataclass(frozen=True, slots=True)
class Limit:
    """At least ``least`` and at most ``most`` for the candidates whose ``field`` is ``value``.

    ``unit``: "projects", "roubles" over all years, or "percent" of all envelopes that the limit looks at (what is
    in them before the allocation); ``track``: one track only, "" for all.
    """

    code: str
    field: str
    value: str
    least: Decimal | None = None
    most: Decimal | None = None
    unit: str = PROJECTS
    track: str = ""

    def to_plain(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "field": self.field,
            "value": self.value,
            "least": None if self.least is None else plain_decimal(self.least),
            "most": None if self.most is None else plain_decimal(self.most),
            "unit": self.unit,
            "track": self.track,
        }


@dataclass(frozen=True, slots=True)
class Problem:
    """``envelopes``: (track, year) -> roubles that may be given. Raises ValueError for what makes no sense."""

    candidates: tuple[Candidate, ...]
    envelopes: Mapping[tuple[str, int], Decimal]
    policy: Policy = Policy.STRICT
    limits: tuple[Limit, ...] = ()

    def __post_init__(self) -> None:
        if len({each.key for each in self.candidates}) != len(self.candidates):
            raise ValueError("every candidate has a key of its own")
        if len({(each.track, each.place) for each in self.candidates}) != len(self.candidates):
            raise ValueError("no two candidates of a track share a place")
        if len({limit.code for limit in self.limits}) != len(self.limits):
            raise ValueError("every limit has a code of its own")
        if any(limit.field not in FIELDS or limit.unit not in UNITS for limit in self.limits):
            raise ValueError("unknown field or unit of a limit")
        if any(each.points < 0 or min(each.asked.values(), default=0) < 0 for each in self.candidates):
            raise ValueError("points and sums are not negative")
        if any(not any(each.asked.values()) for each in self.candidates):
            raise ValueError("every candidate asks for something")

    def to_plain(self) -> dict[str, Any]:
        """Everything that decides, in the canonical order: what an independent program needs to compute it again."""
        return {
            "policy": self.policy.value,
            "candidates": [_plain(each) for each in sorted(self.candidates, key=rank_order)],
            "envelopes": [
                {"track": track, "year": year, "amount": plain_decimal(amount)}
                for (track, year), amount in sorted(self.envelopes.items())
            ],
            "limits": [limit.to_plain() for limit in self.limits],
        }

    @property
    def digest(self) -> str:
        return digest(self.to_plain())


def rank_order(candidate: Candidate) -> tuple[int, str, str]:
    """The canonical order: by place, the tracks in turn. All policies walk it, and ties are broken by it."""
    return candidate.place, candidate.track, candidate.key


def _plain(candidate: Candidate) -> dict[str, Any]:
    return {
        "key": candidate.key,
        "number": candidate.number,
        "track": candidate.track,
        "place": candidate.place,
        "points": plain_decimal(candidate.points),
        "asked": plain_amounts(candidate.asked),
        "least": None if candidate.least is None else plain_amounts(candidate.least),
        "organisations": sorted(candidate.organisations),
        "region": candidate.region,
        "cluster": candidate.cluster,
        "categories": sorted(candidate.categories),
    }


def smallest_part(asked: Mapping[int, Decimal], share: Decimal) -> dict[int, Decimal]:
    """``share`` percent of what is asked for each year, rounded up to a kopeck: less is not offered."""
    return {year: (amount * share / 100).quantize(KOPECK, ROUND_CEILING) for year, amount in asked.items() if amount}


def plain_amounts(amounts: Mapping[int, Decimal]) -> dict[str, str]:
    return {str(year): plain_decimal(amount) for year, amount in sorted(amounts.items())}


@dataclass(frozen=True, slots=True)
class Outcome:
    """``granted``: year -> roubles, empty for a candidate that gets nothing; ``code`` and ``values``: why.

    The sentence is made when it is read: :func:`portal.awards.allocation.words.told`.
    """

    granted: Mapping[int, Decimal]
    code: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def total(self) -> Decimal:
        return sum(self.granted.values(), Decimal(0))

    def to_plain(self) -> dict[str, Any]:
        values = {
            name: plain_decimal(value) if isinstance(value, Decimal) else value for name, value in self.values.items()
        }
        return {"granted": plain_amounts(self.granted), "code": self.code, "values": values}


def outcome_of(plain: Mapping[str, Any]) -> Outcome:
    """The outcome that :meth:`Outcome.to_plain` wrote."""
    granted = {int(year): Decimal(amount) for year, amount in plain["granted"].items()}
    return Outcome(granted, plain["code"], plain["values"])


@dataclass(frozen=True, slots=True)
class Price:
    """Points that a limit costs: the result without it minus the result with it, under the same policy.

    ``low`` and ``high`` are equal where both are known exactly; a rank order may even lose by a limit's absence.
    """

    code: str
    low: Decimal
    high: Decimal

    @property
    def exact(self) -> bool:
        return self.low == self.high


@dataclass(frozen=True, slots=True)
class Used:
    """One limit, for one value: what of it the result takes, in projects or roubles; None where there is no bound."""

    code: str
    value: str
    used: Decimal
    least: Decimal | None
    most: Decimal | None
    unit: str

    @property
    def met(self) -> bool:
        return (self.least is None or self.used >= self.least) and (self.most is None or self.used <= self.most)


@dataclass(frozen=True, slots=True)
class Allocation:
    """The answer. ``objective``: points of all that get money (a part counts whole); ``bound``: no allocation has
    more, under the best total; ``gap``: (bound - objective) / bound, six decimals, rounded up.

    ``order_loss``: points of the best total minus those of the strict rank order; ``by_policy``: points under each
    policy; ``dropped``: minimums that no allocation reaches; ``canonical``: the result is the one that is first in
    rank order among all of equal points; ``reproducible``: False when the clock ended the search.
    ``shadow``: (track, year) -> points that another million roubles would bring, about; not in the digest.
    """

    policy: Policy
    outcomes: Mapping[str, Outcome]
    objective: Decimal
    bound: Decimal
    gap: Decimal
    proven: bool
    canonical: bool
    reproducible: bool
    order_loss: Decimal | None
    by_policy: Mapping[str, Decimal]
    prices: tuple[Price, ...]
    limits: tuple[Used, ...]
    dropped: tuple[str, ...]
    left: Mapping[tuple[str, int], Decimal]
    problem_digest: str
    shadow: Mapping[tuple[str, int], Decimal] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def winners(self) -> list[str]:
        return [key for key, outcome in self.outcomes.items() if outcome.granted]

    def to_plain(self) -> dict[str, Any]:
        return {
            "policy": self.policy.value,
            "problem": self.problem_digest,
            "outcomes": {key: outcome.to_plain() for key, outcome in self.outcomes.items()},
            "objective": plain_decimal(self.objective),
            "bound": plain_decimal(self.bound),
            "gap": plain_decimal(self.gap),
            "proven": self.proven,
            "canonical": self.canonical,
            "reproducible": self.reproducible,
            "order_loss": None if self.order_loss is None else plain_decimal(self.order_loss),
            "by_policy": {name: plain_decimal(points) for name, points in self.by_policy.items()},
            "prices": [
                {"code": each.code, "low": plain_decimal(each.low), "high": plain_decimal(each.high)}
                for each in self.prices
            ],
            "limits": [
                {
                    "code": each.code,
                    "value": each.value,
                    "used": plain_decimal(each.used),
                    "least": None if each.least is None else plain_decimal(each.least),
                    "most": None if each.most is None else plain_decimal(each.most),
                    "unit": each.unit,
                    "met": each.met,
                }
                for each in self.limits
            ],
            "dropped": list(self.dropped),
        }

    @property
    def digest(self) -> str:
        return digest(self.to_plain())
