"""For administrators: people, roles, blocking, and what it does to sessions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.identity.models import Role, User
from portal.notifications.models import Letter
from tests.conftest import form
from tests.factories import identity

SignIn = Callable[[User], FlaskClient]


@pytest.fixture
def admin(session: Session, sign_in: SignIn) -> FlaskClient:
    person = identity.user(session, Role.ADMINISTRATOR, name="Demo Admin")
    session.commit()
    return sign_in(person)


@pytest.mark.parametrize("role", [None, *(role for role in Role if role is not Role.ADMINISTRATOR)])
def test_nobody_else_sees_people(session: Session, sign_in: SignIn, role: Role | None) -> None:
    person = identity.user(session, *([role] if role else []))
    session.commit()
    client = sign_in(person)
    status = 404 if role is None else 403
    assert client.get("/people/").status_code == status
    assert client.get(f"/people/{person.id}").status_code == status
    assert client.post(f"/people/{person.id}/roles/administrator/grant", data=form()).status_code == status


def test_search(session: Session, admin: FlaskClient) -> None:
    identity.user(session, Role.OFFICER, email="anna.demo@demo.example", name="Анна Демо")
    identity.user(session, email="boris_demo@demo.example", name="Борис Демо")
    session.commit()

    def found(query: str) -> list[bool]:
        text = admin.get(f"/people/?{query}").text
        return ["anna.demo@" in text, "boris_demo@" in text]

    assert found("") == [True, True]
    assert found("q=ANNA") == [True, False]
    assert found("q=борис") == [False, True]
    assert found("q=демо") == [True, True]
    assert found("q=boris%25") == [False, False]
    assert found("q=boris_d") == [False, True]
    assert admin.get("/people/?q=%00").status_code == 404
    assert found("role=officer") == [True, False]
    assert found("role=king") == [True, True]
    assert found("state=blocked") == [False, False]


def test_pages_follow_each_other(session: Session, admin: FlaskClient) -> None:
    for number in range(30):
        identity.user(session, email=f"row{number:02d}@demo.example")
    session.commit()
    first = admin.get("/people/?q=row").text
    assert first.count("@demo.example</span>") == 25
    cursor = first.split("cursor=")[1].split('"')[0].split("&")[0]
    second = admin.get(f"/people/?q=row&cursor={cursor}").text
    assert second.count("@demo.example</span>") == 5
    assert admin.get("/people/?cursor=nonsense").status_code == 200


def test_role_change_ends_the_sessions(session: Session, sign_in: SignIn, admin: FlaskClient) -> None:
    person = identity.user(session)
    session.commit()
    theirs = sign_in(person)
    assert theirs.get("/account/").status_code == 200
    granted = admin.post(f"/people/{person.id}/roles/officer/grant", data=form())
    assert granted.location == f"/people/{person.id}"
    assert theirs.get("/account/").status_code == 302
    session.expire_all()
    again = sign_in(session.get_one(User, person.id))
    assert again.get("/account/").status_code == 200
    assert admin.post(f"/people/{person.id}/roles/officer/revoke", data=form()).status_code == 303
    assert again.get("/account/").status_code == 302
    assert admin.post(f"/people/{person.id}/roles/king/grant", data=form()).status_code == 422


def test_block_ends_the_sessions(session: Session, sign_in: SignIn, admin: FlaskClient) -> None:
    person = identity.user(session)
    session.commit()
    theirs = sign_in(person)
    assert theirs.get("/account/").status_code == 200
    empty = admin.post(f"/people/{person.id}/block?lang=en", data=form(reason=""))
    assert empty.status_code == 422
    assert "Enter the reason" in empty.text
    assert admin.post(f"/people/{person.id}/block", data=form(reason="left")).status_code == 303
    assert theirs.get("/account/").status_code == 302
    assert "Blocked" in admin.get(f"/people/{person.id}?lang=en").text
    assert admin.post(f"/people/{person.id}/unblock", data=form()).status_code == 303
    assert theirs.get("/account/").status_code == 302


def test_last_administrator(session: Session, admin: FlaskClient) -> None:
    own = session.scalars(select(User).where(User.full_name == "Demo Admin")).one()
    refused = admin.post(f"/people/{own.id}/roles/administrator/revoke?lang=en", data=form())
    assert refused.status_code == 403
    assert "This is the only administrator" in refused.text


def test_confirmation_is_sent_again(session: Session, admin: FlaskClient) -> None:
    person = identity.user(session)
    person.confirmed_at = None
    session.commit()
    assert admin.post(f"/people/{person.id}/confirmation", data=form()).status_code == 303
    assert session.scalars(select(Letter.kind).where(Letter.recipient == person.email)).all() == [
        "security_confirmation_instructions"
    ]


def test_second_factor_is_switched_off(session: Session, admin: FlaskClient) -> None:
    person = identity.user(session)
    person.tf_primary_method, person.tf_totp_secret = "authenticator", "{}"
    session.commit()
    assert admin.post(f"/people/{person.id}/second-factor", data=form()).status_code == 303
    session.expire_all()
    assert session.get_one(User, person.id).tf_totp_secret is None


@pytest.mark.parametrize("rows", [1, 3])
def test_query_counts(session: Session, admin: FlaskClient, count_queries: Any, rows: int) -> None:
    for _ in range(rows):
        person = identity.member(session, identity.organisation(session))
        identity.user(session, Role.OFFICER, Role.REVIEWER)
    session.commit()
    url = f"/people/{person.id}"
    admin.get("/account/")  # the first page writes the form token into the session
    with count_queries() as listed:
        assert admin.get("/people/").status_code == 200
    with count_queries() as shown:
        assert admin.get(url).status_code == 200
    assert (len(listed), len(shown)) == (3, 4)
