"""The award list that follows from the ranking and the money left: a proposal for the commission.

In rank order every recommended project is proposed while the year limits allow all of its amounts; the first
that does not fit, and every one after it, forms the reserve list in the same order. A project is taken whole
or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from portal.awards.models import Award
from portal.core.errors import Problem, Problems
from portal.core.figures import roubles
from portal.core.language import N_, Message
from portal.scoring.ranking import Entry, Ranked
from portal.scoring.wording import joined


@dataclass(frozen=True, slots=True)
class Line:
    """One application's proposal. ``amounts``: the subsidy by year, roubles; empty unless it is an award."""

    application_id: str
    place: int
    outcome: Award
    amounts: Mapping[int, Decimal]
    reason: Message


def propose(ranked: Sequence[Ranked], available: Mapping[int, Decimal]) -> list[Line]:
    """A line for every ranked application, in order; no year gets more than ``available``.

    Raises Problems naming every application whose score is still open: nothing can be proposed before.
    """
    unscored = [item.entry for item in ranked if item.entry.recommended is None]
    if unscored:
        raise Problems(not_scored(entry) for entry in unscored)
    left = dict(available)
    first_out: Entry | None = None
    lines: list[Line] = []
    for item in sorted(ranked, key=lambda ranked_item: ranked_item.place):
        entry = item.entry
        if not entry.recommended:
            lines.append(Line(entry.application_id, item.place, Award.DECLINE, {}, declined(entry)))
            continue
        if first_out is None:
            short = _short(entry, left)
            if short is None:
                left = {year: amount - entry.amounts.get(year, Decimal(0)) for year, amount in left.items()}
                amounts = {year: amount for year, amount in sorted(entry.amounts.items()) if amount}
                lines.append(Line(entry.application_id, item.place, Award.AWARD, amounts, _awarded(item)))
                continue
            first_out, reason = entry, short
        else:
            reason = N_("After %(other)s, which did not fit into the budget: reserve list.", other=first_out.number)
        lines.append(Line(entry.application_id, item.place, Award.RESERVE, {}, reason))
    return lines


def not_scored(entry: Entry) -> Problem:
    """What keeps a list from being proposed: an application whose score is open."""
    return Problem(
        "not_scored",
        f"application.{entry.number}",
        N_("%(number)s: the score is not complete yet.", number=entry.number),
    )


def _short(entry: Entry, left: Mapping[int, Decimal]) -> Message | None:
    """Why the amounts do not fit: the first year whose limit is too small."""
    for year, asked in sorted(entry.amounts.items()):
        free = left.get(year, Decimal(0))
        if asked > free:
            return N_(
                "In %(year)s it asks for %(asked)s, but %(left)s is left: reserve list.",
                year=year,
                asked=roubles(asked),
                left=roubles(free),
            )
    return None


def _awarded(item: Ranked) -> Message:
    return N_("Place %(place)s: the whole request fits into the budget of every year.", place=item.place)


def declined(entry: Entry) -> Message:
    """Why a project is not to be supported."""
    reasons = entry.gate_reasons or (N_("The project is not recommended."),)
    return joined(reasons)
