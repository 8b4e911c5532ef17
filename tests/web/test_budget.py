"""The pages of the envelopes: who sees what, and the two steps of every posting."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.budget.models import Envelope, Posting
from portal.documents import tables
from portal.identity.models import Role, User
from portal.tenders.models import Programme, Track
from tests.conftest import form
from tests.factories import budget, identity
from tests.factories import tenders as tenders_factory

SignIn = Callable[[User], FlaskClient]
MILLION = Decimal(1_000_000)


@pytest.fixture
def programme(session: Session) -> Programme:
    return tenders_factory.programme(session, f"P{uuid4().hex[:6]}")


@pytest.fixture
def envelope(session: Session, programme: Programme) -> Envelope:
    row = budget.envelope(session, programme.id, amount=MILLION)
    session.commit()
    return row


@pytest.fixture
def office(session: Session, sign_in: SignIn) -> FlaskClient:
    person = identity.user(session, Role.ADMINISTRATOR, name="Demo Administrator")
    session.commit()
    return sign_in(person)


def available(session: Session, envelope: Envelope) -> Decimal:
    session.expire_all()
    return session.scalars(select(Envelope.available).where(Envelope.id == envelope.id)).one()


def postings(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Posting)) or 0


ORDER = {"amount": "1 250 000,50", "order": "No. 1999", "reason": "Budget law"}


def test_posting_is_checked_then_made(session: Session, office: FlaskClient, envelope: Envelope) -> None:
    url = f"/staff/budget/envelopes/{envelope.id}/appropriate"
    checked = office.post(url, data=form(**ORDER, step="check"))
    assert checked.status_code == 200
    assert "RUB\u00a01,250,000.50" in checked.text
    assert "RUB\u00a02,250,000.50" in checked.text
    assert postings(session) == 1
    changed = office.post(url, data=form(**ORDER, step="change"))
    assert 'value="1 250 000,50"' in changed.text
    made = office.post(url, data=(sent := form(**ORDER, step="confirm")))
    assert (made.status_code, made.location) == (303, f"/staff/budget/envelopes/{envelope.id}")
    assert available(session, envelope) == Decimal("2250000.50")
    assert office.post(url, data=sent).status_code == 302
    assert postings(session) == 2
    statement = office.get(f"/staff/budget/envelopes/{envelope.id}").text
    assert [word in statement for word in ("No. 1999", "Budget law", "Demo Administrator")] == [True] * 3


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "12 34"},
        {"amount": "-5"},
        {"amount": "0"},
        {"amount": "9" * 40},
        {"amount": "1.001"},
        {"order": ""},
        {"reason": ""},
    ],
)
def test_wrong_input_is_kept(session: Session, office: FlaskClient, envelope: Envelope, wrong: dict[str, str]) -> None:
    for step in ("check", "confirm"):
        answer = office.post(
            f"/staff/budget/envelopes/{envelope.id}/appropriate", data=form(**{**ORDER, **wrong}, step=step)
        )
        assert answer.status_code == 422
        assert f'href="#{next(iter(wrong))}"' in answer.text
        assert all(f'value="{value}"' in answer.text for value in {**ORDER, **wrong}.values() if value)
    assert postings(session) == 1


def test_lowering_obeys_the_floor(session: Session, office: FlaskClient, envelope: Envelope) -> None:
    url = f"/staff/budget/envelopes/{envelope.id}/adjust"
    down = {**ORDER, "direction": "down", "amount": "1000000.01"}
    answer = office.post(url, data=form(**down, step="confirm"))
    assert answer.status_code == 422
    assert "RUB\u00a00.01 short" in answer.text
    assert 'value="1000000.01"' in answer.text
    looked = office.post(url, data=form(**down, step="check"))
    assert (looked.status_code, "RUB\u00a00.01 short" in looked.text) == (422, True)
    assert office.post(url, data=form(**{**down, "amount": "1000000"}, step="confirm")).status_code == 303
    assert available(session, envelope) == 0


def test_reversal_page(session: Session, office: FlaskClient, envelope: Envelope) -> None:
    posting = session.scalars(select(Posting)).one()
    url = f"/staff/budget/envelopes/{envelope.id}/postings/{posting.id}/reverse"
    assert "What the posting does" in office.get(url).text
    assert office.post(url, data=form(reason="")).status_code == 422
    assert office.post(url, data=form(reason="Typing error")).status_code == 303
    assert available(session, envelope) == 0
    again = office.post(url, data=form(reason="Typing error"))
    assert again.status_code == 422
    assert "reversed already" in again.text
    reversal = session.scalars(select(Posting).where(Posting.kind == "reverse")).one()
    looked = office.get(url).text
    assert f"reversed already, by posting {reversal.number}" in looked
    assert "What the posting does" not in looked
    other = office.get(url.replace(str(posting.id), str(reversal.id))).text
    assert ("A reversal is not reversed" in other, 'name="reason"' in other) == (True, False)
    statement = office.get(f"/staff/budget/envelopes/{envelope.id}").text
    assert "Reversed by posting" in statement
    assert "/reverse" not in statement


def test_what_is_spent_is_not_reversed(session: Session, office: FlaskClient, envelope: Envelope) -> None:
    posting = session.scalars(select(Posting)).one()
    down = form(**{**ORDER, "direction": "down", "amount": "1"}, step="confirm")
    assert office.post(f"/staff/budget/envelopes/{envelope.id}/adjust", data=down).status_code == 303
    page = office.get(f"/staff/budget/envelopes/{envelope.id}/postings/{posting.id}/reverse").text
    assert ("RUB\u00a01 short" in page, 'name="reason"' in page) == (True, False)


def test_envelope_is_opened(session: Session, office: FlaskClient, programme: Programme) -> None:
    url = f"/staff/budget/programmes/{programme.id}/envelopes/new"
    assert office.post(url, data=form(track="export", year="2019")).status_code == 303
    again = office.post(url, data=form(track="export", year="2019"))
    assert (again.status_code, "has an envelope" in again.text) == (422, True)
    for wrong in ({"track": "", "year": "2019"}, {"track": "export", "year": "x"}, {"track": "export"}):
        assert office.post(url, data=form(**wrong)).status_code == 422


def test_statement_filters(office: FlaskClient, envelope: Envelope) -> None:
    url = f"/staff/budget/envelopes/{envelope.id}"
    assert "Demo appropriation" in office.get(f"{url}?kind=appropriate&words=demo&since=01.01.2018").text
    for query in ("kind=reserve", "words=nothing", "until=01.01.2018"):
        assert "No posting fits" in office.get(f"{url}?{query}").text
    for odd in ("kind=x", "since=yesterday", "cursor=x", "words=%25%5C"):
        assert office.get(f"{url}?{odd}").status_code == 200


def test_balances_on_an_earlier_day(office: FlaskClient, envelope: Envelope, programme: Programme) -> None:
    url = f"/staff/budget/programmes/{programme.id}"
    assert ">1,000,000<" in office.get(url).text
    earlier = office.get(f"{url}?on=01.01.2018").text
    assert ">1,000,000<" not in earlier
    assert "replayed from the postings" in earlier
    assert "Give a day such as" in office.get(f"{url}?on=soon").text


def test_totals_lead_to_their_postings(
    session: Session, office: FlaskClient, envelope: Envelope, programme: Programme
) -> None:
    budget.envelope(session, programme.id, Track.EXPORT, amount=MILLION)
    session.commit()
    page = office.get(f"/staff/budget/programmes/{programme.id}?on=31.12.2099").text
    links = [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]*/statement[?][^"]*)"', page)]
    until = "&until=31.12.2099"
    assert [link.split("?")[1] for link in links] == [
        *(f"account={key}{until}" for key in ("appropriation", "reserved", "committed", "paid", "available")),
        *(
            f"account={key}&envelope={track}{until}"
            for track in (envelope.track, Track.EXPORT.value)
            for key in ("appropriation", "available")
        ),
    ]
    assert [office.get(link).text.count('data-label="No."') for link in links[-2:]] == [1, 1]
    assert office.get(links[0]).text.count('data-label="No."') == 2
    sheet = office.get(links[-1].replace("/statement?", "/statement/xlsx?")).data
    found = tables.rows(sheet, "a.xlsx")
    assert "Track: Export" in str(found[1][0])
    assert {row[2] for row in found[3:]} == {"Export"}


def test_pages_by_role(session: Session, sign_in: SignIn, envelope: Envelope, programme: Programme) -> None:
    posting = session.scalars(select(Posting)).one()
    reading = [
        "/staff/budget",
        f"/staff/budget/programmes/{programme.id}",
        f"/staff/budget/envelopes/{envelope.id}",
    ]
    posting_pages = [
        f"/staff/budget/programmes/{programme.id}/envelopes/new",
        f"/staff/budget/envelopes/{envelope.id}/appropriate",
        f"/staff/budget/envelopes/{envelope.id}/adjust",
        f"/staff/budget/envelopes/{envelope.id}/postings/{posting.id}/reverse",
    ]
    seen: dict[str, Any] = {}
    people = {role.value: identity.user(session, role) for role in Role}
    people["member"] = identity.member(session, identity.organisation(session))
    session.commit()
    for name, person in people.items():
        client = sign_in(person)
        seen[name] = (
            {client.get(url, follow_redirects=True).status_code for url in reading},
            {client.get(url).status_code for url in posting_pages},
            {client.post(url, data=form(**ORDER, step="confirm")).status_code for url in posting_pages[1:]},
        )
    reader = ({200}, {403}, {403})
    assert seen == {
        "administrator": ({200}, {200}, {303}),
        "officer": reader,
        "chair": reader,
        "director": reader,
        "finance": reader,
        "commission": reader,
        "auditor": reader,
        "reviewer": ({403}, {403}, {403}),
        "member": ({404}, {404}, {404}),
    }


def test_number_of_queries_does_not_grow(
    session: Session,
    office: FlaskClient,
    programme: Programme,
    envelope: Envelope,
    count_queries: Callable[[], Any],
) -> None:
    def counted() -> list[int]:
        numbers = []
        for url in (f"/staff/budget/programmes/{programme.id}", f"/staff/budget/envelopes/{envelope.id}"):
            with count_queries() as statements:
                assert office.get(url).status_code == 200
            numbers.append(len(statements))
        return numbers

    few = counted()
    for year in (2019, 2020):
        budget.envelope(session, programme.id, Track.EXPORT, year, 5)
        office.post(f"/staff/budget/envelopes/{envelope.id}/appropriate", data=form(**ORDER, step="confirm"))
    session.commit()
    office.get("/staff/budget/")  # shows what was done, and forgets it
    assert counted() == few
    assert max(few) <= 12
