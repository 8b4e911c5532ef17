"""Reading rights: the actor of a request, from present memberships and roles."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import literal, select, union_all
from sqlalchemy.orm import Session

from portal.identity.models import Membership, OrgRole, Role, RoleGrant, User
from portal.identity.policy import Actor


def load_actor(session: Session, user: User) -> Actor:
    """The actor for a signed-in person, in one query."""
    rights = union_all(
        select(literal("role"), RoleGrant.role, RoleGrant.id).where(RoleGrant.user_id == user.id),
        select(literal("member"), Membership.role, Membership.organisation_id).where(
            Membership.user_id == user.id
        ),
    )
    roles: set[Role] = set()
    memberships: dict[UUID, OrgRole] = {}
    for kind, role, key in session.execute(rights):
        if kind == "role":
            roles.add(Role(role))
        else:
            memberships[key] = OrgRole(role)
    return Actor(
        user_id=user.id,
        name=user.full_name,
        email=user.email,
        locale=user.locale,
        roles=frozenset(roles),
        memberships=memberships,
    )
