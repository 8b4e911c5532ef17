"""Questions of reviewers to the applicant go through the officer, who passes on, declines, and answers to all."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Application, ThreadMessage
from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.identity.models import Membership, OrgRole, Role
from portal.identity.policy import Actor
from portal.notifications.models import Notice
from portal.review import inquiries
from portal.review.models import Assignment, Inquiry
from tests.factories import identity, review


@dataclass
class Stage:
    session: Session
    application: Application
    rows: list[Assignment]
    officer: Actor

    def asked(self, place: int = 0, text: str = "Which plant makes the castings?") -> Inquiry:
        row = self.rows[place]
        actor = review.reviewer(self.session, row)
        return inquiries.ask(self.session, actor, assignment_id=row.id, text=text)

    def passed(self) -> Inquiry:
        row = self.asked()
        return inquiries.pass_on(
            self.session, self.officer, inquiry_id=row.id, text="Please name the foundry.", expected_version=row.version
        )

    def answered(self) -> Inquiry:
        row = self.passed()
        return inquiries.answer(
            self.session, self.officer, inquiry_id=row.id, text="Our own foundry.", expected_version=row.version
        )


@pytest.fixture
def stage(session: Session) -> Stage:
    application = review.admitted(session)
    rows = review.assigned(session, application)
    for row in rows:
        review.opened(session, row)
    return Stage(session, application, rows, identity.actor(session, identity.user(session, Role.OFFICER)))


def told(session: Session, kind: str) -> set[object]:
    return set(session.scalars(select(Notice.user_id).where(Notice.kind == kind)))


def test_a_question_goes_to_the_officers_and_to_nobody_else(stage: Stage) -> None:
    row = stage.asked()
    assert (row.state, row.text) == ("asked", "Which plant makes the castings?")
    assert stage.officer.user_id in told(stage.session, inquiries.ASKED)
    assert not told(stage.session, inquiries.ASKED) & {each.reviewer_id for each in stage.rows}
    assert stage.session.scalars(select(ThreadMessage)).all() == []
    assert inquiries.seen_at(stage.session, stage.rows[0]) == [row]
    assert inquiries.seen_at(stage.session, stage.rows[1]) == []


def test_the_officers_words_reach_the_participants_and_the_answer_all_reviewers(stage: Stage) -> None:
    row = stage.passed()
    message = stage.session.scalars(select(ThreadMessage)).one()
    assert (message.id, message.text, message.organisation_id) == (row.message_id, "Please name the foundry.", None)
    assert inquiries.seen_at(stage.session, stage.rows[1]) == []
    inquiries.answer(
        stage.session, stage.officer, inquiry_id=row.id, text="Our own foundry.", expected_version=row.version
    )
    assert [inquiries.seen_at(stage.session, each) for each in stage.rows] == [[row], [row]]
    assert told(stage.session, inquiries.ANSWERED) == {each.reviewer_id for each in stage.rows}
    stage.session.commit()
    tags = stage.session.scalars(select(AuditEvent.tag).where(AuditEvent.tag.startswith("review:inquiry:")))
    assert set(tags) == {"review:inquiry:ask", "review:inquiry:pass_on", "review:inquiry:answer"}


def test_a_declined_question_stays_between_reviewer_and_officer(stage: Stage) -> None:
    row = stage.asked()
    inquiries.decline(
        stage.session, stage.officer, inquiry_id=row.id, reason="It stands in DOC-02.", expected_version=row.version
    )
    assert (row.state, row.answer) == ("declined", "It stands in DOC-02.")
    assert told(stage.session, inquiries.ANSWERED) == {stage.rows[0].reviewer_id}
    assert inquiries.seen_at(stage.session, stage.rows[1]) == []
    assert stage.session.scalars(select(ThreadMessage)).all() == []


def test_each_step_is_taken_once(stage: Stage) -> None:
    row = stage.answered()
    for verb, words in ((inquiries.pass_on, "text"), (inquiries.decline, "reason"), (inquiries.answer, "text")):
        with pytest.raises(Conflict):
            verb(stage.session, stage.officer, inquiry_id=row.id, expected_version=row.version, **{words: "again"})  # type: ignore[operator]
        with pytest.raises(NotFound):
            verb(stage.session, stage.officer, inquiry_id=uuid4(), expected_version=1, **{words: "x"})  # type: ignore[operator]
    other = stage.asked(1)
    with pytest.raises(Stale):
        inquiries.pass_on(stage.session, stage.officer, inquiry_id=other.id, text="x", expected_version=9)
    with pytest.raises(Problems):
        inquiries.pass_on(stage.session, stage.officer, inquiry_id=other.id, text=" ", expected_version=other.version)


def test_who_may_not_and_when(stage: Stage) -> None:
    session, row = stage.session, stage.rows[0]
    with pytest.raises(NotFound):
        inquiries.ask(session, review.reviewer(session, stage.rows[1]), assignment_id=row.id, text="x")
    with pytest.raises(Problems):
        stage.asked(text=" ")
    question = stage.asked()
    tied = identity.user(session, Role.OFFICER)
    session.add(Membership(user_id=tied.id, organisation_id=stage.application.initiator_id, role=OrgRole.VIEWER))
    session.flush()
    for actor, refusal in (
        (identity.actor(session, tied), Refused),
        (identity.actor(session, identity.user(session, Role.CHAIR)), Refused),
        (review.reviewer(session, stage.rows[1]), NotFound),
    ):
        with pytest.raises(refusal):
            inquiries.pass_on(session, actor, inquiry_id=question.id, text="x", expected_version=question.version)
    for _ in range(inquiries.MOST_OPEN - 1):
        stage.asked()
    with pytest.raises(Problems):
        stage.asked()
    review.reviewed(session, stage.rows[1])
    with pytest.raises(Conflict):
        stage.asked(1)
