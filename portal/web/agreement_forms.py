"""What is typed about an agreement, read into values; what cannot be read is a problem of its input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from werkzeug.datastructures import MultiDict

from portal.agreements.models import DueKind
from portal.agreements.rules import MOST_ROWS, Draft, DueValues, ResultValues, TrancheValues
from portal.core.errors import Problem
from portal.core.language import N_
from portal.core.money import MoneyError, parse_money
from portal.web.days import read_day, written

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "tranches": ("planned_on", "amount", "condition"),
    "results": ("title", "target", "due_on"),
    "dues": ("kind", "title", "due_on"),
}
BLANKS: Final = 2
Rows = list[dict[str, str]]


@dataclass(slots=True)
class Typed:
    """The draft as it was typed: two names and three tables of texts, each with blank rows to go on."""

    fund_signatory: str = ""
    recipient_signatory: str = ""
    rows: dict[str, Rows] = field(default_factory=dict)

    def with_blanks(self, count: int = BLANKS) -> Typed:
        """The same with empty rows at the end of each table, as far as there may be more."""
        grown = {
            name: [*held, *({} for _ in range(min(count, MOST_ROWS - len(held))))] for name, held in self.rows.items()
        }
        filled = {name: [{c: row.get(c, "") for c in COLUMNS[name]} for row in held] for name, held in grown.items()}
        return Typed(self.fund_signatory, self.recipient_signatory, filled)


def from_form(form: MultiDict[str, str]) -> Typed:
    """What was sent: rows that are all empty are left out."""
    rows = {}
    for name, columns in COLUMNS.items():
        sent = [{c: form.get(f"{name}-{at}-{c}", "").strip() for c in columns} for at in range(MOST_ROWS)]
        rows[name] = [row for row in sent if any(value for c, value in row.items() if c != "kind")]
    return Typed(form.get("fund_signatory", "").strip(), form.get("recipient_signatory", "").strip(), rows)


def from_draft(draft: Draft) -> Typed:
    """A draft as it is typed."""
    return Typed(
        draft.fund_signatory,
        draft.recipient_signatory,
        {
            "tranches": [
                {"planned_on": written(row.planned_on), "amount": typed_money(row.amount), "condition": row.condition}
                for row in draft.tranches
            ],
            "results": [
                {"title": row.title, "target": row.target, "due_on": written(row.due_on)} for row in draft.results
            ],
            "dues": [{"kind": row.kind, "title": row.title, "due_on": written(row.due_on)} for row in draft.dues],
        },
    )


def read(typed: Typed) -> tuple[Draft, list[Problem]]:
    """The values of what was typed, and the problems of what could not be read; use the draft only without any."""
    problems: list[Problem] = []
    tranches = [
        TrancheValues(
            day_of(row["planned_on"], f"tranches.{at}.planned_on", problems),
            amount_of(row["amount"], f"tranches.{at}.amount", problems),
            row["condition"],
        )
        for at, row in enumerate(typed.rows["tranches"])
    ]
    results = [
        ResultValues(row["title"], row["target"], day_of(row["due_on"], f"results.{at}.due_on", problems))
        for at, row in enumerate(typed.rows["results"])
    ]
    dues = [
        DueValues(
            DueKind.EVIDENCE if row["kind"] == DueKind.EVIDENCE else DueKind.REPORT,
            row["title"],
            day_of(row["due_on"], f"dues.{at}.due_on", problems),
        )
        for at, row in enumerate(typed.rows["dues"])
    ]
    return Draft(typed.fund_signatory, typed.recipient_signatory, tranches, results, dues), problems


def day_of(text: str, field: str, problems: list[Problem]) -> date:
    """A day that was typed; a problem, and some day, for anything else."""
    day = read_day(text)
    if day is None:
        problems.append(Problem("no_day", field, N_("Give a day such as 31.08.2018.")))
    return day or date.max


def amount_of(text: str, field: str, problems: list[Problem]) -> Decimal:
    """An amount that was typed, roubles; a problem, and zero, for anything else."""
    try:
        return parse_money(text)
    except MoneyError as error:
        problems.append(Problem(error.code, field, error.message))
        return Decimal(0)


def typed_money(amount: Decimal) -> str:
    """As it is typed: ``1 250 000,50``; without kopecks where there are none."""
    whole = amount == amount.to_integral_value()
    text = f"{amount:,.0f}" if whole else f"{amount:,.2f}"
    return text.replace(",", "\0").replace(".", ",").replace("\0", " ")


def by_field(problems: list[Problem] | tuple[Problem, ...], say: Callable[..., str]) -> dict[str, list[str]]:
    """Name of the input -> what is wrong with it, in the language of the page."""
    found: dict[str, list[str]] = {}
    for problem in problems:
        found.setdefault(problem.field.replace(".", "-"), []).append(say(problem.message))
    return found
