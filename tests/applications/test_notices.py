"""Letters about an event of a tender: to whom, in which language, what they say, and that none is left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.following import notices
from portal.applications.jobs import tender_notice
from portal.core import jobs
from portal.core.clock import MOSCOW, now
from portal.core.jobs import Claim, Task
from portal.identity.models import Role, User
from portal.notifications.models import Letter
from portal.tenders import following, questions
from portal.tenders.amendments import NOTICE, AmendmentValues, Reasons, amend, cancel
from portal.tenders.models import Question, Tender
from portal.tenders.questions import AnswerValues, QuestionValues
from tests.factories import applications, identity
from tests.factories import tenders as factory
from tests.factories.applications import Joint

WHY = Reasons("Сбой связи", "A failure of the line")


@pytest.fixture
def joint(session: Session) -> Joint:
    return applications.draft(session)


def run(session: Session) -> list[tuple[int, int]]:
    """Do the waiting task step by step, as a worker does; how far it was after each step."""
    task = session.scalars(select(Task).where(Task.kind == NOTICE, Task.done_at.is_(None))).one()
    claim = Claim(task.id, task.number, 1, task.kind, dict(task.payload), 1)
    steps = []
    while True:
        progress = tender_notice(session, claim.payload, claim)
        assert progress is not None
        task.progress_done, task.progress_total = progress.done, progress.total
        session.flush()
        session.refresh(task)
        steps.append((progress.done, progress.total))
        if progress.finished:
            return steps


def extend(session: Session, tender: Tender) -> None:
    administrator = identity.actor(session, identity.user(session, Role.ADMINISTRATOR))
    assert tender.closes_at is not None
    later = (tender.closes_at + timedelta(days=5)).astimezone(MOSCOW).replace(tzinfo=None, second=0, microsecond=0)
    values = AmendmentValues(WHY, later, tender.notice_ru + " Дополнение.", tender.notice_en)
    amend(session, administrator, tender.id, values=values, expected_version=tender.version)


def told(session: Session, kind: str) -> dict[str, Letter]:
    return {row.recipient: row for row in session.scalars(select(Letter).where(Letter.kind == kind))}


def follower(session: Session, tender: Tender, **person: str) -> User:
    row = identity.user(session, **person)  # type: ignore[arg-type]
    following.follow(session, identity.actor(session, row), tender.id)
    return row


def test_everyone_concerned_is_told_in_their_language(session: Session, joint: Joint) -> None:
    fan = follower(session, joint.tender, locale="ru")
    foreign = applications.draft(session)
    follower(session, foreign.tender)
    extend(session, joint.tender)
    assert run(session) == [(3, 3)]
    letters = told(session, "tender_amended")
    assert set(letters) == {fan.email, *(owner.email for owner in joint.owners)}
    code = joint.tender.code
    russian, english = letters[fan.email], letters[joint.owners[0].email]
    assert russian.subject == f"Отбор {code}: изменение № 1"
    assert "Причина: Сбой связи" in russian.text
    assert english.subject == f"Tender {code}: amendment No. 1"
    assert "The Russian text of the notice has changed." in english.text
    assert f"/tenders/{code}/changes#amendment-1" in english.text


def test_the_steps_leave_nobody_out(session: Session, joint: Joint, monkeypatch: pytest.MonkeyPatch) -> None:
    """People who follow or leave between the steps neither hide others nor stop the work."""
    fans = [follower(session, joint.tender) for _ in range(5)]
    extend(session, joint.tender)
    monkeypatch.setattr(notices, "STEP", 2)
    task = session.scalars(select(Task).where(Task.kind == NOTICE)).one()
    claim = Claim(task.id, task.number, 1, task.kind, dict(task.payload), 1)
    first = tender_notice(session, claim.payload, claim)
    assert first == jobs.Progress(2, 7)
    gone = session.scalars(select(Letter.recipient).where(Letter.kind == "tender_amended")).first()
    leaver = next(user for user in (*joint.owners, *fans) if user.email == gone)
    leaver.active = False
    task.progress_done, task.progress_total = 2, 7
    session.flush()
    session.refresh(task)
    assert run(session)[-1] == (7, 7)
    assert len(told(session, "tender_amended")) == 7


def test_doing_it_twice_changes_nothing(session: Session, joint: Joint) -> None:
    extend(session, joint.tender)
    run(session)
    before = set(told(session, "tender_amended"))
    task = session.scalars(select(Task).where(Task.kind == NOTICE)).one()
    task.payload = {name: value for name, value in task.payload.items() if name != "after"}
    session.flush()
    run(session)
    assert set(told(session, "tender_amended")) == before
    assert session.scalar(select(Task.id).where(Task.kind == NOTICE, Task.key.is_(None))) is None


def test_blocked_and_unconfirmed_people_get_none(session: Session, joint: Joint) -> None:
    blocked, unconfirmed = follower(session, joint.tender), follower(session, joint.tender)
    blocked.active, unconfirmed.confirmed_at = False, None
    extend(session, joint.tender)
    run(session)
    assert set(told(session, "tender_amended")) == {owner.email for owner in joint.owners}


def test_a_cancellation_is_told_with_its_reason(session: Session, joint: Joint) -> None:
    administrator = identity.actor(session, identity.user(session, Role.ADMINISTRATOR))
    cancel(session, administrator, joint.tender.id, reasons=WHY, expected_version=joint.tender.version)
    run(session)
    letter = told(session, "tender_cancelled")[joint.owners[0].email]
    assert letter.subject == f"Tender {joint.tender.code} has been cancelled"
    assert "A failure of the line" in letter.text


def test_a_notice_of_nothing_ends(session: Session) -> None:
    tender = factory.open_tender(session)
    jobs.enqueue(session, NOTICE, {"event": "amendment", "id": str(tender.id)})
    assert run(session) == [(0, 0)]


# Questions


def question(session: Session, tender: Tender, user: User, text: str) -> Question:
    actor = identity.actor(session, user)
    values = QuestionValues(next(iter(actor.memberships)), text, "en")
    return questions.ask(session, actor, tender.id, values=values)


def run_all(session: Session) -> None:
    while session.scalar(select(Task.id).where(Task.kind == NOTICE, Task.done_at.is_(None))) is not None:
        first = session.scalars(
            select(Task).where(Task.kind == NOTICE, Task.done_at.is_(None)).order_by(Task.number).limit(1)
        ).one()
        claim = Claim(first.id, first.number, 1, first.kind, dict(first.payload), 1)
        progress = tender_notice(session, claim.payload, claim)
        assert progress is not None
        assert progress.finished
        first.done_at = now(session)
        session.flush()


def test_an_answer_reaches_askers_participants_and_followers_once(session: Session, joint: Joint) -> None:
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    asker = identity.member(session, identity.organisation(session), locale="ru")
    same = identity.member(session, identity.organisation(session))
    fan = follower(session, joint.tender)
    main = question(session, joint.tender, asker, "ASKED BY THE FIRST")
    other = question(session, joint.tender, same, "ASKED BY THE SECOND")
    late = question(session, joint.tender, same, "ASKED LATE")
    questions.merge(session, officer, other.id, into=main.id, expected_version=1)
    told_in = AnswerValues("Вопрос?", "Question?", "Ответ.", "Answer.")
    questions.publish(session, officer, main.id, values=told_in, expected_version=1)
    questions.merge(session, officer, late.id, into=main.id, expected_version=1)
    run_all(session)
    letters = told(session, "question_answered")
    people = [asker, same, fan, *joint.owners]
    assert sorted(letters) == sorted(person.email for person in people)
    assert len(session.scalars(select(Letter).where(Letter.kind == "question_answered")).all()) == len(people)
    assert "Ответ." in letters[asker.email].text
    for letter in letters.values():
        assert "ASKED" not in letter.text
    questions.publish(
        session, officer, main.id, values=replace(told_in, answer_en="Better."), expected_version=main.version
    )
    run_all(session)
    assert len(session.scalars(select(Letter).where(Letter.kind == "question_answered")).all()) == 2 * len(people)


def test_a_refusal_tells_each_asker_their_own_question_and_nobody_else(session: Session, joint: Joint) -> None:
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    first = identity.member(session, identity.organisation(session))
    second = identity.member(session, identity.organisation(session))
    follower(session, joint.tender)
    main = question(session, joint.tender, first, "OF THE FIRST")
    other = question(session, joint.tender, second, "OF THE SECOND")
    questions.merge(session, officer, other.id, into=main.id, expected_version=1)
    questions.decline(session, officer, main.id, reason="Ask your bank", expected_version=1)
    run_all(session)
    letters = told(session, "question_declined")
    assert set(letters) == {first.email, second.email}
    for person, own, foreign in ((first, "OF THE FIRST", "OF THE SECOND"), (second, "OF THE SECOND", "OF THE FIRST")):
        assert own in letters[person.email].text
        assert foreign not in letters[person.email].text
        assert "Ask your bank" in letters[person.email].text
