"""Scales: from a metric's value to points between 0 and 10, exactly.

Points are kept to four decimals, half up, on every version of Python.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar, Final

from portal.core.figures import exact, four_places

MAX_POINTS: Final = Decimal(10)


@dataclass(frozen=True, slots=True)
class Linear:
    """Straight lines between the points ``(value, points)``; outside them the nearest point counts."""

    points: tuple[tuple[Decimal, Decimal], ...]

    kind: ClassVar[str] = "linear"

    def score(self, value: Decimal) -> Decimal:
        low, high = self.between(value)
        if low == high:
            return four_places(low[1])
        (x0, y0), (x1, y1) = low, high
        with exact():
            return four_places(y0 + (value - x0) * (y1 - y0) / (x1 - x0))

    def between(self, value: Decimal) -> tuple[tuple[Decimal, Decimal], tuple[Decimal, Decimal]]:
        """The two points around ``value``: the same one twice at a point and outside."""
        previous = self.points[0]
        for point in self.points:
            if value == point[0]:
                return point, point
            if value < point[0]:
                return (point, point) if point is self.points[0] else (previous, point)
            previous = point
        return previous, previous


@dataclass(frozen=True, slots=True)
class Bands:
    """Steps: from each ``(from value, points)`` upward the points count.

    Below the first there are none, but for ``open_below``: there the points of the first count too, so that on a
    falling scale the best values have the most points. Only falling scales may be open, and those that are written
    since are; rules published before keep what they said.
    """

    bands: tuple[tuple[Decimal, Decimal], ...]
    open_below: bool = False

    kind: ClassVar[str] = "bands"

    @property
    def falling(self) -> bool:
        """Whether smaller values bring more points."""
        return self.bands[0][1] > self.bands[-1][1]

    def score(self, value: Decimal) -> Decimal:
        band = self.band(value)
        return four_places(band[1] if band else Decimal(0))

    def band(self, value: Decimal) -> tuple[Decimal, Decimal] | None:
        """The highest step that ``value`` reaches; below the first that one on an open scale, or None."""
        reached = self.bands[0] if self.open_below else None
        for band in self.bands:
            if value >= band[0]:
                reached = band
        return reached


@dataclass(frozen=True, slots=True)
class YesNo:
    """Points for yes (value 1) and for no (value 0)."""

    yes: Decimal
    no: Decimal

    kind: ClassVar[str] = "yes_no"

    def score(self, value: Decimal) -> Decimal:
        return four_places(self.yes if value else self.no)


Scale = Linear | Bands | YesNo
