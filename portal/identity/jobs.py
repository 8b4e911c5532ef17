"""The daily digest: one letter a day to each person who wants one, at the hour of their choice in their zone."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Date, String, cast, func, literal, select, update
from sqlalchemy.orm import Session

from portal.core import jobs
from portal.core.language import N_
from portal.identity.models import User
from portal.notifications import tokens
from portal.notifications.kinds import DIGEST
from portal.notifications.letters import compose_list
from portal.notifications.models import DigestTime, Letter, Notice
from portal.notifications.preferences import DEFAULT_HOUR, DEFAULT_ZONE
from portal.notifications.service import write

EVERY: Final = 10 * 60
"""Seconds between two rounds."""

BATCH: Final = 50
LISTED: Final = 100
"""Notices in one letter; the rest is in the portal."""


@jobs.handler("daily_digests", every=EVERY)
def daily_digests(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> jobs.Progress:
    """Write the digests that are due, some in each step."""
    written = write_due(session, BATCH)
    return jobs.Progress(0 if written == BATCH else 1, 1)


def write_due(session: Session, limit: int) -> int:
    """Write up to ``limit`` digests of people whose hour has come and who got none today. Returns how many.

    What came in after today's digest waits for tomorrow's. The letter's key holds person and local day, and its
    notices name the letter: a second run finds nothing to do.
    """
    zone = func.coalesce(DigestTime.zone, DEFAULT_ZONE)
    local = func.timezone(zone, func.portal_now())
    day = cast(local, Date)
    key = literal(f"{DIGEST}:") + cast(User.id, String) + ":" + cast(day, String)
    waiting = select(Notice.id).where(
        Notice.user_id == User.id, Notice.for_digest, Notice.digest_id.is_(None), Notice.created_at <= func.portal_now()
    )
    due = session.execute(
        select(User, key)
        .outerjoin(DigestTime, DigestTime.user_id == User.id)
        .where(
            waiting.exists(),
            User.active,
            User.confirmed_at.is_not(None),
            (DigestTime.user_id.is_(None)) | (DigestTime.hour.is_not(None)),
            func.extract("hour", local) >= func.coalesce(DigestTime.hour, DEFAULT_HOUR),
            ~select(Letter.id).where(Letter.key == key).exists(),
        )
        .order_by(User.id)
        .limit(limit)
    ).all()
    for person, letter_key in due:
        _write(session, person, letter_key)
    return len(due)


def _write(session: Session, person: User, key: str) -> None:
    notices = session.scalars(
        select(Notice)
        .where(Notice.user_id == person.id, Notice.for_digest, Notice.digest_id.is_(None))
        .order_by(Notice.id)
        .with_for_update()
    ).all()
    items = [(str(notice.subject[person.locale]), notice.path) for notice in notices[:LISTED]]
    more = len(notices) - len(items)
    opening = (
        N_("This is what happened since the last letter, and %(count)s more that the portal shows.", count=more)
        if more
        else N_("This is what happened since the last letter.")
    )
    said = compose_list(
        N_("The day on the Joint Projects Portal: %(count)s", count=len(notices)),
        opening,
        items,
        person.locale,
        stop=tokens.stop_path(person.id, DIGEST),
    )
    letter_id = write(
        session,
        key=key,
        kind=DIGEST,
        recipient=person.email,
        locale=person.locale,
        subject=said.subject,
        text=said.text,
        html=said.html,
        user_id=person.id,
    )
    if letter_id is not None:
        session.execute(
            update(Notice).where(Notice.id.in_([notice.id for notice in notices])).values(digest_id=letter_id)
        )
