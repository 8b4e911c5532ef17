"""Schedules of agreements: what is proposed, what is wrong with one, what it adds up to. Pure; amounts in roubles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from portal.agreements.models import AgreementState, DueKind
from portal.core.errors import Problem
from portal.core.figures import roubles
from portal.core.language import N_
from portal.core.money import ZERO, MoneyError, exact, share_down
from portal.core.states import Transitions

MAX_TEXT: Final = 500
MAX_NUMBER: Final = 60
MOST_ROWS: Final = 24
RETURN_DAYS: Final = 30
"""Calendar days in which money that is asked back has to come."""

STATES: Final = Transitions[AgreementState](
    {
        "save": (frozenset({AgreementState.DRAFT}), AgreementState.DRAFT),
        "discard": (frozenset({AgreementState.DRAFT}), AgreementState.DISCARDED),
        "sign": (frozenset({AgreementState.DRAFT}), AgreementState.SIGNED),
        "pay": (frozenset({AgreementState.SIGNED}), AgreementState.SIGNED),
        "shrink": (frozenset({AgreementState.SIGNED}), AgreementState.SIGNED),
        "end": (frozenset({AgreementState.SIGNED}), AgreementState.ENDED),
        "recover": (frozenset({AgreementState.SIGNED, AgreementState.ENDED}), AgreementState.SIGNED),
    }
)
"""``recover`` leaves the state as it is."""


@dataclass(frozen=True, slots=True)
class TrancheValues:
    """A tranche as it is written: the year of its money is that of the planned day."""

    planned_on: date
    amount: Decimal
    condition: str = ""


@dataclass(frozen=True, slots=True)
class ResultValues:
    title: str
    target: str
    due_on: date


@dataclass(frozen=True, slots=True)
class DueValues:
    kind: DueKind
    title: str
    due_on: date


@dataclass(frozen=True, slots=True)
class Draft:
    """All that is written into an agreement before it is signed."""

    fund_signatory: str = ""
    recipient_signatory: str = ""
    tranches: Sequence[TrancheValues] = field(default_factory=tuple)
    results: Sequence[ResultValues] = field(default_factory=tuple)
    dues: Sequence[DueValues] = field(default_factory=tuple)


def propose(awarded: Mapping[int, Decimal], today: date) -> list[tuple[date, Decimal]]:
    """Two tranches a year, by the end of June and in December; one where the first half is over or the sum is small."""
    found = []
    for year, amount in sorted(awarded.items()):
        days = [date(year, 6, 30), date(year, 12, 15)]
        later = [day for day in days if day > today] or days[-1:]
        parts = share_down(amount, [1] * len(later))
        found += [(day, part) for day, part in zip(later, parts, strict=True) if part]
    return found


def report_days(awarded: Mapping[int, Decimal]) -> list[date]:
    """The twentieth day after each half of the years of the money."""
    return [day for year in sorted(awarded) for day in (date(year, 7, 20), date(year + 1, 1, 20))]


def by_year(rows: Iterable[tuple[int, Decimal]]) -> dict[int, Decimal]:
    """Year -> sum, roubles; years without money are not there."""
    found: dict[int, Decimal] = {}
    for year, amount in rows:
        found[year] = found.get(year, ZERO) + amount
    return {year: amount for year, amount in sorted(found.items()) if amount}


def rest(awarded: Mapping[int, Decimal], agreed: Mapping[int, Decimal]) -> dict[int, Decimal]:
    """What the agreement does not bind of the award, by year."""
    return by_year((year, amount - agreed.get(year, ZERO)) for year, amount in awarded.items())


def draft_problems(draft: Draft, awarded: Mapping[int, Decimal]) -> list[Problem]:
    """What is wrong with what was written. Fields: ``tranches.0.amount`` and so on, in the order given."""
    found = [
        *_text("fund_signatory", draft.fund_signatory, needed=False),
        *_text("recipient_signatory", draft.recipient_signatory, needed=False),
    ]
    for name, rows in (("tranches", draft.tranches), ("results", draft.results), ("dues", draft.dues)):
        if len(rows) > MOST_ROWS:
            found.append(Problem("too_many", name, N_("There can be no more than %(count)s rows.", count=MOST_ROWS)))
    for at, tranche in enumerate(draft.tranches):
        found += amount_problems(tranche.amount, f"tranches.{at}.amount")
        found += _text(f"tranches.{at}.condition", tranche.condition, needed=False)
        if tranche.planned_on.year not in awarded:
            message = N_("The award has no money in %(year)s.", year=tranche.planned_on.year)
            found.append(Problem("no_money", f"tranches.{at}.planned_on", message))
    for at, result in enumerate(draft.results):
        found += _text(f"results.{at}.title", result.title)
        found += _text(f"results.{at}.target", result.target)
    for at, due in enumerate(draft.dues):
        found += _text(f"dues.{at}.title", due.title)
    return found or _sums(draft, awarded)


def signing_problems(draft: Draft, awarded: Mapping[int, Decimal]) -> list[Problem]:
    """What is still missing in a draft that somebody wants to sign."""
    found = draft_problems(draft, awarded)
    if not draft.tranches:
        found.append(Problem("no_tranches", "", N_("There are no tranches yet. Write the schedule first.")))
    if not draft.results:
        found.append(Problem("no_results", "", N_("No results are promised yet. Write at least one.")))
    if not draft.fund_signatory.strip() or not draft.recipient_signatory.strip():
        found.append(Problem("no_signatories", "", N_("Write down who signs for the fund and for the recipient.")))
    return found


def amount_problems(amount: Decimal, field: str) -> list[Problem]:
    try:
        positive = exact(amount) > 0
    except MoneyError as error:
        return [Problem(error.code, field, error.message)]
    return [] if positive else [Problem("not_positive", field, N_("Enter an amount above zero."))]


def paper_problems(document: str, reason: str | None = None) -> list[Problem]:
    """What is wrong with the number of a paper and, where one is asked, with the reason."""
    found = _text("document", document)
    return found if reason is None else found + _text("reason", reason)


def day_problems(day: date, field: str, *, today: date, not_before: date | None = None) -> list[Problem]:
    """A day of something that has happened: not in the future, and not before the agreement."""
    if day > today:
        return [Problem("future", field, N_("This day has not come yet."))]
    if not_before is not None and day < not_before:
        return [Problem("too_early", field, N_("This is before the agreement was signed."))]
    return []


def return_due(demanded_on: date) -> date:
    return demanded_on + timedelta(days=RETURN_DAYS)


def _sums(draft: Draft, awarded: Mapping[int, Decimal]) -> list[Problem]:
    agreed = by_year((tranche.planned_on.year, tranche.amount) for tranche in draft.tranches)
    found = []
    for year, amount in agreed.items():
        if amount > awarded[year]:
            last = max(at for at, tranche in enumerate(draft.tranches) if tranche.planned_on.year == year)
            message = N_(
                "The tranches of %(year)s add up to %(sum)s, the award of that year is %(award)s.",
                year=year,
                sum=roubles(amount),
                award=roubles(awarded[year]),
            )
            found.append(Problem("above_award", f"tranches.{last}.amount", message))
    return found


def _text(field: str, value: str, *, needed: bool = True) -> list[Problem]:
    if not value.strip():
        return [Problem("required", field, N_("Fill this in."))] if needed else []
    if len(value) > MAX_TEXT:
        return [Problem("too_long", field, N_("Enter no more than %(count)s characters.", count=MAX_TEXT))]
    if not value.isprintable():
        return [Problem("unprintable", field, N_("Enter one line of plain text."))]
    return []
