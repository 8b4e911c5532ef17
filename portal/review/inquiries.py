"""Questions of reviewers to the applicant, through the officer: the two sides never meet.

A reviewer asks while the own review is open; an officer passes the question on in the officer's own words, as a
message of the fund to the participants, or declines it with a reason. What the participants answer comes to the
officer, who gives the answer to all reviewers of the submission, so that all judge by the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload

from portal.applications.drafts.values import tidy
from portal.applications.following import messages
from portal.applications.models import Application, State
from portal.audit.service import record
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problems, Stale
from portal.core.language import N_
from portal.identity.models import User
from portal.identity.policy import Actor, Permission, authorize
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell
from portal.review.models import Assignment, AssignmentState, Inquiry, InquiryState
from portal.review.queries import desk, locked_case
from portal.review.rules import UNFINISHED

MAX_TEXT: Final = 2_000
MOST_OPEN: Final = 5
"""Questions of one reviewer about one application that wait for an answer."""
ASKED: Final = declare("review_inquiry", Topic.REVIEW, N_("A reviewer asks something of the applicant"), staff=True)
ANSWERED: Final = declare(
    "review_inquiry_answer", Topic.REVIEW, N_("An answer to a question of the reviewers"), staff=True
)
_WAITING: Final = (InquiryState.ASKED, InquiryState.PASSED)


def of_submission(session: Session, submission_id: UUID) -> list[Inquiry]:
    """All questions about a submission, oldest first, with who asked; one query."""
    statement = (
        select(Inquiry)
        .join(Inquiry.assignment)
        .where(Inquiry.submission_id == submission_id)
        .options(joinedload(Inquiry.assignment, innerjoin=True).joinedload(Assignment.reviewer, innerjoin=True))
        .order_by(Inquiry.id)
    )
    return list(session.scalars(statement))


def seen_at(session: Session, assignment: Assignment) -> list[Inquiry]:
    """What a reviewer reads: the own questions, and those of the others that are answered; one query."""
    statement = (
        select(Inquiry)
        .where(
            Inquiry.submission_id == assignment.submission_id,
            or_(Inquiry.assignment_id == assignment.id, Inquiry.state == InquiryState.ANSWERED),
        )
        .order_by(Inquiry.id)
    )
    return list(session.scalars(statement))


def ask(session: Session, actor: Actor, *, assignment_id: UUID, text: str) -> Inquiry:
    """Ask the applicant something. :class:`Conflict` when the own review is not open, :class:`Problems` on ``text``,
    also when :data:`MOST_OPEN` questions wait.
    """
    held = desk(session, actor, assignment_id, lock=True)
    authorize(actor, Permission.REVIEW_WRITE, held.subject)
    if held.assignment.state != AssignmentState.OPEN or held.case.application.state != State.EXPERTISE:
        raise Conflict(N_("Questions are asked while the own review is open."))
    plain = _text(text, "text")
    waiting = select(func.count()).where(Inquiry.assignment_id == assignment_id, Inquiry.state.in_(_WAITING))
    if (session.scalar(waiting) or 0) >= MOST_OPEN:
        message = N_("%(limit)s questions of yours wait for an answer already.", limit=MOST_OPEN)
        raise Problems.one("too_many", "text", message)
    application = held.case.application
    row = Inquiry(
        submission_id=held.assignment.submission_id,
        application_id=application.id,
        assignment_id=assignment_id,
        text=plain,
    )
    session.add(row)
    session.flush()
    record(session, actor, "review:inquiry:ask", "application", application.id, {"inquiry": row.id})
    tell(
        session,
        messages.officers(session, application.id),
        about=("application", application.id),
        key=f"review_inquiry:{row.id}",
        kind=ASKED,
        subject=N_("A reviewer asks something about application %(number)s", number=application.number),
        paragraphs=[N_("Pass the question on to the applicant in your own words, or decline it with a reason.")],
        link=(N_("Read the question"), officers_path(application.id)),
    )
    return row


def pass_on(session: Session, actor: Actor, *, inquiry_id: UUID, text: str, expected_version: int) -> Inquiry:
    """Send the question to the participants in the officer's words. Raises :class:`Problems`, :class:`Conflict` when
    it has been dealt with, :class:`Stale`."""
    row = _locked(session, actor, inquiry_id, InquiryState.ASKED, expected_version)
    plain = _text(text, f"text-{row.id}")
    message = messages.send(session, actor, application_id=row.application_id, text=plain, for_fund=True)
    _decide(session, actor, row, InquiryState.PASSED, passed_text=plain, message_id=message.id)
    record(session, actor, "review:inquiry:pass_on", "application", row.application_id, {"inquiry": row.id})
    return row


def decline(session: Session, actor: Actor, *, inquiry_id: UUID, reason: str, expected_version: int) -> Inquiry:
    """Do not pass it on; the reviewer reads why. Raises as :func:`pass_on` does."""
    row = _locked(session, actor, inquiry_id, InquiryState.ASKED, expected_version)
    _decide(session, actor, row, InquiryState.DECLINED, answer=_text(reason, f"text-{row.id}"))
    record(session, actor, "review:inquiry:decline", "application", row.application_id, {"inquiry": row.id})
    _tell_reviewers(session, row, [row.assignment])
    return row


def answer(session: Session, actor: Actor, *, inquiry_id: UUID, text: str, expected_version: int) -> Inquiry:
    """Give what the participants have answered to all reviewers of the submission. Raises as :func:`pass_on` does."""
    row = _locked(session, actor, inquiry_id, InquiryState.PASSED, expected_version)
    plain, at = _text(text, f"text-{row.id}"), now(session)
    row.answer, row.state, row.answered_at = plain, InquiryState.ANSWERED, at
    session.flush()
    record(session, actor, "review:inquiry:answer", "application", row.application_id, {"inquiry": row.id})
    others = session.scalars(
        select(Assignment)
        .where(Assignment.submission_id == row.submission_id, Assignment.state.in_(UNFINISHED))
        .options(joinedload(Assignment.reviewer, innerjoin=True))
    )
    _tell_reviewers(session, row, [row.assignment, *(each for each in others if each.id != row.assignment_id)])
    return row


def officers_path(application_id: UUID) -> str:
    return f"/staff/applications/{application_id}/inquiries"


def _locked(session: Session, actor: Actor, inquiry_id: UUID, state: InquiryState, expected_version: int) -> Inquiry:
    """A question in this state, its application locked; for officers who belong to nobody that takes part."""
    authorize(actor, Permission.REVIEW_ASSIGN)
    place = session.scalar(select(Inquiry.application_id).where(Inquiry.id == inquiry_id))
    if place is None:
        raise NotFound
    case = locked_case(session, place)
    authorize(actor, Permission.REVIEW_ASSIGN, case.subject)
    row = session.scalars(
        select(Inquiry)
        .where(Inquiry.id == inquiry_id)
        .options(joinedload(Inquiry.assignment, innerjoin=True).joinedload(Assignment.reviewer, innerjoin=True))
        .with_for_update(of=Inquiry)
        .execution_options(populate_existing=True)
    ).one()
    if row.assignment.reviewer_id == actor.user_id:
        raise Conflict(N_("This is your own question: another officer deals with it."))
    if row.state != state or case.application.state != State.EXPERTISE:
        raise Conflict(N_("This question has been dealt with, or the expertise has ended."))
    if row.version != expected_version:
        raise Stale(N_("This question has changed since you opened it."), row.version)
    return row


def _decide(session: Session, actor: Actor, row: Inquiry, state: InquiryState, **columns: object) -> None:
    """Write what an officer has decided, all columns at once: the constraints tie them to the state."""
    at = now(session)
    for name, value in {**columns, "state": state, "decided_at": at, "decided_by": actor.user_id}.items():
        setattr(row, name, value)
    session.flush()


def _tell_reviewers(session: Session, row: Inquiry, assignments: Sequence[Assignment]) -> None:
    """The words stay in the portal: a letter is no place for what a blind tender hides."""
    number = session.scalar(select(Application.number).where(Application.id == row.application_id))
    for each in assignments:
        reader: User = each.reviewer
        tell(
            session,
            [reader],
            about=("assignment", each.id),
            key=f"review_inquiry:{row.id}:{row.state}:{each.id}",
            kind=ANSWERED,
            subject=N_("Application %(number)s: a question of the reviewers is settled", number=number or ""),
            paragraphs=[N_("Read the question and what came of it at your desk.")],
            link=(N_("Open the questions"), f"/reviews/{each.id}/questions"),
        )


def _text(text: str, field: str) -> str:
    plain = tidy(text).strip()
    if not plain or len(plain) > MAX_TEXT:
        raise Problems.one("no_text", field, N_("Write 1 to %(limit)s characters.", limit=MAX_TEXT))
    return plain
