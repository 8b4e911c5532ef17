"""Payments of the treasury against what the agreements say: which tranche or recovery each one is. Pure, roubles.

A payment above zero went to a recipient and is looked for among tranches, one below zero came back and is looked for
among recoveries. Each tranche is taken by one payment, exact ones first, in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from portal.core.errors import Problem
from portal.core.figures import roubles
from portal.core.identifiers import IdentifierError, check_inn
from portal.core.language import N_, Message
from portal.core.money import MoneyError, parse_money

MAX_ROWS: Final = 10_000
MAX_TEXT: Final = 500
DAYS: Final = ("%Y-%m-%d", "%d.%m.%Y")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table: its key, its names, an example."""

    key: str
    ru: str
    en: str
    example: str
    required: bool = True


COLUMNS: Final = (
    Column("paid_on", "Дата", "Date", "15.03.2019"),
    Column("number", "Номер платёжного поручения", "Payment number", "1204"),
    Column("payee_inn", "ИНН получателя", "Payee INN", "3699900012"),
    Column("amount", "Сумма, руб.", "Amount, RUB", "12500000.00"),
    Column("purpose", "Назначение платежа", "Purpose", "Субсидия по соглашению", required=False),
    Column("reference", "Соглашение", "Agreement", "", required=False),
)


@dataclass(frozen=True, slots=True)
class Payment:
    """A row of the treasury's table. ``amount``: above zero paid, below zero come back."""

    line: int
    paid_on: date
    number: str
    payee_inn: str
    amount: Decimal
    purpose: str = ""
    reference: str = ""

    @property
    def identity(self) -> tuple[str, date, Decimal, str]:
        """What tells two payments apart, in any file."""
        return self.number, self.paid_on, self.amount, self.payee_inn


@dataclass(frozen=True, slots=True)
class Target:
    """A tranche or a recovery. ``amount``: to be paid, or still to come back.

    ``paid_by``: the number of the payment that paid the tranche, where somebody has booked it already.
    """

    id: UUID
    agreement: str
    inn: str
    year: int
    day: date
    amount: Decimal
    recovery: bool = False
    paid_by: str = ""
    paid_on: date | None = None


class Match(StrEnum):
    MATCHED = "matched"
    DIFFERING = "differing"
    UNMATCHED = "unmatched"
    BOOKED = "booked"
    """Somebody has booked this payment at the agreement already."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a payment is, and the sentence that says why."""

    match: Match
    target: Target | None
    said: Message


def read(table: Sequence[Sequence[str]]) -> tuple[list[Payment], list[Problem]]:
    """The payments of a table with a header, and everything that is wrong with it (field ``file``)."""
    start = next((number for number, row in enumerate(table) if any(cell.strip() for cell in row)), None)
    if start is None:
        return [], [Problem("empty", "file", N_("The table is empty."))]
    known = {_plain(name): column.key for column in COLUMNS for name in (column.ru, column.en, column.key)}
    keys = [known.get(_plain(cell), "") for cell in table[start]]
    missing = [column for column in COLUMNS if column.required and column.key not in keys]
    if missing:
        return [], [
            Problem(
                "column",
                "file",
                N_("The column “%(column)s” is missing.", column={"ru": column.ru, "en": column.en}),
            )
            for column in missing
        ]
    payments, problems = [], []
    for number, row in enumerate(table):
        if number <= start or not any(cell.strip() for cell in row):
            continue
        texts = {key: cell.strip() for key, cell in zip(keys, row, strict=False) if key}
        payment, wrong = _payment(number + 1, texts)
        problems += wrong
        if payment is not None:
            payments.append(payment)
    if not payments and not problems:
        problems.append(Problem("empty", "file", N_("There are no rows below the header.")))
    if len(payments) > MAX_ROWS:
        said = N_("The table has more than %(rows)s payments. Split it into several files.", rows=MAX_ROWS)
        problems.append(Problem("too_many_rows", "file", said))
    return payments, problems + _repeated(payments)


def match(payments: Iterable[Payment], targets: Sequence[Target]) -> list[Found]:
    """What each payment is, in the order given."""
    given = list(payments)
    by_inn: dict[str, list[Target]] = {}
    for target in sorted(targets, key=lambda each: (each.day, each.agreement, str(each.id))):
        by_inn.setdefault(target.inn, []).append(target)
    exact: dict[int, Target] = {}
    taken: set[UUID] = set()
    # Those that say their agreement choose first, so that none takes what another one names.
    for place, payment in sorted(enumerate(given), key=lambda each: (not _named(each[1], by_inn), each[0])):
        candidates = _candidates(payment, by_inn.get(payment.payee_inn, ()))
        fitting = next((t for t in candidates if t.id not in taken and _fits(payment, t)), None)
        if fitting is not None:
            exact[place] = fitting
            taken.add(fitting.id)
    found = []
    for place, payment in enumerate(given):
        left = [t for t in by_inn.get(payment.payee_inn, ()) if t.id not in taken and not t.paid_by]
        found.append(_found(payment, exact.get(place), _candidates(payment, left), by_inn))
    return found


