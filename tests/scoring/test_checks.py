"""Run again and compare: the same digest, or the first difference with its place and both values."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from portal.core import jobs
from portal.core.errors import NotFound, Problems, Refused
from portal.identity.models import Role
from portal.review.models import Mark
from portal.scoring import checks, service
from portal.scoring.models import Measurement, RunCheck, Score, ScoreRun
from portal.tenders.models import RuleSetVersion
from tests.factories import identity, review, tenders
from tests.factories.submissions import submitted, track_of, varied
from tests.scoring.test_service import finish, officer


def ended(session: Session, count: int = 3) -> ScoreRun:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(count))
    return finish(session, service.start_run(session, officer(session), track_of(tender).id))


def checked(session: Session, run: ScoreRun) -> RunCheck:
    check = checks.start_check(session, officer(session), run.id)
    while not checks.step_check(session, check.id).finished:
        session.flush()
    return check


def scores(session: Session, run: ScoreRun) -> list[Score]:
    return list(session.scalars(select(Score).where(Score.run_id == run.id).order_by(Score.digest)))


def test_the_same_digest_comes_out(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "BATCH", 2)
    run = ended(session)
    session.execute(update(Measurement).values(figures={"figures": {}, "amounts": {}, "failed": [], "open": True}))
    check = checked(session, run)
    assert (check.done, check.total, check.first, check.differing) == (3, 3, None, {})
    assert check.output_digest == run.output_digest
    assert check.reviews_since == 0
    assert checks.step_check(session, check.id) == jobs.Progress(3, 3)


def changed_sheet(score: Score, **change: Any) -> dict[str, Any]:
    lines = [dict(line) for line in score.sheet["lines"]]
    lines[1] |= change
    return {**score.sheet, "lines": lines}


def test_a_score_that_was_altered_is_found(session: Session) -> None:
    run = ended(session)
    score = scores(session, run)[1]
    score.sheet = changed_sheet(score, points="3")
    session.flush()
    check = checked(session, run)
    assert check.first is not None
    assert (check.first["place"], check.first["field"], check.first["before"]) == ("score", "digest", score.digest)
    assert len(check.differing) == 1


def test_another_result_is_told_by_criterion_field_and_values(session: Session) -> None:
    run = ended(session)
    score = scores(session, run)[0]
    before = score.sheet["lines"][1]["points"]
    score.sheet = changed_sheet(score, points="3")
    score.digest = checks.digest_of(score.sheet)
    session.flush()
    check = checked(session, run)
    assert check.first is not None
    assert {name: check.first[name] for name in ("place", "field", "before", "after")} == {
        "place": "CR-02",
        "field": "points",
        "before": "3",
        "after": before,
    }
    assert check.output_digest != run.output_digest or check.differing


def test_a_submission_that_was_altered_is_found(session: Session) -> None:
    run = ended(session)
    session.execute(text("alter table submission disable trigger frozen_submission"))
    session.execute(
        text(
            "update submission set snapshot = jsonb_set(snapshot, '{project,hpj_new}', '999')"
            " where number = (select min(number) from submission)"
        )
    )
    session.execute(text("alter table submission enable trigger frozen_submission"))
    check = checked(session, run)
    assert check.first is not None
    assert (check.first["place"], check.first["field"]) == ("submission", "sha256")
    assert check.output_digest != run.output_digest


def test_rules_that_are_no_longer_those_of_the_run(session: Session) -> None:
    run = ended(session)
    session.execute(text("alter table score_run disable trigger user"))
    session.execute(update(ScoreRun).values(rules_digest="0" * 64))
    session.refresh(run)
    check = checked(session, run)
    rules = session.scalars(select(RuleSetVersion.digest)).all()
    assert check.first is not None
    assert (check.first["place"], check.first["before"]) == ("rules", "0" * 64)
    assert check.first["after"] in rules


def test_reviews_written_since_are_counted_and_are_no_difference(session: Session) -> None:
    application = review.admitted(session)
    assignments = review.assigned(session, application)
    for assignment, points in zip(assignments, ("8", "7"), strict=True):
        review.reviewed(session, review.opened(session, assignment), points)
    run = finish(session, service.start_run(session, officer(session), application.tender_track_id))
    assert checked(session, run).reviews_since == 0
    session.execute(text("alter table mark disable trigger append_only"))
    session.execute(update(Mark).where(Mark.assignment_id == assignments[0].id).values(score=9))
    session.execute(text("alter table mark enable trigger append_only"))
    check = checked(session, run)
    assert (check.first, check.reviews_since) == (None, 1)
    assert check.output_digest == run.output_digest


def test_who_may_check_and_what(session: Session) -> None:
    run = ended(session, 1)
    auditor = identity.actor(session, identity.user(session, Role.AUDITOR))
    first = checks.start_check(session, auditor, run.id)
    assert checks.start_check(session, officer(session), run.id).id == first.id
    for role in (Role.REVIEWER, Role.COMMISSION):
        with pytest.raises(Refused):
            checks.start_check(session, identity.actor(session, identity.user(session, role)), run.id)
    with pytest.raises(NotFound):
        checks.start_check(session, auditor, uuid4())
    going_on = service.start_run(session, officer(session), run.tender_track_id)
    with pytest.raises(Problems) as caught:
        checks.start_check(session, auditor, going_on.id)
    assert caught.value.problems[0].code == "no_manifest"
