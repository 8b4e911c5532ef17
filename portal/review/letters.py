"""Letters of the formal check and of the reviews. Applicants' letters never name a reviewer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.following import letters as to_applicants
from portal.applications.models import Application
from portal.core.figures import Figure
from portal.core.language import N_, Message
from portal.identity.models import Role, RoleGrant, User
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell
from portal.review.models import Assignment, AssignmentState, FormalCheck, Outcome, ReviewVersion
from portal.review.pool_models import AssignmentPlan
from portal.tenders.ruleset import RuleSet

ADMITTED: Final = declare(
    Outcome.ADMITTED, Topic.APPLICATION, N_("The formal check of an application is passed"), important=True
)
REFUSED: Final = declare(Outcome.REFUSED, Topic.DECISION, N_("An application is not admitted"), obligatory=True)
RETURNED: Final = declare(
    Outcome.RETURNED, Topic.DEADLINES, N_("An application is returned for correction"), obligatory=True
)
ASKED: Final = declare(
    "review_asked", Topic.REVIEW, N_("You are asked to review an application"), important=True, staff=True
)
REVOKED: Final = declare("review_revoked", Topic.REVIEW, N_("A review is not needed any more"), staff=True)
CONFLICT: Final = declare(
    "review_conflict", Topic.REVIEW, N_("A reviewer has a conflict of interest"), important=True, staff=True
)
STOPPED: Final = declare(
    "review_stopped",
    Topic.REVIEW,
    N_("The portal has closed a review for a conflict of interest"),
    important=True,
    staff=True,
)
ANOTHER: Final = declare(
    "review_another", Topic.REVIEW, N_("The reviewers differ: another one is needed"), important=True, staff=True
)
PLANNED: Final = declare("assignment_plan", Topic.REVIEW, N_("A proposal of reviewers is ready"), staff=True)
HANDED_BACK: Final = declare(
    "review_handed_back", Topic.REVIEW, N_("Your review is returned to you"), important=True, staff=True
)
REMARK: Final = declare("review_remark", Topic.REVIEW, N_("Somebody writes in the discussion of reviews"), staff=True)
OVERDUE: Final = declare("review_overdue", Topic.REVIEW, N_("Your reviews are overdue"), important=True, staff=True)
"""What officers and reviewers are told is about an assignment: what applicants may read is looked up by the
application."""


SHOWN_NUMBERS: Final = 20


def officers(session: Session) -> list[User]:
    """Everybody with the role of an officer who can sign in."""
    statement = (
        select(User)
        .join(RoleGrant, RoleGrant.user_id == User.id)
        .where(RoleGrant.role == Role.OFFICER, User.active, User.confirmed_at.is_not(None))
        .order_by(User.id)
    )
    return list(session.scalars(statement))


def outcome(
    session: Session, application: Application, check: FormalCheck, subject: Message, said: Sequence[Message]
) -> int:
    """To the applicants: how the formal check ended. Returns how many letters were written."""
    return to_applicants.write(
        session,
        application_id=application.id,
        key=f"formal_check:{check.id}",
        kind=str(check.outcome),
        subject=subject,
        paragraphs=said,
        link=(N_("Open the application"), to_applicants.path(application.id)),
    )


def asked(session: Session, application: Application, assignment: Assignment, reviewer: User, rules: RuleSet) -> None:
    """To a reviewer: please declare and review. A request after a revocation is a new letter."""
    tell(
        session,
        [reviewer],
        about=("assignment", assignment.id),
        key=f"review_asked:{assignment.id}:{assignment.version}",
        kind=ASKED,
        subject=N_("You are asked to review application %(number)s", number=application.number),
        paragraphs=[
            *_project(application, rules),
            *_part(assignment, rules),
            N_("First say whether you have a conflict of interest: the application opens after that."),
            N_("Hand the review in by %(day)s.", day=assignment.due_on),
        ],
        link=(N_("Open the review"), desk_path(assignment)),
    )


def asked_by_plan(session: Session, plan: AssignmentPlan, reviewer: User, numbers: Sequence[str], due_on: date) -> None:
    """To a reviewer: all reviews that a confirmed plan asks for, in one letter."""
    shown, more = sorted(numbers)[:SHOWN_NUMBERS], len(numbers) - SHOWN_NUMBERS
    listed = ", ".join(shown)
    tell(
        session,
        [reviewer],
        about=("assignment_plan", plan.id),
        key=f"review_asked:{plan.id}:{reviewer.id}",
        kind=ASKED,
        subject=N_("You are asked to review %(count)s applications", count=len(numbers))
        if len(numbers) > 1
        else N_("You are asked to review application %(number)s", number=listed),
        paragraphs=[
            N_("Applications: %(numbers)s and %(more)s more.", numbers=listed, more=more)
            if more > 0
            else N_("Applications: %(numbers)s.", numbers=listed),
            N_("First say whether you have a conflict of interest: the application opens after that."),
            N_("Hand the review in by %(day)s.", day=due_on),
        ],
        link=(N_("Open my reviews"), "/reviews/"),
    )


def plan_ready(session: Session, plan: AssignmentPlan, officer: User) -> None:
    """To the officer who asked for it: the proposal can be looked at."""
    tell(
        session,
        [officer],
        about=("assignment_plan", plan.id),
        key=f"assignment_plan:{plan.id}",
        kind=PLANNED,
        subject=N_("The proposal of reviewers is ready"),
        paragraphs=[N_("Nobody is asked before you confirm it.")],
        link=(N_("Look at the proposal"), f"/staff/assignment/plans/{plan.id}"),
    )


def plan_overtaken(session: Session, plan: AssignmentPlan, officer: User) -> None:
    """To the officer who confirmed it: something had changed, and nobody was asked."""
    tell(
        session,
        [officer],
        about=("assignment_plan", plan.id),
        key=f"assignment_overtaken:{plan.id}",
        kind=PLANNED,
        subject=N_("The proposal of reviewers was overtaken: nobody was asked"),
        paragraphs=[
            N_("Something has changed since it was computed. Have it computed anew, look at it again and confirm it.")
        ],
        link=(N_("Look at the proposal"), f"/staff/assignment/plans/{plan.id}"),
    )


def overdue(session: Session, late: Sequence[Assignment], reviewer: User, on: date) -> int:
    """To a reviewer: reviews whose day is over, once a day however often an officer asks. Returns 1 if it is new."""
    numbers = sorted(row.application.number or "" for row in late)
    return tell(
        session,
        [reviewer],
        about=("assignment", late[0].id),
        key=f"review_overdue:{late[0].application.tender_track_id}:{reviewer.id}:{on.isoformat()}",
        kind=OVERDUE,
        subject=N_("Your reviews are overdue"),
        paragraphs=[
            N_("Applications: %(numbers)s.", numbers=", ".join(numbers[:SHOWN_NUMBERS])),
            N_("Please hand them in, or tell the officer that you cannot."),
        ],
        link=(N_("Open my reviews"), "/reviews/"),
    )


def _project(application: Application, rules: RuleSet) -> list[Message]:
    """The project's name, where it may be told."""
    if rules.hides_applicants:
        return []
    return [N_("Project: %(title)s", title=to_applicants.title_of(application))]


