"""The daily digest: one letter a day and person, at the hour of their choice in their zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.core.clock import at
from portal.core.errors import NotFound, Problems, Refused
from portal.core.language import N_
from portal.identity import preferences as choosing
from portal.identity.jobs import write_due
from portal.identity.models import User
from portal.identity.policy import ANONYMOUS
from portal.notifications import kinds, preferences, service, tokens
from portal.notifications.kinds import DIGEST, Mail, Topic
from portal.notifications.models import Letter, Notice
from portal.notifications.preferences import Choice
from tests.factories import identity

MORNING = datetime(2031, 3, 3, 5, 30, tzinfo=UTC)  # 08:30 in Moscow, 15:30 in Vladivostok


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    before = dict(kinds._kinds)
    kinds.declare("test_digest", Topic.MESSAGES, N_("In the digest"), mail=Mail.DIGEST)
    kinds.declare("test_obligatory", Topic.ACCOUNT, N_("Obligatory"), obligatory=True)
    yield
    kinds._kinds.clear()
    kinds._kinds.update(before)


def tell(session: Session, person: User, key: str, when: datetime = MORNING - timedelta(hours=2)) -> None:
    with at(session, when):
        service.tell(
            session,
            [person],
            kind="test_digest",
            key=key,
            subject=N_("Refused: %(reason)s", reason=key),
            paragraphs=[],
            link=(N_("Open"), f"/applications/{key}"),
        )


def digests(session: Session, person: User) -> list[Letter]:
    return list(
        session.scalars(select(Letter).where(Letter.user_id == person.id, Letter.kind == DIGEST).order_by(Letter.id))
    )


def run(session: Session, when: datetime) -> int:
    with at(session, when):
        return write_due(session, 50)


def test_one_letter_with_everything_once_a_day(session: Session) -> None:
    person = identity.user(session)
    tell(session, person, "one")
    tell(session, person, "two")
    assert run(session, MORNING - timedelta(hours=1)) == 0
    assert run(session, MORNING) == 1
    tell(session, person, "three", MORNING + timedelta(minutes=1))
    assert run(session, MORNING + timedelta(hours=2)) == 0
    (letter,) = digests(session, person)
    assert "one" in letter.text
    assert "/applications/two" in letter.text
    assert "/applications/two" in letter.html
    assert tokens.stop_path(person.id, DIGEST) in letter.text
    assert run(session, MORNING + timedelta(days=1)) == 1
    assert "three" in digests(session, person)[1].text
    assert run(session, MORNING + timedelta(days=2)) == 0
    assert session.scalars(select(Notice).where(Notice.user_id == person.id, Notice.digest_id.is_(None))).all() == []


def test_the_hour_is_the_persons_own(session: Session) -> None:
    east, late, never, blocked = (identity.user(session) for _ in range(4))
    blocked.active = False
    preferences.save_digest_time(session, east.id, "Asia/Vladivostok", 15)
    preferences.save_digest_time(session, late.id, "Europe/Moscow", 20)
    for person in (east, late, never, blocked):
        tell(session, person, f"for {person.email}")
    preferences.save_digest_time(session, never.id, "Europe/Moscow", None)
    assert run(session, MORNING) == 1
    assert [len(digests(session, person)) for person in (east, late, never, blocked)] == [1, 0, 0, 0]


def test_choosing_is_kept_checked_and_audited(session: Session) -> None:
    person = identity.user(session)
    actor = identity.actor(session, person)
    choices = {
        "test_digest": Choice(False, Mail.NONE),
        "test_obligatory": Choice(False, Mail.NONE),
        "nobody": Choice(True, Mail.NOW),
    }
    changed = choosing.choose(session, actor, choices=choices, zone="Asia/Omsk", hour=None)
    assert changed == {"test_digest": Choice(False, Mail.NONE)}
    assert preferences.of_person(session, person.id) == changed
    assert preferences.digest_time(session, person.id) == ("Asia/Omsk", None)
    with pytest.raises(Problems) as caught:
        choosing.choose(session, actor, choices={}, zone="Mars/Olympus", hour=24)
    assert [problem.field for problem in caught.value.problems] == ["zone", "hour"]
    with pytest.raises(Refused):
        choosing.choose(session, ANONYMOUS, choices={}, zone="Asia/Omsk", hour=8)
    session.commit()
    tags = session.scalars(select(AuditEvent.tag).where(AuditEvent.object_id == str(person.id))).all()
    assert tags == ["identity:notices:choose"]


def test_the_link_of_a_letter_stops_one_kind_and_says_so_in_the_trail(session: Session) -> None:
    person = identity.user(session)
    choosing.stop(session, tokens.sign(person.id, "test_digest"))
    choosing.stop(session, tokens.sign(person.id, "test_digest"))
    assert preferences.of_person(session, person.id) == {"test_digest": Choice(True, Mail.NONE)}
    for wrong in ("nonsense", tokens.sign(person.id, "test_obligatory"), tokens.sign(person.id, "nobody")):
        with pytest.raises(NotFound):
            choosing.stop(session, wrong)
    session.commit()
    event = session.scalars(select(AuditEvent).where(AuditEvent.object_id == str(person.id))).first()
    assert event is not None
    assert (event.actor, event.changes) == ("system:link-of-a-letter", {"kind": "test_digest"})
