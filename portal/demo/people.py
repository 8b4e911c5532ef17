"""The people of the demo, written down and given their rights."""

from __future__ import annotations

from typing import Protocol
from uuid import UUID, uuid4

from flask_security.utils import hash_password
from sqlalchemy.orm import Session

from portal.core.clock import now
from portal.demo.sign_ins import FUND, PASSWORD, Person
from portal.identity import people as rights
from portal.identity.models import Membership, OrgRole, Role, RoleGrant, User
from portal.identity.policy import Actor
from portal.identity.queries import load_actor


class Party(Protocol):
    """An organisation, as far as its people are concerned."""

    @property
    def id(self) -> UUID: ...

    @property
    def inn(self) -> str: ...


class People:
    """Who of the demo acts: the fund's people by account, and an owner for every organisation that needs one."""

    def __init__(self) -> None:
        self._password = hash_password(PASSWORD)
        self._users: dict[str, UUID] = {}
        self._owners: dict[UUID, str] = {}
        self._actors: dict[str, Actor] = {}

    def admit_fund(self, session: Session) -> None:
        """The people of the fund; the first administrator is written down, the others get their roles by it."""
        for person in FUND:
            self._add(session, person)
        session.add(RoleGrant(user_id=self._users["admin"], role=Role.ADMINISTRATOR))
        session.flush()
        administrator = self.actor(session, "admin")
        for person in FUND[1:]:
            for role in person.roles:
                rights.grant_role(session, administrator, user_id=self._users[person.account], role=role)

    def join(self, session: Session, person: Person, organisation: Party, role: OrgRole) -> None:
        """Let a person act for an organisation; somebody new is written down first."""
        if person.account not in self._users:
            self._add(session, person)
        session.add(Membership(user_id=self._users[person.account], organisation_id=organisation.id, role=role))
        session.flush()
        self._actors.pop(person.account, None)
        if role is OrgRole.OWNER:
            self._owners[organisation.id] = person.account

    def actor(self, session: Session, account: str) -> Actor:
        """The person of an account, with their rights."""
        if account not in self._actors:
            self._actors[account] = load_actor(session, session.get_one(User, self._users[account]))
        return self._actors[account]

    def owner(self, session: Session, organisation: Party) -> Actor:
        """The owner of an organisation; made when it has none yet."""
        if organisation.id not in self._owners:
            number = organisation.inn[-5:]
            person = Person(
                f"owner-{organisation.inn}",
                f"Демо-представитель {number}",
                f"Demo Representative {number}",
                "en" if int(number) % 4 == 0 else "ru",
            )
            self.join(session, person, organisation, OrgRole.OWNER)
        return self.actor(session, self._owners[organisation.id])

    def key(self, account: str) -> UUID:
        """The key of a person's account."""
        return self._users[account]

    def _add(self, session: Session, person: Person) -> None:
        user = User(
            email=person.email,
            full_name=person.name,
            locale=person.locale,
            password=self._password,
            fs_uniquifier=uuid4().hex,
            confirmed_at=now(session),
        )
        session.add(user)
        session.flush()
        self._users[person.account] = user.id
