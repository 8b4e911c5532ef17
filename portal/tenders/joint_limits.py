"""Limits over all tracks of a tender: kept with the tender, frozen with its publication. Pure; decision 17.

Their shape is that of a rule set's limits; percent is of the envelopes of all tracks together. One allocation over
all tracks is found within them, so its tracks give out their money by the same policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from portal.core.errors import Problem, Problems
from portal.core.language import N_
from portal.core.typed_json import Unreadable, read, write
from portal.tenders.models import Tender
from portal.tenders.ruleset import AllocationLimit, RuleSet
from portal.tenders.ruleset.allocation import faults
from portal.tenders.ruleset.invariants import codes, filled

PATH: Final = "limits"
"""Where the problems of :func:`from_json` stand: ``limits.0.most``."""


def from_json(data: object) -> tuple[AllocationLimit, ...]:
    """The limits in ``data``; raises :class:`Problems` with every fault of shape, or else of content, at once."""
    problems: list[Problem] = []
    try:
        limits = cast(tuple[AllocationLimit, ...], read(tuple[AllocationLimit, ...], data, PATH, problems))
    except Unreadable:
        raise Problems(problems) from None
    problems += codes(PATH, limits)
    for place, limit in enumerate(limits):
        problems += filled(f"{PATH}.{place}.title", limit.title)
    problems += faults(limits)
    if problems:
        raise Problems(problems)
    return limits


def to_json(limits: Sequence[AllocationLimit]) -> list[Any]:
    """The limits as JSON without floats: ``from_json(to_json(limits)) == limits``."""
    return cast(list[Any], write(tuple(limits)))


def limits_of(tender: Tender) -> tuple[AllocationLimit, ...]:
    """The limits over all tracks of a tender, () for none."""
    return from_json(tender.joint_limits) if tender.joint_limits else ()


def publication_problems(tender: Tender, rules: Mapping[str, RuleSet]) -> list[Problem]:
    """Why limits over the tracks cannot hold; ``rules``: track -> its rules. () where there are none."""
    if not tender.joint_limits:
        return []
    found: list[Problem] = []
    if len(rules) < 2:
        message = N_("Limits over both tracks need a tender with two tracks: remove them, or add a track.")
        found.append(Problem("one_track", "joint_limits", message))
    if len({held.allotment for held in rules.values()}) > 1:
        message = N_(
            "Limits over both tracks need the same way of giving out the money in both: choose it in the rules of the"
            " tracks, or remove these limits."
        )
        found.append(Problem("allotments_differ", "joint_limits", message))
    return found
