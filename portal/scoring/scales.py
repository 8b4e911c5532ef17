"""A component made ready to score many projects: its scale in whole numbers, with every reason written beforehand.

The points are those of :meth:`portal.tenders.ruleset.Linear.score` and its like, found faster; a property test
holds them equal. Values are counted in units of :data:`UNIT`, points in steps of 0.0001: both are whole numbers, so
that nothing has to be rounded but once, at the end.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from math import lcm
from typing import Final, NamedTuple

from portal.core.canonical import plain_decimal
from portal.scoring.wording import Why, why
from portal.tenders.ruleset import Bands, Linear, Scale, YesNo

PLACES: Final = 8
"""Decimals of a number that somebody types; what is computed from numbers has four."""

UNIT: Final = Decimal(1).scaleb(-PLACES)
STEPS: Final = 10_000
"""Steps in one point."""

_POWERS: Final = tuple(10 ** (PLACES - places) for places in range(PLACES + 1))

Units = int | Fraction
Scored = tuple[int, Why]
"""Steps of 0.0001 points, and the reason."""


def units(text: str) -> Units:
    """A plain decimal in units: a whole number, or a fraction where it has more decimals than :data:`PLACES`."""
    whole, _, part = text.partition(".")
    places = len(part)
    return int(whole + part) * _POWERS[places] if places <= PLACES else Fraction(text) * 10**PLACES


@lru_cache(maxsize=10 * STEPS + 1)
def points_text(steps: int) -> str:
    """How the points of so many steps are written."""
    return plain_decimal(Decimal(steps).scaleb(-4))


def steps_of(points: Decimal) -> int:
    """Points in steps, half up; to be called inside :func:`portal.core.figures.exact`."""
    return int((points * STEPS).quantize(Decimal(1), ROUND_HALF_UP))


@lru_cache(maxsize=10_000)
def steps_exactly(points: Decimal) -> Units:
    """Points in steps: a whole number, or a fraction where they have more than four decimals."""
    top, bottom = points.as_integer_ratio()
    return Fraction(top * STEPS, bottom) if top * STEPS % bottom else top * STEPS // bottom


def half_up(total: Units, count: int) -> int:
    """``total / count`` in whole steps, half up, which for what is not negative is the floor of half a step more."""
    return int((2 * total + count) // (2 * count))


def ready(scale: Scale) -> Callable[[Units], Scored]:
    """The scale as a function; to be called inside :func:`portal.core.figures.exact`."""
    if isinstance(scale, YesNo):
        return _flag(scale)
    return _bands(scale) if isinstance(scale, Bands) else _linear(scale)


def _flag(scale: YesNo) -> Callable[[Units], Scored]:
    reason = why("flag")
    yes, no = (steps_of(scale.yes), reason), (steps_of(scale.no), reason)
    return lambda value: yes if value else no


def _bands(scale: Bands) -> Callable[[Units], Scored]:
    starts = [_exactly(start) for start, _ in scale.bands]
    first, most = scale.bands[0]
    below = (steps_of(most), why("at_most", x=first)) if scale.open_below else (0, why("below", x=first))
    reached = [below, *((steps_of(points), why("from", x=start)) for start, points in scale.bands)]
    return lambda value: reached[bisect_right(starts, value)]


def _linear(scale: Linear) -> Callable[[Units], Scored]:
    values = [_exactly(value) for value, _ in scale.points]
    last = len(values) - 1
    names = {0: "at_most", last: "at_least"}
    at = [(steps_of(y), why(names.get(place, "at"), x=x)) for place, (x, y) in enumerate(scale.points)]
    lines = [_line(*start, *end) for start, end in pairwise(scale.points)]

    def score(value: Units) -> Scored:
        place = bisect_left(values, value)
        if place > last:
            return at[last]
        if place == 0 or values[place] == value:
            return at[place]
        start, rise, run, reason = lines[place - 1]
        return (start + rise * value) // run, reason

    return score


class _Line(NamedTuple):
    """A piece of a scale in whole numbers: the steps of a value are ``(start + rise * value) // run``, half up."""

    start: int
    rise: int
    run: int
    why: Why


def _line(x0: Decimal, y0: Decimal, x1: Decimal, y1: Decimal) -> _Line:
    left, right, low, high = (Fraction(each) for each in (_exactly(x0), _exactly(x1), y0 * STEPS, y1 * STEPS))
    rise = (high - low) / (right - left)
    # Points are not negative, so half up is the floor of what is half a step more.
    start = low - left * rise + Fraction(1, 2)
    run = lcm(start.denominator, rise.denominator)
    return _Line(int(start * run), int(rise * run), run, why("between", x0=x0, y0=y0, x1=x1, y1=y1))


def _exactly(value: Decimal) -> Units:
    return units(plain_decimal(value))
