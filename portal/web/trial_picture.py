"""Who moves, as a picture: a line for each application from its place to the one it would have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from portal.scoring.dry_runs import Moved

WIDTH: Final = 720
LEFT: Final = 190
RIGHT: Final = 530
TOP: Final = 34
STEP: Final = 20


@dataclass(frozen=True, slots=True)
class Slope:
    """One application: heights of its places left and right; ``css`` tells up, down or level."""

    number: str
    before: int
    after: int
    y_before: int
    y_after: int
    css: str
    crossed: bool


@dataclass(frozen=True, slots=True)
class Slopes:
    """The picture in SVG's units."""

    rows: tuple[Slope, ...]
    height: int
    width: int = WIDTH
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP


def slopes(rows: Sequence[Moved]) -> Slopes | None:
    """The lines of some applications; the left side has their places in order, without the gaps between them."""
    if not rows:
        return None
    ordered = sorted(rows, key=lambda row: row.line.place_before or 0)
    heights = {row.submission_id: TOP + STEP * at for at, row in enumerate(ordered)}
    found = tuple(
        Slope(
            number=row.number,
            before=row.line.place_before or 0,
            after=row.line.place_after or 0,
            y_before=heights[row.submission_id],
            y_after=TOP + STEP * at,
            css="up" if row.by > 0 else "down" if row.by < 0 else "level",
            crossed=row.crossed,
        )
        for at, row in enumerate(rows)
    )
    return Slopes(found, TOP + STEP * (len(rows) - 1) + 16)
