"""Scoring runs: explained, repeatable, safe to start again, and whole after any death of a worker."""

from __future__ import annotations

import os
import random
import time
from uuid import uuid4

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.audit.service import verify
from portal.core import jobs
from portal.core.canonical import digest
from portal.core.db import session as current_session
from portal.core.db import transaction
from portal.core.errors import NotFound, Problems, Refused
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.notifications.models import Letter
from portal.scoring import batch, queries, service
from portal.scoring.models import Manifest, Measurement, Score, ScoreRun
from portal.scoring.origin import code_digest
from portal.scoring.sheets import digest_of
from portal.scoring.wording import REASONS
from portal.tenders.models import Track
from tests.factories import identity, tenders
from tests.factories.packages import package
from tests.factories.submissions import submitted, track_of, varied
from tests.workers import doomed_worker


def officer(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.OFFICER))


def finish(session: Session, run: ScoreRun) -> ScoreRun:
    while True:
        progress = service.step(session, run.id)
        session.commit()
        if progress.finished:
            session.refresh(run)
            return run


def test_run_scores_every_submission_and_explains_it(session: Session) -> None:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(3))
    run = finish(session, service.start_run(session, officer(session), track_of(tender).id))
    assert (run.done, run.total, run.ended_at is not None) == (3, 3, True)
    scores = session.scalars(select(Score).where(Score.run_id == run.id)).all()
    assert len(scores) == 3
    for score in scores:
        assert score.current
        assert score.digest == digest_of(score.sheet)
        assert [line["code"] for line in score.sheet["lines"]][:2] == ["CR-01", "CR-02"]
        for line in score.sheet["lines"]:
            assert line["why"]["said"] in REASONS if "why" in line else line["parts"]
            assert all(part["metric"] and part["why"]["said"] in REASONS for part in line.get("parts", ()))


def test_same_input_gives_the_same_digest_and_one_current_score(session: Session) -> None:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(3))
    actor = officer(session)
    first = finish(session, service.start_run(session, actor, track_of(tender).id))
    second = finish(session, service.start_run(session, actor, track_of(tender).id))
    assert first.id != second.id
    assert first.output_digest == second.output_digest
    current = session.scalars(select(Score.run_id).where(Score.current)).all()
    assert current == [second.id] * 3


def test_other_input_gives_another_digest(session: Session) -> None:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(3))
    actor = officer(session)
    first = finish(session, service.start_run(session, actor, track_of(tender).id))
    submitted(session, tender, varied(1))
    second = finish(session, service.start_run(session, actor, track_of(tender).id))
    assert first.output_digest != second.output_digest


def test_a_run_has_a_manifest_that_cannot_be_changed(session: Session) -> None:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(2))
    run = finish(session, service.start_run(session, officer(session), track_of(tender).id))
    manifest = session.get_one(Manifest, run.id)
    assert manifest.digest == digest(manifest.content)
    assert manifest.content["output"] == run.output_digest
    assert manifest.content["rules"]["digest"] == run.rules_digest
    assert manifest.content["code"] == run.code == code_digest()
    assert (manifest.content["applications"], manifest.content["seed"]) == (2, 0)
    assert {"Python", "PostgreSQL", "libmpdec"} <= set(manifest.content["libraries"])
    with pytest.raises(IntegrityError, match="append-only"), session.begin_nested():
        session.execute(update(Manifest).values(digest="0" * 64))


def test_a_run_reads_figures_and_finds_the_same_as_from_packages(session: Session) -> None:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(3))
    actor = officer(session)
    first = finish(session, service.start_run(session, actor, track_of(tender).id))
    assert session.scalar(select(func.count()).select_from(Measurement)) == 3
    second = finish(session, service.start_run(session, actor, track_of(tender).id))
    session.execute(delete(Measurement))
    third = finish(session, service.start_run(session, actor, track_of(tender).id))
    assert first.output_digest == second.output_digest == third.output_digest


def test_figures_of_other_code_are_not_used(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(2))
    actor = officer(session)
    finish(session, service.start_run(session, actor, track_of(tender).id))
    for module in (service, batch):
        monkeypatch.setattr(module, "code_digest", lambda: "0" * 64)
    finish(session, service.start_run(session, actor, track_of(tender).id))
    assert session.scalar(select(func.count()).select_from(Measurement)) == 4


def test_a_run_begins_again_when_the_program_is_replaced(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BATCH", 2)
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(5))
    run = service.start_run(session, officer(session), track_of(tender).id)
    service.step(session, run.id)
    assert run.done == 2
    for module in (service, batch):
        monkeypatch.setattr(module, "code_digest", lambda: "0" * 64)
    ended = finish(session, run)
    assert (ended.total, ended.code) == (5, "0" * 64)


def test_unfinished_run_is_taken_up_again(session: Session) -> None:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(1))
    actor = officer(session)
    run = service.start_run(session, actor, track_of(tender).id)
    assert service.start_run(session, actor, track_of(tender).id).id == run.id
    assert session.scalar(select(func.count()).select_from(jobs.Task).where(jobs.Task.kind == "score_track")) == 1


