"""One engine for all reminders: the rooms say what is due, each person is told at most once for each stage.

A room registers a source (:func:`source`), a function that yields what is due now. It may run as often as it
likes: the key of a :class:`Reminder` makes it reach each reader once, and a source yields only what is not done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from portal.core import jobs
from portal.core.clock import now
from portal.core.language import Message
from portal.notifications.service import Reader, tell

EVERY: Final = 15 * 60
"""Seconds between two rounds."""


@dataclass(frozen=True, slots=True)
class Reminder:
    """What to tell whom; ``key`` names the object, its deadline and the stage."""

    key: str
    kind: str
    readers: Sequence[Reader]
    subject: Message
    paragraphs: Sequence[Message]
    link: tuple[Message, str]
    about: tuple[str, UUID]


Source = Callable[[Session, datetime], Iterable[Reminder]]
_sources: dict[str, Source] = {}


def source(name: str) -> Callable[[Source], Source]:
    """Register a function that yields, given the session and the present instant, what is due."""

    def register(function: Source) -> Source:
        _sources[name] = function
        return function

    return register


def stage(due: datetime, at: datetime, days: Sequence[int]) -> int | None:
    """The stage that ``at`` lies in: the smallest of ``days`` not yet passed before ``due``; None outside.

    With 7, 3, 1: six days before it is 7, two days before 3, on the last day 1. A stage that was missed while
    the scheduler was away is skipped: people get the present one only.
    """
    left = due - at
    if left <= timedelta(0):
        return None
    return min((day for day in days if left <= timedelta(days=day)), default=None)


@jobs.handler("remind", every=EVERY)
def remind(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Go through all sources once."""
    run(session, now(session))


def run(session: Session, at: datetime) -> int:
    """Tell everybody what is due at ``at``. Returns how many people were told something new."""
    told = 0
    for found in _sources.values():
        for item in found(session, at):
            told += tell(
                session,
                item.readers,
                kind=item.kind,
                key=item.key,
                subject=item.subject,
                paragraphs=item.paragraphs,
                link=item.link,
                about=item.about,
            )
    return told
