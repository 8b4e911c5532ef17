"""People, organisations and who acts for whom."""

from __future__ import annotations

import itertools
from uuid import uuid4

from sqlalchemy import func
from sqlalchemy.orm import Session

from portal.core.db import uuid7
from portal.identity.models import Membership, Organisation, OrgRole, Role, RoleGrant, User
from portal.identity.policy import Actor
from portal.identity.queries import load_actor

_serial = itertools.count(1)


def user(
    session: Session,
    *roles: Role,
    email: str | None = None,
    locale: str = "en",
    name: str = "",
    organisation: Organisation | None = None,
    acts_as: OrgRole = OrgRole.OWNER,
) -> User:
    """A confirmed person with roles of the fund, or who acts for an organisation; the password is not set."""
    number = next(_serial)
    key = uuid7()
    row = User(
        id=key,
        email=email or f"person{number}.{uuid4().hex[:8]}@demo.example",
        full_name=name or f"Demo Person {number}",
        locale=locale,
        fs_uniquifier=uuid4().hex,
        confirmed_at=func.portal_now(),
        active=True,
    )
    session.add_all([row, *(RoleGrant(user_id=key, role=role) for role in roles)])
    if organisation is not None:
        session.add(Membership(user_id=key, organisation_id=organisation.id, role=acts_as))
    session.flush()
    return row


def inn(region: int, serial: int) -> str:
    """A checksum-valid synthetic INN of a legal entity."""
    digits = f"{region:02d}99{90000 + serial:05d}"
    weights = (2, 4, 10, 3, 5, 9, 4, 6, 8)
    return digits + str(sum(int(d) * w for d, w in zip(digits, weights, strict=True)) % 11 % 10)


def organisation(session: Session, *, region: int = 36, name: str = "", **fields: object) -> Organisation:
    """An organisation with valid synthetic identifiers."""
    number = next(_serial)
    ogrn = f"116{region:02d}99{number % 100000:05d}"
    row = Organisation(
        **{
            "inn": inn(region, number % 10000),
            "kpp": f"{region:02d}9901001",
            "ogrn": ogrn + str(int(ogrn) % 11 % 10),
            "okved2": "28.14",
            "region": f"{region:02d}",
            "name_ru": name or f"ООО «Демо-Завод {number}»",
            "name_en": name or f"Demo Works {number} LLC",
            **fields,
        }
    )
    session.add(row)
    session.flush()
    return row


def member(session: Session, organisation: Organisation, role: OrgRole = OrgRole.OWNER, **person: str) -> User:
    """A new person who acts for the organisation."""
    return user(session, organisation=organisation, acts_as=role, **person)  # type: ignore[arg-type]


def actor(session: Session, row: User) -> Actor:
    """The actor as a request of this person would have it."""
    return load_actor(session, row)
