"""Calls that another process may make meanwhile: who makes them changes nothing but the time. Pure; decision 17."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Helper(Protocol):
    """Somebody who keeps one thing at a time and makes calls on it, in their order."""

    def ready(self) -> bool:
        """Whether there is somebody now."""
        ...

    def keep(self, thing: Callable[[Any], Any]) -> bool:
        """Send a thing, instead of the last one; False when there is nobody to take it."""
        ...

    def call(self, asked: object) -> int | None:
        """Have a call made on what is kept: the turn to ask its answer by, None when there is nobody to make it."""
        ...

    def answer(self, turn: int) -> tuple[Any, Exception | None] | None:
        """What the call gave, or what it raised; None when that will not be known."""
        ...


class Calls(Generic[Q, A]):
    """Calls on one thing, made by the helper if there is one now, or here. :meth:`begin` one, do something else, and
    :meth:`end` it. ``thing``: gives the same answers to the same calls in the same order. Where the helper is lost
    midway, all of its calls are made here again."""

    def __init__(self, thing: Callable[[Q], A], helper: Helper | None) -> None:
        self._thing = thing
        self._helper = helper if helper is not None and helper.keep(thing) else None
        self._asked: list[Q] = []
        self._turn: int | None = None

    def begin(self, asked: Q) -> None:
        self._asked.append(asked)
        self._turn = None if self._helper is None else self._helper.call(asked)

    def end(self) -> A:
        """Raises what the thing raises."""
        if self._helper is not None:
            got = None if self._turn is None else self._helper.answer(self._turn)
            if got is not None:
                found, fault = got
                if fault is not None:
                    raise fault
                answer: A = found
                return answer
            self._helper = None
            for asked in self._asked[:-1]:
                self._thing(asked)
        return self._thing(self._asked[-1])
