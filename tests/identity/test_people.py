"""Roles of the fund, blocking, and the last administrator."""

from __future__ import annotations

import threading

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.db import transaction
from portal.core.errors import NotFound, PortalError, Problems, Refused
from portal.identity import people
from portal.identity.models import Role, RoleGrant, User
from portal.notifications.models import Letter
from tests.factories import identity
from tests.factories.identity import actor


def test_roles_are_given_and_taken_back(session: Session) -> None:
    admin = actor(session, identity.user(session, Role.ADMINISTRATOR))
    person = identity.user(session)
    before = person.fs_uniquifier
    people.grant_role(session, admin, user_id=person.id, role="officer")
    assert actor(session, person).roles == frozenset({Role.OFFICER})
    given = person.fs_uniquifier
    assert given != before
    people.grant_role(session, admin, user_id=person.id, role="officer")
    assert person.fs_uniquifier == given
    people.revoke_role(session, admin, user_id=person.id, role="officer")
    assert actor(session, person).roles == frozenset()
    assert person.fs_uniquifier != given
    kinds = session.scalars(select(Letter.kind).where(Letter.user_id == person.id)).all()
    assert kinds == ["role_changed", "role_changed"]
    with pytest.raises(Problems):
        people.grant_role(session, admin, user_id=person.id, role="owner")


def test_links_of_the_unconfirmed_stay_valid(session: Session) -> None:
    admin = actor(session, identity.user(session, Role.ADMINISTRATOR))
    person = identity.user(session)
    person.confirmed_at = None
    before = person.fs_uniquifier
    people.grant_role(session, admin, user_id=person.id, role="reviewer")
    assert person.fs_uniquifier == before


@pytest.mark.parametrize("role", [None, *(r for r in Role if r is not Role.ADMINISTRATOR)])
def test_only_administrators_manage_people(session: Session, role: Role | None) -> None:
    who = actor(session, identity.user(session, *([role] if role else [])))
    person = identity.user(session)
    with pytest.raises((Refused, NotFound)):
        people.grant_role(session, who, user_id=who.user_id, role="administrator")
    with pytest.raises((Refused, NotFound)):
        people.block(session, who, user_id=person.id, reason="no")


def test_last_administrator_stays(session: Session) -> None:
    first = identity.user(session, Role.ADMINISTRATOR)
    who = actor(session, first)
    with pytest.raises(Refused):
        people.revoke_role(session, who, user_id=first.id, role="administrator")
    with pytest.raises(Refused):
        people.block(session, who, user_id=first.id, reason="tired")
    second = identity.user(session, Role.ADMINISTRATOR)
    second.active = False
    session.flush()
    with pytest.raises(Refused):
        people.revoke_role(session, who, user_id=first.id, role="administrator")
    people.unblock(session, who, user_id=second.id)
    people.revoke_role(session, who, user_id=first.id, role="administrator")
    assert actor(session, first).roles == frozenset()


def test_block_needs_a_reason(session: Session) -> None:
    admin = actor(session, identity.user(session, Role.ADMINISTRATOR))
    person = identity.user(session)
    with pytest.raises(Problems):
        people.block(session, admin, user_id=person.id, reason="  ")
    people.block(session, admin, user_id=person.id, reason="left the fund")
    assert person.active is False


def test_own_name_and_language(session: Session) -> None:
    person = identity.user(session)
    people.edit_own(session, actor(session, person), full_name=" A  B ", locale="ru")
    assert (person.full_name, person.locale) == ("A B", "ru")
    with pytest.raises(Problems) as wrong:
        people.edit_own(session, actor(session, person), full_name="", locale="fr")
    assert [problem.field for problem in wrong.value.problems] == ["full_name", "locale"]


def test_two_administrators_dismissing_each_other_leave_one(fresh_app: Flask) -> None:
    with fresh_app.app_context(), transaction() as session:
        ids = [identity.user(session, Role.ADMINISTRATOR).id for _ in range(2)]
    barrier, results = threading.Barrier(2), []

    def dismiss(own: object, other: object) -> None:
        with fresh_app.app_context():
            try:
                with transaction() as session:
                    who = actor(session, session.get_one(User, own))
                    barrier.wait()
                    people.revoke_role(session, who, user_id=other, role="administrator")
                results.append("done")
            except PortalError as error:
                results.append(type(error).__name__)

    threads = [threading.Thread(target=dismiss, args=pair) for pair in (ids, ids[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["Refused", "done"]
    with fresh_app.app_context(), transaction() as session:
        assert session.scalar(select(func.count()).select_from(RoleGrant)) == 1


def test_create_administrator_from_the_shell(fresh_app: Flask) -> None:
    runner = fresh_app.test_cli_runner()
    made = runner.invoke(
        args=["portal", "create-admin", "root@demo.example", "--name", "Demo Root"],
        input="seven quiet rivers\nseven quiet rivers\n",
    )
    assert made.exit_code == 0, made.output
    weak = runner.invoke(args=["portal", "create-admin", "two@demo.example"], input="short\nshort\n")
    assert weak.exit_code == 1
    letter = runner.invoke(args=["portal", "create-admin", "three@demo.example", "--letter"])
    assert letter.exit_code == 0, letter.output
    client = fresh_app.test_client()
    signed_in = client.post("/account/login", data={"email": "root@demo.example", "password": "seven quiet rivers"})
    assert signed_in.location == "/start"
    with fresh_app.app_context(), transaction() as session:
        text = session.scalars(select(Letter.text).where(Letter.recipient == "three@demo.example")).one()
        assert "http://localhost:8000/account/reset/" in text
        holders = session.scalars(select(User.email).join(RoleGrant, RoleGrant.user_id == User.id)).all()
        assert sorted(holders) == ["root@demo.example", "three@demo.example"]
