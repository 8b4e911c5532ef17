"""The way of an application through the procedure: what is done, what comes next, and by which day. Pure.

Days are the latest ones: counted in working days from the close of applications by the rule set's limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from portal.applications.models import State
from portal.applications.rules import COMMISSION
from portal.core.calendar import add_working_days
from portal.core.language import N_, Message
from portal.tenders.ruleset import RuleSet

DONE, NOW, NEXT, ENDED = "done", "now", "next", "ended"
"""States of a step; ``ended``: the way ends here without reaching the next step."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step. ``day`` is when it was done, or the latest day on which it is to be done; None where not known."""

    code: str
    title: Message
    state: str
    day: date | None
    note: Message | None = None


@dataclass(frozen=True, slots=True)
class Dates:
    """What the days follow from: instants with zone, and the due day of a correction."""

    closes_at: datetime | None
    received_at: datetime | None
    published_at: datetime | None
    correction_due: date | None
    zone: ZoneInfo

    def day(self, instant: datetime | None) -> date | None:
        return instant.astimezone(self.zone).date() if instant else None


PREPARE, CHECK, REVIEW, DECIDE, AGREE = "prepare", "check", "review", "decide", "agree"
TITLES: Final = {
    PREPARE: N_("Application"),
    CHECK: N_("Formal check"),
    REVIEW: N_("Reviews by experts"),
    DECIDE: N_("Decision and results"),
    AGREE: N_("Agreement"),
}
_AT: Final = {
    State.DRAFT: 0,
    State.WITHDRAWN: 0,
    State.SEALED: 1,
    State.SUBMITTED: 1,
    State.RETURNED: 1,
    State.REJECTED: 1,
    State.EXPERTISE: 2,
    COMMISSION: 3,
    State.AWARDED: 4,
    State.RESERVE: 3,
    State.DECLINED: 3,
    State.RENOUNCED: 4,
}
_ENDED: Final = frozenset({State.REJECTED, State.DECLINED, State.RENOUNCED})


def latest_days(closes: date, rules: RuleSet) -> dict[str, date]:
    """The latest day of each step after the close of applications."""
    checked = add_working_days(closes, rules.formal_check_days)
    reviewed = add_working_days(checked, rules.review_days)
    decided = reviewed
    for days in (rules.commission_days, rules.minutes_days, rules.order_days, rules.publication_days):
        decided = add_working_days(decided, days)
    agreed = add_working_days(decided, rules.agreement_days)
    return {CHECK: checked, REVIEW: reviewed, DECIDE: decided, AGREE: agreed}


def steps(
    state: str, dates: Dates, rules: RuleSet, *, agreed: bool = False, listed: Message | None = None
) -> list[Step]:
    """The five steps; ``state`` is what applicants may know (:func:`portal.applications.rules.public_state`).

    ``agreed``: the agreement is signed, so that the last step is done too. ``listed``: what those who may know it read
    of a list that is drafted and not decided yet.
    """
    if listed is not None:
        state = COMMISSION
    place = len(TITLES) if agreed and state == State.AWARDED else _AT.get(state, 0)
    closes = dates.day(dates.closes_at)
    latest: dict[str, date | None] = {PREPARE: closes, **(latest_days(closes, rules) if closes else {})}
    known = {PREPARE: dates.day(dates.received_at), DECIDE: dates.day(dates.published_at)}
    found = []
    for position, code in enumerate(TITLES):
        stands = DONE if position < place else NOW if position == place else NEXT
        if position == place and state in _ENDED:
            stands = ENDED
        elif position == place and state == State.RESERVE:
            stands = DONE
        day = known.get(code) if stands in (DONE, ENDED) else latest.get(code)
        if code == CHECK and state == State.RETURNED:
            day = dates.correction_due
        if place == len(TITLES) - 1 or state not in _ENDED or position <= place:
            note = listed if listed is not None and stands == NOW else _note(code, state, stands)
            found.append(Step(code, TITLES[code], stands, day, note))
    return found


def _note(code: str, state: str, stands: str) -> Message | None:
    if stands not in (NOW, ENDED) and state != State.RESERVE:
        return None
    notes = {
        (PREPARE, State.DRAFT): N_("Being filled in and signed by the participants."),
        (PREPARE, State.WITHDRAWN): N_("Withdrawn: it can be changed and submitted again until applications close."),
        (CHECK, State.SEALED): N_("Sealed: the fund opens all applications together after the closing."),
        (CHECK, State.SUBMITTED): N_("The fund checks completeness and eligibility."),
        (CHECK, State.RETURNED): N_("Returned: correct it and send it again in time."),
        (CHECK, State.REJECTED): N_("Not admitted."),
        (REVIEW, State.EXPERTISE): N_("Experts review the project. You need not do anything."),
        (DECIDE, COMMISSION): N_("The commission decides; the results are published for all."),
        (DECIDE, State.RESERVE): N_("On the reserve list: supported if money becomes free."),
        (DECIDE, State.DECLINED): N_("Not supported."),
        (AGREE, State.AWARDED): N_("The fund sends the agreement."),
        (AGREE, State.RENOUNCED): N_("The initiator has refused the subsidy."),
    }
    return notes.get((code, state))
