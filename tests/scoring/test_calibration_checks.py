"""A calibration computed again: the same digest, or the first difference; who may ask for it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, NotFound, Refused
from portal.identity.models import Role, User
from portal.review import calibrating
from portal.scoring import calibration_checks
from portal.scoring.models import CalibrationCheck
from portal.tenders.models import TenderTrack
from tests.factories import identity, panels, tenders
from tests.factories.submissions import track_of


def calibrated(session: Session, count: int = 9) -> tuple[TenderTrack, list[User]]:
    tender = tenders.open_tender(session)
    people = panels.reviewers(session)
    panels.panel(session, tender, people, count)
    track = track_of(tender)
    calibrating.ensure(session, track.id)
    return track, people


def checked(session: Session, track: TenderTrack) -> CalibrationCheck:
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    return calibration_checks.compare(session, calibration_checks.start(session, officer, track.id).id)


def _rewrite(session: Session, track: TenderTrack, change: Any) -> None:
    """What is kept changed past the portal, by somebody who owns the tables."""
    row = calibrating.present(session, track.id)
    assert row is not None
    result = json.loads(json.dumps(row.result))
    change(result)
    session.execute(text("alter table review_calibration disable trigger user"))
    values = {"key": row.id, "result": json.dumps(result), "digest": "0" * 64}
    statement = "update review_calibration set result = cast(:result as jsonb), output_digest = :digest where id = :key"
    session.execute(text(statement), values)
    session.execute(text("alter table review_calibration enable trigger user"))
    session.expire_all()


def test_the_same_reviews_give_the_same_digest(session: Session) -> None:
    track, _ = calibrated(session)
    held = calibrating.present(session, track.id)
    assert held is not None
    found = checked(session, track)
    assert (found.first, found.output_digest) == (None, held.output_digest)
    ended = found.ended_at
    assert calibration_checks.compare(session, found.id).ended_at == ended
    session.commit()
    facts = session.scalars(select(AuditEvent).where(AuditEvent.tag == "review:calibration:checked")).all()
    assert [event.changes["same"] for event in facts] == [True]
    assert calibration_checks.checks_of(session, held.id) == [found]


def test_a_refusal_to_calibrate_is_computed_again_too(session: Session) -> None:
    track, _ = calibrated(session, 2)
    assert checked(session, track).first is None


def test_the_first_value_that_does_not_follow_is_named(session: Session) -> None:
    track, _ = calibrated(session)

    def change(result: dict[str, Any]) -> None:
        part = result[sorted(result)[0]]
        part["applications"][sorted(part["applications"])[1]]["value"] = "9.9999"

    _rewrite(session, track, change)
    first = checked(session, track).first
    assert first is not None
    assert (first["path"][1], first["path"][3], first["before"]) == ("applications", "value", "9.9999")
    assert first["after"] != "9.9999"


def test_a_digest_that_is_not_that_of_the_result_is_named(session: Session) -> None:
    track, _ = calibrated(session)
    _rewrite(session, track, lambda result: None)
    first = checked(session, track).first
    assert first is not None
    assert (first["path"], first["before"]) == (["digest"], "0" * 64)


def test_reviews_that_are_gone_are_the_first_difference(session: Session) -> None:
    track, _ = calibrated(session)
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    check = calibration_checks.start(session, officer, track.id)
    session.execute(
        text(
            "update assignment set state = 'open', submitted_at = null where id ="
            " (select id from assignment order by submitted_at limit 1)"
        )
    )
    first = calibration_checks.compare(session, check.id).first
    assert first is not None
    assert first["path"] == ["reviews"]


def test_who_asks_while_it_goes_on_gets_the_same_check(session: Session) -> None:
    track, _ = calibrated(session)
    first, second = (
        calibration_checks.start(session, identity.actor(session, identity.user(session, role)), track.id)
        for role in (Role.OFFICER, Role.AUDITOR)
    )
    assert first is second


def test_who_may_not_see_the_evaluation_starts_nothing(session: Session) -> None:
    track, people = calibrated(session, 1)
    reviewing = identity.user(session, Role.OFFICER, Role.REVIEWER)
    panels.unfinished(session, track.id, reviewing)
    for person in (people[0], identity.user(session, Role.COMMISSION), reviewing):
        with pytest.raises(Refused):
            calibration_checks.start(session, identity.actor(session, person), track.id)


def test_what_is_not_there_is_not_checked(session: Session) -> None:
    with pytest.raises(NotFound):
        calibration_checks.compare(session, uuid4())
    track, people = calibrated(session, 1)
    application = session.scalars(select(Application).where(Application.tender_track_id == track.id)).one()
    panels.review(session, application.id, {people[2]: Decimal(7)})
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    with pytest.raises(Conflict):
        calibration_checks.start(session, officer, track.id)
