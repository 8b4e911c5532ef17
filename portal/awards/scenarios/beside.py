"""What the other track leaves of the limits over both tracks, for scenarios of one track. Pure; decision 18.

A scenario changes one track. The other one is taken as it stands: its awards are counted in the limits, and what is
left of them are limits of this track. Percent is of the envelopes of both as they are now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum

from portal.awards.allocation.inputs import JOINT
from portal.awards.allocation.problem import EACH, PERCENT, PROJECTS, ROUBLES, SME, Candidate, Limit
from portal.tenders.ruleset import AllocationLimit


class Other(StrEnum):
    """How the other track stands: its list is drafted or signed, an allocation of both was computed, or neither."""

    DECIDED = "decided"
    COMPUTED = "computed"
    OPEN = "open"


def left_of(
    limits: Sequence[AllocationLimit], taken: Sequence[Candidate], own: Iterable[Candidate], whole: Decimal
) -> tuple[Limit, ...]:
    """A limit for each group that is counted: what the awards of the other track leave of it, never below zero.

    ``taken``: its awards, ``asked`` being what they are granted; ``own``: the projects of this track; ``whole``:
    roubles in the envelopes of both.
    """
    projects = list(own)
    found = []
    for limit in limits:
        field, value = limit.field.value, SME if limit.field.value == SME else limit.value.strip()
        groups = {value} if value != EACH else set().union(*(each.groups(field) for each in (*projects, *taken)))
        for group in sorted(groups):
            held = [each for each in taken if group in each.groups(field)]
            counted = limit.unit.value == PROJECTS
            used = Decimal(len(held)) if counted else sum((sum(each.asked.values()) for each in held), Decimal(0))
            factor = whole / 100 if limit.unit.value == PERCENT else Decimal(1)
            least = None if limit.least is None else max(limit.least * factor - used, Decimal(0))
            most = None if limit.most is None else max(limit.most * factor - used, Decimal(0))
            unit = PROJECTS if counted else ROUBLES
            found.append(Limit(f"{JOINT}{limit.code}:{group}", field, group, least or None, most, unit))
    return tuple(each for each in found if each.least is not None or each.most is not None)
