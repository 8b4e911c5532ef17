"""Who reviews what: the inputs, the prices and the answer of the assignment. Pure.

The best fitting reviewers are wanted, evenly loaded, never in conflict. Prices are whole numbers, lower is better:
what an expert lacks in fit, a rising one for each further review of an expert, so that loads are even, and one for each
review of a cluster beyond its fair share. :mod:`portal.review.assignment_flow` finds the cheapest plan; decision 13.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from portal.core.errors import PortalError
from portal.core.language import N_
from portal.tenders.ruleset import GENERAL

CLASS_POINTS: Final = ((5, 85), (4, 75), (3, 60), (2, 45))
"""Digits that an expert's class and a project's code have in common, and the points of fit they give."""

NEUTRAL: Final = 30
"""Points of an expert without classes, or for a project without codes: a lawyer need not know the product."""

LANE_POINTS: Final = 10
LANGUAGE_POINTS: Final = 5
PERFECT: Final = 100
FULL_LOAD: Final = 60
"""What the last review before the limit costs; the first costs nothing, those between by their share."""

CROWDED: Final = 20
"""What each review beyond the fair share of a cluster costs."""

MOVED: Final = 2
"""What must be gained at least before somebody who was asked is replaced."""

SECONDS: Final = 60.0
"""For how long the solver may look for the cheapest plan."""

Pair = tuple[UUID, UUID]


@dataclass(frozen=True, slots=True)
class Expert:
    """A reviewer of the pool.

    ``classes``: prefixes of OKPD 2 and OKVED 2, digits only; ``lanes``: codes, empty for any; ``limit``: most
    unfinished reviews in the tender; ``load``: those that stay; ``absent``: away for most of the review's time.
    """

    id: UUID
    classes: frozenset[str] = frozenset()
    lanes: frozenset[str] = frozenset()
    languages: frozenset[str] = frozenset({"ru"})
    limit: int = 15
    load: int = 0
    absent: bool = False


@dataclass(frozen=True, slots=True)
class Project:
    """An application: ``codes`` of product and activity, digits only; ``abroad``: papers in English may be expected."""

    id: UUID
    cluster: UUID
    codes: frozenset[str] = frozenset()
    abroad: bool = False


@dataclass(frozen=True, slots=True)
class Need:
    """So many reviewers are wanted in a lane of a project."""

    project: UUID
    lane: str
    count: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """All that decides. Pairs are (expert, project).

    ``barred``: in conflict; ``undecided``: perhaps in conflict, until an officer decides; ``taken``: asked in another
    way, so not again; ``present``: asked, but free to be moved, with the lane; ``held``: (expert, cluster) -> reviews
    that stay.
    """

    experts: Sequence[Expert]
    projects: Sequence[Project]
    needs: Sequence[Need]
    barred: frozenset[Pair] = frozenset()
    undecided: frozenset[Pair] = frozenset()
    taken: frozenset[Pair] = frozenset()
    present: Mapping[Pair, str] = field(default_factory=dict)
    held: Mapping[Pair, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The same for any order of the parts: what the digest of a plan is made of."""
        return {
            "format": 1,
            "experts": sorted(
                [
                    str(each.id),
                    sorted(each.classes),
                    sorted(each.lanes),
                    sorted(each.languages),
                    each.limit,
                    each.load,
                    each.absent,
                ]
                for each in self.experts
            ),
            "projects": sorted(
                [str(each.id), str(each.cluster), sorted(each.codes), each.abroad] for each in self.projects
            ),
            "needs": sorted([str(each.project), each.lane, each.count] for each in self.needs),
            "barred": _pairs(self.barred),
            "undecided": _pairs(self.undecided),
            "taken": _pairs(self.taken),
            "present": sorted([str(who), str(what), lane] for (who, what), lane in self.present.items()),
            "held": sorted([str(who), str(what), count] for (who, what), count in self.held.items()),
        }


def _pairs(pairs: Iterable[Pair]) -> list[list[str]]:
    return sorted([str(who), str(what)] for who, what in pairs)


@dataclass(frozen=True, slots=True)
class Choice:
    """An expert for a lane of a project, with the points of fit, 0..100."""

    project: UUID
    lane: str
    expert: UUID
    fit: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """``count`` reviewers are missing. ``reasons`` puts every expert of the pool under one word.

    ``lane``: works in others; ``taken``: has to do with this project already; ``conflict``, ``undecided``,
    ``language``, ``absent``; ``load``: at the limit.
    """

    project: UUID
    lane: str
    count: int
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Plan:
    """The best plan, or one at most ``gap`` away from it. ``cost`` without what shortages cost; lower is better."""

    choices: tuple[Choice, ...]
    shortages: tuple[Shortage, ...]
    cost: int
    gap: float
    rounds: int

    @property
    def optimal(self) -> bool:
        return self.gap == 0


class OutOfTime(PortalError):
    """No plan at all within the time."""

    reason = N_("No plan was found in the time that was given.")


def depth(first: str, second: str) -> int:
    """How many digits two codes have in common from the left."""
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def class_points(classes: frozenset[str], codes: frozenset[str]) -> int:
    """The points of fit for the field of work: by the best match of any class with any code."""
    if not classes or not codes:
        return NEUTRAL
    best = max(depth(one, code) for one in classes for code in codes)
    return next((points for digits, points in CLASS_POINTS if best >= digits), 0)


def fit(expert: Expert, project: Project, lane: str) -> int:
    """How well an expert fits a lane of a project, 0..100."""
    points = class_points(expert.classes, project.codes)
    points += LANE_POINTS if lane in expert.lanes or lane == GENERAL else 0
    return points + (LANGUAGE_POINTS if "en" in expert.languages or not project.abroad else 0)


def load_cost(number: int, limit: int) -> int:
    """What the ``number``-th review of an expert costs, counted from 1: the first nothing, each further more."""
    return round(FULL_LOAD * (number - 1) / limit)


def fair_share(inputs: Inputs) -> int:
    """How many reviews of one cluster an expert has if all is spread evenly; at least one."""
    wanted = sum(need.count for need in inputs.needs) + sum(inputs.held.values())
    experts = sum(not each.absent and each.load < each.limit for each in inputs.experts) or 1
    clusters = len({project.cluster for project in inputs.projects}) or 1
    return max(-(-wanted // (experts * clusters)), 1)


def cost_of(inputs: Inputs, choices: Iterable[Choice]) -> int:
    """The price of a plan by its definition, without what is left open: what :func:`solve` makes as small as it can."""
    experts = {each.id: each for each in inputs.experts}
    projects = {each.id: each for each in inputs.projects}
    loads = {each.id: each.load for each in inputs.experts}
    crowds = dict(inputs.held)
    share, total = fair_share(inputs), 0
    for choice in choices:
        expert, project = experts[choice.expert], projects[choice.project]
        total += PERFECT - fit(expert, project, choice.lane)
        total -= MOVED if inputs.present.get((expert.id, project.id)) == choice.lane else 0
        loads[expert.id] += 1
        total += load_cost(loads[expert.id], expert.limit)
        place = (expert.id, project.cluster)
        crowds[place] = crowds.get(place, 0) + 1
        total += CROWDED if crowds[place] > share else 0
    return total