def revoked(session: Session, application: Application, assignment: Assignment, reviewer: User) -> None:
    """To a reviewer: the review is not needed any more."""
    tell(
        session,
        [reviewer],
        about=("assignment", assignment.id),
        key=f"review_revoked:{assignment.id}:{assignment.version}",
        kind=REVOKED,
        subject=N_("Your review of application %(number)s is not needed any more", number=application.number),
        paragraphs=[N_("The officer has taken the assignment back. Thank you for your readiness.")],
        link=(N_("Open my reviews"), "/reviews/"),
    )


def returned(
    session: Session,
    application: Application,
    assignment: Assignment,
    reviewer: User,
    version: ReviewVersion,
    reason: str,
) -> None:
    """To a reviewer: the review is a draft again, and why; ``reason`` without what the reviewer may not know."""
    tell(
        session,
        [reviewer],
        about=("assignment", assignment.id),
        key=f"review_handed_back:{version.id}",
        kind=HANDED_BACK,
        subject=N_("Your review of application %(number)s is returned", number=application.number),
        paragraphs=[
            N_("The officer returned it: %(reason)s", reason=reason),
            N_("Change what is needed and hand it in again. Until then its marks do not count."),
            N_("Hand the review in by %(day)s.", day=assignment.due_on),
        ],
        link=(N_("Open the review"), desk_path(assignment)),
    )


