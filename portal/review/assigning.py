"""Assigning reviewers by hand: enough of them, none who belongs to an organisation of the project."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.audit.service import record
from portal.core.calendar import add_working_days
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_
from portal.identity.models import Membership, Role, RoleGrant, User
from portal.identity.policy import Actor, Permission, authorize
from portal.review import letters
from portal.review.barring import barred_words, lock_people, refresh
from portal.review.conflict_queries import kept_of
from portal.review.models import Assignment, AssignmentState
from portal.review.pool_models import ReviewerProfile
from portal.review.queries import (
    Case,
    assignments_of,
    load_in,
    load_limit,
    locked_case,
    reads_applications,
    submitted_marks,
)
from portal.review.rules import ACTIVE, TRANSITIONS, needed_reviews
from portal.tenders.ruleset import Lane, RuleSet


def assign(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    reviewer_ids: Sequence[UUID],
    lane: str | None = None,
) -> list[Assignment]:
    """Ask reviewers, so that at least as many as the rule set wants are at work; due in its working days.

    ``lane``: what they score; it need not be told where the rule set has but one. A person reviews an application
    in one lane only. Raises :class:`Conflict` when the application is not in expertise, :class:`Problems` on
    ``lane``: not told, or none of the rule set's; on ``reviewers``: too few, not a reviewer, tied to a participant, in
    a conflict of interest or in a possible one that nobody decided about, asked already, at the limit of unfinished
    reviews, with another role that tells who applies where that is hidden, or the actor themself.
    """
    authorize(actor, Permission.REVIEW_ASSIGN)
    lock_people(session, reviewer_ids)
    case = locked_case(session, application_id)
    authorize(actor, Permission.REVIEW_ASSIGN, case.subject)
    _require_expertise(case.application)
    chosen = _lane(case.rules, lane)
    existing = assignments_of(session, case.submission.id)
    wanted = list(dict.fromkeys(reviewer_ids))
    people = _people(session, wanted)
    problems = _problems(session, actor, case, wanted, people, existing)
    at_work = sum(row.state in ACTIVE and row.lane == chosen.code for row in existing)
    needed = needed_reviews(submitted_marks(existing), case.rules, chosen)
    if not wanted or at_work + len(wanted) < needed:
        message = N_("Choose at least %(count)s more: so many reviewers are missing.", count=max(needed - at_work, 1))
        problems.append(Problem("too_few", "reviewers", message))
    if problems:
        raise Problems(problems)
    before = {row.reviewer_id: row for row in existing}
    return [_ask(session, actor, case, chosen, people[key], before.get(key)) for key in wanted]


def revoke(session: Session, actor: Actor, *, assignment_id: UUID, application_id: UUID) -> Assignment:
    """Take an assignment back before its review is handed in; :class:`Conflict` after that."""
    authorize(actor, Permission.REVIEW_ASSIGN)
    case = locked_case(session, application_id)
    authorize(actor, Permission.REVIEW_ASSIGN, case.subject)
    row = session.scalar(
        select(Assignment)
        .where(Assignment.id == assignment_id, Assignment.application_id == application_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound
    row.state = TRANSITIONS.after("revoke", AssignmentState(row.state))
    session.flush()
    record(session, actor, "review:assignment:revoke", "assignment", row.id, {"reviewer": row.reviewer_id})
    letters.revoked(session, case.application, row, session.get_one(User, row.reviewer_id))
    return row


def _lane(rules: RuleSet, code: str | None) -> Lane:
    if code is None and len(rules.expertise) == 1:
        return rules.expertise[0]
    lane = rules.lane(code or "")
    if lane is None:
        raise Problems.one("no_lane", "lane", N_("Choose the lane in which the reviewers are to work."))
    return lane


def _require_expertise(application: Application) -> None:
    if application.state != State.EXPERTISE:
        raise Conflict(N_("Reviewers are assigned while the application is in expertise. Open the page again."))


def _people(session: Session, wanted: Sequence[UUID]) -> dict[UUID, User]:
    statement = (
        select(User)
        .join(RoleGrant, RoleGrant.user_id == User.id)
        .where(User.id.in_(wanted), RoleGrant.role == Role.REVIEWER, User.active, User.confirmed_at.is_not(None))
    )
    return {person.id: person for person in session.scalars(statement)}


def _problems(
    session: Session,
    actor: Actor,
    case: Case,
    wanted: Sequence[UUID],
    people: dict[UUID, User],
    existing: Sequence[Assignment],
) -> list[Problem]:
    refresh(session, wanted, [case.application.id])
    found = {row.user_id: row for row in kept_of(session, case.application.id)}
    tied = set(
        session.scalars(
            select(Membership.user_id).where(
                Membership.user_id.in_(wanted), Membership.organisation_id.in_(case.organisations)
            )
        )
    )
    taken = {row.reviewer_id for row in existing if row.state != AssignmentState.REVOKED}
    full = set(
        session.scalars(
            select(User.id)
            .outerjoin(ReviewerProfile, ReviewerProfile.user_id == User.id)
            .where(User.id.in_(wanted), load_in(case.application.tender_id) >= load_limit())
        )
    )
    knowing = set(session.scalars(select(User.id).where(User.id.in_(wanted), reads_applications())))
    problems = []
    for key in wanted:
        if key not in people:
            problems.append(Problem("no_reviewer", "reviewers", N_("This person is not a reviewer.")))
            continue
        name = people[key].full_name or people[key].email
        if key in tied:
            message = N_("%(name)s belongs to an organisation that takes part in this project.", name=name)
            problems.append(Problem("tied", "reviewers", message))
        elif key in found and found[key].bars:
            problems.append(Problem("conflict", "reviewers", barred_words(found[key])))
        elif key in found and found[key].ruling is None:
            message = N_("%(name)s may have a conflict of interest: decide about it first.", name=name)
            problems.append(Problem("undecided", "reviewers", message))
        if key in taken:
            message = N_("%(name)s was asked to review this application already.", name=name)
            problems.append(Problem("taken", "reviewers", message))
        elif key in full:
            message = N_("%(name)s has as many unfinished reviews of this tender as agreed.", name=name)
            problems.append(Problem("full", "reviewers", message))
        if case.rules.hides_applicants and key in knowing:
            message = N_(
                "%(name)s has another role, which shows who applies: in this tender that is hidden.", name=name
            )
            problems.append(Problem("knows", "reviewers", message))
        if key == actor.user_id:
            problems.append(Problem("self", "reviewers", N_("Nobody assigns a review to themself.")))
    return problems


def _ask(
    session: Session, actor: Actor, case: Case, lane: Lane, reviewer: User, revoked: Assignment | None
) -> Assignment:
    """A new assignment, or the revoked one taken up again with nothing declared and nothing typed."""
    row = revoked
    if row is None:
        row = Assignment(
            submission_id=case.submission.id,
            application_id=case.application.id,
            reviewer_id=reviewer.id,
            state=AssignmentState.ASSIGNED,
        )
        session.add(row)
    else:
        row.state = TRANSITIONS.after("reassign", AssignmentState(row.state))
        row.declared_at, row.draft, row.draft_saved_at = None, {}, None
    row.lane = lane.code
    row.assigned_by = actor.user_id  # type: ignore[assignment]  # the database refuses the system here
    row.due_on = add_working_days(case.today, case.rules.review_days)
    session.flush()
    facts: dict[str, object] = {"application": case.application.id, "reviewer": reviewer.id, "due_on": row.due_on}
    if case.rules.lanes:
        facts["lane"] = lane.code
    record(session, actor, "review:assignment:assign", "assignment", row.id, facts)
    letters.asked(session, case.application, row, reviewer, case.rules)
    return row
