"""The pages of agreements: drafting, signing, paying, asking back, and what the recipient reads."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.agreements import payments as agreement_payments
from portal.agreements import service as agreements
from portal.agreements.models import Agreement, AgreementDue, Recovery, Tranche
from portal.applications.models import Participant, ParticipantRole, ParticipantState
from portal.awards.models import DecisionLine
from portal.identity.models import Role, User
from portal.identity.policy import Actor
from tests.conftest import form
from tests.factories import agreements as factory
from tests.factories import identity
from tests.factories.agreements import Agreed

SignIn = Callable[[User], FlaskClient]
SCHEDULE = [(date(2018, 12, 20), 60), (date(2018, 12, 25), 40), (date(2019, 6, 30), 50)]


@pytest.fixture
def agreed(session: Session) -> Agreed:
    return factory.awarded(session, [{2018: 100, 2019: 60}])


def person(session: Session, actor: Actor) -> User:
    return session.get_one(User, actor.user_id)


def as_(sign_in: SignIn, agreed: Agreed, who: str) -> FlaskClient:
    agreed.session.commit()
    return sign_in(person(agreed.session, getattr(agreed, who)))


DRAFT: dict[str, str] = {
    "fund_signatory": "Demo Director",
    "recipient_signatory": "Demo Recipient",
    "tranches-0-planned_on": "20.12.2018",
    "tranches-0-amount": "60,50",
    "tranches-0-condition": "Acts",
    "tranches-2-planned_on": "2019-06-30",
    "tranches-2-amount": "50",
    "results-0-title": "Jobs",
    "results-0-target": "12",
    "results-0-due_on": "31.12.2020",
    "dues-0-kind": "evidence",
    "dues-0-title": "Acts of acceptance",
    "dues-0-due_on": "01.02.2019",
    "dues-1-kind": "report",
}


def test_from_the_award_to_the_signature(session: Session, sign_in: SignIn, agreed: Agreed) -> None:
    officer = as_(sign_in, agreed, "officer")
    assert "Draft the agreement" in officer.get("/staff/agreements/waiting").text
    started = officer.post(f"/staff/agreements/lines/{agreed.lines[0]}/start", data=form())
    assert started.status_code == 303
    url = started.location.removesuffix("/edit")
    assert 'value="31.12.2019"' in officer.get(started.location).text
    more = officer.post(started.location, data=form(**DRAFT, step="more", version="1")).text
    assert 'name="tranches-7-amount"' in more
    assert 'value="60,50"' in more
    wrong = officer.post(started.location, data=form(**DRAFT | {"tranches-0-amount": "1e3"}, version="1"))
    assert (wrong.status_code, 'href="#tranches-0-amount"' in wrong.text, 'value="1e3"' in wrong.text) == (
        422,
        True,
        True,
    )
    above = officer.post(started.location, data=form(**DRAFT | {"tranches-0-amount": "100.01"}, version="1"))
    assert "the award of that year is" in above.text
    assert officer.post(started.location, data=form(**DRAFT, version="1")).status_code == 303
    assert officer.post(started.location, data=form(**DRAFT, version="1")).status_code == 409
    director = as_(sign_in, agreed, "director")
    page = director.get(f"{url}/sign").text
    assert [word in page for word in ("RUB\u00a0110.50", "RUB\u00a049.50", "/1")] == [True] * 3
    refused = director.post(f"{url}/sign", data=form(number="", signed_on="soon", version="2"))
    assert refused.status_code == 422
    signed = director.post(f"{url}/sign", data=form(number="A-1", signed_on="21.12.2018", version="2"))
    assert (signed.status_code, signed.location) == (303, url)
    shown = director.get(url).text
    assert [word in shown for word in ("A-1", "Acts of acceptance", "Commitment by an agreement")] == [True] * 3
    assert director.get(f"{url}/sign").status_code == 302
    assert officer.get(started.location).status_code == 302


def test_paying_and_asking_back(session: Session, sign_in: SignIn, agreed: Agreed) -> None:
    row = factory.signed(agreed, SCHEDULE)
    tranches = factory.tranches(session, row)
    base = f"/staff/agreements/{row.id}"
    finance = as_(sign_in, agreed, "finance")
    pay = f"{base}/tranches/{tranches[0].id}/pay"
    assert "RUB\u00a060.00" in finance.get(pay).text
    wrong = finance.post(pay, data=form(document="", paid_on="31.02.2018"))
    assert (wrong.status_code, 'value="31.02.2018"' in wrong.text) == (422, True)
    assert finance.post(pay, data=(sent := form(document="No. 7", paid_on="21.12.2018"))).status_code == 303
    assert finance.post(pay, data=sent).status_code == 302
    assert finance.post(pay, data=form(document="No. 8", paid_on="21.12.2018")).status_code == 409
    smaller = {f"amounts-{tranches[1].id}": "10", f"amounts-{tranches[2].id}": "0"}
    shrunk = finance.post(f"{base}/shrink", data=form(document="No. 2", reason="Cheaper", **smaller))
    assert shrunk.status_code == 303
    demand = f"{base}/tranches/{tranches[0].id}/demand"
    asked = {"demanded_on": "01.02.2019", "due_on": "03.03.2019", "document": "No. 3", "reason": "Missed"}
    assert finance.post(demand, data=form(amount="61", **asked)).status_code == 422
    assert finance.post(demand, data=form(amount="30", **asked)).status_code == 303
    recovery = session.scalars(select(Recovery.id)).one()
    receive = f"{base}/recoveries/{recovery}/receive"
    assert 'value="30"' in finance.get(receive).text
    come = form(amount="12", received_on="01.03.2019", document="No. 9")
    assert finance.post(receive, data=come).status_code == 303
    assert finance.post(f"{base}/end", data=form(document="Act", reason="Done")).status_code == 303
    shown = finance.get(base).text
    assert [word in shown for word in ("RUB\u00a012.00", "Ended", "Cancelled", "No. 9")] == [True] * 4
    assert finance.get(f"{base}/tranches/{recovery}/pay").status_code == 404


def test_reports_are_noted(session: Session, sign_in: SignIn, agreed: Agreed) -> None:
    row = factory.signed(agreed, SCHEDULE)
    officer = as_(sign_in, agreed, "officer")
    url = f"/staff/agreements/{row.id}"
    assert "Note that it came" in officer.get(url).text
    due_id = session.scalars(select(AgreementDue.id)).one()
    assert officer.post(f"{url}/dues/{due_id}", data=form(received_on="x")).status_code == 422
    assert officer.post(f"{url}/dues/{due_id}", data=form(received_on="20.07.2019")).status_code == 303
    assert "Note that it came" not in officer.get(url).text


def test_the_recipient_reads_its_own_and_nobody_elses(session: Session, sign_in: SignIn) -> None:
    agreed = factory.awarded(session, [{2018: 100}, {2018: 100}])
    mine, other = agreed.recipient(0), agreed.recipient(1)
    factory.signed(agreed, [(date(2018, 12, 20), 71)], place=0, number="MINE-1")
    agreements.start(session, agreed.officer, agreed.lines[1])
    session.commit()
    urls = [f"/applications/{key}/agreement" for key in agreed.stage.applications]
    page = sign_in(mine).get(urls[0])
    assert (page.status_code, "MINE-1" in page.text, "RUB\u00a071.00" in page.text) == (200, True, True)
    assert "/staff/" not in page.text
    assert "See the schedule of payments" in sign_in(mine).get(urls[0].removesuffix("/agreement")).text
    # A partner knows that it is signed, and reads nothing of it.
    application = agreed.stage.application(0)
    joined = identity.organisation(session)
    partner = identity.member(session, joined)
    taking_part = {"role": ParticipantRole.PARTICIPANT, "state": ParticipantState.ACCEPTED, "invited_by": mine.id}
    session.add(Participant(application_id=application.id, organisation_id=joined.id, **taking_part))
    session.commit()
    shown = sign_in(partner).get(urls[0].removesuffix("/agreement")).text
    assert ("have signed the agreement" in shown, "MINE-1" in shown) == (True, False)
    assert sign_in(partner).get(urls[0]).status_code == 404
    # Not another's, and not one's own while it is a draft.
    assert sign_in(other).get(urls[0]).status_code == 404
    assert sign_in(other).get(urls[1]).status_code == 404
    reviewer = identity.user(session, Role.REVIEWER)
    session.commit()
    assert sign_in(reviewer).get(urls[0]).status_code == 404
    assert sign_in(person(session, agreed.finance)).get(urls[0]).status_code == 200


@pytest.mark.parametrize("rows", [1, 3])
def test_pages_ask_equally_often(
    session: Session, sign_in: SignIn, count_queries: Callable[[], Any], rows: int
) -> None:
    agreed = factory.awarded(session, [{2018: 100}] * (rows + 1))
    first: UUID | None = None
    for place in range(rows):
        schedule = [(date(2018, 12, 20 + at), 10) for at in range(rows)]
        row = factory.signed(agreed, schedule, place=place, number=f"N{place}")
        first = first or row.id
    for tranche in session.scalars(select(Tranche).where(Tranche.agreement_id == first)):
        agreement_payments.pay(
            session, agreed.finance, tranche.id, document=f"No. {tranche.place}", paid_on=date(2018, 12, 30)
        )
    client = as_(sign_in, agreed, "officer")
    its_line = select(Agreement.line_id).where(Agreement.id == first).scalar_subquery()
    application = session.scalars(select(DecisionLine.application_id).where(DecisionLine.id == its_line)).one()
    found: dict[str, tuple[int, int]] = {}
    for url, words, statements in (
        ("/staff/agreements?q=N", "N0", 5),
        ("/staff/agreements/waiting", "Draft the agreement", 3),
        (f"/staff/agreements/{first}", "Payment", 11),
        (f"/applications/{application}/agreement", "Paid to you", 8),
    ):
        with count_queries() as counted:
            page = client.get(url)
        assert page.status_code == 200
        assert words in page.text
        found[url] = (len(counted), statements)
    client = as_(sign_in, agreed, "finance")
    client.get("/")
    with count_queries() as counted:
        assert client.get(f"/staff/agreements/{first}/shrink").status_code == 200
    found["shrink"] = (len(counted), 7)
    assert [pair[0] for pair in found.values()] == [pair[1] for pair in found.values()]


def test_filters(session: Session, sign_in: SignIn, agreed: Agreed) -> None:
    row = factory.signed(agreed, SCHEDULE, number="F-7")
    client = as_(sign_in, agreed, "officer")
    for query, found in (
        ("q=f-", True),
        ("q=%25", False),
        ("state=signed", True),
        ("state=draft", False),
        ("overdue=y", True),
        (f"tender={agreed.stage.tender.id}", True),
        (f"tender={row.id}", False),
        ("track=export", False),
        ("cursor=x&state=x&track=import_substitution", True),
    ):
        page = client.get(f"/staff/agreements?{query}")
        assert (page.status_code, "F-7" in page.text) == (200, found), query
