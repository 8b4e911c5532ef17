"""Reconciling with the treasury: what a table says, what each payment is, and that nothing is booked twice."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.agreements import payments as agreement_payments
from portal.agreements import treasury
from portal.agreements.models import Agreement
from portal.agreements.reconciliation import Match, Payment, Target, match, read
from portal.agreements.treasury_models import TreasuryPayment, TreasuryStatement
from portal.budget import queries as budget
from portal.budget.models import Account, Posting
from portal.core.errors import NotFound, Problems, Refused
from portal.core.language import render
from portal.identity.models import Organisation
from tests.budget.test_fences import without_fences
from tests.factories import agreements
from tests.factories.agreements import Agreed

INN, OTHER = "7736207543", "7707083893"
DAY = date(2018, 12, 20)
HEAD = ["Дата", "Номер платёжного поручения", "ИНН получателя", "Сумма, руб.", "Назначение платежа", "Соглашение"]


def payment(amount: int | str, **changes: object) -> Payment:
    values = {"line": 2, "paid_on": DAY, "number": "1", "payee_inn": INN, "amount": Decimal(amount)}
    return Payment(**{**values, **changes})  # type: ignore[arg-type]


def target(amount: int | str, **changes: object) -> Target:
    values = {"id": uuid4(), "agreement": "7", "inn": INN, "year": 2018, "day": DAY, "amount": Decimal(amount)}
    return Target(**{**values, **changes})  # type: ignore[arg-type]


def said(payments: Sequence[Payment], targets: Sequence[Target]) -> list[tuple[str, str]]:
    return [(found.match.value, render(found.said, "en")) for found in match(payments, targets)]


# The table


def test_a_table_is_read_by_its_header() -> None:
    rows = [
        ["", ""],
        [*HEAD[:4], "Comment", "Соглашение"],
        ["2018-12-20", "№ 1204", INN, "12 500 000,50", "x", "7"],
        [],
        ["21.12.2018", "1205", INN, "-1", "", ""],
    ]
    payments, problems = read(rows)
    assert problems == []
    assert payments == [
        Payment(3, DAY, "1204", INN, Decimal("12500000.50"), "", "7"),
        Payment(5, date(2018, 12, 21), "1205", INN, Decimal("-1.00"), "", ""),
    ]


def test_everything_that_is_wrong_with_a_table_is_told() -> None:
    assert [p.code for p in read([])[1]] == ["empty"]
    assert [p.code for p in read([HEAD])[1]] == ["empty"]
    assert [render(p.message, "en") for p in read([["Date"], ["x"]])[1]] == [
        f"The column “{name}” is missing." for name in ("Payment number", "Payee INN", "Amount, RUB")
    ]
    good = ["20.12.2018", "1", INN, "5", "", ""]
    wrong = [
        ["32.12.2018", "", "123", "0", "", ""],
        ["20.12.2018", "2", INN, "1,001", "", ""],
        good,
        good,
    ]
    problems = [render(p.message, "en") for p in read([HEAD, *wrong])[1]]
    assert [p.split(":")[0] for p in problems] == ["Line 2"] * 4 + ["Line 3", "Line 5"]
    assert problems[-1] == "Line 5: This repeats line 4. Leave one of the two."


# Matching


def test_a_payment_is_the_tranche_of_its_payee_year_and_amount() -> None:
    early, late = target(50, day=date(2018, 6, 1)), target(50)
    found = match([payment(50), payment(50, number="2"), payment(50, number="3")], [late, early])
    assert [(each.match, each.target) for each in found] == [
        (Match.MATCHED, early),
        (Match.MATCHED, late),
        (Match.UNMATCHED, None),
    ]


def test_a_payment_that_names_its_agreement_goes_there() -> None:
    seven, eight = target(50), target(50, agreement="8")
    for named in ({"reference": "№ 8"}, {"purpose": "Субсидия по соглашению № 8, транш 1"}):
        unnamed, naming = payment(50), payment(50, number="2", **named)
        assert [each.target for each in match([unnamed, naming], [eight, seven])] == [seven, eight]


@pytest.mark.parametrize(
    ("made", "there", "what", "words"),
    [
        (
            payment(49),
            target(50),
            "differing",
            "Agreement 7: RUB\u00a049 was paid, the tranche of 2018 is RUB\u00a050.",
        ),
        (payment(50), target(50, year=2019), "differing", "Agreement 7: paid in 2018, but the tranche is of 2019."),
        (
            payment(50),
            target(50, inn=OTHER),
            "unmatched",
            "No signed agreement with this recipient has an open tranche.",
        ),
        (payment(-5), target(50), "unmatched", "No money is asked back from this payer."),
        (payment(-5), target(50, recovery=True), "matched", "Agreement 7, 2018."),
        (
            payment(-51),
            target(50, recovery=True),
            "differing",
            "Agreement 7: RUB\u00a051 came, but only RUB\u00a050 is still asked back.",
        ),
        (
            payment(50),
            target(50, paid_by="No. 1 of 20.12.2018", paid_on=DAY),
            "booked",
            "Booked already at agreement 7.",
        ),
        (
            payment(50, number="2"),
            target(50, paid_by="1", paid_on=DAY),
            "unmatched",
            "Everything that this recipient's agreements ask for was booked with other payments.",
        ),
    ],
)
def test_each_payment_is_told_what_it_is(made: Payment, there: Target, what: str, words: str) -> None:
    assert said([made], [there]) == [(what, words)]


amounts = st.integers(1, 4)
years = st.sampled_from([2018, 2019])


@given(
    st.lists(st.tuples(amounts, years), max_size=8),
    st.lists(st.tuples(amounts, years), max_size=8),
)
def test_no_tranche_is_taken_twice(given_payments: list[tuple[int, int]], there: list[tuple[int, int]]) -> None:
    payments = [payment(a, number=str(n), paid_on=date(y, 5, 5)) for n, (a, y) in enumerate(given_payments)]
    targets = [target(a, year=y) for a, y in there]
    found = match(payments, targets)
    taken = [each.target for each in found if each.match is Match.MATCHED]
    assert len(taken) == len({each.id for each in taken if each})
    for made, each in zip(payments, found, strict=True):
        if each.match is Match.MATCHED:
            assert each.target is not None
            assert (each.target.amount, each.target.year) == (made.amount, made.paid_on.year)
    for key in {(p.amount, p.paid_on.year) for p in payments}:
        wanted = sum((p.amount, p.paid_on.year) == key for p in payments)
        offered = sum((t.amount, t.year) == key for t in targets)
        got = sum(t is not None and (t.amount, t.year) == key for t in taken)
        assert got == min(wanted, offered)


# Booking


class Books:
    """A signed agreement with tranches of 60 and 40 in 2018 and 50 in 2019, and the finance officer's desk."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.agreed: Agreed = agreements.awarded(session, [{2018: 100, 2019: 60}])
        schedule = [(DAY, 60), (date(2018, 12, 25), 40), (date(2019, 6, 30), 50)]
        self.agreement: Agreement = agreements.signed(self.agreed, schedule, number="7")
        self.inn = session.get_one(Organisation, self.agreement.organisation_id).inn

    def upload(self, *rows: Sequence[str]) -> TreasuryStatement:
        lines = [HEAD, *([day, number, self.inn, amount, "", ""] for day, number, amount in rows)]
        data = "\n".join(";".join(line) for line in lines).encode()
        return treasury.upload(self.session, self.agreed.finance, name="december.csv", data=data)

    def book(self, row: TreasuryStatement) -> tuple[int, int]:
        return treasury.book(self.session, self.agreed.finance, row.id)

    def matches(self, row: TreasuryStatement) -> list[str]:
        return [p.match for p in self.session.scalars(treasury.payments_of(row.id).order_by(TreasuryPayment.line))]

    def paid(self) -> dict[int, Decimal]:
        found = budget.by_programme(self.session, self.agreed.finance, self.agreed.stage.tender.programme_id)
        self.session.expire_all()
        return {row.year: row.paid for row in found}


