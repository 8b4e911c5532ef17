"""Scoring in the background: one submission when it arrives, or all of a track, explained and repeatable."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, func, insert, select, update
from sqlalchemy.orm import Session

import portal.scoring.policy  # noqa: F401 - registers the room's rules
from portal.applications.eligibility import check
from portal.applications.facts import facts as facts_of
from portal.applications.models import Application, Submission
from portal.audit.service import record
from portal.core import jobs
from portal.core.canonical import canonical_json, digest, plain_decimal
from portal.core.clock import now
from portal.core.db import uuid7
from portal.core.errors import NotFound, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.review.queries import expert_marks
from portal.scoring.engine import score
from portal.scoring.models import Score, ScoreRun
from portal.scoring.queries import SCORED_STATES
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import RuleSet, from_json, rules_digest

BATCH: Final = 100
ACTOR: Final = system_actor("scoring")


def start_run(session: Session, actor: Actor, tender_track_id: UUID) -> ScoreRun:
    """Start scoring every submission of a track; a run that has not ended is taken up again instead.

    Raises :class:`Problems` when there is nothing to score.
    """
    authorize(actor, Permission.SCORE_RUN)
    track = session.scalar(select(TenderTrack).where(TenderTrack.id == tender_track_id).with_for_update())
    if track is None:
        raise NotFound
    running = session.scalar(
        select(ScoreRun).where(
            ScoreRun.tender_track_id == tender_track_id, ScoreRun.kind == "track", ScoreRun.ended_at.is_(None)
        )
    )
    if running is not None:
        _enqueue(session, running)
        return running
    total = session.scalar(select(func.count()).select_from(_due(tender_track_id).subquery()))
    if not total:
        raise Problems.one("nothing_to_score", "", N_("There is no submitted application on this track yet."))
    rules = session.get_one(RuleSetVersion, track.rule_set_id)
    run = ScoreRun(
        tender_track_id=tender_track_id,
        kind="track",
        rules_digest=rules.digest or rules_digest(rules.content),
        total=total,
        done=0,
        started_by=actor.user_id,
    )
    session.add(run)
    session.flush()
    _enqueue(session, run)
    record(session, actor, "scoring:run:start", "score_run", run.id, {"track": tender_track_id, "total": total})
    return run


def _enqueue(session: Session, run: ScoreRun) -> None:
    """Write the run's task; a run whose task was parked gets a new one."""
    parked = run.task_id is not None and session.scalar(
        select(jobs.Task.parked_at.is_not(None)).where(jobs.Task.id == run.task_id)
    )
    if parked and run.task_id is not None:
        jobs.retry(session, run.task_id)
        return
    task_id = jobs.enqueue(session, "score_track", {"run_id": str(run.id)}, key=f"score_track:{run.id}")
    run.task_id = task_id or run.task_id


def step(session: Session, run_id: UUID) -> jobs.Progress:
    """Score the next batch of a run; the last step seals the run with the digest over all its scores."""
    run = session.scalar(select(ScoreRun).where(ScoreRun.id == run_id).with_for_update())
    if run is None:
        raise NotFound
    if run.ended_at is not None:
        return jobs.Progress(run.total, run.total)
    scored = select(Score.submission_id).where(Score.run_id == run.id)
    pending = _due(run.tender_track_id, Submission.received_at <= run.created_at, Submission.id.not_in(scored))
    batch = session.scalars(pending.order_by(Submission.number).limit(BATCH)).all()
    write_scores(session, run.id, run.tender_track_id, batch)
    run.done = min(run.done + len(batch), run.total)
    if len(batch) < BATCH:
        _seal(session, run)
        return jobs.Progress(run.total, run.total)
    # More waits for the next step even where the count at the start was lower.
    return jobs.Progress(run.done, max(run.total, run.done + 1))


def score_submission(session: Session, submission_id: UUID) -> ScoreRun | None:
    """Score one submission by itself; None when it was withdrawn or replaced in the meantime."""
    submission = session.scalar(
        _due(None, Submission.id == submission_id).with_for_update(of=Submission, key_share=True)
    )
    if submission is None:
        return None
    rules = session.execute(
        select(RuleSetVersion.digest, RuleSetVersion.content)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .where(TenderTrack.id == submission.tender_track_id)
    ).one()
    run = ScoreRun(
        tender_track_id=submission.tender_track_id,
        kind="submission",
        rules_digest=rules.digest or rules_digest(rules.content),
        total=1,
        done=1,
    )
    session.add(run)
    session.flush()
    write_scores(session, run.id, submission.tender_track_id, [submission])
    _seal(session, run)
    return run


def write_scores(session: Session, run_id: UUID, tender_track_id: UUID, submissions: Sequence[Submission]) -> None:
    """Compute and store the scores of some submissions of one track; they become the current ones."""
    if not submissions:
        return
    rules, zone = _rules(session, tender_track_id)
    ids = [submission.id for submission in submissions]
    marks = expert_marks(session, ids)
    rows = [
        {"id": uuid7(), "run_id": run_id, "submission_id": submission.id, "current": True}
        | compute(
            submission.snapshot,
            rules,
            submission.received_at.astimezone(zone).date(),
            marks.get(submission.id),
        )
        for submission in submissions
    ]
    session.execute(
        update(Score)
        .where(Score.submission_id.in_(ids), Score.current)
        .values(current=False)
        .execution_options(synchronize_session=False)
    )
    session.execute(insert(Score), rows)


def compute(package: dict[str, Any], rules: RuleSet, on: Any, marks: Any = None) -> dict[str, Any]:
    """The columns of a score, from a frozen package: pure, the same input gives the same digest."""
    known = facts_of(package, rules)
    sheet = score(package, known, rules, marks, check(package, known, rules, on))
    content = sheet.to_json()
    return {
        "sheet": content,
        "digest": digest(content),
        "objective": sheet.objective_total,
        "total": sheet.total,
        "recommended": sheet.recommended,
        "amounts": {str(year): plain_decimal(amount) for year, amount in known.subsidy_by_year.items()},
        "hpj": None if known.hpj is None else int(known.hpj),
    }


def _seal(session: Session, run: ScoreRun) -> None:
    session.flush()
    scores = session.execute(
        select(Submission.number, Score.digest)
        .join(Submission, Submission.id == Score.submission_id)
        .where(Score.run_id == run.id)
        .order_by(Submission.number)
    ).all()
    ended_at = now(session)
    run.output_digest = digest([[number, each] for number, each in scores])
    run.done = run.total = len(scores)
    run.ended_at = ended_at
    session.flush()
    record(
        session,
        ACTOR,
        "scoring:run:end",
        "score_run",
        run.id,
        {"kind": run.kind, "total": run.total, "rules": run.rules_digest, "output": run.output_digest},
    )


def _due(tender_track_id: UUID | None, *conditions: ColumnElement[bool]) -> Select[Submission]:
    """The present submissions of the applications that are to be scored."""
    statement = (
        select(Submission)
        .join(Application, Application.submission_id == Submission.id)
        .where(Application.state.in_(SCORED_STATES), *conditions)
    )
    return statement if tender_track_id is None else statement.where(Submission.tender_track_id == tender_track_id)


def _rules(session: Session, tender_track_id: UUID) -> tuple[RuleSet, ZoneInfo]:
    content, zone = session.execute(
        select(RuleSetVersion.content, Tender.zone)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .where(TenderTrack.id == tender_track_id)
    ).one()
    return _parsed(canonical_json(content)), ZoneInfo(zone)


@lru_cache(maxsize=8)
def _parsed(content: bytes) -> RuleSet:

    return from_json(json.loads(content))
