"""Reading the keepers of a sealed tender and their keys."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Select, false, func, select
from sqlalchemy.orm import Session, joinedload

from portal.core.errors import Problem
from portal.core.language import N_
from portal.identity.models import Role, RoleGrant, User
from portal.tenders.models import Tender
from portal.tenders.seal_models import SealKey

NEEDED: Final = 2
KEEPERS: Final = (Role.OFFICER, Role.CHAIR, Role.DIRECTOR)
"""Roles whose people may be keepers."""


def keepers_of(session: Session, tender_id: UUID) -> list[SealKey]:
    """The keepers of a tender by their place, with their people."""
    statement = select(SealKey).where(SealKey.tender_id == tender_id).options(joinedload(SealKey.keeper))
    return list(session.scalars(statement.order_by(SealKey.place)))


def public_keys(session: Session, tender_id: UUID) -> dict[str, bytes]:
    """Place -> public key, of the keys that were made."""
    statement = select(SealKey.place, SealKey.public).where(SealKey.tender_id == tender_id, SealKey.public.is_not(None))
    return {str(place): public for place, public in session.execute(statement) if public is not None}


def given_keys(session: Session, tender_id: UUID) -> dict[str, bytes]:
    """Place -> private key, of the keepers who have opened."""
    statement = select(SealKey.place, SealKey.given).where(SealKey.tender_id == tender_id, SealKey.given.is_not(None))
    return {str(place): given for place, given in session.execute(statement) if given is not None}


def candidates(session: Session) -> list[User]:
    """Who may be a keeper: the fund's officers, the chair and directors."""
    statement = (
        select(User)
        .where(
            User.id.in_(select(RoleGrant.user_id).where(RoleGrant.role.in_(KEEPERS))),
            User.active,
            User.confirmed_at.is_not(None),
        )
        .order_by(User.full_name, User.email)
    )
    return list(session.scalars(statement))


def ends(tender_id: UUID) -> Select[datetime, bool]:
    """When the last application may come in, exceptions counted, and whether that is over by the database's clock."""
    ending = func.sealing_ends(tender_id, type_=Tender.closes_at.type)
    return select(ending, func.coalesce(func.portal_now() >= ending, false()))


def publication_problems(session: Session, tender: Tender) -> list[Problem]:
    """What a sealed tender lacks before it can be published: the keys of its keepers."""
    if not tender.sealed:
        return []
    held = keepers_of(session, tender.id)
    found = [
        Problem("no_key", "sealed", N_("%(name)s has not made a key yet.", name=name_of(row.keeper)))
        for row in held
        if row.public is None
    ]
    if len(held) < NEEDED:
        found.append(Problem("no_keepers", "sealed", N_("A sealed tender needs two keepers with a key each.")))
    return found


def in_use(session: Session, tender_id: UUID) -> bool:
    """Whether an application is sealed with the keys of a tender; the trigger on the keys asks the same."""
    return bool(session.scalar(select(func.seal_keys_used(tender_id))))


def name_of(user: User) -> str:
    return user.full_name or user.email
