"""An officer returns a review that was handed in: it is a draft again, and its former version stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.applications.drafts.values import tidy
from portal.applications.models import State
from portal.audit.service import record
from portal.core import jobs
from portal.core.calendar import add_working_days
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize
from portal.review import calibrating, letters
from portal.review.barring import lock_people
from portal.review.blind import redaction_of
from portal.review.models import Assignment, AssignmentState, Mark, ReviewVersion
from portal.review.queries import locked_case
from portal.review.rules import MAX_COMMENT, TRANSITIONS

AGAIN_DAYS: Final = 5
"""Working days that a reviewer has at least to hand a returned review in again."""


def return_review(
    session: Session, actor: Actor, *, application_id: UUID, assignment_id: UUID, reason: str
) -> ReviewVersion:
    """Give a review back to its reviewer with a reason: its marks do not count until it is handed in again.

    A score that counted them is made anew. Raises :class:`Problems` without a reason, :class:`Conflict` when the
    review is not in or the application is decided on.
    """
    authorize(actor, Permission.REVIEW_ASSIGN)
    mine = select(Assignment).where(Assignment.id == assignment_id, Assignment.application_id == application_id)
    reviewer_id = session.scalar(mine.with_only_columns(Assignment.reviewer_id))
    if reviewer_id is None:
        raise NotFound
    lock_people(session, [reviewer_id])  # before the application, as handing in does
    case = locked_case(session, application_id)
    authorize(actor, Permission.REVIEW_ASSIGN, case.subject)
    row = session.scalar(
        mine.options(selectinload(Assignment.marks), joinedload(Assignment.reviewer, innerjoin=True))
        .with_for_update(of=Assignment)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound
    text = tidy(reason).strip()
    if not text or len(text) > MAX_COMMENT:
        message = N_("Say in 1 to %(limit)s characters why the review is returned.", limit=MAX_COMMENT)
        raise Problems.one("no_reason", f"{assignment_id}-reason", message)
    if case.application.state != State.EXPERTISE or row.submission_id != case.submission.id:
        raise Conflict(N_("Reviews are returned while the application is in expertise. Open the page again."))
    after = TRANSITIONS.after("return", AssignmentState(row.state))
    assert row.submitted_at is not None
    assert actor.user_id is not None
    earlier = select(func.count()).where(ReviewVersion.assignment_id == row.id)
    version = ReviewVersion(
        assignment_id=row.id,
        number=1 + (session.scalar(earlier) or 0),
        marks=[as_json(mark) for mark in row.marks],
        submitted_at=row.submitted_at,
        returned_at=now(session),
        returned_by=actor.user_id,
        reason=text,
    )
    row.state, row.submitted_at = after, None
    row.due_on = max(row.due_on, add_working_days(case.today, AGAIN_DAYS))
    session.add(version)
    session.flush()
    session.execute(delete(Mark).where(Mark.assignment_id == row.id).execution_options(synchronize_session=False))
    session.expire(row, ["marks"])
    record(session, actor, "review:review:return", "assignment", row.id, {"reason": text, "version": version.number})
    blind = redaction_of(session, case, row.reviewer.locale)
    letters.returned(session, case.application, row, row.reviewer, version, blind.text(text) if blind else text)
    payload = {"submission_id": str(row.submission_id)}
    jobs.enqueue(session, "score_submission", payload, key=f"score_submission:{row.submission_id}:{version.id}")
    calibrating.enqueue(session, case.application.tender_track_id, version.id)
    return version


def as_json(mark: Mark) -> dict[str, Any]:
    """A mark as a version keeps it; the trigger on ``mark`` compares with this."""
    return {
        "criterion": mark.criterion,
        "aspect": mark.aspect,
        "score": f"{mark.score:.2f}",
        "justification": mark.justification,
        "evidence": mark.evidence,
    }


def versions_of(session: Session, assignment_ids: Sequence[UUID]) -> dict[UUID, list[ReviewVersion]]:
    """The former versions of reviews, the newest first; one query."""
    found: dict[UUID, list[ReviewVersion]] = defaultdict(list)
    statement = select(ReviewVersion).where(ReviewVersion.assignment_id.in_(assignment_ids))
    for version in session.scalars(statement.order_by(ReviewVersion.number.desc())):
        found[version.assignment_id].append(version)
    return dict(found)
