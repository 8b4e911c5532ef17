"""Following a tender, and the secret address of a person's own calendar."""

from __future__ import annotations

import hashlib
import secrets
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

import portal.tenders.policy  # noqa: F401 - registers the room's rules
from portal.audit.service import record
from portal.core.clock import now
from portal.core.errors import NotFound
from portal.identity.models import User
from portal.identity.policy import Actor, Permission, authorize, scope
from portal.tenders.models import CalendarFeed, Follow, Tender


def follow(session: Session, actor: Actor, tender_id: UUID) -> bool:
    """Get the letters of a published tender. Returns whether that is new."""
    tender = session.scalar(scope(actor, Tender).where(Tender.id == tender_id, Tender.published_at.is_not(None)))
    if tender is None:
        raise NotFound
    authorize(actor, Permission.TENDER_FOLLOW, tender)
    made = session.scalar(
        insert(Follow)
        .values(tender_id=tender_id, user_id=actor.user_id)
        .on_conflict_do_nothing()
        .returning(Follow.tender_id)
    )
    if made is not None:
        record(session, actor, "tenders:tender:follow", "tender", tender_id, {})
    return made is not None


def unfollow(session: Session, actor: Actor, tender_id: UUID) -> bool:
    """No longer get them, unless by an application. Returns whether the tender was followed."""
    authorize(actor, Permission.TENDER_FOLLOW)
    gone = session.scalar(
        delete(Follow).where(Follow.tender_id == tender_id, Follow.user_id == actor.user_id).returning(Follow.tender_id)
    )
    if gone is not None:
        record(session, actor, "tenders:tender:unfollow", "tender", tender_id, {})
    return gone is not None


def follows(session: Session, actor: Actor, tender_id: UUID) -> bool:
    """Whether the actor follows the tender."""
    if actor.user_id is None:
        return False
    wanted = select(Follow.tender_id).where(Follow.tender_id == tender_id, Follow.user_id == actor.user_id)
    return session.scalar(wanted) is not None


def followed(session: Session, user_id: UUID) -> list[UUID]:
    """The tenders that a person follows."""
    return list(session.scalars(select(Follow.tender_id).where(Follow.user_id == user_id)))


def new_feed(session: Session, actor: Actor) -> str:
    """A new secret address for the actor's own calendar; the one before stops working.

    Returns the token. It is kept only as its SHA-256, so that it can be shown this once.
    """
    authorize(actor, Permission.CALENDAR_FEED)
    # One at a time for each person: the index would refuse the second, and the form should not fail for that.
    session.execute(select(User.id).where(User.id == actor.user_id).with_for_update(key_share=True))
    _end(session, actor)
    assert actor.user_id is not None
    token = secrets.token_urlsafe(32)
    row = CalendarFeed(user_id=actor.user_id, token_hash=_hash(token))
    session.add(row)
    session.flush()
    record(session, actor, "tenders:feed:create", "user", actor.user_id, {"feed": row.id})
    return token


def revoke_feed(session: Session, actor: Actor) -> bool:
    """Stop the actor's own calendar. Returns whether there was one."""
    authorize(actor, Permission.CALENDAR_FEED)
    ended = _end(session, actor)
    if ended:
        assert actor.user_id is not None
        record(session, actor, "tenders:feed:revoke", "user", actor.user_id, {})
    return ended


def _end(session: Session, actor: Actor) -> bool:
    ended = session.scalars(
        update(CalendarFeed)
        .where(CalendarFeed.user_id == actor.user_id, CalendarFeed.revoked_at.is_(None))
        .values(revoked_at=now(session))
        .returning(CalendarFeed.id)
    ).all()
    return bool(ended)


def live_feed(session: Session, actor: Actor) -> CalendarFeed | None:
    """The actor's calendar that works now."""
    return session.scalar(
        select(CalendarFeed).where(CalendarFeed.user_id == actor.user_id, CalendarFeed.revoked_at.is_(None))
    )


def person_of(session: Session, token: str) -> User:
    """Whose calendar the token opens. NotFound for one that is unknown, revoked, or of a blocked person."""
    found = session.scalar(
        select(User)
        .join(CalendarFeed, CalendarFeed.user_id == User.id)
        .where(
            CalendarFeed.token_hash == _hash(token),
            CalendarFeed.revoked_at.is_(None),
            User.active,
            User.confirmed_at.is_not(None),
        )
    )
    if found is None:
        raise NotFound
    return found


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