@pytest.fixture
def books(session: Session) -> Books:
    return Books(session)


def test_uploading_books_nothing_and_booking_does(session: Session, books: Books) -> None:
    row = books.upload(("20.12.2018", "11", "60"), ("25.12.2018", "12", "41"), ("30.06.2019", "13", "50"))
    assert books.matches(row) == ["matched", "differing", "matched"]
    assert set(books.paid().values()) == {Decimal(0)}
    assert books.book(row) == (2, 0)
    assert books.matches(row) == ["booked", "differing", "booked"]
    assert books.paid() == {2018: 60, 2019: 50}
    first = session.scalars(treasury.payments_of(row.id).order_by(TreasuryPayment.line)).first()
    assert first is not None
    posting = session.get_one(Posting, first.posting_id)
    assert (posting.kind, posting.document) == ("pay", "11")
    assert treasury.counts(session, row.id)[Match.BOOKED] == (2, 110)
    session.commit()
    assert budget.verify(session)[1] is None
    assert treasury.verify(session) == (3, None)


def test_nothing_is_booked_twice(session: Session, books: Books) -> None:
    """Neither by a second press, nor from another file, nor what was booked at the agreement by hand."""
    first = books.upload(("20.12.2018", "11", "60"))
    assert books.book(first) == (1, 0)
    assert books.book(first) == (0, 0)
    tranches = agreements.tranches(session, books.agreement)
    agreement_payments.pay(session, books.agreed.finance, tranches[1].id, document="No. 12", paid_on=date(2018, 12, 25))
    again = books.upload(("20.12.2018", "11", "60"), ("25.12.2018", "12", "40"))
    assert (again.known, books.matches(again)) == (1, ["booked"])
    assert books.book(again) == (0, 0)
    assert books.paid() == {2018: 100, 2019: 0}
    session.commit()
    assert treasury.verify(session) == (2, None)


