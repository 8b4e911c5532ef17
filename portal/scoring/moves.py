"""What would have moved an application above a line: changes of one value alone that bring the points it lacks.

Pure. A change leaves every other metric as it is, as in :mod:`portal.scoring.advice`; where one value feeds several
metrics (a smaller request does), the true effect is larger. Targets are rounded towards more points.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

from portal.applications.figures.facts import Facts
from portal.core.figures import exact
from portal.core.language import Message
from portal.scoring.advice import how, most_of, points_of, target_for, weighted
from portal.scoring.engine import value_of
from portal.scoring.sheets import ToldLine, ToldSheet
from portal.tenders.ruleset import MAX_POINTS, Component, Criterion, RuleSet

_STEP: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Move:
    """One change. ``metric`` is None for an expert criterion, whose ``value`` and ``target`` are its points.

    ``gain``: by how much the total rises; ``how``: the change in terms of what is filled in.
    """

    criterion: str
    metric: str | None
    value: Decimal | None
    target: Decimal
    gain: Decimal
    how: Message | None = None


def moves(sheet: ToldSheet, facts: Facts, rules: RuleSet, goal: Decimal) -> list[Move]:
    """Every change of one value that alone brings the total to ``goal``, in the order of the criteria.

    Empty when nothing alone would, when the total is open, or when it is there already.
    """
    if sheet.total is None or sheet.total >= goal:
        return []
    gap = goal - sheet.total
    lines = {line.code: line for line in sheet.lines}
    with exact():
        return [
            move
            for criterion in rules.criteria
            if criterion.code in lines
            for move in (
                _by_experts(criterion, lines[criterion.code], gap)
                if criterion.expert
                else _by_metric(criterion, facts, gap)
            )
        ]


def _by_experts(criterion: Criterion, line: ToldLine, gap: Decimal) -> Iterator[Move]:
    if line.points is None or line.weighted is None:
        return
    needed = ((line.weighted + gap) * MAX_POINTS / criterion.weight).quantize(_STEP, ROUND_CEILING)
    if needed <= MAX_POINTS:
        yield Move(criterion.code, None, line.points, needed, gap)


def _by_metric(criterion: Criterion, facts: Facts, gap: Decimal) -> Iterator[Move]:
    held = [(item, value_of(facts, item.metric)) for item in criterion.components]
    points = [points_of(item.scale, value) for item, value in held]
    now = weighted(criterion, held, points)
    for place, (component, value) in enumerate(held):
        most = most_of(component.scale)

        def reached(given: Decimal, at: int = place) -> Decimal:
            return weighted(criterion, held, [*points[:at], given, *points[at + 1 :]]) - now

        if reached(most) < gap:
            continue
        lacking = (now + gap) * MAX_POINTS / criterion.weight - _without(held, points, place)
        needed = min((lacking / component.share).quantize(_STEP, ROUND_CEILING), most)
        for wanted in (needed, most):
            target = target_for(component, wanted)
            if target is None or target == value:
                continue
            gain = reached(component.scale.score(target))
            if gain >= gap:
                yield Move(criterion.code, component.metric, value, target, gain, how(component.metric, target, facts))
                break


def _without(held: Sequence[tuple[Component, Decimal | None]], points: Sequence[Decimal], place: int) -> Decimal:
    """The criterion's points without one component."""
    return sum(
        (each * item.share for at, (each, (item, _)) in enumerate(zip(points, held, strict=True)) if at != place),
        Decimal(0),
    )
