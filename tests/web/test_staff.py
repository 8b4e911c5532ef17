"""The fund's overview."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.agreements.overview import overview
from portal.applications.models import State
from portal.budget import orders
from portal.budget.models import PostingKind
from portal.identity.models import Role, User
from portal.tenders.models import Track
from tests.factories import budget, identity, submissions
from tests.factories import tenders as factory

SignIn = Callable[[User], FlaskClient]


def tiles(page: str) -> dict[str, str]:
    found = re.findall(
        r'jp-stat__label">(?:<a[^>]*>)?([^<]+)(?:</a>)?</span>\s*<span class="jp-stat__value">([^<]+)<', page
    )
    return dict(found)


def test_counts_of_current_tenders_by_role(session: Session, sign_in: SignIn) -> None:
    running = factory.closed_tender(session)
    submissions.submitted(session, running, submissions.varied(2))
    submissions.submitted(session, running, submissions.varied(1), state=State.EXPERTISE)
    over = factory.closed_tender(session, results_published_at=running.closes_at)
    submissions.submitted(session, over, submissions.varied(4), state=State.AWARDED)
    people = {role: identity.user(session, role) for role in Role}
    member = identity.member(session, identity.organisation(session))
    session.commit()
    page = sign_in(people[Role.OFFICER]).get("/staff").get_data(as_text=True)
    assert tiles(page)["Await formal check"] == "2"
    assert tiles(page)["In expertise"] == "1"
    assert "state=submitted" in page
    page = sign_in(people[Role.REVIEWER]).get("/staff").get_data(as_text=True)
    assert tiles(page) == {"My reviews to write": "0"}
    for role in Role:
        assert sign_in(people[role]).get("/staff").status_code == 200
    assert sign_in(member).get("/staff").status_code == 404
    reviewer = identity.actor(session, people[Role.REVIEWER])
    assert overview(session, reviewer).applications == {}


def test_orders_wait_for_those_who_may_sign_them(session: Session, sign_in: SignIn) -> None:
    held = budget.envelopes(session, factory.programme(session), {Track.EXPORT: {2018: 1000, 2019: 1000}})
    people = {role: identity.user(session, role) for role in (Role.FINANCE, Role.DIRECTOR, Role.OFFICER)}
    orders.draft(
        session,
        identity.actor(session, people[Role.FINANCE]),
        kind=PostingKind.REALLOCATE,
        source_id=held[Track.EXPORT, 2018].id,
        target_id=held[Track.EXPORT, 2019].id,
        amount=Decimal(400),
        order="№ 41",
        reason="Demand moved",
    )
    session.commit()
    pages = {role: sign_in(person).get("/staff").text for role, person in people.items()}
    waiting = {role: tiles(page).get("Orders that wait for my signature") for role, page in pages.items()}
    assert waiting == {Role.FINANCE: None, Role.DIRECTOR: "1", Role.OFFICER: None}
    assert f"/staff/budget/orders/of/{held[Track.EXPORT, 2018].programme_id}?stage=waiting" in pages[Role.DIRECTOR]


def test_remaining_budget_and_deadlines(session: Session, sign_in: SignIn) -> None:
    factory.open_tender(session, code="OPEN-1")
    factory.closed_tender(session, code="EVAL-1")
    budget.envelopes(session, factory.programme(session), {Track.EXPORT: {2019: Decimal(5_100_000_000)}})
    officer = identity.user(session, Role.OFFICER)
    session.commit()
    page = sign_in(officer).get("/staff").get_data(as_text=True)
    assert "RUB\u00a05.1\u00a0bn of RUB\u00a05.1\u00a0bn left" in page
    assert "Intake closes" in page
    assert "Formal check of completeness and eligibility" in page


@pytest.mark.parametrize("rows", [1, 3])
def test_same_number_of_statements(
    session: Session, sign_in: SignIn, count_queries: Callable[[], Any], rows: int
) -> None:
    for _ in range(rows):
        tender = factory.closed_tender(session)
        submissions.submitted(session, tender, submissions.varied(rows))
        factory.open_tender(session)
    administrator = identity.user(session, Role.ADMINISTRATOR)
    session.commit()
    client = sign_in(administrator)
    client.get("/staff")  # the first answer writes the session's row
    with count_queries() as statements:
        assert client.get("/staff").status_code == 200
    assert len(statements) == 10
