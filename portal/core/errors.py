"""Typed problems: what a verb may answer instead of doing its work.

A verb collects every :class:`Problem` it finds and raises them together, so that a person
sees the whole list at once. The web room turns the exceptions into pages and status codes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from portal.core.language import Message


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with the input.

    ``field`` is the dotted path of the input (``project.name_ru``, ``criteria.3.weight``), or ``""``
    when the whole form is meant; ``code`` is stable and meant for machines.
    """

    code: str
    field: str
    message: Message


class PortalError(Exception):
    """Base of all refusals that a person can understand and act upon."""


class Problems(PortalError):
    """The input has problems (422): all of them, in the order in which they were found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{p.field}: {p.code}" for p in self.problems))

    @classmethod
    def one(cls, code: str, field: str, message: Message) -> Problems:
        return cls([Problem(code, field, message)])


class Refused(PortalError):
    """The actor may see the object but may not do this with it (403)."""

    def __init__(self, reason: Message) -> None:
        self.reason = reason
        super().__init__(reason.msgid)


class NotFound(PortalError):
    """There is no such object, or the actor may not know of it (404, the same answer for both)."""


class Conflict(PortalError):
    """Somebody was faster: a stale version, a replayed form with another content, a closed state (409)."""

    def __init__(self, reason: Message) -> None:
        self.reason = reason
        super().__init__(reason.msgid)


class Stale(Conflict):
    """The row changed since the form was opened; ``current`` is the version now in the database."""

    def __init__(self, reason: Message, current: int) -> None:
        self.current = current
        super().__init__(reason)
