"""An envelope over time as stacked steps, in the units of the SVG: 760 by 250."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from math import ceil
from typing import Final

from portal.budget.models import Account
from portal.budget.series import Point
from portal.core.clock import MOSCOW
from portal.core.money import ZERO

LEFT: Final = 62
RIGHT: Final = 750
TOP: Final = 15
BOTTOM: Final = 215
MOST_TICKS: Final = 5
STACK: Final = (
    (Account.PAID, "jp-fill-1"),
    (Account.COMMITTED, "jp-fill-2"),
    (Account.RESERVED, "jp-fill-3"),
    (Account.RETURNED, "jp-fill-7"),
    (Account.CARRIED_OVER, "jp-fill-11"),
    (Account.AVAILABLE, "jp-fill-4"),
)
"""From the ground up; together they are what was given."""


@dataclass(frozen=True, slots=True)
class Area:
    """One account: the corners of its area."""

    account: Account
    css: str
    points: str


@dataclass(frozen=True, slots=True)
class Burn:
    """The picture: areas from the ground up, ``rows`` (height, roubles), ``columns`` (place, day)."""

    areas: tuple[Area, ...]
    rows: tuple[tuple[int, Decimal], ...]
    columns: tuple[tuple[int, date], ...]


def burn(points: Sequence[Point]) -> Burn | None:
    """None where there is nothing to draw."""
    top = max((point.appropriated for point in points), default=ZERO)
    if len(points) < 2 or not top:
        return None
    step = _step(top)
    count = ceil(top / step)
    whole = step * count
    first, last = points[0].at, points[-1].at
    xs = [_across(point.at, first, last) for point in points]
    ground = [ZERO] * len(points)
    areas = []
    for account, css in STACK:
        roof = [low + point.balances[account] for low, point in zip(ground, points, strict=True)]
        if roof != ground:
            areas.append(
                Area(account, css, _corners(xs, [_up(v, whole) for v in ground], [_up(v, whole) for v in roof]))
            )
        ground = roof
    rows = tuple((_up(step * place, whole), step * place) for place in range(count + 1))
    marks = sorted({0, len(points) // 3, 2 * len(points) // 3, len(points) - 1})
    columns = tuple((xs[at], points[at].at.astimezone(MOSCOW).date()) for at in marks)
    return Burn(tuple(areas), rows, columns)


def _across(at: datetime, first: datetime, last: datetime) -> int:
    return LEFT + round((RIGHT - LEFT) * ((at - first) / (last - first)))


def _up(value: Decimal, whole: Decimal) -> int:
    return BOTTOM - round((BOTTOM - TOP) * value / whole)


def _corners(xs: Sequence[int], low: Sequence[int], high: Sequence[int]) -> str:
    """Steps: a value holds until the next point."""
    there = [(xs[0], high[0])]
    for at in range(1, len(xs)):
        there += [(xs[at], high[at - 1]), (xs[at], high[at])]
    back = [(xs[-1], low[-1])]
    for at in range(len(xs) - 1, 0, -1):
        back += [(xs[at], low[at - 1]), (xs[at - 1], low[at - 1])]
    return " ".join(f"{x},{y}" for x, y in _without_repeats(there + back))


def _without_repeats(corners: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return [corner for at, corner in enumerate(corners) if at == 0 or corner != corners[at - 1]]


def _step(top: Decimal) -> Decimal:
    """A round step with which at most five reach the top."""
    power = Decimal(1)
    while True:
        for times in (1, 2, 5):
            if top / (power * times) <= MOST_TICKS:
                return power * times
        power *= 10
