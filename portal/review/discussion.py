"""The discussion of an application by its reviewers and the officer: it opens when all reviews are in.

Reviewers are numbers to one another. Remarks stay as they were written; after the decision nobody adds one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.applications.drafts.values import tidy
from portal.applications.models import State
from portal.audit.service import record
from portal.core.errors import Conflict, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize
from portal.review import letters
from portal.review.models import Assignment, AssignmentState, ReviewRemark
from portal.review.queries import Case, assignments_of, desk, locked_case, missing_reviewers
from portal.review.rules import MAX_COMMENT, UNFINISHED


def is_open(case: Case, assignments: Sequence[Assignment]) -> bool:
    """Whether every review that was asked for is in; ``assignments``: all of the submission, with their marks."""
    waiting = any(row.state in UNFINISHED for row in assignments)
    return bool(assignments) and not waiting and not any(missing_reviewers(assignments, case.rules).values())


def numbers_of(assignments: Sequence[Assignment]) -> Mapping[UUID, int]:
    """What the reviewers of a submission are called by: reviewer -> number from 1, in the order they were asked."""
    return {row.reviewer_id: number for number, row in enumerate(assignments, start=1)}


def remarks_of(session: Session, submission_id: UUID) -> list[ReviewRemark]:
    """The remarks on a submission in their order; one query."""
    statement = select(ReviewRemark).where(ReviewRemark.submission_id == submission_id)
    return list(session.scalars(statement.order_by(ReviewRemark.id).options(joinedload(ReviewRemark.author))))


def shown(session: Session, case: Case, assignments: Sequence[Assignment]) -> list[ReviewRemark] | None:
    """The remarks once the discussion was open, also while a review that was returned is awaited; None before."""
    found = remarks_of(session, case.submission.id)
    return found if found or is_open(case, assignments) else None


def remark_as_reviewer(session: Session, actor: Actor, *, assignment_id: UUID, text: str) -> ReviewRemark:
    """A reviewer's remark; :class:`Conflict` while reviews are missing, or when the expertise has ended."""
    held = desk(session, actor, assignment_id, lock=True)
    authorize(actor, Permission.REVIEW_WRITE, held.subject)
    if held.assignment.state != AssignmentState.SUBMITTED or held.case.submission.id != held.assignment.submission_id:
        raise Conflict(N_("The discussion opens when all reviews are in."))
    return _add(session, actor, held.case, text)


def remark_as_officer(session: Session, actor: Actor, *, application_id: UUID, text: str) -> ReviewRemark:
    """An officer's remark; raises as :func:`remark_as_reviewer` does."""
    authorize(actor, Permission.REVIEW_ASSIGN)
    case = locked_case(session, application_id)
    authorize(actor, Permission.REVIEW_ASSIGN, case.subject)
    return _add(session, actor, case, text)


def _add(session: Session, actor: Actor, case: Case, text: str) -> ReviewRemark:
    plain = tidy(text).strip()
    if not plain or len(plain) > MAX_COMMENT:
        raise Problems.one("no_remark", "remark", N_("Write a remark of 1 to %(limit)s characters.", limit=MAX_COMMENT))
    if case.application.state != State.EXPERTISE:
        raise Conflict(N_("The expertise of this application has ended."))
    assignments = assignments_of(session, case.submission.id)
    if not is_open(case, assignments):
        raise Conflict(N_("The discussion opens when all reviews are in."))
    assert actor.user_id is not None
    row = ReviewRemark(submission_id=case.submission.id, author_id=actor.user_id, text=plain)
    session.add(row)
    session.flush()
    record(session, actor, "review:remark:add", "application", case.application.id, {"remark": row.id})
    letters.remark(session, case.application, row.id, actor.user_id, assignments)
    return row
