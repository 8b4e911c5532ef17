"""Reviews whose day is over: the officer's nudge. What goes out by itself is in ``reminders``."""

from __future__ import annotations

from collections import defaultdict
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.core.clock import today
from portal.identity.policy import Actor, Permission, authorize
from portal.review import letters, plan_queries
from portal.review.models import Assignment


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
