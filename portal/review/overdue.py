"""Reviews whose day is over: the officer's nudge, and the reminders that go out by themselves."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, joinedload

from portal.applications.models import Application, State
from portal.audit.service import record
from portal.core.clock import today
from portal.core.language import N_
from portal.identity.models import User
from portal.identity.policy import Actor, Permission, authorize
from portal.notifications.reminders import Reminder, source
from portal.review import letters, plan_queries
from portal.review.letters import OVERDUE, desk_path
from portal.review.models import Assignment
from portal.review.rules import UNFINISHED

DAYS: Final = (1, 3, 7, 14)
"""Days after the day of a review on which its reviewer is reminded."""


def remind_late(session: Session, actor: Actor, *, tender_track_id: UUID) -> int:
    """Remind every reviewer of a track whose reviews are late, at most once a day. Returns how many are told anew.

    Reviews of projects in which the actor's own organisations take part are left out.
    """
    authorize(actor, Permission.REVIEW_ASSIGN)
    track = plan_queries.track(session, tender_track_id)
    on = today(session, ZoneInfo(track.tender.zone))
    late: dict[UUID, list[Assignment]] = defaultdict(list)
    statement = plan_queries.late_select(actor, tender_track_id, on).order_by(Assignment.due_on, Assignment.id)
    for row in session.scalars(statement):
        late[row.reviewer_id].append(row)
    told = 0
    for rows in late.values():
        if rows[0].reviewer.active:
            told += letters.overdue(session, rows, rows[0].reviewer, on)
    record(session, actor, "review:assignment:remind", "tender_track", tender_track_id, {"reviewers": told})
    return told


@source("review.overdue")
def overdue(session: Session, at: datetime) -> Iterator[Reminder]:
    """Reviews not handed in on days 1, 3, 7 and 14 after they were due; the present stage only."""
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
            Application.state == State.EXPERTISE,
            Application.submission_id == Assignment.submission_id,
            Assignment.due_on.between((at - timedelta(days=max(DAYS) + 2)).date(), at.date()),
            User.active,
            User.confirmed_at.is_not(None),
        )
        .order_by(Assignment.id)
    )
    for row in session.scalars(statement):
        days = (at.astimezone(ZoneInfo(row.application.tender.zone)).date() - row.due_on).days
        if days not in DAYS:
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
