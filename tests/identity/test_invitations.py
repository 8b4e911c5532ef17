"""Invitations: for one address, once, for fourteen days, by owners only."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core import clock
from portal.core.db import transaction
from portal.core.errors import Conflict, NotFound, PortalError, Problems, Refused
from portal.identity import invitations
from portal.identity.models import Invitation, Membership, Organisation, OrgRole, User
from portal.notifications.models import Letter
from tests.factories import identity
from tests.factories.identity import actor


def invited(
    session: Session, email: str = "guest@demo.example", role: str = "editor"
) -> tuple[User, Organisation, Invitation]:
    organisation = identity.organisation(session)
    owner = identity.member(session, organisation)
    row = invitations.invite(session, actor(session, owner), organisation_id=organisation.id, email=email, role=role)
    return owner, organisation, row


def token(session: Session, email: str) -> str:
    letter = session.scalars(select(Letter).where(Letter.recipient == email).order_by(Letter.id.desc())).first()
    assert letter is not None
    found = re.search(r"/organisations/invitations/(\S+)", letter.text)
    assert found is not None
    return found.group(1)


def test_invitation_is_accepted_once(session: Session) -> None:
    _owner, organisation, row = invited(session)
    guest = identity.user(session, email="Guest@demo.example")
    who = actor(session, guest)
    secret = token(session, "guest@demo.example")
    assert secret not in row.token_hash
    found = invitations.by_token(session, who, secret)
    membership = invitations.accept(session, who, found)
    assert (membership.organisation_id, membership.role) == (organisation.id, OrgRole.EDITOR)
    with pytest.raises(Conflict):
        invitations.by_token(session, who, secret)
    with pytest.raises(Conflict):
        invitations.accept(session, who, found)


def test_another_address_cannot_use_it(session: Session) -> None:
    _owner, _organisation, row = invited(session)
    thief = actor(session, identity.user(session))
    secret = token(session, "guest@demo.example")
    with pytest.raises(Refused):
        invitations.by_token(session, thief, secret)
    with pytest.raises(Refused):
        invitations.accept(session, thief, row)
    with pytest.raises(NotFound):
        invitations.by_id(session, thief, row.id)
    with pytest.raises(NotFound):
        invitations.by_token(session, thief, "made-up")


@pytest.mark.parametrize("role", [OrgRole.SIGNATORY, OrgRole.EDITOR, OrgRole.VIEWER])
def test_only_owners_invite(session: Session, role: OrgRole) -> None:
    _owner, organisation, row = invited(session)
    member = actor(session, identity.member(session, organisation, role))
    with pytest.raises(Refused):
        invitations.invite(session, member, organisation_id=organisation.id, email="x@demo.example", role="viewer")
    with pytest.raises(Refused):
        invitations.resend(session, member, invitation_id=row.id)
    with pytest.raises(Refused):
        invitations.withdraw(session, member, invitation_id=row.id)


def test_a_stranger_learns_nothing(session: Session) -> None:
    _owner, organisation, row = invited(session)
    stranger = actor(session, identity.member(session, identity.organisation(session)))
    with pytest.raises(NotFound):
        invitations.invite(session, stranger, organisation_id=organisation.id, email="x@demo.example", role="viewer")
    with pytest.raises(NotFound):
        invitations.withdraw(session, stranger, invitation_id=row.id)


def test_problems_of_an_invitation(session: Session) -> None:
    owner, organisation, _row = invited(session)
    who = actor(session, owner)

    def codes(email: str, role: str) -> list[tuple[str, str]]:
        with pytest.raises(Problems) as error:
            invitations.invite(session, who, organisation_id=organisation.id, email=email, role=role)
        return [(problem.field, problem.code) for problem in error.value.problems]

    assert codes("nobody", "king") == [("email", "format"), ("role", "unknown")]
    assert codes(owner.email.upper(), "viewer") == [("email", "member")]
    assert codes("GUEST@demo.example", "viewer") == [("email", "invited")]


def test_resend_makes_the_old_link_dead(session: Session) -> None:
    owner, _organisation, row = invited(session)
    old = token(session, "guest@demo.example")
    invitations.resend(session, actor(session, owner), invitation_id=row.id)
    new = token(session, "guest@demo.example")
    guest = actor(session, identity.user(session, email="guest@demo.example"))
    assert old != new
    with pytest.raises(NotFound):
        invitations.by_token(session, guest, old)
    assert invitations.by_token(session, guest, new).id == row.id


def test_withdrawn_and_expired_cannot_be_used(session: Session) -> None:
    owner, _organisation, row = invited(session)
    guest = actor(session, identity.user(session, email="guest@demo.example"))
    secret = token(session, "guest@demo.example")
    with clock.at(session, clock.now(session) + timedelta(days=14, seconds=1)), pytest.raises(Conflict):
        invitations.by_token(session, guest, secret)
    with clock.at(session, clock.now(session) + timedelta(days=14, seconds=1)), pytest.raises(Conflict):
        invitations.accept(session, guest, row)
    invitations.withdraw(session, actor(session, owner), invitation_id=row.id)
    with pytest.raises(Conflict):
        invitations.by_token(session, guest, secret)
    with pytest.raises(Conflict):
        invitations.accept(session, guest, row)
    with pytest.raises(Conflict):
        invitations.resend(session, actor(session, owner), invitation_id=row.id)


def test_a_member_cannot_raise_the_own_role(session: Session) -> None:
    _owner, organisation, row = invited(session, role="owner")
    member = identity.member(session, organisation, OrgRole.VIEWER, email="guest@demo.example")
    with pytest.raises(Conflict):
        invitations.accept(session, actor(session, member), row)
    assert actor(session, member).memberships == {organisation.id: OrgRole.VIEWER}


def test_ten_at_once_accept_once(fresh_app: Flask) -> None:
    with fresh_app.app_context(), transaction() as session:
        _owner, _organisation, row = invited(session)
        invitation_id = row.id
        guest_id = identity.user(session, email="guest@demo.example").id
    barrier, results = threading.Barrier(4), []

    def attempt() -> None:
        with fresh_app.app_context():
            try:
                with transaction() as session:
                    who = actor(session, session.get_one(User, guest_id))
                    found = invitations.by_id(session, who, invitation_id)
                    barrier.wait()
                    invitations.accept(session, who, found)
                results.append("accepted")
            except PortalError as error:
                results.append(type(error).__name__)

    threads = [threading.Thread(target=attempt) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["Conflict", "Conflict", "Conflict", "accepted"]
    with fresh_app.app_context(), transaction() as session:
        assert len(session.scalars(select(Membership).where(Membership.user_id == guest_id)).all()) == 1
