"""The calendar of a tender: every step with its instant or last day, and what that follows from.

A step is an instant of the notice, a day counted in working days from another step by the rule set's limits, or
the day on which an amendment has put it; the steps after it are then counted from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from portal.core import calendar
from portal.core.errors import Problem
from portal.core.language import N_, Message
from portal.tenders.rules import Dated
from portal.tenders.ruleset import RuleSet

QUESTIONS: Final = "questions"


class Scheduled(Dated, Protocol):
    """A tender as far as its calendar follows from it; see :class:`portal.tenders.models.Tender`."""

    question_days: int
    moved: dict[str, str]


@dataclass(frozen=True, slots=True)
class Milestone:
    """A step of the procedure: an instant ``at``, or the last ``day`` of a period, never both.

    ``after`` is the code of the step that the day is counted from, ``working_days`` the length of the period:
    negative where it is counted back. ``moved``: an amendment has set the day itself.
    """

    code: str
    title: Message
    at: datetime | None = None
    day: date | None = None
    after: str = ""
    working_days: int | None = None
    moved: bool = False

    def ends(self, zone: ZoneInfo) -> datetime:
        """The instant from which the step is over; a day ends at 24:00 in the tender's zone."""
        if self.at is not None:
            return self.at
        assert self.day is not None
        return calendar.end_of_day(self.day, zone)

    def date(self, zone: ZoneInfo) -> date:
        """The day of the step in the tender's zone."""
        if self.day is not None:
            return self.day
        assert self.at is not None
        return self.at.astimezone(zone).date()


_STEPS: Final = (
    ("formal_check", N_("Formal check of completeness and eligibility"), "closes", "formal_check_days"),
    ("correction", N_("Correction of returned applications"), "formal_check", "correction_days"),
    ("expertise", N_("Expert review"), "formal_check", "review_days"),
    ("commission", N_("Meeting of the commission"), "expertise", "commission_days"),
    ("minutes", N_("Minutes of the meeting"), "commission", "minutes_days"),
    ("order", N_("Order on the winners"), "minutes", "order_days"),
    ("results", N_("Publication of the results"), "order", "publication_days"),
    ("agreement", N_("Agreements with the winners"), "results", "agreement_days"),
)
"""Code, title, the step it is counted from, and the limit of the rule set, in working days."""

TITLES: Final[Mapping[str, Message]] = {
    "announced": N_("Notice published"),
    "opens": N_("Applications are accepted from"),
    QUESTIONS: N_("Questions are taken until"),
    "closes": N_("Applications are accepted until"),
    **{code: title for code, title, _, _ in _STEPS},
}
MOVABLE: Final = (QUESTIONS, *(code for code, _, _, _ in _STEPS))
"""Steps that an amendment may put on another day."""


def milestones(tender: Scheduled, rules: RuleSet, place: ZoneInfo) -> list[Milestone]:
    """The calendar by the rules of one track, in the order of the procedure; empty parts where dates are missing."""
    known = (
        ("announced", tender.published_at),
        ("opens", tender.opens_at),
        (QUESTIONS, None),
        ("closes", tender.closes_at),
    )
    found = [Milestone(code, TITLES[code], at=at) for code, at in known if at is not None]
    if tender.closes_at is None:
        return found
    closing = tender.closes_at.astimezone(place).date()
    found.insert(-1, _questions(tender, closing))
    days = {"closes": closing}
    for code, title, after, limit in _STEPS:
        length: int = getattr(rules, limit)
        moved = _moved(tender, code)
        days[code] = moved or calendar.add_working_days(days[after], length)
        if code == "results" and tender.results_published_at is not None:
            at = tender.results_published_at
            days[code] = at.astimezone(place).date()
            found.append(Milestone(code, title, at=at))
            continue
        found.append(Milestone(code, title, None, days[code], after, length, moved is not None))
    return found


def _questions(tender: Scheduled, closing: date) -> Milestone:
    """Questions are taken to the end of the day that lies ``question_days`` working days before the closing."""
    moved = _moved(tender, QUESTIONS)
    day = moved or calendar.subtract_working_days(closing, tender.question_days)
    return Milestone(QUESTIONS, TITLES[QUESTIONS], None, day, "closes", -tender.question_days, moved is not None)


def _moved(tender: Scheduled, code: str) -> date | None:
    held = tender.moved.get(code)
    return date.fromisoformat(held) if held else None


def calendar_of(tender: Scheduled, rules: Iterable[RuleSet], place: ZoneInfo) -> list[Milestone]:
    """The calendar of the whole tender: where its tracks differ, the later day of each step."""
    plans = [milestones(tender, held, place) for held in rules]
    return [max(steps, key=lambda step: step.date(place)) for steps in zip(*plans, strict=True)]


def questions_until(tender: Scheduled, place: ZoneInfo) -> datetime | None:
    """The instant at which questions are over; never later than the closing itself."""
    if tender.closes_at is None:
        return None
    closing = tender.closes_at.astimezone(place).date()
    return min(_questions(tender, closing).ends(place), tender.closes_at)


def order_problems(steps: Sequence[Milestone], place: ZoneInfo) -> list[Problem]:
    """Steps that come before the one they are counted from, or questions that end after the closing.

    The field of a problem is that of the amendment's form: ``day-CODE``.
    """
    by_code = {step.code: step for step in steps}
    found = []
    for step in steps:
        basis = by_code.get(step.after)
        if basis is None or not step.moved:
            continue
        day, other = step.date(place), basis.date(place)
        if step.code == QUESTIONS:
            opens = by_code.get("opens")
            wrong = day > other or (opens is not None and day < opens.date(place))
        else:
            wrong = day < other
        if wrong:
            message = N_("This day does not agree with the step “%(step)s”.", step=basis.title)
            found.append(Problem("out_of_order", f"day-{step.code}", message))
    return found