def remark(
    session: Session, application: Application, remark_id: UUID, author_id: UUID, assignments: Sequence[Assignment]
) -> None:
    """To the other reviewers and to the officers: there is a remark to read. Its words stay in the portal."""
    subject = N_("A remark on the reviews of application %(number)s", number=application.number)
    said = [N_("All reviews are in, and there is a new remark in their discussion.")]
    for row in assignments:
        if row.state == AssignmentState.SUBMITTED and row.reviewer_id != author_id:
            tell(
                session,
                [row.reviewer],
                about=("assignment", row.id),
                key=f"review_remark:{remark_id}:{row.id}",
                kind=REMARK,
                subject=subject,
                paragraphs=said,
                link=(N_("Open the review"), f"{desk_path(row)}/review"),
            )
    tell(
        session,
        [person for person in officers(session) if person.id != author_id],
        about=("assignment", assignments[0].id),
        key=f"review_remark:{remark_id}",
        kind=REMARK,
        subject=subject,
        paragraphs=said,
        link=(N_("Open the reviews"), reviews_path(application.id)),
    )


def conflict(session: Session, application: Application, assignment: Assignment, reviewer: str) -> None:
    """To the officers: a reviewer has declared a conflict of interest, somebody else is needed."""
    tell(
        session,
        officers(session),
        about=("assignment", assignment.id),
        key=f"review_conflict:{assignment.id}",
        kind=CONFLICT,
        subject=N_("Conflict of interest: application %(number)s needs another reviewer", number=application.number),
        paragraphs=[
            N_("%(reviewer)s has declared a conflict of interest.", reviewer=reviewer),
            N_("Explanation: %(text)s", text=assignment.conflict or ""),
        ],
        link=(N_("Assign a reviewer"), reviews_path(application.id)),
    )


def stopped(session: Session, application: Application, assignment: Assignment, path: Sequence[Message]) -> None:
    """To the officers and the reviewer: the portal found a conflict, the review is closed and does not count."""
    reviewer = assignment.reviewer
    key = f"review_stopped:{assignment.id}:{assignment.version}"
    closed = N_("The review is closed and does not count, even if it was handed in.")
    tell(
        session,
        officers(session),
        about=("assignment", assignment.id),
        key=key,
        kind=STOPPED,
        subject=N_("Conflict of interest found: application %(number)s", number=application.number),
        paragraphs=[
            N_("%(reviewer)s was at work on this application.", reviewer=reviewer.full_name or reviewer.email),
            *path,
            closed,
        ],
        link=(N_("Assign a reviewer"), reviews_path(application.id)),
    )
    tell(
        session,
        [reviewer],
        about=("assignment", assignment.id),
        key=f"{key}:reviewer",
        kind=STOPPED,
        subject=N_("Your review of application %(number)s is closed", number=application.number),
        paragraphs=[
            N_("The portal has found a conflict of interest from the ties it knows of."),
            closed,
            N_("If a tie is wrong, tell the officer; you see yours on the page of your ties."),
        ],
        link=(N_("Open my reviews"), "/reviews/"),
    )


def another_needed(
    session: Session, application: Application, assignment: Assignment, spread: Figure, limit: Figure, rules: RuleSet
) -> None:
    """To the officers, once for a lane of a submission: the reviewers differ too much, a further one decides."""
    lane = f":{assignment.lane}" if rules.lanes else ""
    tell(
        session,
        officers(session),
        about=("assignment", assignment.id),
        key=f"review_another:{assignment.submission_id}{lane}",
        kind=ANOTHER,
        subject=N_("Application %(number)s needs another review", number=application.number),
        paragraphs=[
            N_(
                "The reviewers differ by %(spread)s points, more than the limit of %(limit)s. Assign another reviewer.",
                spread=spread,
                limit=limit,
            ),
            *_part(assignment, rules),
        ],
        link=(N_("Assign a reviewer"), reviews_path(application.id)),
    )


def _part(assignment: Assignment, rules: RuleSet) -> list[Message]:
    """Which lane a letter is about, where there are lanes."""
    lane = rules.lane(assignment.lane)
    return [N_("Lane: %(lane)s", lane=lane.title.both())] if rules.lanes and lane else []


def desk_path(assignment: Assignment) -> str:
    return f"/reviews/{assignment.id}"


def reviews_path(application_id: UUID) -> str:
    return f"/staff/applications/{application_id}/reviews"
