"""The functional map as a picture: suppliers left of those they supply, the final product at the right.

The place of each member follows from the supplies alone, so that the same map is always drawn the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

MAX_LAYERS: Final = 5
BOX_WIDTH: Final = 190
BOX_HEIGHT: Final = 40
COLUMN: Final = 280
ROW: Final = 54
MARGIN: Final = 14
LINE: Final = 24
SWEEPS: Final = 6


@dataclass(frozen=True, slots=True)
class Member:
    """A member as the picture needs it; ``words``: its name, which is cut into two lines."""

    id: UUID
    words: str
    final: bool


@dataclass(frozen=True, slots=True)
class Flow:
    """All supplies of a year from one member to another."""

    supplier: UUID
    buyer: UUID
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Box:
    member: Member
    number: int
    x: int
    y: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arrow:
    """A curve from a supplier to its buyer; ``weight`` 1 to 3 by volume."""

    flow: Flow
    path: str
    weight: int
    supplier: int
    buyer: int


@dataclass(frozen=True, slots=True)
class Picture:
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    width: int
    height: int
    box_width: int = BOX_WIDTH
    box_height: int = BOX_HEIGHT


def draw(members: Sequence[Member], flows: Sequence[Flow]) -> Picture:
    """Places for every member that supplies or buys, and for the final producers; curves for every flow."""
    known = {member.id: member for member in members}
    flows = sorted(
        (flow for flow in flows if flow.supplier in known and flow.buyer in known),
        key=lambda flow: (flow.supplier.hex, flow.buyer.hex),
    )
    linked = {key for flow in flows for key in (flow.supplier, flow.buyer)}
    shown = [member for member in members if member.id in linked or member.final]
    layers = _ordered(_layers(shown, flows), shown, flows)
    tallest = max((len(layer) for layer in layers), default=0)
    boxes = _boxes(layers, known, tallest)
    places = {box.member.id: box for box in boxes}
    width = MARGIN * 2 + BOX_WIDTH + COLUMN * max(0, len(layers) - 1)
    height = MARGIN * 2 + ROW * tallest
    limits = _limits([flow.volume for flow in flows])
    arrows = tuple(
        Arrow(
            flow,
            _curve(places[flow.supplier], places[flow.buyer]),
            1 + sum(flow.volume > limit for limit in limits),
            places[flow.supplier].number,
            places[flow.buyer].number,
        )
        for flow in flows
    )
    return Picture(boxes, arrows, width, height)


def _layers(members: Sequence[Member], flows: Sequence[Flow]) -> dict[UUID, int]:
    """How many steps each member is away from the end of its longest chain; circles are cut open."""
    forward = _without_circles(members, flows)
    depth: dict[UUID, int] = {}

    def measure(key: UUID) -> int:
        if key not in depth:
            depth[key] = max((1 + measure(buyer) for buyer in forward[key]), default=0)
        return depth[key]

    for member in members:
        measure(member.id)
    last = {member.id for member in members if member.final}
    # Who does not make the final product stands left of those who do.
    return {key: 0 if key in last else min(max(1, steps), MAX_LAYERS - 1) for key, steps in depth.items()}


def _without_circles(members: Sequence[Member], flows: Sequence[Flow]) -> dict[UUID, list[UUID]]:
    onward: dict[UUID, list[UUID]] = {member.id: [] for member in members}
    for flow in flows:
        onward[flow.supplier].append(flow.buyer)
    kept: dict[UUID, list[UUID]] = {member.id: [] for member in members}
    state: dict[UUID, int] = {}

    def walk(key: UUID) -> None:
        state[key] = 1
        for buyer in onward[key]:
            if state.get(buyer) == 1:
                continue
            kept[key].append(buyer)
            if buyer not in state:
                walk(buyer)
        state[key] = 2

    for member in members:
        if member.id not in state:
            walk(member.id)
    return kept


def _ordered(depth: Mapping[UUID, int], members: Sequence[Member], flows: Iterable[Flow]) -> list[list[UUID]]:
    """The columns from left to right; within each, members near to those they trade with."""
    names = {member.id: (member.words, member.id.hex) for member in members}
    layers: list[list[UUID]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for key in sorted(depth, key=lambda key: names[key]):
        layers[len(layers) - 1 - depth[key]].append(key)
    layers = [layer for layer in layers if layer]
    near: dict[UUID, list[UUID]] = {key: [] for key in depth}
    for flow in flows:
        near[flow.supplier].append(flow.buyer)
        near[flow.buyer].append(flow.supplier)
    for sweep in range(SWEEPS):
        place = {key: (index + 0.5) / len(layer) for layer in layers for index, key in enumerate(layer)}
        for layer in layers if sweep % 2 else reversed(layers):
            layer.sort(key=lambda key: (_middle(key, near, place), names[key]))
            place |= {key: (index + 0.5) / len(layer) for index, key in enumerate(layer)}
    return layers


def _middle(key: UUID, near: Mapping[UUID, Sequence[UUID]], place: Mapping[UUID, float]) -> float:
    others = near[key]
    return round(sum(place[other] for other in others) / len(others), 6) if others else 1.0


def _boxes(layers: Sequence[Sequence[UUID]], known: Mapping[UUID, Member], tallest: int) -> tuple[Box, ...]:
    boxes: list[Box] = []
    for column, layer in enumerate(layers):
        step = ROW * tallest / len(layer)
        for row, key in enumerate(layer):
            y = round(MARGIN + step * (row + 0.5) - BOX_HEIGHT / 2)
            lines = two_lines(known[key].words)
            boxes.append(Box(known[key], len(boxes) + 1, MARGIN + COLUMN * column, y, lines))
    return tuple(boxes)


def _curve(supplier: Box, buyer: Box) -> str:
    """From the right side of the supplier to the left side of the buyer; within a column around its right."""
    y1, y2 = supplier.y + BOX_HEIGHT // 2, buyer.y + BOX_HEIGHT // 2
    x1 = supplier.x + BOX_WIDTH
    if supplier.x < buyer.x:
        bend = (buyer.x - x1) // 2
        return f"M{x1} {y1}C{x1 + bend} {y1} {buyer.x - bend} {y2} {buyer.x} {y2}"
    x2 = buyer.x + BOX_WIDTH
    out = max(x1, x2) + 46
    return f"M{x1} {y1}C{out} {y1} {out} {y2} {x2} {y2}"


def _limits(volumes: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """The thirds of the volumes, for three widths of line."""
    rising = sorted(volumes)
    if len(rising) < 3:
        return ()
    return rising[len(rising) // 3], rising[2 * len(rising) // 3]


def two_lines(words: str, width: int = LINE) -> tuple[str, ...]:
    """The name on at most two lines of ``width`` characters, cut with an ellipsis."""
    first, rest = "", words.split()
    while rest and len(f"{first} {rest[0]}".strip()) <= width:
        first = f"{first} {rest.pop(0)}".strip()
    second = " ".join(rest)
    if not first:
        return (words if len(words) <= width else words[: width - 1] + "…",)
    if len(second) > width:
        second = second[: width - 1].rstrip() + "…"
    return (first, second) if second else (first,)
