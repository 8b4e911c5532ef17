"""Reviewers are reminded of reviews that are due soon, and of those that are late."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from portal.applications.models import Application, State
from portal.core.calendar import end_of_day
from portal.core.language import N_
from portal.identity.models import User
from portal.notifications.kinds import Topic, declare
from portal.notifications.reminders import Reminder, source, stage
from portal.review.letters import OVERDUE, desk_path
from portal.review.models import Assignment
from portal.review.rules import UNFINISHED

DAYS: Final = (3, 1)
DAYS_LATE: Final = (1, 3, 7, 14)
"""Days after the day of a review on which its reviewer is reminded."""
DUE: Final = declare("reminder_review", Topic.REVIEW, N_("A review is due soon"), important=True, staff=True)


@source("review.due")
def due(session: Session, at: datetime) -> Iterator[Reminder]:
    """Reviews not handed in whose day is near: their reviewers, where they can sign in."""
    days = (at.date() - timedelta(days=1), (at + timedelta(days=max(DAYS) + 1)).date())
    for row in session.scalars(_unfinished(*days)):
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


@source("review.overdue")
def overdue(session: Session, at: datetime) -> Iterator[Reminder]:
    """Reviews not handed in on days 1, 3, 7 and 14 after they were due; the present stage only."""
    window = ((at - timedelta(days=max(DAYS_LATE) + 2)).date(), at.date())
    for row in session.scalars(_unfinished(*window)):
        days = (at.astimezone(ZoneInfo(row.application.tender.zone)).date() - row.due_on).days
        if days not in DAYS_LATE:
            continue
        yield Reminder(
            f"{OVERDUE}:{row.id}:{row.due_on.isoformat()}:{days}",
            OVERDUE,
            [row.reviewer],
            N_("Your review of application %(number)s is overdue", number=row.application.number or ""),
            [
                N_("It was due by %(day)s.", day=row.due_on),
                N_("Please hand it in, or tell the officer that you cannot."),
            ],
            (N_("Open the review"), desk_path(row)),
            ("assignment", row.id),
        )


def _unfinished(first: date, last: date) -> Select[Assignment]:
    """Reviews due in these days that somebody who can sign in still has to hand in, of applications in expertise."""
    return (
        select(Assignment)
        .join(Assignment.reviewer)
        .join(Assignment.application)
        .options(
            contains_eager(Assignment.reviewer),
            contains_eager(Assignment.application).options(joinedload(Application.tender, innerjoin=True)),
        )
        .where(
            Assignment.state.in_(UNFINISHED),
            Application.state == State.EXPERTISE,
            Application.submission_id == Assignment.submission_id,
            Assignment.due_on.between(first, last),
            User.active,
            User.confirmed_at.is_not(None),
        )
        .order_by(Assignment.id)
    )
