"""Reviewers are reminded of reviews that are due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, joinedload

from portal.applications.models import Application
from portal.core.calendar import end_of_day
from portal.core.language import N_
from portal.identity.models import User
from portal.notifications.kinds import Topic, declare
from portal.notifications.reminders import Reminder, source, stage
from portal.review.letters import desk_path
from portal.review.models import Assignment
from portal.review.rules import UNFINISHED

DAYS: Final = (3, 1)
DUE: Final = declare("reminder_review", Topic.REVIEW, N_("A review is due soon"), important=True, staff=True)


@source("review.due")
def due(session: Session, at: datetime) -> Iterator[Reminder]:
    """Reviews not handed in whose day is near: their reviewers, where they can sign in."""
    statement = (
        select(Assignment)
        .join(Assignment.reviewer)
        .join(Assignment.application)
        .options(
            contains_eager(Assignment.reviewer),
            contains_eager(Assignment.application).options(joinedload(Application.tender, innerjoin=True)),
        )
        .where(
            Assignment.state.in_(UNFINISHED),
            Assignment.due_on.between(at.date() - timedelta(days=1), (at + timedelta(days=max(DAYS) + 1)).date()),
            User.active,
            User.confirmed_at.is_not(None),
        )
        .order_by(Assignment.id)
    )
    for row in session.scalars(statement):
        step = stage(end_of_day(row.due_on, ZoneInfo(row.application.tender.zone)), at, DAYS)
        if step is not None:
            yield Reminder(
                f"{DUE}:{row.id}:{row.version}:{row.due_on.isoformat()}:{step}",
                DUE,
                [row.reviewer],
                N_("Your review of application %(number)s is due", number=row.application.number or ""),
                [N_("Hand the review in by %(day)s.", day=row.due_on)],
                (N_("Open the review"), desk_path(row)),
                ("assignment", row.id),
            )
