"""Questions: asking and its limits, answering in both languages, merging, declining, and what everyone reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.core.jobs import Task
from portal.identity.models import Role
from portal.identity.policy import ANONYMOUS, Actor
from portal.tenders import answers, questions
from portal.tenders.amendments import NOTICE
from portal.tenders.models import Question, QuestionState, Tender
from portal.tenders.questions import AnswerValues, QuestionValues, ask, decline, merge, publish, save_draft
from tests.factories import identity
from tests.factories import tenders as factory

ANSWER = AnswerValues(
    "Можно ли подать две заявки?", "May we file two?", "Да, по одной на направление.", "Yes, one a track."
)


@pytest.fixture
def tender(session: Session) -> Tender:
    return factory.open_tender(session)


@pytest.fixture
def officer(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.OFFICER))


def applicant(session: Session) -> Actor:
    return identity.actor(session, identity.member(session, identity.organisation(session)))


def values(actor: Actor, **changes: Any) -> QuestionValues:
    organisation = next(iter(actor.memberships), None)
    return replace(QuestionValues(organisation, "May we file two?", "en"), **changes)


def asked(session: Session, tender: Tender, actor: Actor | None = None, **changes: Any) -> Question:
    actor = actor or applicant(session)
    return ask(session, actor, tender.id, values=values(actor, **changes))


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in caught.value.problems]


def events(session: Session) -> list[dict[str, Any]]:
    wanted = select(Task.payload).where(Task.kind == NOTICE).order_by(Task.number)
    return list(session.scalars(wanted))


# Asking


def test_a_question_waits_and_is_in_the_trail(session: Session, tender: Tender) -> None:
    row = asked(session, tender, about="document:DOC-03", text="  Which form?\r\nOld or new?  ")
    assert (row.state, row.number, row.about, row.about_code) == (QuestionState.WAITING, None, "document", "DOC-03")
    assert row.text == "Which form?\nOld or new?"
    session.commit()
    event = session.scalars(select(AuditEvent).where(AuditEvent.tag == "tenders:question:ask")).one()
    assert event.object_id == str(row.id)
    assert "Which form" not in str(event.changes)


@pytest.mark.parametrize("about", ["rule:EL-01", "rule:CR-01", "document:DOC-01", "section:costs", ""])
def test_what_it_may_be_about(session: Session, tender: Tender, about: str) -> None:
    row = asked(session, tender, about=about)
    assert ":".join(filter(None, (row.about, row.about_code))) == about


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"text": " \n"}, [("text", "required")]),
        ({"text": "x" * 2001}, [("text", "too_long")]),
        ({"text": "a\x00b"}, [("text", "unstorable")]),
        ({"organisation_id": None}, [("organisation", "required")]),
        ({"about": "rule:EL-99"}, [("about", "unknown")]),
        ({"about": "section:'; drop"}, [("about", "unknown")]),
        ({"about": "nonsense"}, [("about", "unknown")]),
    ],
)
def test_problems_of_a_question(
    session: Session, tender: Tender, changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    with pytest.raises(Problems) as caught:
        asked(session, tender, **changes)
    assert codes(caught) == expected


def test_only_people_of_organisations_ask_and_for_their_own(session: Session, tender: Tender, officer: Actor) -> None:
    actor = applicant(session)
    with pytest.raises(NotFound):
        asked(session, tender, actor, organisation_id=identity.organisation(session).id)
    for person in (ANONYMOUS, officer, identity.actor(session, identity.user(session))):
        with pytest.raises(Refused):
            asked(session, tender, person)


def test_questions_are_taken_for_a_time(session: Session, tender: Tender) -> None:
    closed = factory.closed_tender(session)
    cancelled = factory.open_tender(session, cancelled_at=now(session), cancel_reason="R")
    soon = factory.open_tender(session, closes_at=now(session) + timedelta(days=2))
    for row in (closed, cancelled, soon):
        with pytest.raises(Conflict):
            asked(session, row)
    soon.question_days = 0
    session.flush()
    assert asked(session, soon).state == QuestionState.WAITING
    announced = factory.open_tender(session, opens_at=now(session) + timedelta(days=1))
    assert asked(session, announced).state == QuestionState.WAITING
    for missing in (uuid4(), factory.tender(session).id):
        with pytest.raises(NotFound):
            ask(session, (actor := applicant(session)), missing, values=values(actor))


def test_a_person_has_so_many_questions_and_no_more(session: Session, tender: Tender, officer: Actor) -> None:
    actor = applicant(session)
    rows = [asked(session, tender, actor) for _ in range(questions.MOST_WAITING)]
    with pytest.raises(Problems) as caught:
        asked(session, tender, actor)
    assert codes(caught) == [("text", "too_many")]
    assert asked(session, tender).state == QuestionState.WAITING
    for row in rows:
        decline(session, officer, row.id, reason="Private matter", expected_version=row.version)
    for _ in range(questions.MOST_A_DAY - questions.MOST_WAITING):
        row = asked(session, tender, actor)
        decline(session, officer, row.id, reason="Private matter", expected_version=row.version)
    with pytest.raises(Problems) as caught:
        asked(session, tender, actor)
    assert codes(caught) == [("text", "too_many")]
    day = update(Question).where(Question.asked_by == actor.user_id).values(created_at=now(session) - timedelta(days=2))
    session.execute(day)
    assert asked(session, tender, actor).state == QuestionState.WAITING


# Answering


def test_an_answer_is_numbered_and_told(session: Session, tender: Tender, officer: Actor) -> None:
    row = asked(session, tender)
    other = factory.open_tender(session)
    publish(session, officer, asked(session, other).id, values=ANSWER, expected_version=1)
    save_draft(session, officer, row.id, values=replace(ANSWER, answer_en=""), expected_version=1)
    assert session.execute(answers.published_select(tender.id)).all() == []
    made = publish(session, officer, row.id, values=ANSWER, expected_version=2)
    assert (row.state, row.number, row.answers, row.draft, made.version) == (QuestionState.ANSWERED, 1, 1, {}, 1)
    assert events(session)[-1] == {"event": "answer", "id": str(made.id)}
    second = asked(session, tender)
    publish(session, officer, second.id, values=ANSWER, expected_version=1)
    assert second.number == 2
    assert answers.count(session, tender.id) == 2


def test_both_languages_before_it_is_published(session: Session, tender: Tender, officer: Actor) -> None:
    row = asked(session, tender)
    with pytest.raises(Problems) as caught:
        publish(session, officer, row.id, values=AnswerValues("В", "", "О", " "), expected_version=1)
    assert codes(caught) == [("question_en", "required"), ("answer_en", "required")]
    long = replace(ANSWER, question_ru="в" * 2001, answer_en="x" * 10_001)
    for verb in (publish, save_draft):
        with pytest.raises(Problems) as caught:
            verb(session, officer, row.id, values=long, expected_version=1)
        assert codes(caught) == [("question_ru", "too_long"), ("answer_en", "too_long")]
    with pytest.raises(Stale):
        publish(session, officer, row.id, values=ANSWER, expected_version=9)


def test_a_correction_is_a_new_version_beside_the_old(session: Session, tender: Tender, officer: Actor) -> None:
    row = asked(session, tender)
    first = publish(session, officer, row.id, values=ANSWER, expected_version=1)
    with pytest.raises(Problems) as caught:
        publish(session, officer, row.id, values=ANSWER, expected_version=2)
    assert codes(caught) == [("", "nothing")]
    second = publish(session, officer, row.id, values=replace(ANSWER, answer_en="No."), expected_version=2)
    assert (row.number, row.answers) == (1, 2)
    found = session.execute(answers.published_select(tender.id)).one()
    assert found.Answer is second
    assert answers.earlier(session, [row.id]) == {row.id: [first]}
    assert questions.versions(session, row.id) == [second, first]
    for statement in ("update tender_answer set answer_en = 'x'", "delete from tender_answer"):
        with pytest.raises(IntegrityError, match="append-only"), session.begin_nested():
            session.execute(text(statement))


def test_a_declined_question_is_told_to_all_who_asked_it(session: Session, tender: Tender, officer: Actor) -> None:
    row, same = asked(session, tender), asked(session, tender)
    merge(session, officer, same.id, into=row.id, expected_version=1)
    with pytest.raises(Problems) as caught:
        decline(session, officer, row.id, reason=" ", expected_version=1)
    assert codes(caught) == [("reason", "required")]
    decline(session, officer, row.id, reason="A matter of your own contract", expected_version=1)
    assert row.decline_reason == "A matter of your own contract"
    assert events(session) == [{"event": "declined", "id": str(key)} for key in (row.id, same.id)]
    for attempt in (
        lambda: decline(session, officer, row.id, reason="R", expected_version=2),
        lambda: publish(session, officer, row.id, values=ANSWER, expected_version=2),
        lambda: save_draft(session, officer, row.id, values=ANSWER, expected_version=2),
        lambda: merge(session, officer, row.id, into=same.id, expected_version=2),
    ):
        with pytest.raises(Conflict):
            attempt()


def test_duplicates_are_merged_and_follow_each_other(session: Session, tender: Tender, officer: Actor) -> None:
    main, second, third = (asked(session, tender) for _ in range(3))
    merge(session, officer, third.id, into=second.id, expected_version=1)
    session.refresh(second)
    merge(session, officer, second.id, into=main.id, expected_version=second.version)
    session.refresh(third)
    assert (second.state, second.merged_into, third.merged_into) == (QuestionState.MERGED, main.id, main.id)
    assert events(session) == []
    made = publish(session, officer, main.id, values=ANSWER, expected_version=1)
    late = asked(session, tender)
    merge(session, officer, late.id, into=main.id, expected_version=1)
    assert events(session) == [{"event": "answer", "id": str(made.id)}] * 2
    assert [found.number for found in session.execute(answers.published_select(tender.id))] == [1]


def test_what_a_question_cannot_be_merged_into(session: Session, tender: Tender, officer: Actor) -> None:
    row, merged, main = (asked(session, tender) for _ in range(3))
    merge(session, officer, merged.id, into=main.id, expected_version=1)
    declined = asked(session, tender)
    decline(session, officer, declined.id, reason="R", expected_version=1)
    foreign = asked(session, factory.open_tender(session))
    for into in (row.id, merged.id, declined.id, foreign.id, uuid4()):
        with pytest.raises(Problems) as caught:
            merge(session, officer, row.id, into=into, expected_version=row.version)
        assert codes(caught) == [("into", "unknown")]


def test_only_officers_answer(session: Session, tender: Tender) -> None:
    row = asked(session, tender)
    people = {role: identity.actor(session, identity.user(session, role)) for role in Role if role != Role.OFFICER}
    for actor, refusal in [*((actor, Refused) for actor in people.values()), (applicant(session), NotFound)]:
        for attempt in (
            lambda: save_draft(session, actor, row.id, values=ANSWER, expected_version=1),  # noqa: B023
            lambda: publish(session, actor, row.id, values=ANSWER, expected_version=1),  # noqa: B023
            lambda: decline(session, actor, row.id, reason="R", expected_version=1),  # noqa: B023
            lambda: merge(session, actor, row.id, into=row.id, expected_version=1),  # noqa: B023
        ):
            with pytest.raises(refusal):
                attempt()


# Reading


def test_people_see_their_own_questions_and_the_fund_all(session: Session, tender: Tender, officer: Actor) -> None:
    actor = applicant(session)
    mine, other = asked(session, tender, actor), asked(session, tender)
    readers = {Role.OFFICER, Role.CHAIR, Role.ADMINISTRATOR, Role.AUDITOR}
    for role in Role:
        person = identity.actor(session, identity.user(session, role))
        seen = set(session.scalars(questions.inbox_select(person)))
        assert seen == ({mine, other} if role in readers else set())
    assert session.scalars(questions.inbox_select(actor)).all() == [mine]
    assert session.scalars(questions.inbox_select(ANONYMOUS)).all() == []
    assert questions.own(session, actor, tender.id) == [mine]
    assert questions.own(session, ANONYMOUS, tender.id) == []
    assert len(session.scalars(questions.waiting()).all()) == 2
    decline(session, officer, mine.id, reason="R", expected_version=1)
    assert session.scalars(questions.inbox_select(officer, state="waiting")).all() == [other]
    assert session.scalars(questions.inbox_select(officer, state="declined", tender_id=uuid4())).all() == []


def test_answers_are_searched_in_any_form_of_the_words(session: Session, tender: Tender, officer: Actor) -> None:
    texts = {
        1: AnswerValues(
            "Сколько заявок можно подать?", "How many applications?", "Одну на направление.", "One a track."
        ),
        2: AnswerValues("Какие документы нужны?", "Which papers?", "Выписка и справка.", "An extract, 100 % fresh."),
    }
    for number, told in texts.items():
        row = asked(session, tender, about="document:DOC-03" if number == 2 else "rule:EL-01")
        publish(session, officer, row.id, values=told, expected_version=1)

    def found(**narrowed: str) -> list[int]:
        return sorted(item.number for item in session.execute(answers.published_select(tender.id, **narrowed)))

    assert found() == [1, 2]
    assert found(words="документами") == [2]
    assert found(words="направления") == [1]
    assert found(words="extracts") == [2]
    assert found(words="100 %") == [2]
    assert found(words="%") == [2]
    assert found(words='"') == []
    assert found(words="\x00") == [1, 2]
    assert found(words="выпи") == [2]
    assert found(about="document") == [2]
    assert found(about="document:DOC-03") == [2]
    assert found(about="document:DOC-04") == []
    assert found(about="nonsense") == [1, 2]
