"""The pages of the treasury's payments."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.agreements import treasury_work
from portal.agreements.treasury_models import TreasuryWork
from portal.identity.models import Role, User
from tests.agreements.test_treasury import HEAD, Books
from tests.conftest import form
from tests.factories import identity

SignIn = Callable[[User], FlaskClient]
URL = "/staff/budget/treasury"


@pytest.fixture
def books(session: Session) -> Books:
    return Books(session)


def table(books: Books, *rows: tuple[str, str, str]) -> dict[str, Any]:
    lines = [HEAD, *([day, number, books.inn, amount, "Субсидия", "7"] for day, number, amount in rows)]
    data = "\n".join(";".join(line) for line in lines).encode()
    return form(file=(io.BytesIO(data), "december.csv"))


def work(session: Session) -> TreasuryWork:
    """Do what the last upload or booking has asked for."""
    row = session.scalars(select(TreasuryWork).order_by(TreasuryWork.id.desc()).limit(1)).one()
    while not treasury_work.step(session, row.id).finished:
        session.commit()
    session.commit()
    return row


def test_a_table_is_uploaded_looked_at_and_booked(session: Session, books: Books, sign_in: SignIn) -> None:
    person = identity.user(session, Role.FINANCE, name="Demo Finance")
    session.commit()
    client = sign_in(person)
    asked = client.post(URL, data=table(books, ("20.12.2018", "11", "60"), ("25.12.2018", "12", "41")))
    assert asked.status_code == 303
    assert "Checking the lines" in client.get(asked.location).text
    assert "december.csv" in client.get(URL).text
    place = f"{URL}/{work(session).statement_id}"
    for bar in (asked.location, f"{asked.location}/progress"):
        assert f'href="{place}"' in client.get(bar).text
    shown = client.get(place).text
    assert "Agreement 7, 2018." in shown
    assert "RUB\u00a041 was paid, the tranche of 2018 is RUB\u00a040." in shown
    assert "Book what matches" in shown
    begun = client.post(f"{place}/book", data=form())
    again = client.post(f"{place}/book", data=form())
    assert (begun.status_code, again.location) == (303, begun.location)
    assert "Comparing the payments" in client.get(place).text
    assert "Book what matches" not in client.get(place).text
    work(session)
    assert "What matches is booked" in client.get(begun.location).text
    assert "Book what matches" not in client.get(place).text
    again = client.post(f"{place}/compare", data=form())
    work(session)
    assert "as they are now" in client.get(again.location).text
    only = client.get(f"{place}?match=differing").text
    assert "№&nbsp;12" in only
    assert "№&nbsp;11" not in only
    assert "december.csv" in client.get(URL).text


def test_a_wrong_table_is_told_line_by_line(session: Session, books: Books, sign_in: SignIn) -> None:
    person = identity.user(session, Role.FINANCE)
    session.commit()
    client = sign_in(person)
    asked = client.post(URL, data=table(books, ("20.12.2018", "", "60"), ("20.13.2018", "1", "x")))
    work(session)
    answer = client.get(asked.location)
    assert "Line 2: Give the number of the payment." in answer.text
    assert "Line 3: Give a day such as 31.08.2018." in answer.text
    assert "Not kept: nothing was changed" in answer.text
    assert "december.csv" in client.get(URL).text
    assert sign_in(person).post(URL, data=form()).status_code == 422


def test_who_uploads_and_who_looks(session: Session, books: Books, sign_in: SignIn) -> None:
    auditor = identity.user(session, Role.AUDITOR)
    session.commit()
    client = sign_in(auditor)
    assert client.get(URL).status_code == 200
    assert "Upload a table" not in client.get(URL).text
    assert client.post(URL, data=table(books, ("20.12.2018", "11", "60"))).status_code == 403
    for extension in ("xlsx", "csv"):
        assert client.get(f"{URL}/template.{extension}").status_code == 200


def test_pages_ask_a_fixed_number_of_queries(
    session: Session, books: Books, sign_in: SignIn, count_queries: Callable[[], Any]
) -> None:
    auditor = identity.user(session, Role.AUDITOR)
    session.commit()
    client = sign_in(auditor)
    counts = []
    for rows in (1, 3):
        made = books.upload(*((f"{day:02}.12.2018", f"{rows}{day}", str(day)) for day in range(1, rows + 1)))
        session.commit()
        client.get(URL)
        with count_queries() as statements:
            client.get(URL)
        listed = len(statements)
        with count_queries() as statements:
            client.get(f"{URL}/{made.id}")
        counts.append((listed, len(statements)))
    assert counts[0] == counts[1]
    assert max(counts[0]) <= 7