def test_money_that_comes_back_is_a_receipt(session: Session, books: Books) -> None:
    books.book(books.upload(("20.12.2018", "11", "60")))
    tranche = agreements.tranches(session, books.agreement)[0]
    agreement_payments.demand(
        session,
        books.agreed.finance,
        tranche.id,
        amount=Decimal(20),
        demanded_on=date(2019, 3, 1),
        document="Demand",
        reason="Jobs",
    )
    row = books.upload(("15.03.2019", "90", "-15"), ("16.03.2019", "91", "-6"))
    assert books.matches(row)[0] == "matched"
    books.book(row)
    held = budget.held_by_year(session, ("decision_line", books.agreement.line_id))[2018]
    assert (held[Account.PAID], held[Account.RETURNED]) == (45, 15)
    treasury.compare_again(session, books.agreed.finance, row.id)
    assert books.matches(row) == ["booked", "differing"]
    session.commit()
    assert treasury.verify(session) == (3, None)


def test_what_an_agreement_refuses_stays_with_its_reason(session: Session, books: Books) -> None:
    """Paid before the agreement was signed."""
    row = books.upload(("01.12.2018", "11", "60"))
    assert books.matches(row) == ["matched"]
    assert books.book(row) == (0, 1)
    assert books.matches(row) == ["differing"]
    assert books.paid() == {2018: 0, 2019: 0}


def test_compared_again_when_something_has_changed(session: Session, books: Books) -> None:
    row = books.upload(("20.12.2018", "11", "55"))
    assert books.matches(row) == ["differing"]
    tranche = agreements.tranches(session, books.agreement)[0]
    agreement_payments.shrink(
        session,
        books.agreed.finance,
        books.agreement.id,
        amounts={tranche.id: Decimal(55)},
        document="Addendum",
        reason="Fewer costs",
    )
    treasury.compare_again(session, books.agreed.finance, row.id)
    assert books.matches(row) == ["matched"]


def test_who_may(session: Session, books: Books) -> None:
    with pytest.raises(Refused):
        treasury.upload(session, books.agreed.officer, name="x.csv", data=b"")
    row = books.upload(("20.12.2018", "11", "60"))
    for verb in (treasury.book, treasury.compare_again):
        with pytest.raises(Refused):
            verb(session, books.agreed.officer, row.id)
        with pytest.raises(NotFound):
            verb(session, books.agreed.finance, uuid4())
    with pytest.raises(NotFound):
        treasury.statement_of(session, uuid4())
    with pytest.raises(Problems) as caught:
        books.upload(("20.12.2018", "", "60"))
    assert [p.field for p in caught.value.problems] == ["file"]


def test_the_database_keeps_what_was_told(session: Session, books: Books) -> None:
    row = books.upload(("20.12.2018", "11", "60"))
    books.book(row)
    payment_id: UUID = session.scalars(select(TreasuryPayment.id)).one()
    session.flush()
    for statement in (
        "update treasury_payment set amount = 61",
        "update treasury_payment set posting_id = null, match = 'unmatched'",
        "delete from treasury_payment",
    ):
        with pytest.raises(IntegrityError, match=f"treasury_payment {payment_id} is closed"), session.begin_nested():
            session.execute(text(statement))


@pytest.mark.parametrize(
    ("tampering", "place"),
    [
        ("update treasury_payment set purpose = 'x'", "is not the table that was uploaded"),
        ("update treasury_payment set paid_on = paid_on + 1", "is not the table that was uploaded"),
        ("update treasury_statement set name = 'x'", "is not the table that was uploaded"),
        (
            "update treasury_payment set posting_id = (select id from posting where kind = 'reserve' limit 1)"
            " where posting_id is not null",
            "its posting moved another amount",
        ),
        ("delete from treasury_payment where match <> 'booked'", "is not the table that was uploaded"),
    ],
)
def test_tampering_is_found(session: Session, books: Books, tampering: str, place: str) -> None:
    books.book(books.upload(("20.12.2018", "11", "60"), ("25.12.2018", "12", "41")))
    session.commit()
    session.execute(text("alter table treasury_payment disable trigger user"))
    without_fences(session, tampering)
    fault = treasury.verify(session)[1]
    assert fault is not None
    assert place in fault
