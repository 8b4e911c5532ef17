"""Registering organisations, correcting them, and deciding who acts for them."""

from __future__ import annotations

import threading
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.core.db import transaction
from portal.core.errors import NotFound, PortalError, Problems, Refused, Stale
from portal.identity import invitations, service
from portal.identity.models import Invitation, Membership, Organisation, OrgRole, User
from portal.identity.policy import Actor, find
from portal.notifications.models import Letter
from tests.factories import identity
from tests.factories.identity import actor


def values(serial: int = 7, **changes: str) -> dict[str, str]:
    head = f"1163699{serial:05d}"
    return {
        "inn": identity.inn(36, serial),
        "kpp": "369901001",
        "ogrn": head + str(int(head) % 11 % 10),
        "okved2": "28.14",
        "region": "36",
        "name_ru": "ООО «Демо»",
        "name_en": "Demo LLC",
        **changes,
    }


def codes(error: pytest.ExceptionInfo[Problems]) -> dict[str, str]:
    return {problem.field: problem.code for problem in error.value.problems}


def tags(session: Session, object_id: object) -> list[str]:
    session.commit()
    statement = select(AuditEvent.tag).where(AuditEvent.object_id == str(object_id)).order_by(AuditEvent.seq)
    return list(session.scalars(statement))


def owner_and_organisation(session: Session) -> tuple[User, Organisation]:
    organisation = identity.organisation(session)
    return identity.member(session, organisation), organisation


def test_whoever_registers_becomes_owner(session: Session) -> None:
    person = identity.user(session)
    row = service.register_organisation(session, actor(session, person), values())
    assert actor(session, person).memberships == {row.id: OrgRole.OWNER}
    assert tags(session, row.id) == ["identity:organisation:register"]


def test_one_organisation_per_inn_and_kpp(session: Session) -> None:
    person = identity.user(session)
    who = actor(session, person)
    service.register_organisation(session, who, values())
    with pytest.raises(Problems) as taken:
        service.register_organisation(session, who, values())
    assert codes(taken) == {"inn": "taken"}
    branch = service.register_organisation(session, who, values(kpp="770501001"))
    assert branch.kpp == "770501001"


def test_anonymous_registers_nothing(session: Session) -> None:
    with pytest.raises(Refused):
        service.register_organisation(session, Actor(), values())


