"""Limits over both tracks of a tender: written while it is prepared, frozen with its publication."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.core.canonical import digest
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.tenders import joint_limits, service
from portal.tenders.models import Tender, Track
from tests.factories import identity
from tests.tenders.test_service import IS, VALUES, make, rules, tracks

LIMIT: dict[str, Any] = {
    "code": "L1",
    "title": {"ru": "Доля МСП", "en": "Share of SMEs"},
    "field": "sme",
    "value": "",
    "least": "20",
    "most": None,
    "unit": "percent",
}


@pytest.fixture
def administrator(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.ADMINISTRATOR))


@pytest.fixture
def draft(session: Session, administrator: Actor) -> Tender:
    return make(session, administrator)


def write(session: Session, actor: Actor, tender: Tender, *limits: object) -> Tender:
    return service.edit_joint_limits(session, actor, tender.id, content=list(limits), expected_version=tender.version)


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in caught.value.problems]


def test_they_are_read_as_they_were_written(session: Session, administrator: Actor, draft: Tender) -> None:
    assert joint_limits.limits_of(draft) == ()
    before = draft.version
    write(session, administrator, draft, LIMIT)
    (limit,) = joint_limits.limits_of(draft)
    assert (limit.title.en, limit.least, draft.version > before) == ("Share of SMEs", 20, True)
    assert joint_limits.to_json([limit]) == draft.joint_limits == [LIMIT]


def test_all_faults_at_once(session: Session, administrator: Actor, draft: Tender) -> None:
    with pytest.raises(Problems) as caught:
        write(session, administrator, draft, LIMIT | {"least": "120", "title": {"ru": "", "en": "S"}}, LIMIT)
    assert codes(caught) == [
        ("limits.1.code", "duplicate"),
        ("limits.0.title.ru", "required"),
        ("limits.0.least", "out_of_range"),
    ]
    with pytest.raises(Problems) as caught:
        write(session, administrator, draft, LIMIT | {"field": "colour"})
    assert [field for field, _code in codes(caught)] == ["limits.0.field"]
    with pytest.raises(Problems) as caught:
        write(session, administrator, draft, LIMIT | {"value": "a\x00b"})
    assert codes(caught) == [("", "unstorable")]
    assert draft.joint_limits == []


def test_who_may_not_and_what_is_gone(session: Session, administrator: Actor, draft: Tender) -> None:
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    with pytest.raises(Refused):
        write(session, officer, draft, LIMIT)
    with pytest.raises(Stale):
        service.edit_joint_limits(session, administrator, draft.id, content=[], expected_version=draft.version + 1)
    with pytest.raises(NotFound):
        service.edit_joint_limits(session, administrator, draft.programme_id, content=[], expected_version=1)


def test_publication_freezes_them(session: Session, administrator: Actor, draft: Tender) -> None:
    write(session, administrator, draft, LIMIT)
    service.publish(session, administrator, draft.id, expected_version=draft.version)
    session.commit()
    assert draft.joint_digest == digest([LIMIT])
    event = session.scalars(select(AuditEvent).where(AuditEvent.tag == "tenders:tender:publish")).one()
    assert event.changes["joint_limits"] == draft.joint_digest
    with pytest.raises(Conflict):
        write(session, administrator, draft)


def test_tracks_that_give_out_money_in_different_ways_are_not_published(
    session: Session, administrator: Actor, draft: Tender
) -> None:
    write(session, administrator, draft, LIMIT)
    held = rules(session, draft)
    service.edit_rules(
        session,
        administrator,
        held.id,
        content={**held.content, "allotment": "skipping"},
        expected_version=held.version,
    )
    with pytest.raises(Problems) as caught:
        service.publish(session, administrator, draft.id, expected_version=draft.version)
    assert codes(caught) == [("joint_limits", "allotments_differ")]
    service.remove_track(session, administrator, draft.id, track=Track.EXPORT)
    with pytest.raises(Problems) as caught:
        service.publish(session, administrator, draft.id, expected_version=draft.version)
    assert codes(caught) == [("joint_limits", "one_track")]


def test_a_tender_whose_rules_are_all_copied_from_one_has_its_limits(
    session: Session, administrator: Actor, draft: Tender
) -> None:
    write(session, administrator, draft, LIMIT)
    sources = {Track(track): held.rule_set_id for track, held in tracks(session, draft).items()}

    def copied(code: str, **chosen: Any) -> list[Any]:
        values = replace(VALUES, code=code)
        made = service.create_tender(
            session, administrator, programme_id=draft.programme_id, values=values, tracks={**sources, **chosen}
        )
        return made.joint_limits

    assert copied("2031") == [LIMIT]
    assert copied("2032", **{IS: None}) == []
