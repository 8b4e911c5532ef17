"""How the money of a track is given out: the policy, and the limits of the programme on groups of projects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from portal.core.errors import Problem
from portal.core.language import N_
from portal.tenders.ruleset.texts import Text


class Allotment(StrEnum):
    """Decision 17 defines each."""

    STRICT = "strict"
    SKIPPING = "skipping"
    PARTIAL = "partial"
    BEST_TOTAL = "best_total"


class LimitField(StrEnum):
    """What makes the groups of a limit. Region and category are those of the initiator."""

    REGION = "region"
    CLUSTER = "cluster"
    CATEGORY = "category"
    ORGANISATION = "organisation"
    SME = "sme"


class LimitUnit(StrEnum):
    """Percent: of what the envelopes of the track hold before the decision, all years together."""

    PROJECTS = "projects"
    ROUBLES = "roubles"
    PERCENT = "percent"


@dataclass(frozen=True, slots=True)
class AllocationLimit:
    """At least and at most for the awards of a group. ``value``: the code of a region, the code of a cluster, a
    category (micro, small, medium), the INN of an organisation; ``*`` for each that occurs; nothing for SMEs."""

    code: str
    title: Text
    field: LimitField
    value: str
    least: Decimal | None
    most: Decimal | None
    unit: LimitUnit


MOST_LIMITS: Final = 40
SMALLEST_PART: Final = Decimal(50)
"""Percent of what is asked for a year that a part is at least, where the rules say nothing."""
OFFER_DAYS: Final = 5
"""Working days in which an initiator answers an offer of a part, where the rules say nothing."""
LONGEST_OFFER: Final = 30
HUNDRED: Final = Decimal(100)


def part_faults(smallest_part: Decimal, offer_days: int) -> Iterator[Problem]:
    """What does not hold of the terms of partial funding."""
    if not 0 < smallest_part <= HUNDRED:
        yield Problem("out_of_range", "smallest_part", N_("A share above zero and at most 100 percent."))
    if not 1 <= offer_days <= LONGEST_OFFER:
        message = N_("Give a whole number from 1 to %(most)s.", most=LONGEST_OFFER)
        yield Problem("out_of_range", "offer_days", message)


def faults(limits: Sequence[AllocationLimit]) -> Iterator[Problem]:
    """What does not hold, with the path of its field."""
    if len(limits) > MOST_LIMITS:
        yield Problem("too_many", "limits", N_("There can be at most %(most)s limits.", most=MOST_LIMITS))
    for place, limit in enumerate(limits):
        yield from _faults(f"limits.{place}", limit)


def _faults(path: str, limit: AllocationLimit) -> Iterator[Problem]:
    if limit.field is not LimitField.SME and not limit.value.strip():
        message = N_("Say which one is meant, or * for each of them.")
        yield Problem("required", f"{path}.value", message)
    if limit.least is None and limit.most is None:
        yield Problem("required", f"{path}.most", N_("Give at least one of the two bounds."))
    for name, bound in (("least", limit.least), ("most", limit.most)):
        if bound is None:
            continue
        if bound < 0 or (limit.unit is LimitUnit.PERCENT and bound > HUNDRED):
            message = N_("A bound is not below zero, and a percentage at most 100.")
            yield Problem("out_of_range", f"{path}.{name}", message)
        elif limit.unit is LimitUnit.PROJECTS and bound != bound.to_integral_value():
            yield Problem("not_whole", f"{path}.{name}", N_("Projects are counted in whole numbers."))
    if limit.least is not None and limit.most is not None and limit.least > limit.most:
        yield Problem("out_of_order", f"{path}.most", N_("The upper bound lies below the lower one."))
