"""Ranking: a total order of the scored applications of one track, with the reason where totals are equal.

Recommended projects come first, then those whose score is still open, then those that are not recommended;
within each the total decides, then the tie rules of the rule set in order, last the registration number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Final

from portal.core.figures import Figure, roubles
from portal.core.language import N_, Message
from portal.tenders.ruleset import RuleSet, TieRule


@dataclass(frozen=True, slots=True)
class Entry:
    """What the ranking needs of one application. ``amounts``: requested subsidy by year, roubles.

    ``gate_reasons``: why it is not recommended, or what is still open; ``lot``: what the public draw gave it.
    """

    application_id: str
    number: str
    total: Decimal | None
    amounts: Mapping[int, Decimal]
    hpj: int | None
    registered_at: datetime
    recommended: bool | None
    gate_reasons: tuple[Message, ...] = ()
    lot: str = ""

    @property
    def subsidy(self) -> Decimal:
        return sum(self.amounts.values(), Decimal(0))

    @property
    def subsidy_per_hpj(self) -> Fraction | None:
        """Roubles per new high-productivity job, exactly; None without such jobs."""
        return Fraction(self.subsidy) / self.hpj if self.hpj else None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A place, from 1; ``tie_reason`` tells what decided where another entry has the same total."""

    place: int
    entry: Entry
    tie_reason: Message | None


def rank(entries: Sequence[Entry], rules: RuleSet) -> list[Ranked]:
    """All entries in order; the order of the input does not matter. ValueError for a repeated number."""
    if len({entry.number for entry in entries}) != len(entries):
        raise ValueError("every application has a registration number of its own")
    ordered = sorted(entries, key=lambda entry: _key(entry, rules))
    reasons: dict[str, Message] = {}
    for upper, lower in pairwise(ordered):
        if upper.total is not None and _standing(upper) == _standing(lower):
            decided = _decided(upper, lower, rules)
            reasons.setdefault(
                upper.number,
                N_("Same total as %(other)s, placed above it: %(why)s", other=lower.number, why=decided),
            )
            reasons[lower.number] = N_(
                "Same total as %(other)s, placed below it: %(why)s", other=upper.number, why=decided
            )
    return [Ranked(place, entry, reasons.get(entry.number)) for place, entry in enumerate(ordered, start=1)]


def _standing(entry: Entry) -> tuple[int, Decimal]:
    group = {True: 0, None: 1, False: 2}[entry.recommended]
    return group, -entry.total if entry.total is not None else Decimal(1)


def _key(entry: Entry, rules: RuleSet) -> tuple[Any, ...]:
    return (*_standing(entry), *(_TIES[tie](entry) for tie in rules.tie_rules), entry.number)


def _jobs_key(entry: Entry) -> tuple[int, Fraction]:
    price = entry.subsidy_per_hpj
    return (1, Fraction(0)) if price is None else (0, price)


_TIES: Final[Mapping[TieRule, Callable[[Entry], Any]]] = {
    TieRule.SUBSIDY_PER_HPJ: _jobs_key,
    TieRule.REGISTERED_AT: lambda entry: entry.registered_at,
    TieRule.DRAW: lambda entry: (not entry.lot, entry.lot),
    TieRule.NUMBER: lambda entry: entry.number,
}


def _decided(upper: Entry, lower: Entry, rules: RuleSet) -> Message:
    """The first tie rule by which the two differ."""
    tie = next(tie for tie in (*rules.tie_rules, TieRule.NUMBER) if _TIES[tie](upper) != _TIES[tie](lower))
    if tie is TieRule.SUBSIDY_PER_HPJ:
        return N_(
            "less subsidy per high-productivity job (%(upper)s against %(lower)s).",
            upper=_price(upper),
            lower=_price(lower),
        )
    if tie is TieRule.REGISTERED_AT:
        return N_("registered earlier.")
    if tie is TieRule.DRAW:
        return N_("the public draw of lots.")
    return N_("lower registration number.")


def _price(entry: Entry) -> Figure | str:
    price = entry.subsidy_per_hpj
    if price is None:
        return "—"
    return roubles(number_of(price))


def number_of(value: Fraction) -> Decimal:
    """An exact fraction of roubles, rounded half up to kopecks, for showing it."""
    kopecks = (value * 100 * 2 + 1) // 2
    return Decimal(int(kopecks)).scaleb(-2)
