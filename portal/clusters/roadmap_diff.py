"""What changed between two versions of a roadmap, action by action. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from portal.clusters.profile_models import RoadmapAction

COMPARED: Final = (
    "kind",
    "title_ru",
    "title_en",
    "responsible_id",
    "starts_on",
    "ends_on",
    "indicator_ru",
    "indicator_en",
    "state",
)


class Change(StrEnum):
    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class ActionChange:
    """An action in two versions: ``before`` is None for a new one, ``after`` for one that is gone.

    ``fields``: the names of what differs.
    """

    code: str
    change: Change
    before: RoadmapAction | None
    after: RoadmapAction | None
    fields: tuple[str, ...] = ()


def compare(before: Iterable[RoadmapAction], after: Iterable[RoadmapAction]) -> list[ActionChange]:
    """Every action of either version once, by code."""
    old = {action.code: action for action in before}
    new = {action.code: action for action in after}
    return [_compared(code, old.get(code), new.get(code)) for code in sorted(old.keys() | new.keys(), key=order)]


def order(code: str) -> int:
    """The place of a code: RM-09 before RM-10 before RM-100."""
    return int(code.removeprefix("RM-"))


def _compared(code: str, before: RoadmapAction | None, after: RoadmapAction | None) -> ActionChange:
    if before is None:
        return ActionChange(code, Change.ADDED, None, after)
    if after is None:
        return ActionChange(code, Change.REMOVED, before, None)
    differing = tuple(name for name in COMPARED if _value(before, name) != _value(after, name))
    return ActionChange(code, Change.CHANGED if differing else Change.SAME, before, after, differing)


def _value(action: RoadmapAction, name: str) -> Any:
    return getattr(action, name)
