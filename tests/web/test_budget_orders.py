"""The pages of orders: drafted by one, looked at by many, signed by another."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.budget import orders
from portal.budget.models import BudgetOrder, Envelope, Posting, PostingKind
from portal.identity.models import Role, User
from portal.identity.policy import Actor
from portal.tenders.models import Programme, Track
from tests.conftest import form
from tests.factories import budget, identity
from tests.factories import tenders as tenders_factory

SignIn = Callable[[User], FlaskClient]


class Office:
    def __init__(self, session: Session, sign_in: SignIn) -> None:
        self.session = session
        self.programme: Programme = tenders_factory.programme(session, f"P{uuid4().hex[:6]}")
        self.envelopes = budget.envelopes(session, self.programme, {Track.EXPORT: {2018: 1000, 2019: 1000}})
        self.people = {role: identity.user(session, role, name=f"Demo {role}") for role in Role}
        session.commit()
        self.clients = {role: sign_in(person) for role, person in self.people.items()}
        self.url = f"/staff/budget/orders/of/{self.programme.id}"

    def actor(self, role: Role) -> Actor:
        return identity.actor(self.session, self.people[role])

    def key(self, year: int) -> UUID:
        return self.envelopes[Track.EXPORT, year].id

    def draft(self, amount: int = 400) -> BudgetOrder:
        row = orders.draft(
            self.session,
            self.actor(Role.ADMINISTRATOR),
            kind=PostingKind.REALLOCATE,
            source_id=self.key(2018),
            target_id=self.key(2019),
            amount=Decimal(amount),
            order="№ 41",
            reason="Demand moved",
        )
        self.session.commit()
        return row

    def typed(self, **changes: Any) -> dict[str, Any]:
        values = {
            "kind": "reallocate",
            "source": str(self.key(2018)),
            "target": str(self.key(2019)),
            "amount": "250,50",
            "order": "№ 42",
            "reason": "Launch is later",
        }
        return form(**{**values, **changes})


@pytest.fixture
def office(session: Session, sign_in: SignIn) -> Office:
    return Office(session, sign_in)


def test_an_order_goes_from_its_drafter_to_its_signer(session: Session, office: Office) -> None:
    admin, chair = office.clients[Role.ADMINISTRATOR], office.clients[Role.CHAIR]
    made = admin.post(f"{office.url}/new", data=office.typed())
    assert made.status_code == 303
    shown = admin.get(made.location).text
    assert "You drafted this order. Another person signs it." in shown
    assert "Sign and book" not in shown
    assert [amount in shown for amount in ("RUB\u00a0749.50", "RUB\u00a01,250.50")] == [True, True]
    assert admin.post(f"{made.location}/sign", data=form()).status_code == 403
    assert "Sign and book" in chair.get(made.location).text
    assert chair.post(f"{made.location}/sign", data=form()).status_code == 303
    session.expire_all()
    assert session.get_one(Envelope, office.key(2019)).available == Decimal("1250.50")
    done = chair.get(made.location).text
    assert "Signed and booked" in done
    assert "Demo chair" in done
    assert [amount in done for amount in ("RUB\u00a01,000", "RUB\u00a0749.50")] == [True, True]
    assert f'href="{made.location}"' in chair.get(f"/staff/budget/envelopes/{office.key(2019)}").text
    again = chair.post(f"{made.location}/discard", data=form())
    assert again.status_code == 409
    assert "This order is signed already." in again.text


def test_wrong_input_is_kept_and_told(session: Session, office: Office) -> None:
    admin = office.clients[Role.ADMINISTRATOR]
    for changes, said in (
        ({"amount": "12 34"}, "Enter the amount in digits"),
        ({"amount": ""}, "Enter an amount."),
        ({"amount": "1000,01"}, "Only RUB\u00a01,000 is available in this envelope."),
        ({"kind": "pay"}, "Choose what the order does."),
        ({"source": str(uuid4())}, "Choose the envelope."),
        ({"target": ""}, "Choose the envelope that receives the money."),
        ({"order": " "}, "Enter the number and the date of the order."),
    ):
        answer = admin.post(f"{office.url}/new", data=office.typed(**changes))
        assert answer.status_code == 422, changes
        assert said in answer.text
        assert 'value="Launch is later"' in answer.text
    assert session.scalars(select(BudgetOrder)).all() == []


def test_money_that_is_gone_is_told_to_the_signer(session: Session, office: Office) -> None:
    chair = office.clients[Role.CHAIR]
    first, second = office.draft(600), office.draft(600)
    assert chair.post(f"/staff/budget/orders/{first.id}/sign", data=form()).status_code == 303
    answer = chair.post(f"/staff/budget/orders/{second.id}/sign", data=form())
    assert answer.status_code == 409
    assert "RUB\u00a0200 short" in answer.text
    assert chair.post(f"/staff/budget/orders/{second.id}/discard", data=form()).status_code == 303
    assert "Discarded" in chair.get(f"/staff/budget/orders/{second.id}").text
    assert session.scalars(select(Posting.kind).where(Posting.kind == "reallocate")).all() == ["reallocate"]


def test_orders_are_listed_by_their_state(session: Session, office: Office) -> None:
    orders.sign(session, office.actor(Role.CHAIR), office.draft(1).id)
    orders.discard(session, office.actor(Role.CHAIR), office.draft(2).id)
    office.draft(3)
    session.commit()
    auditor = office.clients[Role.AUDITOR]
    for stage, amounts in (("", "123"), ("waiting", "3"), ("signed", "1"), ("discarded", "2")):
        listed = auditor.get(f"{office.url}?stage={stage}").text
        assert [a for a in "123" if re.search(rf"RUB\u00a0{a}(\.00)?<", listed)] == list(amounts)
    assert "Draft an order" not in auditor.get(office.url).text


def test_the_list_asks_a_fixed_number_of_queries(
    session: Session, office: Office, count_queries: Callable[[], Any]
) -> None:
    office.draft()
    client = office.clients[Role.AUDITOR]
    client.get(office.url)
    counts = []
    for _ in range(2):
        with count_queries() as statements:
            client.get(office.url)
        counts.append(len(statements))
        office.draft()
        office.draft()
    assert counts == [counts[0]] * 2
    assert counts[0] <= 6
