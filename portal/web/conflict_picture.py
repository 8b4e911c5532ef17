"""The paths of a conflict as a picture: the person at the left, the application at the right, numbered steps between.

Steps that several paths share are drawn once. The places follow from the paths alone.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from portal.review.conflicts import Edge, Kind, Path

WIDTH: Final = 150
HEIGHT: Final = 48
COLUMN: Final = 214
ROW: Final = 68
MARGIN: Final = 12
LETTERS: Final = 19
LINES: Final = 2


@dataclass(frozen=True, slots=True)
class Box:
    """A person, an organisation, a cluster or an application; ``words`` whole, ``lines`` as they fit."""

    words: str
    lines: tuple[str, ...]
    x: int
    y: int
    kind: str

    @property
    def middle(self) -> int:
        return self.y + HEIGHT // 2


@dataclass(frozen=True, slots=True)
class Arrow:
    """A step: its curve, its number and where the number stands."""

    number: int
    path: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Picture:
    """``steps``: every step once, in the order of its number."""

    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    steps: tuple[Edge, ...]
    width: int
    height: int
    box_width: int = WIDTH
    box_height: int = HEIGHT


_ENDS: Final = frozenset(
    {Kind.DECLARED, Kind.INITIATOR, Kind.PARTICIPANT, Kind.SPECIALISED, Kind.CLUSTER, Kind.COMPETITOR}
)


def draw(paths: Sequence[Path], locale: str) -> Picture:
    """Places for all that the paths name, each in the column of its longest way from the person."""
    steps = tuple({_key(edge): edge for path in paths for edge in path}.values())
    depth: dict[str, int] = {}
    names: dict[str, tuple[str, str]] = {}
    for path in paths:
        for place, edge in enumerate(path):
            left, right = edge.left["ru"], edge.right["ru"]
            if place == 0:
                depth[left], names[left] = 0, (edge.left[locale], "person")
            depth[right] = max(depth.get(right, 0), place + 1)
            kind = "application" if edge.kind in _ENDS else "cluster" if edge.kind is Kind.CLUSTER_MEMBER else "firm"
            names.setdefault(right, (edge.right[locale], kind))
    last = max(depth.values(), default=0)
    depth = {key: last if names[key][1] == "application" else place for key, place in depth.items()}
    columns: dict[int, list[str]] = {}
    for key, place in depth.items():
        columns.setdefault(place, []).append(key)
    tallest = max((len(keys) for keys in columns.values()), default=0)
    boxes = {}
    for place, keys in columns.items():
        top = MARGIN + (tallest - len(keys)) * ROW // 2
        for row, key in enumerate(keys):
            words, kind = names[key]
            boxes[key] = Box(words, _lines(words), MARGIN + place * COLUMN, top + row * ROW, kind)
    beside: Counter[tuple[str, str]] = Counter()
    arrows = []
    for number, edge in enumerate(steps, 1):
        ends = edge.left["ru"], edge.right["ru"]
        arrows.append(_arrow(number, boxes[ends[0]], boxes[ends[1]], beside[ends]))
        beside[ends] += 1
    width = MARGIN * 2 + WIDTH + COLUMN * last
    return Picture(tuple(boxes.values()), tuple(arrows), steps, width, MARGIN * 2 + ROW * tallest - (ROW - HEIGHT))


def _key(edge: Edge) -> tuple[str, ...]:
    return (edge.kind, edge.left["ru"], edge.right["ru"], edge.detail)


def _arrow(number: int, left: Box, right: Box, place: int) -> Arrow:
    """``place``: how many steps between the same two stand before it; their numbers stand one below another."""
    start, end = left.x + WIDTH, right.x - 3
    half = (start + end) // 2
    path = f"M{start} {left.middle}C{half} {left.middle} {half} {right.middle} {end} {right.middle}"
    return Arrow(number, path, half, (left.middle + right.middle) // 2 + place * 22)


def _lines(words: str) -> tuple[str, ...]:
    return tuple(textwrap.wrap(words, LETTERS, max_lines=LINES, placeholder="…"))
