"""Calibrations of a track: computed once for the same reviews, stale with the next, written and read without loss."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.core import jobs
from portal.core.canonical import digest
from portal.core.clock import now
from portal.core.errors import NotFound
from portal.review import calibrating
from portal.review.agreement import agreement
from portal.review.calibration import Calibration, TooFew
from portal.review.calibration_models import ReviewCalibration
from portal.review.mixed_model import calibrate
from portal.tenders.rulebook import load_lanes
from tests.factories import panels, review, tenders
from tests.factories.packages import rules
from tests.factories.submissions import track_of

PART = "CR-10/general"


def test_reviews_are_calibrated_once_and_anew_when_they_change(session: Session) -> None:
    tender = tenders.open_tender(session)
    people = panels.reviewers(session)
    keys = panels.panel(session, tender, people)
    track = track_of(tender).id
    assert calibrating.present(session, track) is None
    first = calibrating.ensure(session, track)
    assert first.output_digest == digest(first.result)
    assert calibrating.present(session, track) is first
    assert calibrating.ensure(session, track) is first
    found = calibrating.read(first.result[PART])
    assert isinstance(found, Calibration)
    severities = [found.reviewers[str(person.id)].value for person in people]
    assert severities[panels.LENIENT] > severities[panels.FAIR] > severities[panels.SEVERE]
    until = now(session)
    panels.review(session, keys[0], {people[panels.SEVERE]: Decimal(4)})
    assert calibrating.present(session, track) is None  # the old one says nothing of the new review
    assert calibrating.ensure(session, track, until=until) is first
    second = calibrating.ensure(session, track)
    assert second.inputs_digest != first.inputs_digest
    assert session.scalar(select(func.count()).select_from(ReviewCalibration)) == 2


def test_an_application_that_leaves_takes_its_reviews_with_it(session: Session) -> None:
    tender = tenders.open_tender(session)
    keys = panels.panel(session, tender, panels.reviewers(session))
    track = track_of(tender).id
    first = calibrating.ensure(session, track)
    session.get_one(Application, keys[0]).state = State.WITHDRAWN
    session.flush()
    assert calibrating.present(session, track) is None
    assert calibrating.ensure(session, track).reviews == first.reviews - 2


def test_too_few_reviews_are_kept_as_a_refusal_in_both_languages(session: Session) -> None:
    tender = tenders.open_tender(session)
    panels.panel(session, tender, panels.reviewers(session), count=2)
    row = calibrating.ensure(session, track_of(tender).id)
    assert row.result[PART]["refusal"] == "applications"
    assert set(row.result[PART]["reason"]) == {"ru", "en"}
    assert isinstance(calibrating.read(row.result[PART]), TooFew)


def test_a_result_is_written_and_read_without_loss(session: Session) -> None:
    tender = tenders.open_tender(session)
    panels.panel(session, tender, panels.reviewers(session))
    track = track_of(tender)
    given = calibrating.reviews_of(session, track.id, rules())[PART]
    found = calibrate(given)
    agreed = agreement(given)
    content = calibrating.written(found, agreed)
    assert calibrating.read(content) == found
    assert agreed is not None
    assert calibrating.read_agreement(content) == agreed
    assert calibrating.read_agreement(calibrating.written(found)) is None
    assert calibrating.read(calibrating.ensure(session, track.id).result[PART]) == found


def test_a_calibration_is_never_rewritten(session: Session) -> None:
    tender = tenders.open_tender(session)
    panels.panel(session, tender, panels.reviewers(session), count=1)
    calibrating.ensure(session, track_of(tender).id)
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(text("update review_calibration set result = '{}'"))


def test_unknown_track_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        calibrating.ensure(session, uuid4())


def test_handing_a_review_in_asks_for_a_calibration(session: Session) -> None:
    assignment, _other = review.assigned(session, review.admitted(session))
    review.reviewed(session, assignment)
    kinds = session.scalars(select(jobs.Task.kind).where(jobs.Task.kind == calibrating.KIND)).all()
    assert kinds == [calibrating.KIND]


def test_lanes_are_compared_apart_and_weigh_by_their_aspects() -> None:
    from dataclasses import replace

    parts = calibrating.parts(replace(rules(), lanes=load_lanes()))
    assert [part.key for part in parts] == ["CR-10/technical", "CR-10/financial", "CR-10/legal"]
    assert [part.weight for part in parts] == [Decimal("0.2"), Decimal("0.2"), Decimal("0.1")]
    assert [part.weight for part in calibrating.parts(rules())] == [Decimal("0.5")]
