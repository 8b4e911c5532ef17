"""Reading: the actor of a request from present memberships and roles, people, organisations, invitations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ScalarSelect, Select, bindparam, case, exists, func, or_, select
from sqlalchemy.orm import Session, selectinload

from portal.core.errors import NotFound
from portal.identity.models import (
    Invitation,
    Membership,
    Organisation,
    OrgRole,
    Role,
    RoleGrant,
    User,
    UserSession,
)
from portal.identity.policy import Actor
from portal.notifications.models import Notice


@dataclass(frozen=True, slots=True)
class Reader:
    """Who holds a session, with present rights: all that a request needs to know of its person."""

    data: bytes
    user: User | None
    actor: Actor | None
    unread: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, int] = field(default_factory=dict)


_roles = select(func.array_agg(RoleGrant.role)).where(RoleGrant.user_id == User.id).scalar_subquery()
_memberships = (
    select(func.json_object_agg(Membership.organisation_id, Membership.role))
    .where(Membership.user_id == User.id)
    .scalar_subquery()
)
_kinds = (
    select(Notice.kind, func.count().label("count"))
    .where(Notice.user_id == User.id, Notice.in_portal, Notice.read_at.is_(None))
    .group_by(Notice.kind)
    .correlate(User)
    .lateral("unread")
)
_unread = (
    select(func.json_object_agg(_kinds.c.kind, _kinds.c.count)).select_from(_kinds).correlate(User).scalar_subquery()
)
_RIGHTS: Final = select(_roles, _memberships).where(User.id == bindparam("user"))
_decides = exists().where(RoleGrant.user_id == User.id, RoleGrant.role == Role.OFFICER)


@cache
def _reader(waiting: ScalarSelect[Any]) -> Select[Any]:
    waits = case((_decides, waiting), else_=None)
    return (
        select(UserSession.data, User, _roles, _memberships, _unread, waits)
        .outerjoin(User, User.id == UserSession.user_id)
        .where(UserSession.token_hash == bindparam("token_hash"), UserSession.expires_at > func.clock_timestamp())
    )


def reader_of(session: Session, token_hash: str, waiting: ScalarSelect[Any]) -> Reader | None:
    """The live session with its person, rights and unread notices, in one query; None when there is none.

    ``waiting``: one JSON value, the same object each time, that is read along for officers.
    """
    row = session.execute(_reader(waiting), {"token_hash": token_hash}).one_or_none()
    if row is None:
        return None
    data, user, roles, memberships, unread, waits = row
    actor = _actor(user, roles, memberships) if user is not None else None
    return Reader(data, user, actor, unread or {}, waits or {})


def load_actor(session: Session, user: User) -> Actor:
    """The actor for a signed-in person, in one query."""
    roles, memberships = session.execute(_RIGHTS, {"user": user.id}).one()
    return _actor(user, roles, memberships)


def _actor(user: User, roles: list[str] | None, memberships: dict[str, str] | None) -> Actor:
    return Actor(
        user_id=user.id,
        name=user.full_name,
        email=user.email,
        locale=user.locale,
        roles=frozenset(Role(role) for role in roles or ()),
        memberships={UUID(key): OrgRole(role) for key, role in (memberships or {}).items()},
    )


def organisations_of(session: Session, actor: Actor) -> list[tuple[Organisation, OrgRole]]:
    """The organisations the actor acts for, with the role, by name."""
    rows = session.scalars(
        select(Organisation)
        .where(Organisation.id.in_(list(actor.memberships)))
        .order_by(Organisation.name_ru, Organisation.id)
    )
    return [(row, actor.memberships[row.id]) for row in rows]


def people_of(session: Session, organisation_id: UUID) -> list[tuple[Membership, User]]:
    """Who acts for an organisation: owners first, then by name."""
    order = case({str(role): place for place, role in enumerate(OrgRole)}, value=Membership.role)
    rows = session.execute(
        select(Membership, User)
        .join(User, User.id == Membership.user_id)
        .where(Membership.organisation_id == organisation_id)
        .order_by(order, User.full_name, User.id)
    )
    return [(membership, person) for membership, person in rows]


def open_invitations(session: Session, organisation_id: UUID) -> list[Invitation]:
    """Invitations neither accepted nor withdrawn, newest first; expired ones among them can be sent again."""
    return list(
        session.scalars(
            select(Invitation)
            .where(
                Invitation.organisation_id == organisation_id,
                Invitation.accepted_at.is_(None),
                Invitation.withdrawn_at.is_(None),
            )
            .order_by(Invitation.id.desc())
            .limit(100)
        )
    )


def invitations_for(session: Session, actor: Actor) -> list[tuple[Invitation, Organisation]]:
    """What the actor, by the confirmed address, is invited to and can still accept."""
    rows = session.execute(
        select(Invitation, Organisation)
        .join(Organisation, Organisation.id == Invitation.organisation_id)
        .where(
            func.lower(Invitation.email) == actor.email.lower(),
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
            Invitation.expires_at > func.portal_now(),
        )
        .order_by(Invitation.id.desc())
        .limit(100)
    )
    return [(invitation, organisation) for invitation, organisation in rows]


def people(*, text: str = "", role: Role | None = None, state: str = "") -> Select[User]:
    """Everyone, with the roles of the fund; narrowed by the start of the address or of a word of the name.

    ``state``: 'blocked', 'unconfirmed', or anything else for all.
    """
    statement = select(User).options(selectinload(User.grants))
    if text:
        start = text.lower().replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        name = func.lower(User.full_name)
        statement = statement.where(
            or_(func.lower(User.email).like(f"{start}%"), name.like(f"{start}%"), name.like(f"% {start}%"))
        )
    if role is not None:
        statement = statement.where(User.id.in_(select(RoleGrant.user_id).where(RoleGrant.role == role)))
    if state == "blocked":
        statement = statement.where(User.active.is_(False))
    elif state == "unconfirmed":
        statement = statement.where(User.confirmed_at.is_(None))
    return statement


def memberships_of(session: Session, user_id: UUID) -> list[tuple[Membership, Organisation]]:
    """The organisations a person acts for, by name."""
    rows = session.execute(
        select(Membership, Organisation)
        .join(Organisation, Organisation.id == Membership.organisation_id)
        .where(Membership.user_id == user_id)
        .order_by(Organisation.name_ru, Organisation.id)
    )
    return [(membership, organisation) for membership, organisation in rows]


def sessions_of(session: Session, user_id: UUID) -> list[UserSession]:
    """The sessions a person has now, newest first."""
    return list(
        session.scalars(
            select(UserSession)
            .where(UserSession.user_id == user_id, UserSession.expires_at > func.clock_timestamp())
            .order_by(UserSession.created_at.desc())
            .limit(50)
        )
    )


def person_of(session: Session, organisation_id: UUID, user_id: UUID) -> User:
    """One of the people of an organisation. Raises :class:`NotFound`."""
    person = session.scalar(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organisation_id == organisation_id, User.id == user_id)
    )
    if person is None:
        raise NotFound
    return person


def grants_of(session: Session, user_id: UUID) -> list[RoleGrant]:
    """A person's roles of the fund."""
    return list(session.scalars(select(RoleGrant).where(RoleGrant.user_id == user_id)))


def names_of(session: Session, people: Iterable[UUID]) -> dict[UUID, str]:
    """Names of people by key, the address where no name was given; one query."""
    rows = session.execute(select(User.id, User.full_name, User.email).where(User.id.in_(list(people))))
    return {key: name or email for key, name, email in rows}
