"""Telling people: once each, in the portal and by mail, as they have chosen; what is obligatory always comes."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.core.language import N_
from portal.identity.models import User
from portal.notifications import jobs, kinds, preferences, service, tokens
from portal.notifications.kinds import DIGEST, Mail, Topic
from portal.notifications.models import Letter, Notice
from portal.notifications.preferences import Choice
from tests.factories import identity


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    before = dict(kinds._kinds)
    kinds.declare("test_plain", Topic.MESSAGES, N_("Plain"))
    kinds.declare("test_important", Topic.MESSAGES, N_("Important"), important=True)
    kinds.declare("test_obligatory", Topic.ACCOUNT, N_("Obligatory"), obligatory=True)
    kinds.declare("test_digest", Topic.MESSAGES, N_("In the digest at first"), mail=Mail.DIGEST)
    yield
    kinds._kinds.clear()
    kinds._kinds.update(before)


@pytest.fixture
def person(session: Session) -> User:
    return identity.user(session)


def tell(session: Session, *people: User, kind: str = "test_plain", key: str = "k") -> int:
    return service.tell(
        session,
        people,
        kind=kind,
        key=key,
        subject=N_("Tenders"),
        paragraphs=[N_("Yes")],
        link=(N_("Open"), "/organisations/invitations/secret"),
        about=("application", uuid4()),
        portal_path="/organisations/",
    )


def reached(session: Session, person: User) -> tuple[list[tuple[bool, bool]], int]:
    notices = session.scalars(select(Notice).where(Notice.user_id == person.id)).all()
    letters = session.scalars(select(Letter).where(Letter.user_id == person.id)).all()
    return [(row.in_portal, row.for_digest) for row in notices], len(letters)


def test_told_once_for_a_key_and_each_person_once(session: Session, person: User) -> None:
    other = identity.user(session)
    assert tell(session, person, other, person) == 2
    assert tell(session, person, other) == 0
    assert reached(session, person) == ([(True, False)], 1)
    assert tell(session, person, key="another") == 1


def test_a_notice_is_kept_in_both_languages_and_never_holds_the_letters_link(session: Session, person: User) -> None:
    tell(session, person)
    notice = session.scalars(select(Notice).where(Notice.user_id == person.id)).one()
    assert notice.subject == {"ru": "Отборы", "en": "Tenders"}
    assert notice.paragraphs == {"ru": ["Да"], "en": ["Yes"]}
    assert notice.path == "/organisations/"
    letter = session.scalars(select(Letter).where(Letter.user_id == person.id)).one()
    assert "/organisations/invitations/secret" in letter.text


@pytest.mark.parametrize(
    ("kind", "chosen", "expected"),
    [
        ("test_plain", Choice(True, Mail.NONE), ([(True, False)], 0)),
        ("test_plain", Choice(False, Mail.NOW), ([], 1)),
        ("test_plain", Choice(False, Mail.DIGEST), ([(False, True)], 0)),
        ("test_plain", Choice(False, Mail.NONE), ([], 0)),
        ("test_important", Choice(False, Mail.NONE), ([(True, False)], 0)),
        ("test_important", Choice(False, Mail.DIGEST), ([(True, True)], 0)),
        ("test_obligatory", Choice(False, Mail.NONE), ([(True, False)], 1)),
        ("test_digest", Choice(True, Mail.NOW), ([(True, False)], 1)),
    ],
)
def test_it_comes_as_the_person_has_chosen(
    session: Session, person: User, kind: str, chosen: Choice, expected: object
) -> None:
    preferences.save(session, person.id, {kind: chosen})
    tell(session, person, kind=kind)
    assert reached(session, person) == expected


def test_a_digest_that_is_off_collects_nothing(session: Session, person: User) -> None:
    tell(session, person, kind="test_digest")
    assert reached(session, person) == ([(True, True)], 0)
    preferences.save_digest_time(session, person.id, "Europe/Moscow", None)
    tell(session, person, kind="test_digest", key="later")
    assert sorted(reached(session, person)[0]) == [(True, False), (True, True)]


def test_an_undeclared_kind_is_a_fault_of_the_program(session: Session, person: User) -> None:
    with pytest.raises(LookupError):
        tell(session, person, kind="nobody_declared_this")
    with pytest.raises(ValueError):
        kinds.declare("test_plain", Topic.ACCOUNT, N_("Something else"))


@pytest.mark.parametrize(
    "subject",
    [
        "Участие подтверждено: Кластер производителей нефтегазового и химического оборудования Воронежской области",
        "The letter of fit is signed: Production of high-pressure control valves",
    ],
)
def test_a_long_subject_arrives_as_it_was_written(session: Session, person: User, subject: str) -> None:
    tell(session, person)
    letter = session.scalars(select(Letter).where(Letter.user_id == person.id)).one()
    letter.subject = subject
    received = message_from_bytes(jobs.compose(letter).as_bytes(), policy=policy.default)
    assert received["Subject"] == subject


def test_a_letter_says_how_to_stop_it_unless_it_is_obligatory(session: Session, person: User) -> None:
    tell(session, person)
    tell(session, person, kind="test_obligatory", key="o")
    plain, obligatory = session.scalars(select(Letter).where(Letter.user_id == person.id).order_by(Letter.id)).all()
    message = jobs.compose(plain)
    stop = tokens.stop_path(person.id, "test_plain")
    assert message["List-Unsubscribe"].endswith(f"{stop}>")
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    for part in ("plain", "html"):
        body = message.get_body((part,))
        assert body is not None
        assert stop in body.get_content()
    assert "List-Unsubscribe" not in jobs.compose(obligatory)
    assert "/notifications/stop/" not in obligatory.text + obligatory.html


def test_the_token_names_person_and_kind_and_cannot_be_changed() -> None:
    person = uuid4()
    token = tokens.sign(person, "test_plain")
    assert tokens.read(token) == (person, "test_plain")
    assert tokens.sign(person, DIGEST) != token
    for wrong in ("", "x", token[:-2], token[:5] + ("A" if token[5] != "A" else "B") + token[6:], "я" * 40, "A" * 500):
        assert tokens.read(wrong) is None


def test_stopping_changes_one_kind_of_one_person(session: Session, person: User) -> None:
    assert preferences.stop(session, person.id, "test_important")
    assert preferences.of_person(session, person.id) == {"test_important": Choice(True, Mail.NONE)}
    assert not preferences.stop(session, person.id, "test_obligatory")
    assert not preferences.stop(session, person.id, "unknown")
    assert preferences.stop(session, person.id, DIGEST)
    assert preferences.digest_time(session, person.id) == ("Europe/Moscow", None)


def test_marking_as_read_touches_own_unread_notices_only(session: Session, person: User) -> None:
    other = identity.user(session)
    tell(session, person, other)
    tell(session, person, kind="test_important", key="i")
    mine: list[UUID] = list(session.scalars(select(Notice.id).where(Notice.user_id == person.id)))
    assert service.mark_read(session, other.id, notice_id=mine[0]) == 0
    assert service.mark_read(session, person.id, kind="test_important") == 1
    assert service.mark_read(session, person.id) == 1
    assert service.mark_read(session, person.id) == 0
    assert service.notice_of(session, other.id, mine[0]) is None


def test_the_database_refuses_links_that_leave_the_portal(session: Session, person: User) -> None:
    for path in ("https://evil.example/", "//evil.example/", r"/\evil.example"):
        with pytest.raises(IntegrityError), session.begin_nested():
            service.tell(
                session, [person], kind="test_plain", key=path, subject=N_("Yes"), paragraphs=[], portal_path=path
            )
