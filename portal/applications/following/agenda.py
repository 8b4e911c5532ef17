"""A person's own calendar: what is due in their applications, and the milestones of the tenders these are in."""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from portal.applications.following.dossier import later_closing
from portal.applications.following.letters import title_of
from portal.applications.models import Application, Participant, ParticipantState, State
from portal.core.calendar_file import Event
from portal.core.language import N_, Message, render
from portal.identity.policy import Actor
from portal.notifications.letters import address
from portal.tenders import agenda, following
from portal.tenders.agenda import HOST

MOST: Final = 500
"""Applications of one calendar, the newest ones."""


def personal(session: Session, actor: Actor, now: datetime) -> list[Event]:
    """The entries of the actor's calendar in the actor's language: nothing of applications that are not theirs."""
    assert actor.user_id is not None
    mine = select(Participant.application_id).where(
        Participant.organisation_id.in_(actor.memberships), Participant.state == ParticipantState.ACCEPTED
    )
    wanted = (
        select(Application, later_closing())
        .join(Application.tender)
        .options(contains_eager(Application.tender))
        .where(Application.id.in_(mine))
        .order_by(Application.id.desc())
        .limit(MOST)
    )
    rows = session.execute(wanted).all()
    found = [event for row, later in rows for event in _due(row, later, actor.locale, now)]
    keys = {row.tender_id for row, _ in rows} | set(following.followed(session, actor.user_id))
    for plan in agenda.plans(session, actor, agenda.by_keys(session, keys)):
        found += agenda.events(plan, actor.locale)
    return found


def _due(row: Application, later: datetime | None, locale: str, now: datetime) -> list[Event]:
    """Submit a draft before its closing; send a correction by its day."""
    closes = row.tender.closes_at
    if row.state == State.RETURNED:
        title = N_("Send the correction: %(title)s", title=title_of(row))
        return [_event(row, "correction", title, locale, now, day=row.correction_due)]
    if row.state in (State.DRAFT, State.WITHDRAWN) and closes is not None:
        title = N_("Submit the application: %(title)s", title=title_of(row))
        return [_event(row, "closing", title, locale, now, at=max(closes, later) if later else closes)]
    return []


def _event(
    row: Application,
    what: str,
    title: Message,
    locale: str,
    now: datetime,
    *,
    at: datetime | None = None,
    day: date | None = None,
) -> Event:
    tender = row.tender
    return Event(
        uid=f"{what}.{row.id}@{HOST}",
        title=render(title, locale),
        stamp=now,
        url=address(f"/applications/{row.id}"),
        sequence=row.version + tender.version + tender.exceptions,
        cancelled=tender.cancelled_at is not None,
        at=at,
        day=day,
    )
