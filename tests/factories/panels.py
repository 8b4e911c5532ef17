"""Applications in expertise with reviews that are in, written as rows: for calibration and its pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.core.clock import now, today
from portal.core.db import uuid7
from portal.identity.models import Membership, OrgRole, Role, User
from portal.review.models import Assignment, AssignmentState, Mark
from portal.review.reviewing import aspects
from portal.scoring import service
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack, Track
from portal.tenders.ruleset import RuleSet, from_json
from tests.factories import identity
from tests.factories.submissions import submitted, track_of, varied

LENIENT, FAIR, SEVERE = 0, 1, 2
"""Places of three reviewers: one gives a point more than the second, the third two points less."""
SEVERITY = {LENIENT: 1, FAIR: 0, SEVERE: -2}


def reviewers(session: Session, count: int = 3) -> list[User]:
    return [identity.user(session, Role.REVIEWER, name=f"Demo Reviewer {place}") for place in range(1, count + 1)]


def panel(
    session: Session, tender: Tender, people: Sequence[User], count: int = 9, track: Track = Track.IMPORT_SUBSTITUTION
) -> list[UUID]:
    """Applications of merits 5 to 7, each read by two of three reviewers who differ in severity, and by chance."""
    keys = submitted(session, tender, varied(count, track), track=track, state=State.EXPERTISE)
    pairs = ((LENIENT, FAIR), (FAIR, SEVERE), (SEVERE, LENIENT))
    for place, key in enumerate(keys):
        marks = {by: Decimal(5 + place % 3 + SEVERITY[by]) for by in pairs[place // 3 % 3]}
        review(session, key, {people[by]: mark + Decimal((place * 2 + by) % 4) / 2 for by, mark in marks.items()})
    return keys


def review(session: Session, application_id: UUID, marks: Mapping[User, Decimal]) -> None:
    """Reviews of one application that were handed in, each with the same mark for every aspect."""
    application = session.get_one(Application, application_id)
    rules = rules_of(session, application)
    officer = session.scalars(select(User).limit(1)).one()
    for person, mark in marks.items():
        instant = now(session)
        assignment_id = uuid7()
        row = {
            "id": assignment_id,
            "submission_id": application.submission_id,
            "application_id": application_id,
            "reviewer_id": person.id,
            "assigned_by": officer.id,
            "due_on": today(session) + timedelta(days=5),
            "state": AssignmentState.SUBMITTED,
            "declared_at": instant,
            "submitted_at": instant,
            "version": 1,
        }
        session.execute(insert(Assignment), [row])
        values = [
            {
                "id": uuid7(),
                "assignment_id": assignment_id,
                "criterion": criterion.code,
                "aspect": aspect.code,
                "score": mark,
                "justification": "Justified by the documents.",
            }
            for _key, criterion, aspect in aspects(rules)
        ]
        session.execute(insert(Mark), values)
    session.flush()


def rules_of(session: Session, application: Application) -> RuleSet:
    statement = (
        select(RuleSetVersion.content)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .where(TenderTrack.id == application.tender_track_id)
    )
    return from_json(session.scalars(statement).one())


def scored(session: Session, tender: Tender, track: Track = Track.IMPORT_SUBSTITUTION) -> None:
    """A run over the track, ended."""
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    run = service.start_run(session, officer, track_of(tender, track).id)
    while not service.step(session, run.id).finished:
        pass


def unfinished(session: Session, tender_track_id: UUID, person: User) -> None:
    """A review of the track's first application that the person has not handed in."""
    application = _first(session, tender_track_id)
    session.add(
        Assignment(
            submission_id=application.submission_id,
            application_id=application.id,
            reviewer_id=person.id,
            assigned_by=person.id,
            due_on=today(session),
            state=AssignmentState.ASSIGNED,
        )
    )
    session.flush()


def tie(session: Session, tender_track_id: UUID, person: User) -> None:
    """Make the person a member of the organisation that leads the track's first application."""
    application = _first(session, tender_track_id)
    session.add(Membership(user_id=person.id, organisation_id=application.initiator_id, role=OrgRole.VIEWER))
    session.flush()


def _first(session: Session, tender_track_id: UUID) -> Application:
    statement = select(Application).where(Application.tender_track_id == tender_track_id).order_by(Application.number)
    return session.scalars(statement).first()  # type: ignore[return-value]
