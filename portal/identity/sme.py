"""Small and medium-sized enterprises by the thresholds of Law 209-FZ, article 4, with the reason. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from portal.core.figures import number, percent, roubles
from portal.core.language import N_, Message

NONE: Final = "none"
SIZES: Final = ("micro", "small", "medium", NONE)

_LIMITS: Final = (
    ("micro", 15, Decimal(120_000_000)),
    ("small", 100, Decimal(800_000_000)),
    ("medium", 250, Decimal(2_000_000_000)),
)
"""Category, highest average headcount, highest yearly income in roubles."""

_LIGHT_INDUSTRY: Final = ("13", "14", "15")
"""Textiles, clothing and leather by OKVED 2: there a medium-sized enterprise may have a thousand people."""

_LIGHT_HEADCOUNT: Final = 1000
_MOST_STATE: Final = Decimal(25)
_MOST_LARGE: Final = Decimal(49)


@dataclass(frozen=True, slots=True)
class Status:
    """``category`` is None while a figure is missing that it depends on; ``reasons`` are sentences."""

    category: str | None
    reasons: tuple[Message, ...]


def status(
    headcount: int | None,
    income: Decimal | None,
    okved2: str = "",
    state_share: Decimal | None = None,
    large_share: Decimal | None = None,
) -> Status:
    """The category by headcount and income of last year (roubles) and by the owners' shares (per cent).

    ``state_share`` is held by the state, regions, municipalities and non-profit organisations, ``large_share`` by
    foreign companies and by companies that are no small or medium-sized enterprises. A share that is not given
    does not count against the organisation, and the reason says so.
    """
    barred = _owners(state_share, large_share)
    if barred:
        return Status(NONE, barred)
    if headcount is None or income is None:
        return Status(None, (N_("Enter the headcount and the income of last year: the category follows from them."),))
    limits = _limits(okved2)
    by_people = next((place for place, (_, most, _income) in enumerate(limits) if headcount <= most), len(limits))
    by_income = next((place for place, (_, _people, most) in enumerate(limits) if income <= most), len(limits))
    place = max(by_people, by_income)
    reasons = [_people_reason(headcount, by_people, limits), _income_reason(income, by_income, limits)]
    if place == len(limits):
        return Status(NONE, tuple(reasons))
    if state_share is None or large_share is None:
        reasons.append(N_("The shares of the owners are not given; above 25 or 49 per cent the category is lost."))
    else:
        reasons.append(N_("The shares of the owners are within the limits of 25 and 49 per cent."))
    return Status(limits[place][0], tuple(reasons))


def _limits(okved2: str) -> tuple[tuple[str, int, Decimal], ...]:
    if not okved2.startswith(_LIGHT_INDUSTRY):
        return _LIMITS
    name, _, income = _LIMITS[-1]
    return (*_LIMITS[:-1], (name, _LIGHT_HEADCOUNT, income))


def _owners(state_share: Decimal | None, large_share: Decimal | None) -> tuple[Message, ...]:
    found = []
    if state_share is not None and state_share > _MOST_STATE:
        message = N_(
            "The state and non-profit organisations hold %(share)s, more than %(most)s.",
            share=percent(state_share),
            most=percent(_MOST_STATE),
        )
        found.append(message)
    if large_share is not None and large_share > _MOST_LARGE:
        message = N_(
            "Foreign and large companies hold %(share)s, more than %(most)s.",
            share=percent(large_share),
            most=percent(_MOST_LARGE),
        )
        found.append(message)
    return tuple(found)


def _people_reason(headcount: int, place: int, limits: tuple[tuple[str, int, Decimal], ...]) -> Message:
    if place == len(limits):
        most = number(limits[-1][1])
        return N_(
            "The headcount of %(count)s is above the largest limit, %(most)s.", count=number(headcount), most=most
        )
    most = number(limits[place][1])
    return N_("The headcount of %(count)s is within %(most)s.", count=number(headcount), most=most)


def _income_reason(income: Decimal, place: int, limits: tuple[tuple[str, int, Decimal], ...]) -> Message:
    if place == len(limits):
        most = roubles(limits[-1][2])
        return N_("The income of %(sum)s is above the largest limit, %(most)s.", sum=roubles(income), most=most)
    return N_("The income of %(sum)s is within %(most)s.", sum=roubles(income), most=roubles(limits[place][2]))
