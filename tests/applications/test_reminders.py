"""Reminders of applicants, reviewers and invited people: to whom, when, once, and not for what is done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.following import reminders
from portal.applications.models import Application
from portal.applications.partners import participation
from portal.applications.submissions.closing_exceptions import ExceptionValues, grant
from portal.core.clock import MOSCOW, at, now
from portal.identity import invitations
from portal.identity.models import OrgRole, Role
from portal.notifications import reminders as engine
from portal.notifications.models import Letter, Notice
from portal.review import reminders as of_reviews
from tests.factories import applications as projects
from tests.factories import identity, review
from tests.factories.applications import Joint


def run(session: Session, when: datetime) -> None:
    with at(session, when):
        engine.run(session, now(session))


def told(session: Session, kind: str) -> list[str]:
    """The keys without the person, in the order they were written."""
    keys = session.scalars(select(Notice.key).where(Notice.kind == kind).order_by(Notice.id))
    return [key.rpartition(":")[0] for key in keys]


def closes(joint: Joint) -> datetime:
    found = joint.tender.closes_at
    assert found is not None
    return found


def age(session: Session, joint: Joint) -> None:
    """The draft was begun long ago."""
    session.execute(
        Application.__table__.update()  # type: ignore[attr-defined]
        .where(Application.id == joint.id)
        .values(created_at=closes(joint) - timedelta(days=60))
    )
    session.expire_all()


def test_a_draft_is_reminded_once_in_each_stage_and_not_after_submission(session: Session) -> None:
    joint = projects.filled(session)
    age(session, joint)
    end = closes(joint)
    for left in (8, 6.9, 6, 2.9, 2, 0.9, 0.1):
        run(session, end - timedelta(days=left))
    found = told(session, reminders.CLOSING)
    assert [key.rpartition(":")[2] for key in found] == ["7", "7", "3", "3", "1", "1"]  # two owners each
    run(session, end + timedelta(minutes=1))
    assert len(told(session, reminders.CLOSING)) == 6


def test_what_was_begun_within_a_stage_is_not_reminded_of_it(session: Session) -> None:
    joint = projects.draft(session)
    run(session, now(session) + timedelta(minutes=1))
    assert told(session, reminders.CLOSING) == []
    assert joint.application.created_at is not None


def test_a_later_closing_by_exception_is_what_is_reminded_of(session: Session) -> None:
    joint = projects.draft(session)
    other = projects.start_another(joint)
    age(session, joint)
    instant = now(session)
    joint.tender.opens_at, joint.tender.closes_at = instant - timedelta(days=40), instant - timedelta(days=1)
    session.flush()
    values = ExceptionValues(
        application=str(joint.id),
        closes=(instant + timedelta(days=2)).astimezone(MOSCOW).replace(tzinfo=None),
        reason="Portal was down",
    )
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    made = grant(session, officer, joint.tender.id, values=values)
    run(session, instant)
    assert set(told(session, reminders.CLOSING)) == {
        f"reminder_closing:{joint.id}:{made.closes_at.astimezone(UTC).isoformat()}:3"
    }
    assert other.id != joint.id


def test_those_who_have_not_signed_are_told_and_cannot_switch_it_off(session: Session) -> None:
    joint = projects.filled(session)
    age(session, joint)
    viewer = identity.member(session, joint.organisations[0], OrgRole.VIEWER)
    run(session, closes(joint) - timedelta(days=2))
    people = set(session.scalars(select(Notice.user_id).where(Notice.kind == reminders.SIGNING)))
    assert people == {owner.id for owner in joint.owners}
    assert viewer.id not in people
    letters = session.scalars(select(Letter).where(Letter.kind == reminders.SIGNING)).all()
    assert len(letters) == 2
    assert all("/notifications/stop/" not in letter.text for letter in letters)


def test_signed_parts_are_not_reminded(session: Session) -> None:
    joint = projects.ready(session)
    age(session, joint)
    run(session, closes(joint) - timedelta(days=2))
    assert told(session, reminders.SIGNING) == []
    assert len(told(session, reminders.CLOSING)) == 2


def test_an_invitation_without_an_answer_is_reminded_of(session: Session) -> None:
    joint = projects.draft(session, partners=0)
    invited = identity.organisation(session)
    person = identity.member(session, invited)
    projects.join(session, joint.cluster, invited)
    participation.invite(session, joint.actor(), application_id=joint.id, organisation_id=invited.id)
    age(session, joint)
    run(session, closes(joint) - timedelta(days=2))
    run(session, closes(joint) - timedelta(days=1.9))
    assert session.scalars(select(Notice.user_id).where(Notice.kind == reminders.INVITATION)).all() == [person.id]


def test_a_review_that_is_due_is_reminded_of_until_it_is_handed_in(session: Session) -> None:
    application = review.admitted(session)
    first, second = review.assigned(session, application)
    review.reviewed(session, second)
    end = datetime.combine(first.due_on, datetime.min.time(), tzinfo=now(session).tzinfo)
    run(session, end - timedelta(days=1))
    run(session, end - timedelta(days=0.9))
    found = session.execute(select(Notice.user_id, Notice.key).where(Notice.kind == of_reviews.DUE)).all()
    assert [row.user_id for row in found] == [first.reviewer_id]


def test_an_invitation_to_an_organisation_is_reminded_of_without_its_token(session: Session) -> None:
    organisation = identity.organisation(session)
    owner = identity.actor(session, identity.member(session, organisation))
    guest = identity.user(session, Role.AUDITOR)
    row = invitations.invite(session, owner, organisation_id=organisation.id, email=guest.email, role="editor")
    invitation = row[0] if isinstance(row, tuple) else row
    run(session, invitation.expires_at - timedelta(days=0.5))
    letter = session.scalars(select(Letter).where(Letter.kind == "reminder_org_invitation")).one()
    assert letter.user_id == guest.id
    assert "/organisations/invitations/" not in letter.text
