"""Scales as small pictures: the points from 0 to 10 over the values of a metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from portal.core.figures import decimal_of
from portal.tenders.ruleset import MAX_POINTS, Bands, Linear, Scale

WIDTH: Final = 260
HEIGHT: Final = 110
LEFT: Final = 24
RIGHT: Final = 250
TOP: Final = 10
BOTTOM: Final = 88
MARGIN: Final = Decimal("0.12")


@dataclass(frozen=True, slots=True)
class Mark:
    """A point of the scale in the picture's units, with its value and its points."""

    x: float
    y: float
    value: Decimal
    points: Decimal


@dataclass(frozen=True, slots=True)
class Picture:
    """``line`` and ``area`` are lists of coordinates for SVG, ``marks`` the points that the rules name."""

    line: str
    area: str
    marks: tuple[Mark, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def picture(scale: Scale) -> Picture | None:
    """The curve of a linear scale, the steps of a banded one, nothing for yes/no."""
    if isinstance(scale, Linear):
        return _drawn(scale.points, steps=False)
    if isinstance(scale, Bands):
        return _drawn(scale.bands, steps=True, start=None if scale.open_below else Decimal(0))
    return None


def as_typed(scale: Mapping[str, Any]) -> Picture | None:
    """The picture of a scale as it stands in a form, in the order of its values.

    None for yes/no, and while fewer points are readable than a line or a step needs. What is not a value with 0 to
    10 points is left out, as ``static/js/scales.js`` leaves it out while it is typed. Falling steps are open below, as
    a draft keeps them.
    """
    kind = scale.get("kind")
    typed = scale.get("points" if kind == "linear" else "bands") or ()
    pairs = ((decimal_of(pair[0]), decimal_of(pair[1])) for pair in typed if len(pair) == 2)
    points = sorted((x, y) for x, y in pairs if x is not None and y is not None and 0 <= y <= MAX_POINTS)
    values = [value for value, _ in points]
    least = {"linear": 2, "bands": 1}.get(str(kind))
    if least is None or len(points) < least or len(set(values)) < len(values):
        return None
    steps = kind == "bands"
    falls = points[0][1] > points[-1][1]
    return _drawn(points, steps=steps, start=Decimal(0) if steps and not falls else None)


def _drawn(points: Sequence[tuple[Decimal, Decimal]], *, steps: bool, start: Decimal | None = None) -> Picture:
    """``start``: the points below the first value; those of the first value where None."""
    low, high = points[0][0], points[-1][0]
    margin = (high - low) * MARGIN or Decimal(1)
    low, high = low - margin, high + margin

    def place(value: Decimal, score: Decimal) -> tuple[float, float]:
        x = LEFT + float((value - low) / (high - low)) * (RIGHT - LEFT)
        return round(x, 1), round(BOTTOM - float(score / MAX_POINTS) * (BOTTOM - TOP), 1)

    corners = [(low, points[0][1] if start is None else start)]
    for value, score in points:
        if steps:
            corners.append((value, corners[-1][1]))
        corners.append((value, score))
    corners.append((high, points[-1][1]))
    line = " ".join(f"{x},{y}" for x, y in (place(*corner) for corner in corners))
    return Picture(
        line=line,
        area=f"{LEFT},{BOTTOM} {line} {RIGHT},{BOTTOM}",
        marks=tuple(Mark(*place(value, score), value, score) for value, score in points),
    )
