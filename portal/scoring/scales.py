"""A component made ready to score many projects: its scale with every reason written beforehand.

The points are those of :meth:`portal.tenders.ruleset.Linear.score` and its like, found faster; a property test
holds them equal.
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


class Scored(NamedTuple):
    """Points of 0 to 10 with four decimals, the same in text, and the reason."""

    points: Decimal
    text: str
    why: Why


_STEP: Final = Decimal("0.0001")
_STEPS: Final = 10_000


def ready(scale: Scale) -> Callable[[Decimal], Scored]:
    """The scale as a function; to be called inside :func:`portal.core.figures.exact`."""
    if isinstance(scale, YesNo):
        return _flag(scale)
    return _bands(scale) if isinstance(scale, Bands) else _linear(scale)


def scored(points: Decimal, reason: Why) -> Scored:
    """Points rounded to four decimals."""
    rounded = points.quantize(_STEP, ROUND_HALF_UP)
    return Scored(rounded, plain_decimal(rounded), reason)


def _flag(scale: YesNo) -> Callable[[Decimal], Scored]:
    reason = why("flag")
    yes, no = scored(scale.yes, reason), scored(scale.no, reason)
    return lambda value: yes if value else no


def _bands(scale: Bands) -> Callable[[Decimal], Scored]:
    starts = [start for start, _ in scale.bands]
    first, most = scale.bands[0]
    reached = [scored(most, why("at_most", x=first)) if scale.open_below else scored(Decimal(0), why("below", x=first))]
    reached += [scored(points, why("from", x=start)) for start, points in scale.bands]
    return lambda value: reached[bisect_right(starts, value)]


def _linear(scale: Linear) -> Callable[[Decimal], Scored]:
    """Between two points in whole numbers: as exact as a division of sixty digits, and several times faster."""
    values = [value for value, _ in scale.points]
    last = len(values) - 1
    names = {0: "at_most", last: "at_least"}
    at = [scored(y, why(names.get(place, "at"), x=x)) for place, (x, y) in enumerate(scale.points)]
    lines = [_line(*start, *end) for start, end in pairwise(scale.points)]

    def score(value: Decimal) -> Scored:
        place = bisect_left(values, value)
        if place > last:
            return at[last]
        if place == 0 or values[place] == value:
            return at[place]
        measure, start, height, rise, run, reason = lines[place - 1]
        top, bottom = value.as_integer_ratio()
        steps, below = height * bottom + (top * measure - start * bottom) * rise, run * bottom
        # Half up; points are not negative.
        points, text = _points((2 * steps + below) // (2 * below))
        return Scored(points, text, reason)

    return score


class _Line(NamedTuple):
    """A piece of a scale in whole numbers: ``(height + (value * measure - start) * rise) / run`` steps of 0.0001."""

    measure: int
    start: int
    height: int
    rise: int
    run: int
    why: Why


def _line(x0: Decimal, y0: Decimal, x1: Decimal, y1: Decimal) -> _Line:
    left, right, low, high = (Fraction(each) for each in (x0, x1, y0, y1))
    measure = left.denominator
    height, rise = low * _STEPS, (high - low) / (right - left) * _STEPS / measure
    run = lcm(height.denominator, rise.denominator)
    reason = why("between", x0=x0, y0=y0, x1=x1, y1=y1)
    return _Line(measure, left.numerator, int(height * run), int(rise * run), run, reason)


@lru_cache(maxsize=100_001)
def _points(steps: int) -> tuple[Decimal, str]:
    """The points of so many steps of 0.0001, and how they are written; there are 100,001 of them."""
    points = steps * _STEP
    return points, plain_decimal(points)
