"""Scoring in the background: one submission when it arrives, or all of a track, explained and repeatable."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

import portal.scoring.policy  # noqa: F401 - registers the room's rules
from portal.applications.models import Submission
from portal.audit.service import record
from portal.core import jobs
from portal.core.clock import now
from portal.core.errors import NotFound, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.review import calibrating
from portal.scoring import manifests
from portal.scoring.batch import calibrated_values, due, to_score, track_rules, write_scores
from portal.scoring.models import Score, ScoreRun
from portal.scoring.origin import code_digest
from portal.tenders.models import RuleSetVersion, TenderTrack
from portal.tenders.ruleset import rules_digest

BATCH: Final = 2000
"""Applications in one transaction: a second of work at the speed that is measured."""

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
    waiting = to_score(Submission.tender_track_id == tender_track_id)
    total = session.scalar(select(func.count()).select_from(waiting.subquery()))
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
        code=code_digest(),
    )
    session.add(run)
    session.flush()
    _enqueue(session, run)
    calibrating.enqueue(session, tender_track_id, run.id)
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
    if run.code != code_digest():
        _begin_again(session, run)
    used = track_rules(session, run.tender_track_id)
    scored = exists().where(Score.run_id == run.id, Score.submission_id == Submission.id)
    batch = due(
        session,
        Submission.tender_track_id == run.tender_track_id,
        Submission.received_at <= run.created_at,
        ~scored,
        limit=BATCH,
    )
    calibrated = calibrated_values(session, run.tender_track_id, used.rules, run.created_at)
    write_scores(session, run.id, used, batch, calibrated)
    run.done = min(run.done + len(batch), run.total)
    if len(batch) < BATCH:
        _seal(session, run)
        return jobs.Progress(run.total, run.total)
    # More waits for the next step even where the count at the start was lower.
    return jobs.Progress(run.done, max(run.total, run.done + 1))


def _begin_again(session: Session, run: ScoreRun) -> None:
    """The program has been replaced while the run was going on: a result comes from one version of the code."""
    session.execute(delete(Score).where(Score.run_id == run.id))
    run.code, run.done = code_digest(), 0


def score_submission(session: Session, submission_id: UUID) -> ScoreRun | None:
    """Score one submission by itself; None when it was withdrawn or replaced in the meantime."""
    wanted = to_score(Submission.id == submission_id).add_columns(Submission.tender_track_id)
    row = session.execute(wanted.with_for_update(of=Submission, key_share=True)).one_or_none()
    if row is None:
        return None
    used = track_rules(session, row.tender_track_id)
    run = ScoreRun(
        tender_track_id=row.tender_track_id,
        kind="submission",
        rules_digest=used.digest,
        total=1,
        done=1,
        code=code_digest(),
    )
    session.add(run)
    session.flush()
    calibrated = calibrated_values(session, row.tender_track_id, used.rules)
    write_scores(session, run.id, used, due(session, Submission.id == submission_id), calibrated)
    _seal(session, run)
    return run


def _seal(session: Session, run: ScoreRun) -> None:
    session.flush()
    ended_at = now(session)
    scores = manifests.scores_of(session, run.id)
    run.output_digest = manifests.output_digest(scores)
    run.done = run.total = len(scores)
    run.ended_at = ended_at
    session.flush()
    if run.kind == "track":
        manifests.write(session, run, scores)
    record(
        session,
        ACTOR,
        "scoring:run:end",
        "score_run",
        run.id,
        {"kind": run.kind, "total": run.total, "rules": run.rules_digest, "output": run.output_digest},
    )
