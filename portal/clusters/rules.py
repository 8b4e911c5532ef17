"""Rules of membership and of a cluster's conformity (Decree 779). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from portal.clusters.models import MembershipState as State
from portal.core.language import N_, Message
from portal.core.states import Transitions

MIN_INDUSTRIAL_MEMBERS: Final = 10
MIN_FINAL_PRODUCERS: Final = 1
MAX_PRODUCT: Final = 300
MAX_REASON: Final = 1000

MEMBERSHIP: Final = Transitions(
    {
        "request": (frozenset({State.REFUSED, State.LEFT}), State.REQUESTED),
        "confirm": (frozenset({State.REQUESTED}), State.CONFIRMED),
        "refuse": (frozenset({State.REQUESTED}), State.REFUSED),
        "leave": (frozenset({State.REQUESTED, State.CONFIRMED}), State.LEFT),
    }
)


@dataclass(frozen=True, slots=True)
class Conformity:
    """One requirement to a cluster with the value found and the limit; both are counts."""

    code: str
    title: Message
    value: int
    limit: int

    @property
    def holds(self) -> bool:
        return self.value >= self.limit


def conformity(industrial_members: int, final_producers: int) -> tuple[Conformity, ...]:
    """Requirements that the register itself can answer, by the counts of confirmed members."""
    return (
        Conformity(
            "CL-01",
            N_("Industrial enterprises among the members"),
            industrial_members,
            MIN_INDUSTRIAL_MEMBERS,
        ),
        Conformity("CL-02", N_("Makers of the final product among them"), final_producers, MIN_FINAL_PRODUCERS),
    )


def task_key(import_id: UUID) -> str:
    """The key under which the import's work is queued."""
    return f"register_import:{import_id}"
