"""Background work of scoring."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from portal.core import jobs
from portal.scoring import calibration_checks, checks, dry_runs, service


@jobs.handler("score_submission")
def score_submission(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Score one submission as it arrives, or when its reviews are complete."""
    service.score_submission(session, UUID(payload["submission_id"]))


@jobs.handler("score_track")
def score_track(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> jobs.Progress:
    """One batch of a run over a track."""
    return service.step(session, UUID(payload["run_id"]))


@jobs.handler("check_run")
def check_run(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> jobs.Progress:
    """One batch of a run that is computed again."""
    return checks.step_check(session, UUID(payload["check_id"]))


@jobs.handler(calibration_checks.KIND)
def check_calibration(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """A calibration that is computed again."""
    calibration_checks.compare(session, UUID(payload["check_id"]))


@jobs.handler("dry_run")
def dry_run(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> jobs.Progress:
    """One batch of a trial of other rules."""
    return dry_runs.step_dry_run(session, UUID(payload["dry_run_id"]))
