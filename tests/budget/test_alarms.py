"""Alarms: told once for each crossing, ended above it, told again at the next one."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.budget import alarms, service
from portal.budget.alarm_models import AlarmCrossing
from portal.budget.models import Envelope
from portal.core.errors import NotFound, Problems, Refused
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.notifications.models import Notice
from portal.tenders.models import Programme, Track
from tests.factories import budget, identity
from tests.factories import tenders as tenders_factory


@pytest.fixture
def programme(session: Session) -> Programme:
    return tenders_factory.programme(session, f"P{uuid4().hex[:6]}")


@pytest.fixture
def envelope(session: Session, programme: Programme) -> Envelope:
    return budget.envelope(session, programme.id, amount=100)


@pytest.fixture
def administrator(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.ADMINISTRATOR))


def take(session: Session, envelope: Envelope, amount: int) -> None:
    """Set an amount aside, or give it back where it is below zero."""
    verb = service.reserve if amount > 0 else service.release
    verb(
        session,
        budget.ACTOR,
        key=str(uuid4()),
        programme_id=envelope.programme_id,
        track=envelope.track,
        amounts={envelope.year: Decimal(abs(amount))},
        reason="Award",
        document="Decision",
        subject=SUBJECT,
    )


SUBJECT = ("decision_line", uuid4())


def told(session: Session, actor: Actor) -> int:
    return len(
        session.scalars(select(Notice.id).where(Notice.user_id == actor.user_id, Notice.kind == alarms.ALARM)).all()
    )


def test_told_once_for_each_crossing(session: Session, envelope: Envelope, administrator: Actor) -> None:
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    finance = identity.actor(session, identity.user(session, Role.FINANCE))
    alarms.set_alarm(session, administrator, programme_id=envelope.programme_id, share=Decimal(20))
    take(session, envelope, 79)
    assert (alarms.watch(session), told(session, administrator)) == (0, 0)
    take(session, envelope, 1)
    assert (alarms.watch(session), alarms.watch(session)) == (1, 0)
    assert (told(session, administrator), told(session, finance), told(session, officer)) == (1, 1, 0)
    crossed = alarms.crossings(session, officer, envelope.programme_id)
    assert [(item.envelope.id, item.crossing.available, item.alarm.share) for item in crossed] == [
        (envelope.id, 20, 20)
    ]
    take(session, envelope, -1)
    assert alarms.watch(session) == 0
    assert alarms.crossings(session, officer, envelope.programme_id) == []
    take(session, envelope, 10)
    assert (alarms.watch(session), told(session, finance)) == (1, 2)
    assert len(session.scalars(select(AlarmCrossing)).all()) == 2


def test_an_alarm_is_about_its_track_and_year(session: Session, envelope: Envelope, administrator: Actor) -> None:
    programme_id = envelope.programme_id
    for share, narrowed in ((10, {"track": Track.EXPORT}), (20, {"year": 2019}), (30, {"year": 2018})):
        alarms.set_alarm(session, administrator, programme_id=programme_id, share=Decimal(share), **narrowed)  # type: ignore[arg-type]
    take(session, envelope, 100)
    alarms.watch(session)
    assert [item.alarm.share for item in alarms.crossings(session, administrator, programme_id)] == [30]


def test_setting_looks_at_once_and_removing_ends(session: Session, envelope: Envelope, administrator: Actor) -> None:
    take(session, envelope, 95)
    alarm = alarms.set_alarm(session, administrator, programme_id=envelope.programme_id, share=Decimal("7.5"))
    assert told(session, administrator) == 1
    with pytest.raises(Problems, match="taken"):
        alarms.set_alarm(session, administrator, programme_id=envelope.programme_id, share=Decimal("7.50"))
    alarms.remove_alarm(session, administrator, alarm.id)
    assert alarms.crossings(session, administrator, envelope.programme_id) == []
    with pytest.raises(NotFound):
        alarms.remove_alarm(session, administrator, alarm.id)
    alarms.set_alarm(session, administrator, programme_id=envelope.programme_id, share=Decimal("7.5"))


def test_wrong_alarms_and_wrong_people(session: Session, programme: Programme, administrator: Actor) -> None:
    for share, year in ((None, None), (0, None), (100, None), ("0.001", None), (20, 1999)):
        with pytest.raises(Problems):
            alarms.set_alarm(
                session,
                administrator,
                programme_id=programme.id,
                share=None if share is None else Decimal(share),
                year=year,
            )
    for role in (Role.OFFICER, Role.CHAIR, Role.FINANCE):
        actor = identity.actor(session, identity.user(session, role))
        with pytest.raises(Refused):
            alarms.set_alarm(session, actor, programme_id=programme.id, share=Decimal(20))
