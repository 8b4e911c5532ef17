"""Dry runs: who would have moved under edited rules, with nothing written to scores."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.errors import NotFound, Problems, Refused
from portal.identity.models import Role
from portal.scoring import dry_runs, service
from portal.scoring.models import DryRun, Measurement, Score, ScoreRun
from portal.tenders.models import RuleSetVersion, Track
from tests.factories import identity, tenders
from tests.factories.submissions import submitted, track_of, varied
from tests.scoring.test_service import finish, officer

D = Decimal


def ended(session: Session, count: int = 4) -> ScoreRun:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(count))
    return finish(session, service.start_run(session, officer(session), track_of(tender).id))


def edited(session: Session, **changes: Any) -> RuleSetVersion:
    return tenders.rule_set(session, Track.IMPORT_SUBSTITUTION, **changes)


def tried(session: Session, rules: RuleSetVersion, run: ScoreRun) -> DryRun:
    trial = dry_runs.start_dry_run(session, officer(session), rule_set_id=rules.id, run_id=run.id)
    while not dry_runs.step_dry_run(session, trial.id).finished:
        session.flush()
    return trial


def test_the_same_rules_move_nobody(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_runs, "BATCH", 3)
    run = ended(session)
    trial = tried(session, edited(session), run)
    assert (trial.done, trial.total, trial.ended_at is not None) == (4, 4, True)
    for each in dry_runs.moved(session, trial.id):
        assert (each.by, each.crossed, each.line.changes) == (0, False, {})
        assert each.line.place_before == each.line.place_after


def test_other_weights_move_and_scores_stay(session: Session) -> None:
    run = ended(session)
    scores = session.execute(select(Score.id, Score.digest).order_by(Score.id)).all()
    measured = session.scalar(select(func.count()).select_from(Measurement))
    content = dict(edited(session).content)
    criteria = [dict(each) for each in content["criteria"]]
    criteria[0]["weight"], criteria[3]["weight"] = criteria[3]["weight"], criteria[0]["weight"]
    rules = edited(session)
    rules.content = {**content, "criteria": criteria}
    session.flush()
    trial = tried(session, rules, run)
    found = dry_runs.moved(session, trial.id)
    assert [each.line.place_after for each in found] == [1, 2, 3, 4]
    assert sorted(each.line.place_before or 0 for each in found) == [1, 2, 3, 4]
    for each in found:
        line = each.line
        assert set(line.changes) <= {"CR-01", "CR-06"}
        moved_by = sum(map(D, line.changes.values()), D(0))
        assert line.objective_after - line.objective_before == moved_by
    assert session.execute(select(Score.id, Score.digest).order_by(Score.id)).all() == scores
    assert session.scalar(select(func.count()).select_from(Measurement)) == measured


def test_a_lower_cap_refuses_whom_it_meets(session: Session) -> None:
    run = ended(session, 1)
    trial = tried(session, edited(session, project_cap=D(1)), run)
    (only,) = dry_runs.moved(session, trial.id)
    assert only.line.recommended_after is False
    assert run.rules_digest != trial.rules_digest


def test_what_cannot_be_tried(session: Session) -> None:
    run = ended(session, 1)
    export = tenders.rule_set(session, Track.EXPORT)
    actor = officer(session)
    with pytest.raises(Problems) as caught:
        dry_runs.start_dry_run(session, actor, rule_set_id=export.id, run_id=run.id)
    assert caught.value.problems[0].code == "no_run"
    with pytest.raises(NotFound):
        dry_runs.start_dry_run(session, actor, rule_set_id=uuid4(), run_id=run.id)
    for role in (Role.REVIEWER, Role.AUDITOR, Role.CHAIR):
        other = identity.actor(session, identity.user(session, role))
        with pytest.raises(Refused):
            dry_runs.start_dry_run(session, other, rule_set_id=export.id, run_id=run.id)


def test_bases_are_the_newest_runs_of_the_track(session: Session) -> None:
    first = ended(session, 1)
    second = finish(session, service.start_run(session, officer(session), first.tender_track_id))
    assert [base.run_id for base in dry_runs.bases(session, Track.IMPORT_SUBSTITUTION)] == [second.id]
    assert dry_runs.bases(session, Track.EXPORT) == []


def test_rules_of_another_year_are_tried_by_the_calendar_of_the_earlier_tender(session: Session) -> None:
    run = ended(session, 2)
    trial = tried(session, edited(session, years=(2027, 2028, 2029), costs_from=date(2027, 1, 1)), run)
    for each in dry_runs.moved(session, trial.id):
        assert (each.crossed, each.line.changes) == (False, {})
