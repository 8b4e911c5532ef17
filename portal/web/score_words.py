"""What an explained score is shown with: what would have moved the application above the line it did not reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from flask_babel import gettext as _

from portal.awards.commission.appeals import Standing
from portal.awards.queries import lowest_awarded
from portal.core.db import session
from portal.core.figures import Figure, number
from portal.core.language import N_, Message
from portal.scoring.moves import Move, moves
from portal.scoring.queries import Explained
from portal.scoring.wording import written
from portal.tenders.metrics import METRICS
from portal.web.language import locale, say

_CENT: Final = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class MoveWords:
    """A change in words: criterion and metric, what is, what would have been enough, the points it brings."""

    criterion: str
    title: str
    metric: str
    now: str
    target: str
    gain: Decimal
    how: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line that the application did not reach, the points it lacks, and what alone would have been enough."""

    title: Message
    goal: Decimal
    gap: Decimal
    moves: Sequence[MoveWords]


def lines_above(found: Explained, decided: Standing | None = None) -> list[Line]:
    """The threshold if it was not reached, and the last award if the total is below it; empty while it is open.

    ``decided``: how the application stands, where that has been read: it tells the last award.
    """
    total = found.sheet.total
    if total is None:
        return []
    goals = []
    if total < found.rules.threshold:
        goals.append((N_("the threshold"), found.rules.threshold))
    last = decided.lowest if decided else lowest_awarded(session(), found.tender_track_id)
    if last is not None and total < last:
        goals.append((N_("the last project that was supported"), last + _CENT))
    if not goals:
        return []
    return [
        Line(
            title,
            goal,
            goal - total,
            [_worded(found, move) for move in moves(found.sheet, found.facts, found.rules, goal)],
        )
        for title, goal in goals
    ]


def _worded(found: Explained, move: Move) -> MoveWords:
    title = found.rules.criterion(move.criterion).title[locale()]
    how = "" if move.how is None else say(move.how)
    if move.metric is None:
        experts = _("Mean of the experts, of 10 points")
        now = "" if move.value is None else number(move.value)[locale()]
        return MoveWords(move.criterion, title, experts, now, number(move.target)[locale()], move.gain, how)
    metric = METRICS[move.metric]
    now = _("not filled in") if move.value is None else said(written(metric, move.value))
    return MoveWords(move.criterion, title, say(metric.title), now, said(written(metric, move.target)), move.gain, how)


def said(text: Message | Figure) -> str:
    """A value in its unit, in the language of the page."""
    return say(text) if isinstance(text, Message) else text[locale()]