def _found(
    payment: Payment, exact: Target | None, left: Sequence[Target], by_inn: Mapping[str, Sequence[Target]]
) -> Found:
    if exact is not None and exact.paid_by:
        return Found(Match.BOOKED, exact, N_("Booked already at agreement %(number)s.", number=exact.agreement))
    if exact is not None:
        said = N_("Agreement %(number)s, %(year)s.", number=exact.agreement, year=exact.year)
        return Found(Match.MATCHED, exact, said)
    if not left:
        return Found(Match.UNMATCHED, None, _why_none(payment, by_inn.get(payment.payee_inn, ())))
    year, asked = payment.paid_on.year, abs(payment.amount)
    near = min(left, key=lambda target: (target.year != year, abs(target.amount - asked)))
    return Found(Match.DIFFERING, near, _difference(payment, near))


def _difference(payment: Payment, near: Target) -> Message:
    if near.recovery:
        return N_(
            "Agreement %(number)s: %(amount)s came, but only %(expected)s is still asked back.",
            number=near.agreement,
            amount=roubles(-payment.amount),
            expected=roubles(near.amount),
        )
    if near.amount != payment.amount:
        return N_(
            "Agreement %(number)s: %(amount)s was paid, the tranche of %(year)s is %(expected)s.",
            number=near.agreement,
            amount=roubles(payment.amount),
            year=near.year,
            expected=roubles(near.amount),
        )
    return N_(
        "Agreement %(number)s: paid in %(paid)s, but the tranche is of %(year)s.",
        number=near.agreement,
        paid=payment.paid_on.year,
        year=near.year,
    )


def _why_none(payment: Payment, targets: Sequence[Target]) -> Message:
    if any(target.recovery is (payment.amount < 0) for target in targets):
        return N_("Everything that this recipient's agreements ask for was booked with other payments.")
    if payment.amount < 0:
        return N_("No money is asked back from this payer.")
    return N_("No signed agreement with this recipient has an open tranche.")


def _fits(payment: Payment, target: Target) -> bool:
    """A return may come in parts; a tranche is paid in one, in its year."""
    if target.paid_by:
        same = (target.paid_on, target.amount) == (payment.paid_on, payment.amount)
        return same and _says(target.paid_by, payment.number)
    if target.recovery:
        return -payment.amount <= target.amount
    return target.amount == payment.amount and target.year == payment.paid_on.year


def _candidates(payment: Payment, targets: Sequence[Target]) -> list[Target]:
    right = [target for target in targets if target.recovery is (payment.amount < 0)]
    named = [target for target in right if _names(payment, target.agreement)]
    # Those booked with this very payment first: the same payment is never a second tranche.
    return sorted(named or right, key=lambda target: not target.paid_by or not _fits(payment, target))


def _named(payment: Payment, by_inn: Mapping[str, Sequence[Target]]) -> bool:
    return any(_names(payment, target.agreement) for target in by_inn.get(payment.payee_inn, ()))


def _names(payment: Payment, agreement: str) -> bool:
    """Whether the reference is the agreement's number, or the purpose has it as a word of its own."""
    number = _plain(agreement)
    if not number:
        return False
    if payment.reference:
        return _plain(payment.reference).lstrip("№ ") == number
    return _says(payment.purpose, number)


def _says(text: str, number: str) -> bool:
    """Whether a number stands in a text as a word of its own."""
    words = _plain(text).replace("№", " ").replace(",", " ").split()
    return _plain(number) in (word.strip('.;:()«»"') for word in words)


def _payment(line: int, texts: Mapping[str, str]) -> tuple[Payment | None, list[Problem]]:
    problems: list[Problem] = []

    def wrong(said: Message) -> None:
        problems.append(Problem("row", "file", N_("Line %(line)s: %(what)s", line=line, what=said)))

    paid_on = next((day for form in DAYS if (day := _day(texts.get("paid_on", ""), form))), None)
    if paid_on is None:
        wrong(N_("Give a day such as 31.08.2018."))
    number = texts.get("number", "").strip("№ ")
    if not number or len(number) > MAX_TEXT or not number.isprintable():
        wrong(N_("Give the number of the payment."))
    amount, inn = None, None
    try:
        amount = parse_money(texts.get("amount", ""), allow_negative=True)
        if not amount:
            wrong(N_("A payment is not zero."))
    except MoneyError as error:
        wrong(error.message)
    try:
        inn = check_inn(texts.get("payee_inn", ""))
    except IdentifierError as error:
        wrong(error.message)
    if problems or paid_on is None or amount is None or inn is None:
        return None, problems
    purpose, reference = (texts.get(key, "")[:MAX_TEXT] for key in ("purpose", "reference"))
    return Payment(line, paid_on, number, inn, amount, purpose, reference), []


def _repeated(payments: Sequence[Payment]) -> list[Problem]:
    first: dict[tuple[str, date, Decimal, str], int] = {}
    problems = []
    for payment in payments:
        earlier = first.setdefault(payment.identity, payment.line)
        if earlier != payment.line:
            said = N_("This repeats line %(line)s. Leave one of the two.", line=earlier)
            problems.append(Problem("row", "file", N_("Line %(line)s: %(what)s", line=payment.line, what=said)))
    return problems


def _plain(text: str) -> str:
    return " ".join(text.split()).strip("*").casefold().replace("ё", "е")


def _day(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None
