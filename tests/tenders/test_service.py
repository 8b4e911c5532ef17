"""Every verb of the tenders room, and each of its exits."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.core.db import transaction
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.tenders import service
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack, Track
from portal.tenders.rulebook import load_rulebook
from portal.tenders.ruleset import rules_digest, to_json
from portal.tenders.values import ProgrammeValues, TenderValues
from tests.factories import identity
from tests.factories import tenders as factory

wall = datetime.fromisoformat
IS = Track.IMPORT_SUBSTITUTION
VALUES = TenderValues(
    code="2030",
    year=2030,
    title_ru="Отбор 2030 года",
    title_en="Tender of 2030",
    notice_ru="Извещение",
    notice_en="Notice",
    opens=wall("2030-08-01T09:00"),
    closes=wall("2030-08-31T18:00"),
)


@pytest.fixture
def administrator(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.ADMINISTRATOR))


@pytest.fixture
def draft(session: Session, administrator: Actor) -> Tender:
    return make(session, administrator)


def make(session: Session, actor: Actor, **changes: Any) -> Tender:
    return service.create_tender(
        session,
        actor,
        programme_id=factory.programme(session).id,
        values=replace(VALUES, **changes),
        tracks={IS: None, Track.EXPORT: None},
    )


def tracks(session: Session, tender: Tender) -> dict[str, TenderTrack]:
    held = session.scalars(select(TenderTrack).where(TenderTrack.tender_id == tender.id))
    return {track.track: track for track in held}


def rules(session: Session, tender: Tender, track: Track = IS) -> RuleSetVersion:
    return session.get_one(RuleSetVersion, tracks(session, tender)[track].rule_set_id)


def events(session: Session, key: UUID) -> list[str]:
    session.commit()
    wanted = select(AuditEvent.tag).where(AuditEvent.object_id == str(key)).order_by(AuditEvent.seq)
    return list(session.scalars(wanted))


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in caught.value.problems]


# Programmes


def test_programme_is_made_and_edited(session: Session, administrator: Actor) -> None:
    values = ProgrammeValues("P1", "Программа", "Programme")
    row = service.create_programme(session, administrator, values=values)
    service.edit_programme(
        session, administrator, row.id, values=replace(values, name_en="New name"), expected_version=1
    )
    assert (row.name_en, row.version) == ("New name", 2)
    assert events(session, row.id) == ["tenders:programme:create", "tenders:programme:edit"]
    with pytest.raises(Stale):
        service.edit_programme(session, administrator, row.id, values=values, expected_version=1)
    with pytest.raises(Problems) as caught:
        service.create_programme(session, administrator, values=replace(values, name_ru=""))
    assert codes(caught) == [("name_ru", "required"), ("code", "taken")]
    with pytest.raises(NotFound):
        service.edit_programme(session, administrator, uuid4(), values=values, expected_version=1)


# Tenders in preparation


def test_tender_is_made_with_official_rules_of_its_year(session: Session, draft: Tender) -> None:
    assert draft.opens_at == datetime(2030, 8, 1, 6, tzinfo=UTC)
    assert draft.closes_at == datetime(2030, 8, 31, 15, tzinfo=UTC)
    assert rules(session, draft).content["years"] == [2030, 2031, 2032]
    assert rules(session, draft, Track.EXPORT).content["years"] == [2031, 2032, 2033]
    assert rules(session, draft).frozen_at is None
    assert events(session, draft.id) == ["tenders:tender:create"]


def test_tender_copies_the_rules_of_an_earlier_one(session: Session, administrator: Actor) -> None:
    earlier = factory.closed_tender(session, rules={"min_participants": 4})
    source = factory.track_of(earlier).rule_set_id
    row = service.create_tender(
        session,
        administrator,
        programme_id=earlier.programme_id,
        values=VALUES,
        tracks={IS: source},
    )
    copied = rules(session, row)
    assert (copied.copied_from, copied.content["min_participants"]) == (source, 4)
    assert (copied.digest, copied.frozen_at) == (None, None)


def test_all_problems_of_a_new_tender_at_once(session: Session, administrator: Actor, draft: Tender) -> None:
    with pytest.raises(Problems) as caught:
        service.create_tender(
            session,
            administrator,
            programme_id=uuid4(),
            values=replace(VALUES, year=1, closes=VALUES.opens),
            tracks={IS: rules(session, draft, Track.EXPORT).id},
        )
    assert codes(caught) == [
        ("year", "out_of_range"),
        ("closes", "before_opening"),
        ("code", "taken"),
        ("programme", "unknown"),
        ("rules_import_substitution", "unknown"),
    ]
    with pytest.raises(Problems) as caught:
        service.create_tender(
            session,
            administrator,
            programme_id=draft.programme_id,
            values=replace(VALUES, code="other"),
            tracks={},
        )
    assert codes(caught) == [("tracks", "required")]


def test_tender_is_edited(session: Session, administrator: Actor, draft: Tender) -> None:
    values = replace(VALUES, zone="Asia/Omsk")
    service.edit_tender(session, administrator, draft.id, values=values, expected_version=draft.version)
    assert draft.closes_at == datetime(2030, 8, 31, 12, tzinfo=UTC)
    with pytest.raises(Stale):
        service.edit_tender(session, administrator, draft.id, values=values, expected_version=1)
    factory.tender(session, code="taken")
    with pytest.raises(Problems) as caught:
        service.edit_tender(
            session,
            administrator,
            draft.id,
            values=replace(values, code="taken"),
            expected_version=draft.version,
        )
    assert codes(caught) == [("code", "taken")]
    with pytest.raises(NotFound):
        service.edit_tender(session, administrator, uuid4(), values=values, expected_version=1)


def test_tracks_come_and_go(session: Session, administrator: Actor, draft: Tender) -> None:
    version = draft.version
    removed = rules(session, draft, Track.EXPORT).id
    service.remove_track(session, administrator, draft.id, track=Track.EXPORT)
    assert session.get(RuleSetVersion, removed) is None
    assert draft.version == version + 1
    with pytest.raises(NotFound):
        service.remove_track(session, administrator, draft.id, track=Track.EXPORT)
    with pytest.raises(Problems) as caught:
        service.remove_track(session, administrator, draft.id, track=IS)
    assert codes(caught) == [("track", "last")]
    with pytest.raises(Problems) as caught:
        service.add_track(session, administrator, draft.id, track=IS)
    assert codes(caught) == [("track", "taken")]
    service.add_track(session, administrator, draft.id, track=Track.EXPORT)
    assert sorted(tracks(session, draft)) == ["export", "import_substitution"]


# Rules


def test_rules_are_written_whole(session: Session, administrator: Actor, draft: Tender) -> None:
    row = rules(session, draft)
    version = draft.version
    content = to_json(replace(load_rulebook(IS), min_participants=3))
    service.edit_rules(session, administrator, row.id, content=content, expected_version=row.version)
    assert (row.content["min_participants"], row.version, draft.version) == (3, 2, version + 1)
    assert events(session, row.id) == ["tenders:rules:edit"]
    with pytest.raises(Stale):
        service.edit_rules(session, administrator, row.id, content=content, expected_version=1)
    with pytest.raises(NotFound):
        service.edit_rules(session, administrator, uuid4(), content=content, expected_version=1)


def test_all_faults_of_the_rules_at_once(session: Session, administrator: Actor, draft: Tender) -> None:
    row = rules(session, draft)
    content = to_json(load_rulebook(IS))
    content["criteria"][0]["weight"] = "30"
    content["threshold"] = "101"
    content["min_participants"] = 0
    with pytest.raises(Problems) as caught:
        service.edit_rules(session, administrator, row.id, content=content, expected_version=1)
    assert codes(caught) == [
        ("threshold", "out_of_range"),
        ("min_participants", "out_of_range"),
        ("criteria", "weights"),
    ]
    with pytest.raises(Problems) as caught:
        service.edit_rules(
            session,
            administrator,
            row.id,
            content=to_json(load_rulebook(Track.EXPORT)),
            expected_version=1,
        )
    assert codes(caught) == [("track", "other_track")]
    assert row.version == 1


def test_rules_start_anew_from_elsewhere(session: Session, administrator: Actor, draft: Tender) -> None:
    row = rules(session, draft)
    earlier = factory.rule_set(session, IS, threshold=load_rulebook(IS).threshold + 5)
    service.replace_rules(session, administrator, row.id, copy_of=earlier.id, expected_version=1)
    assert (row.content["threshold"], row.copied_from) == ("65", earlier.id)
    service.replace_rules(session, administrator, row.id, copy_of=None, expected_version=2)
    assert (row.content["threshold"], row.content["years"][0], row.copied_from) == ("60", 2030, None)
    with pytest.raises(Problems):
        service.replace_rules(session, administrator, row.id, copy_of=uuid4(), expected_version=row.version)


# Publishing


def test_publishing_freezes_the_rules(session: Session, administrator: Actor, draft: Tender) -> None:
    service.publish(session, administrator, draft.id, expected_version=draft.version)
    frozen = rules(session, draft)
    assert draft.published_at is not None
    assert frozen.frozen_at == draft.published_at
    assert frozen.digest == rules_digest(frozen.content)
    assert events(session, draft.id) == ["tenders:tender:create", "tenders:tender:publish"]
    for attempt in (
        lambda: service.publish(session, administrator, draft.id, expected_version=draft.version),
        lambda: service.edit_tender(session, administrator, draft.id, values=VALUES, expected_version=draft.version),
        lambda: service.edit_rules(
            session, administrator, frozen.id, content=frozen.content, expected_version=frozen.version
        ),
        lambda: service.replace_rules(session, administrator, frozen.id, copy_of=None, expected_version=frozen.version),
        lambda: service.remove_track(session, administrator, draft.id, track=IS),
    ):
        with pytest.raises(Conflict):
            attempt()


def test_the_database_keeps_frozen_rules_too(session: Session, administrator: Actor, draft: Tender) -> None:
    service.publish(session, administrator, draft.id, expected_version=draft.version)
    frozen = rules(session, draft)
    frozen.content = {**frozen.content, "threshold": "1"}
    with pytest.raises(IntegrityError, match="is frozen"):
        session.flush()


def test_publishing_needs_a_whole_notice_and_sound_rules(session: Session, administrator: Actor) -> None:
    bare = make(session, administrator, title_en="", notice_ru="", opens=None, closes=None)
    broken = rules(session, bare)
    broken.content = {**broken.content, "threshold": "101"}
    session.flush()
    with pytest.raises(Problems) as caught:
        service.publish(session, administrator, bare.id, expected_version=bare.version)
    assert codes(caught) == [
        ("title_en", "required"),
        ("notice_ru", "required"),
        ("opens", "required"),
        ("closes", "required"),
        ("import_substitution.threshold", "out_of_range"),
    ]
    assert (bare.published_at, broken.frozen_at) == (None, None)


def test_rules_changed_meanwhile_are_not_published_unseen(
    session: Session, administrator: Actor, draft: Tender
) -> None:
    seen = draft.version
    row = rules(session, draft)
    content = {**row.content, "threshold": "70"}
    service.edit_rules(session, administrator, row.id, content=content, expected_version=row.version)
    with pytest.raises(Stale):
        service.publish(session, administrator, draft.id, expected_version=seen)


# After publication


def test_results_are_noted_after_closing_only(session: Session, administrator: Actor) -> None:
    closed = factory.closed_tender(session)
    service.note_results(session, administrator, closed.id)
    assert closed.results_published_at is not None
    for row in (closed, factory.open_tender(session)):
        with pytest.raises(Conflict):
            service.note_results(session, administrator, row.id)


# Roles and races


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMINISTRATOR])
def test_others_of_the_fund_are_refused(session: Session, draft: Tender, role: Role) -> None:
    actor = identity.actor(session, identity.user(session, role))
    row = rules(session, draft)
    for attempt in attempts(session, actor, draft, row):
        with pytest.raises(Refused):
            attempt()


def test_people_outside_learn_nothing(session: Session, draft: Tender) -> None:
    company = identity.organisation(session)
    actor = identity.actor(session, identity.member(session, company))
    for attempt in attempts(session, actor, draft, rules(session, draft)):
        with pytest.raises(NotFound):
            attempt()


def attempts(session: Session, actor: Actor, draft: Tender, row: RuleSetVersion) -> list[Any]:
    programme = ProgrammeValues("P2", "Программа", "Programme")
    return [
        lambda: service.create_programme(session, actor, values=programme),
        lambda: service.edit_programme(session, actor, draft.programme_id, values=programme, expected_version=1),
        lambda: make(session, actor, code="other"),
        lambda: service.edit_tender(session, actor, draft.id, values=VALUES, expected_version=1),
        lambda: service.add_track(session, actor, draft.id, track=IS),
        lambda: service.remove_track(session, actor, draft.id, track=IS),
        lambda: service.edit_rules(session, actor, row.id, content=row.content, expected_version=1),
        lambda: service.replace_rules(session, actor, row.id, copy_of=None, expected_version=1),
        lambda: service.publish(session, actor, draft.id, expected_version=1),
    ]


def test_publishing_and_editing_at_once_have_one_order(fresh_app: Flask) -> None:
    """Whoever comes first wins; the rules that are frozen are the ones whose digest was kept."""
    with fresh_app.app_context(), transaction() as session:
        person = identity.user(session, Role.ADMINISTRATOR)
        actor = identity.actor(session, person)
        keys = []
        for number in range(6):
            tender = make(session, actor, code=f"race-{number}")
            keys.append((tender.id, tender.version, rules(session, tender).id))
    for tender_id, version, rule_set_id in keys:
        outcomes = race(fresh_app, actor, tender_id, version, rule_set_id)
        with fresh_app.app_context(), transaction() as session:
            row = session.get_one(RuleSetVersion, rule_set_id)
            edited = row.content["threshold"] == "70"
            if edited:
                assert outcomes == {"edit": "done", "publish": "Stale"}
                assert row.digest is None
            else:
                assert outcomes == {"edit": "Conflict", "publish": "done"}
                assert row.digest == rules_digest(row.content)


def race(app: Flask, actor: Actor, tender_id: UUID, version: int, rule_set_id: UUID) -> dict[str, str]:
    start = threading.Barrier(2)
    outcomes: dict[str, str] = {}

    def run(name: str) -> None:
        with app.app_context():
            try:
                with transaction() as session:
                    content = {**session.get_one(RuleSetVersion, rule_set_id).content, "threshold": "70"}
                    start.wait()
                    if name == "edit":
                        service.edit_rules(session, actor, rule_set_id, content=content, expected_version=1)
                    else:
                        service.publish(session, actor, tender_id, expected_version=version)
                outcomes[name] = "done"
            except Exception as error:
                outcomes[name] = type(error).__name__

    threads = [threading.Thread(target=run, args=(name,)) for name in ("edit", "publish")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
