"""Rules of membership. Pure."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from portal.clusters.models import MembershipState as State
from portal.core.states import Transitions

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


def task_key(import_id: UUID) -> str:
    """The key under which the import's work is queued."""
    return f"register_import:{import_id}"
