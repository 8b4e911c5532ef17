"""A component made ready to score many projects: its scale with every reason written beforehand.

The points are those of :meth:`portal.tenders.ruleset.Linear.score` and its like, found faster; a property test
holds them equal.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
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
    values = [value for value, _ in scale.points]
    last = len(values) - 1
    names = {0: "at_most", last: "at_least"}
    at = [scored(y, why(names.get(place, "at"), x=x)) for place, (x, y) in enumerate(scale.points)]
    lines = [
        (x0, y0, y1 - y0, x1 - x0, why("between", x0=x0, y0=y0, x1=x1, y1=y1))
        for (x0, y0), (x1, y1) in pairwise(scale.points)
    ]

    def score(value: Decimal) -> Scored:
        place = bisect_left(values, value)
        if place > last:
            return at[last]
        if place == 0 or values[place] == value:
            return at[place]
        x0, y0, rise, run, reason = lines[place - 1]
        return scored(y0 + (value - x0) * rise / run, reason)

    return score
