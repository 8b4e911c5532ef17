"""Transition tables: one per thing that has states, and the only way from one state to the next."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, TypeVar

from portal.core.errors import Conflict
from portal.core.language import N_

S = TypeVar("S", bound=StrEnum)


class Transitions(Generic[S]):
    """A table verb -> (states it starts from, state it leads to)."""

    def __init__(self, table: Mapping[str, tuple[frozenset[S], S]]) -> None:
        self._table = dict(table)

    def allows(self, verb: str, state: S) -> bool:
        """Whether ``verb`` may start from ``state``."""
        return state in self._table[verb][0]

    def after(self, verb: str, state: S) -> S:
        """The state that ``verb`` leads to from ``state``; :class:`Conflict` where it may not start."""
        sources, target = self._table[verb]
        if state not in sources:
            raise Conflict(N_("This is no longer possible: the state has changed. Open the page again."))
        return target

    def verbs(self) -> Mapping[str, tuple[frozenset[S], S]]:
        return dict(self._table)