def test_other_track_and_left_applications_are_not_scored(session: Session) -> None:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(1))
    submitted(session, tender, varied(1), state=State.WITHDRAWN)
    submitted(session, tender, varied(1), state=State.REJECTED)
    submitted(session, tender, [package("export")], track=Track.EXPORT)
    run = finish(session, service.start_run(session, officer(session), track_of(tender).id))
    assert run.total == 1


def test_nothing_to_score_is_said(session: Session) -> None:
    tender = tenders.open_tender(session)
    with pytest.raises(Problems) as caught:
        service.start_run(session, officer(session), track_of(tender).id)
    assert [problem.code for problem in caught.value.problems] == ["nothing_to_score"]


def test_unknown_track_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        service.start_run(session, officer(session), uuid4())


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.AUDITOR, Role.COMMISSION])
def test_other_roles_may_not_start(session: Session, role: Role) -> None:
    tender = tenders.open_tender(session)
    with pytest.raises(Refused):
        service.start_run(session, identity.actor(session, identity.user(session, role)), track_of(tender).id)


def test_applicant_is_told_nothing(session: Session) -> None:
    tender = tenders.open_tender(session)
    person = identity.member(session, identity.organisation(session))
    with pytest.raises(NotFound):
        service.start_run(session, identity.actor(session, person), track_of(tender).id)


def test_single_submission_is_scored_on_arrival(session: Session) -> None:
    tender = tenders.open_tender(session)
    (application_id,) = submitted(session, tender, varied(1))
    application = session.get_one(Application, application_id)
    assert application.submission_id is not None
    run = service.score_submission(session, application.submission_id)
    assert run is not None
    score = queries.current_score(session, application.submission_id)
    assert score is not None
    assert score.run_id == run.id
    assert score.total is None


def test_withdrawn_submission_is_left_alone(session: Session) -> None:
    tender = tenders.open_tender(session)
    (application_id,) = submitted(session, tender, varied(1), state=State.WITHDRAWN)
    application = session.get_one(Application, application_id)
    assert application.submission_id is not None
    assert service.score_submission(session, application.submission_id) is None


def test_ranking_orders_by_total_in_two_queries(session: Session, count_queries) -> None:  # type: ignore[no-untyped-def]
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(5))
    run = finish(session, service.start_run(session, officer(session), track_of(tender).id))
    session.expire_all()
    session.refresh(run)
    with count_queries() as statements:
        ranking = queries.ranking(session, run)
    assert len(statements) == 2
    assert [each.ranked.place for each in ranking.places] == [1, 2, 3, 4, 5]


APPLICATIONS, KILLS, STEP = (500, 20, 10) if os.environ.get("FULL") else (120, 6, 3)


def test_run_survives_killed_workers_and_flushed_redis(
    fresh_app: Flask, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """120 applications, 6 kills at random points (``FULL=1``: 500 and 20), Redis flushed in between: the digest of an
    undisturbed run."""
    jobs.connect(Redis.from_url(redis_url))
    generator = random.Random(2018)
    with fresh_app.app_context():
        with transaction() as session:
            monkeypatch.setattr(service, "BATCH", STEP)
            tender = tenders.open_tender(session)
            submitted(session, tender, varied(APPLICATIONS))
            actor = officer(session)
            track_id = track_of(tender).id
        undisturbed = _start(actor, track_id)
        while jobs.drain("work"):
            pass
        expected = _read(undisturbed).output_digest
        run_id = _start(actor, track_id)
        kills = 0
        while kills < KILLS:
            with doomed_worker():
                time.sleep(generator.uniform(0.05, 0.6))
            kills += 1
            Redis.from_url(redis_url).flushdb()
            if _read(run_id).ended_at is not None:
                assert _read(run_id).output_digest == expected
                run_id = _start(actor, track_id)
        until = time.monotonic() + 60
        while _read(run_id).ended_at is None:
            assert time.monotonic() < until
            assert _start(actor, track_id) == run_id  # takes a parked task up again, otherwise changes nothing
            jobs.drain("work")
        assert _read(run_id).output_digest == expected
        session = current_session()
        per_run = session.execute(select(Score.run_id, func.count()).group_by(Score.run_id)).all()
        assert {count for _, count in per_run} == {APPLICATIONS}
        assert session.scalar(select(func.count()).select_from(Score).where(Score.current)) == APPLICATIONS
        assert session.scalar(select(func.count()).select_from(Letter)) == 0
        assert verify(session)[1] is None


def _start(actor: Actor, track_id):  # type: ignore[no-untyped-def]
    with transaction() as session:
        return service.start_run(session, actor, track_id).id


def _read(run_id) -> ScoreRun:  # type: ignore[no-untyped-def]
    session = current_session()
    session.rollback()
    session.expire_all()
    return session.get_one(ScoreRun, run_id)
