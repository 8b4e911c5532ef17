"""The budget room: pictures with their tables and files, statements as files, alarms on the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.agreements import payments as agreement_payments
from portal.budget import statement_files
from portal.budget.models import Envelope
from portal.budget.statement_models import StatementExport
from portal.core.jobs import Claim, Task
from portal.documents import tables
from portal.identity.models import Role, User
from portal.identity.policy import Actor
from portal.tenders.models import RuleSetVersion, TenderTrack, Track
from tests.conftest import form
from tests.factories import agreements, awards, budget, identity, sealed
from tests.factories.agreements import Agreed

SignIn = Callable[[User], FlaskClient]
SCHEDULE = [(date(2018, 12, 20), 60), (date(2018, 12, 25), 40), (date(2019, 6, 30), 50)]


@pytest.fixture
def agreed(session: Session) -> Agreed:
    """An award of 100 and 60 roubles with an agreement, its first tranche paid."""
    found = agreements.awarded(session, [{2018: 100, 2019: 60}])
    row = agreements.signed(found, SCHEDULE, number="R-1")
    first = agreements.tranches(session, row)[0]
    agreement_payments.pay(session, found.finance, first.id, document="=1+1", paid_on=date(2018, 12, 21))
    session.commit()
    return found


def as_(sign_in: SignIn, agreed: Agreed, actor: Actor) -> FlaskClient:
    return sign_in(agreed.session.get_one(User, actor.user_id))


def base(agreed: Agreed) -> str:
    return f"/staff/budget/programmes/{agreed.stage.tender.programme_id}"


def test_every_picture_has_its_table_and_its_file(session: Session, sign_in: SignIn, agreed: Agreed) -> None:
    client = as_(sign_in, agreed, agreed.officer)
    url = base(agreed)
    envelopes = client.get(f"{url}/envelopes.csv")
    assert envelopes.content_type.startswith("text/csv")
    assert "100.00" in envelopes.text
    over_time = client.get(f"{url}/over-time")
    assert ("<polygon" in over_time.text, "Accounts over time" in over_time.text) == (True, True)
    assert len(client.get(f"{url}/over-time.csv").text.splitlines()) > 2
    forecast = client.get(f"{url}/forecast").text
    assert [word in forecast for word in ("12.2018", "06.2019", "Overdue")] == [True] * 3
    assert client.get(f"{url}/forecast.csv?by=quarter").text.splitlines()[1] == "Q4 2018;60.00;0.00;40.00"
    listed = client.get(f"{url}/payments?first=2018-12-01&last=2018-12-31").text
    assert ("R-1" in listed, "Overdue" in listed, "Jun 2019" in listed) == (True, True, False)
    assert client.get(f"{url}/asked").status_code == 200
    assert client.get(f"{url}/asked.csv").status_code == 200
    for wrong in ("other.csv", f"over-time?envelope={agreed.stage.tender.id}"):
        assert client.get(f"{url}/{wrong}").status_code == 404
    for odd in (
        "over-time?since=x&until=31.12.2018",
        "over-time?since=01.01.2020&until=01.01.2019",
        "payments?first=x",
    ):
        assert client.get(f"{url}/{odd}").status_code == 200


def test_what_an_open_tender_asks(session: Session, sign_in: SignIn) -> None:
    stage = awards.stage(session, [{2018: 70}, {2018: 50}], {2018: 100, 2019: 9})
    session.commit()
    client = sign_in(session.get_one(User, stage.officer.user_id))
    lines = client.get(f"/staff/budget/programmes/{stage.tender.programme_id}/asked.csv").text.splitlines()
    assert [line.split(";")[2:] for line in lines[1:]] == [
        ["2018", "100.00", "120.00", "0.00", "20.00"],
        ["2019", "9.00", "0.00", "9.00", "0.00"],
    ]
    page = client.get(f"/staff/budget/programmes/{stage.tender.programme_id}/asked").text
    assert (page.count("?account=available"), "jp-chart" in page) == (2, True)


def test_what_a_sealed_tender_asks_is_not_called_nothing(session: Session, sign_in: SignIn) -> None:
    tender = sealed.tender(session).tender
    rules = session.scalars(
        select(RuleSetVersion.content)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .where(TenderTrack.tender_id == tender.id, TenderTrack.track == Track.EXPORT)
    ).one()
    budget.envelope(session, tender.programme_id, Track.EXPORT, rules["years"][0], 100)
    officer = identity.user(session, Role.OFFICER)
    session.commit()
    client = sign_in(officer)
    url = f"/staff/budget/programmes/{tender.programme_id}/asked"
    page = client.get(url).text
    assert ("known when they are opened" in page, "<span>—</span>" in page, "jp-chart" in page) == (True, True, False)
    assert f"Export;{rules['years'][0]};100.00;;;\r\n" in client.get(f"{url}.csv").text


def test_a_statement_leads_to_what_the_money_is_held_for(sign_in: SignIn, agreed: Agreed) -> None:
    client = as_(sign_in, agreed, agreed.officer)
    url = f"{base(agreed)}/statement"
    page = client.get(f"{url}?subject=R-1").text
    assert ("/staff/agreements/" in page, "Commitment by an agreement" in page) == (True, True)
    assert "Demo appropriation" not in page
    documents = dict(re.findall(r'href="/staff/(agreements|decisions)/[^"]*">([^<]*)</a><br><span', page))
    assert set(documents) == {"decisions", "agreements"}
    for query, found in (
        ("kind=pay", True),
        ("document=%3D1", True),
        ("least=60&most=60&account=paid", True),
        ("least=61&account=paid", False),
        ("subject=nobody", False),
    ):
        assert ("=1+1" in client.get(f"{url}?{query}").text) is found, query
    wrong = client.get(f"{url}?since=soon&least=abc").text
    assert ('href="#since"' in wrong, 'href="#least"' in wrong, 'value="soon"' in wrong) == (True, True, True)


def test_a_statement_as_files(session: Session, sign_in: SignIn, agreed: Agreed) -> None:
    client = as_(sign_in, agreed, agreed.officer)
    url = f"{base(agreed)}/statement"
    rows = tables.rows(client.get(f"{url}/xlsx?account=paid&until=31.12.2030&least=1").data, "a.xlsx")
    for said in ("Account of the ledger: Paid", "To the day 31 Dec 2030", "Amount from RUB\u00a01"):
        assert said in str(rows[1][0])
    assert rows[2][4:9] == ["Posting", "Account of the ledger", "Amount", "Balance after", "Document"]
    assert rows[3][4:9] == ["Payment", "Paid", "60", "60", "=1+1"]
    paper = client.get(f"{url}/pdf")
    assert (paper.data[:5], paper.content_type) == (b"%PDF-", "application/pdf")
    assert client.get(f"{url}/doc").status_code == 404


def test_a_large_statement_is_made_in_the_background(
    session: Session, sign_in: SignIn, agreed: Agreed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(statement_files, "AT_ONCE", 1)
    client = as_(sign_in, agreed, agreed.officer)
    url = f"{base(agreed)}/statement"
    assert "Make an XLSX" in client.get(url).text
    assert client.get(f"{url}/xlsx").status_code == 302
    assert client.post(f"{url}/files", data=form(format="xlsx", account="paid")).status_code == 303
    assert "being made" in client.get(url).text
    export = session.scalars(select(StatementExport)).one()
    assert client.get(f"{url}/files/{export.id}").status_code == 409
    task = session.scalars(select(Task).where(Task.kind == statement_files.MAKE)).one()
    statement_files.make(session, task.payload, Claim(task.id, task.number, 1, task.kind, task.payload, 1))
    session.commit()
    made = client.get(f"{url}/files/{export.id}")
    assert tables.rows(made.data, "a.xlsx")[3][8] == "=1+1"
    assert as_(sign_in, agreed, agreed.finance).get(f"{url}/files/{export.id}").status_code == 404


def test_alarms_are_set_shown_and_removed(session: Session, sign_in: SignIn, agreed: Agreed) -> None:
    person = identity.user(session, Role.ADMINISTRATOR)
    session.commit()
    client, url = sign_in(person), f"{base(agreed)}/alarms"
    for wrong in ({"share": "x"}, {"share": "0"}, {"share": "150"}, {"share": "20", "year": "abc"}):
        answer = client.post(url, data=form(**wrong))
        assert (answer.status_code, f'value="{wrong["share"]}"' in answer.text) == (422, True)
    assert client.post(url, data=form(share="50,0", track="", year="2018")).status_code == 303
    page = client.get(url).text
    assert "Nearly used up" in client.get(base(agreed)).text
    remove = page.split(f'action="{url}/', 1)[1].split('"', 1)[0]
    assert client.post(f"{url}/{remove}", data=form()).status_code == 303
    assert client.post(f"{url}/{remove}", data=form()).status_code == 404
    officer = as_(sign_in, agreed, agreed.officer)
    assert (officer.get(url).status_code, officer.post(url, data=form(share="20")).status_code) == (200, 403)


@pytest.mark.parametrize("rows", [1, 3])
def test_pages_ask_equally_often(
    session: Session, sign_in: SignIn, agreed: Agreed, count_queries: Callable[[], Any], rows: int
) -> None:
    programme_id = agreed.stage.tender.programme_id
    envelope = session.scalars(
        select(Envelope).where(Envelope.programme_id == programme_id, Envelope.year == 2018)
    ).one()
    for number in range(rows - 1):
        budget.envelope(session, programme_id, year=2021 + number, amount=5)
        budget.service.appropriate(
            session, budget.ACTOR, envelope.id, key=f"more:{number}", amount=Decimal(7), order="1", reason="More"
        )
    session.commit()
    client = as_(sign_in, agreed, agreed.officer)
    found = {}
    for path, statements in (
        (base(agreed), 4),
        (f"{base(agreed)}/over-time?envelope={envelope.id}", 6),
        (f"{base(agreed)}/forecast", 4),
        (f"{base(agreed)}/payments", 4),
        (f"{base(agreed)}/asked", 5),
        (f"{base(agreed)}/alarms", 4),
        (f"{base(agreed)}/statement", 9),
        (f"/staff/budget/envelopes/{envelope.id}", 10),
    ):
        with count_queries() as counted:
            assert client.get(path).status_code == 200
        found[path] = (len(counted), statements)
    assert all(counted == statements for counted, statements in found.values()), str(list(found.values()))


def test_others_see_nothing_of_it(session: Session, sign_in: SignIn, agreed: Agreed) -> None:
    client = sign_in(agreed.recipient())
    session.commit()
    for path in ("", "/over-time", "/forecast", "/payments", "/asked", "/alarms", "/statement", "/envelopes.csv"):
        assert client.get(base(agreed) + path).status_code == 404
    assert client.get(f"{base(agreed)}/statement/xlsx").status_code == 404