def test_two_at_once_give_one_organisation(fresh_app: Flask) -> None:
    with fresh_app.app_context(), transaction() as session:
        people = [identity.user(session).id for _ in range(4)]
    barrier, results = threading.Barrier(4), []

    def attempt(user_id: object) -> None:
        with fresh_app.app_context():
            try:
                with transaction() as session:
                    who = actor(session, session.get_one(User, user_id))
                    barrier.wait()
                    service.register_organisation(session, who, values(9))
                results.append("done")
            except Problems as problems:
                results.append(problems.problems[0].code)

    threads = [threading.Thread(target=attempt, args=(user_id,)) for user_id in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["done", "taken", "taken", "taken"]


def test_edit_checks_the_version_and_the_right(session: Session) -> None:
    owner, organisation = owner_and_organisation(session)
    editor = identity.member(session, organisation, OrgRole.EDITOR)
    viewer = identity.member(session, organisation, OrgRole.VIEWER)
    stranger, _other = owner_and_organisation(session)
    new = values(organisation.version, ogrn=organisation.ogrn, kpp="770501001", name_en="New name")
    arguments = {"organisation_id": organisation.id, "values": new, "expected_version": 1}
    service.edit_organisation(session, actor(session, editor), **arguments)
    assert (organisation.name_en, organisation.kpp, organisation.version) == ("New name", "770501001", 2)
    with pytest.raises(Stale):
        service.edit_organisation(session, actor(session, owner), **arguments)
    with pytest.raises(Refused):
        service.edit_organisation(session, actor(session, viewer), **{**arguments, "expected_version": 2})
    with pytest.raises(NotFound):
        service.edit_organisation(session, actor(session, stranger), **{**arguments, "expected_version": 2})
    assert tags(session, organisation.id) == ["identity:organisation:edit"]


def test_edit_cannot_take_anothers_kpp(session: Session) -> None:
    owner, organisation = owner_and_organisation(session)
    identity.organisation(session, inn=organisation.inn, kpp="770501001")
    new = values(1, ogrn=organisation.ogrn, kpp="770501001")
    with pytest.raises(Problems) as taken:
        service.edit_organisation(
            session,
            actor(session, owner),
            organisation_id=organisation.id,
            values=new,
            expected_version=1,
        )
    assert codes(taken) == {"kpp": "taken"}


def test_owner_changes_roles_but_keeps_an_owner(session: Session) -> None:
    owner, organisation = owner_and_organisation(session)
    editor = identity.member(session, organisation, OrgRole.EDITOR)
    who = actor(session, owner)
    with pytest.raises(Refused):
        service.change_role(session, who, organisation_id=organisation.id, user_id=owner.id, role="viewer")
    with pytest.raises(Refused):
        service.change_role(
            session,
            actor(session, editor),
            organisation_id=organisation.id,
            user_id=editor.id,
            role="owner",
        )
    with pytest.raises(Problems) as unknown:
        service.change_role(session, who, organisation_id=organisation.id, user_id=editor.id, role="king")
    assert codes(unknown) == {"role": "unknown"}
    service.change_role(session, who, organisation_id=organisation.id, user_id=editor.id, role="owner")
    service.change_role(session, who, organisation_id=organisation.id, user_id=owner.id, role="viewer")
    assert actor(session, owner).memberships == {organisation.id: OrgRole.VIEWER}
    assert tags(session, organisation.id) == ["identity:membership:change"] * 2


def test_blocked_owner_does_not_count(session: Session) -> None:
    owner, organisation = owner_and_organisation(session)
    blocked = identity.member(session, organisation)
    blocked.active = False
    session.flush()
    with pytest.raises(Refused):
        service.remove_person(session, actor(session, owner), organisation_id=organisation.id, user_id=owner.id)


def test_removed_person_sees_nothing_at_once(session: Session) -> None:
    owner, organisation = owner_and_organisation(session)
    viewer = identity.member(session, organisation, OrgRole.VIEWER)
    before = actor(session, viewer)
    assert find(session, before, Organisation, organisation.id) is organisation
    with pytest.raises(Refused):
        service.remove_person(session, before, organisation_id=organisation.id, user_id=owner.id)
    service.remove_person(session, actor(session, owner), organisation_id=organisation.id, user_id=viewer.id)
    with pytest.raises(NotFound):
        find(session, actor(session, viewer), Organisation, organisation.id)
    assert session.scalars(select(Letter.kind).where(Letter.user_id == viewer.id)).all() == ["membership_ended"]


def test_anyone_but_the_last_owner_may_leave(session: Session) -> None:
    owner, organisation = owner_and_organisation(session)
    viewer = identity.member(session, organisation, OrgRole.VIEWER)
    service.remove_person(session, actor(session, viewer), organisation_id=organisation.id, user_id=viewer.id)
    with pytest.raises(Refused):
        service.remove_person(session, actor(session, owner), organisation_id=organisation.id, user_id=owner.id)


def test_invitations_of_a_former_owner_die(session: Session) -> None:
    owner, organisation = owner_and_organisation(session)
    second = identity.member(session, organisation)
    row = invitations.invite(
        session,
        actor(session, second),
        organisation_id=organisation.id,
        email="friend@demo.example",
        role="owner",
    )
    service.change_role(
        session,
        actor(session, owner),
        organisation_id=organisation.id,
        user_id=second.id,
        role="viewer",
    )
    session.refresh(row)
    assert row.withdrawn_at is not None
    assert session.scalar(select(func.count()).select_from(Invitation)) == 1


def test_two_owners_leaving_at_once_leave_one(fresh_app: Flask) -> None:
    with fresh_app.app_context(), transaction() as session:
        organisation_id = identity.organisation(session).id
        organisation = session.get_one(Organisation, organisation_id)
        owners = [identity.member(session, organisation).id for _ in range(2)]
    barrier, results = threading.Barrier(2), []

    def leave(user_id: object) -> None:
        with fresh_app.app_context():
            try:
                with transaction() as session:
                    who = actor(session, session.get_one(User, user_id))
                    barrier.wait()
                    service.remove_person(session, who, organisation_id=organisation_id, user_id=user_id)
                results.append("left")
            except PortalError as error:
                results.append(type(error).__name__)

    threads = [threading.Thread(target=leave, args=(user_id,)) for user_id in owners]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["Refused", "left"]
    with fresh_app.app_context(), transaction() as session:
        assert session.scalar(select(func.count()).select_from(Membership)) == 1


def test_unknown_person_of_an_organisation(session: Session) -> None:
    owner, organisation = owner_and_organisation(session)
    with pytest.raises(NotFound):
        service.remove_person(session, actor(session, owner), organisation_id=organisation.id, user_id=uuid4())
