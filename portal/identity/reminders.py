"""People of the portal are reminded of invitations to act for an organisation before they expire."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.language import N_
from portal.identity.models import Invitation, Organisation, User
from portal.notifications.kinds import Topic, declare
from portal.notifications.reminders import Reminder, source, stage

DAYS: Final = (3, 1)
EXPIRING: Final = declare(
    "reminder_org_invitation", Topic.DEADLINES, N_("An invitation to act for an organisation expires soon")
)


@source("identity.invitation")
def expiring(session: Session, at: datetime) -> Iterator[Reminder]:
    """Open invitations to addresses of people the portal knows; the letter leads to the list, never by a token."""
    statement = (
        select(Invitation, Organisation, User)
        .join(Organisation, Organisation.id == Invitation.organisation_id)
        .join(User, func.lower(User.email) == func.lower(Invitation.email))
        .where(
            Invitation.accepted_at.is_(None),
            Invitation.withdrawn_at.is_(None),
            Invitation.expires_at > at,
            Invitation.expires_at <= at + timedelta(days=max(DAYS)),
            User.active,
            User.confirmed_at.is_not(None),
        )
        .order_by(Invitation.id)
    )
    for row, organisation, person in session.execute(statement):
        step = stage(row.expires_at, at, DAYS)
        if step is not None and row.created_at <= row.expires_at - timedelta(days=step):
            names = {"ru": organisation.name_ru, "en": organisation.name_en}
            yield Reminder(
                f"{EXPIRING}:{row.id}:{row.expires_at.isoformat()}:{step}",
                EXPIRING,
                [person],
                N_("The invitation to act for %(organisation)s expires soon", organisation=names),
                [N_("It can be accepted until %(day)s.", day=row.expires_at.date())],
                (N_("Open my organisations"), "/organisations/"),
                ("invitation", row.id),
            )
