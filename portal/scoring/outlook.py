"""What the intervals say of the ranking: the line, who may be on either side of it, and where another review pays.

Pure. Totals are points of 100; an interval is that of the expert criteria's calibrated values, weighted, beside the
objective criteria, which have no error of measurement. Criteria are scored by different reviewers or aspects and are
taken as independent of each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from portal.core.figures import exact, number, percent, two_places
from portal.core.language import N_, Message

PROBABLE: Final = (Decimal("0.1"), Decimal("0.9"))
"""Between these probabilities of getting money another review could change the outcome."""


@dataclass(frozen=True, slots=True)
class Standing:
    """An application's total as it counts, with its standard error and 90 % interval, points of 100.

    ``chance``: probability of being among those that get money, None where there is no line.
    """

    number: str
    total: Decimal
    error: Decimal
    low: Decimal
    high: Decimal
    reviews: int
    chance: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """One more review that could change the outcome, and why."""

    number: str
    chance: Decimal
    reason: Message


def fitting(ordered: Sequence[Mapping[int, Decimal]], available: Mapping[int, Decimal]) -> int:
    """How many of the first requests (roubles by year) the money of every year allows; as the award list is drawn."""
    left = dict(available)
    for place, amounts in enumerate(ordered):
        if any(amount > left.get(year, Decimal(0)) for year, amount in amounts.items()):
            return place
        left = {year: amount - amounts.get(year, Decimal(0)) for year, amount in left.items()}
    return len(ordered)


def line(ordered: Sequence[Standing], places: int) -> Decimal | None:
    """Half-way between the last total that gets money and the next, highest first; None where nobody is cut off."""
    if not 0 < places < len(ordered):
        return None
    with exact():
        return two_places((ordered[places - 1].total + ordered[places].total) / 2)


def zone(ordered: Sequence[Standing], cut: Decimal | None) -> list[Standing]:
    """The tie zone: those whose interval holds the line. Points alone do not tell on which side of it they belong."""
    return [] if cut is None else [each for each in ordered if each.low <= cut <= each.high]


def proposals(ordered: Sequence[Standing], cut: Decimal | None, most: int) -> list[Proposal]:
    """Applications with fewer than ``most`` reviews whose side of the line is open, the most open first."""
    if cut is None:
        return []
    least, largest = PROBABLE
    found = [
        Proposal(each.number, each.chance, _why(each, cut, each.chance))
        for each in ordered
        if each.chance is not None and least <= each.chance <= largest and each.reviews < most
    ]
    return sorted(found, key=lambda each: (abs(each.chance - Decimal("0.5")), each.number))


def _why(each: Standing, cut: Decimal, chance: Decimal) -> Message:
    return N_(
        "Its total lies between %(low)s and %(high)s with 90 %% certainty, the line at %(line)s: the probability of"
        " being above it is %(chance)s on %(reviews)s reviews.",
        low=number(two_places(each.low)),
        high=number(two_places(each.high)),
        line=number(cut),
        chance=percent((chance * 100).quantize(Decimal(1))),
        reviews=each.reviews,
    )
