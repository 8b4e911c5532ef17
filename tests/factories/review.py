"""Formal checks, assignments and reviews in every state, made through the room's verbs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.identity.models import Role, User
from portal.review import service
from portal.review.models import Assignment, AssignmentState
from portal.review.queries import Case, locked_case
from portal.review.service import Answer, Findings, Typed
from portal.tenders.models import Track
from tests.factories import identity, submissions, tenders
from tests.factories.packages import package

JUSTIFICATION = "Justified by the documents of the application."


def waiting(session: Session, row: str = "P01", **rules: Any) -> UUID:
    """An application that waits for its check, written as rows: one person, the initiator's, gets its letters.

    ``rules`` change the rule sets of its tender.
    """
    content = package(row=row)
    track = Track(content["track"])
    return submissions.submitted(session, tenders.open_tender(session, rules=rules), [content], track=track)[0]


def findings(case: Case, **changes: object) -> Findings:
    """Every item is met, with a note."""
    answers = {item.key: Answer(True, "seen") for item in service.items_of(case)}
    return Findings(**{"answers": answers, **changes})  # type: ignore[arg-type]


def case_of(session: Session, application_id: UUID) -> Case:
    return locked_case(session, application_id)


def admitted(session: Session, application_id: UUID | None = None, officer: User | None = None) -> Application:
    """An application in expertise; a new one when none is given."""
    if application_id is None:
        application_id = waiting(session)
    case = case_of(session, application_id)
    service.admit(
        session,
        identity.actor(session, officer or identity.user(session, Role.OFFICER)),
        application_id=application_id,
        submission_id=case.submission.id,
        findings=findings(case),
    )
    return session.get_one(Application, application_id)


def assigned(
    session: Session,
    application: Application,
    count: int = 2,
    people: Sequence[User] = (),
    lane: str | None = None,
) -> list[Assignment]:
    """Assignments of new reviewers, or of the given people, nothing declared yet."""
    people = people or [identity.user(session, Role.REVIEWER) for _ in range(count)]
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    return service.assign(
        session, officer, application_id=application.id, reviewer_ids=[person.id for person in people], lane=lane
    )


def opened(session: Session, assignment: Assignment) -> Assignment:
    """The reviewer has declared that there is no conflict."""
    return service.declare(
        session,
        reviewer(session, assignment),
        assignment_id=assignment.id,
        conflict=False,
        expected_version=assignment.version,
    )


def reviewed(session: Session, assignment: Assignment, score: str = "8", text: str = JUSTIFICATION) -> Assignment:
    """The review is handed in with the same score for every aspect."""
    if assignment.state == AssignmentState.ASSIGNED:
        opened(session, assignment)
    return service.submit(
        session,
        reviewer(session, assignment),
        assignment_id=assignment.id,
        values=typed(session, assignment, score, text),
        expected_version=assignment.version,
    )


def typed(session: Session, assignment: Assignment, score: str = "8", text: str = JUSTIFICATION) -> dict[str, Typed]:
    """What a reviewer types for every aspect of the lane."""
    case = case_of(session, assignment.application_id)
    return {key: Typed(score, text) for key, _, _ in service.aspects(case.rules, assignment.lane)}


def reviewer(session: Session, assignment: Assignment):  # type: ignore[no-untyped-def]
    """The actor of an assignment's reviewer."""
    person = session.scalars(select(User).where(User.id == assignment.reviewer_id)).one()
    return identity.actor(session, person)
