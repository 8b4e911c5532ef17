"""Run again and compare: a run's scores computed anew from what it used, and the first difference if there is one.

Nothing kept is trusted: the package's SHA-256 is computed again, its figures are measured again (the kept
measurements are not read), the digest of the kept score too, and calibrated values from the reviews. The reviews are
those kept with the score; that the present ones are others is no difference, but it is counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Submission
from portal.audit.service import record
from portal.core import jobs
from portal.core.canonical import digest, plain_decimal
from portal.core.clock import now
from portal.core.errors import NotFound, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.review import calibrating
from portal.review.models import Assignment
from portal.review.queries import reviews_of
from portal.scoring import manifests
from portal.scoring.batch import (
    Again,
    TrackRules,
    again,
    inputs_digest,
    read_calibrated,
    read_reviews,
    sums_of,
    track_rules,
)
from portal.scoring.engine import Scorer
from portal.scoring.measuring import measure
from portal.scoring.models import Manifest, RunCheck, Score, ScoreRun
from portal.scoring.origin import code_digest, libraries
from portal.scoring.sheets import Difference, digest_of, first_difference
from portal.tenders.ruleset import ExpertMean

BATCH: Final = 250
ACTOR: Final = system_actor("scoring")


def start_check(session: Session, actor: Actor, run_id: UUID) -> RunCheck:
    """Start computing a run again; a check of it that has not ended is taken up instead.

    Raises :class:`Problems` for a run that has not ended, or that is older than manifests.
    """
    authorize(actor, Permission.SCORE_CHECK)
    run = session.scalar(select(ScoreRun).where(ScoreRun.id == run_id, ScoreRun.kind == "track").with_for_update())
    if run is None:
        raise NotFound
    if session.get(Manifest, run_id) is None:
        message = N_("This run has no manifest: it has not ended, or it is older than manifests. Score all again.")
        raise Problems.one("no_manifest", "", message)
    check = session.scalar(select(RunCheck).where(RunCheck.run_id == run_id, RunCheck.ended_at.is_(None)))
    if check is not None:
        parked = select(jobs.Task.parked_at.is_not(None)).where(jobs.Task.id == check.task_id)
        if check.task_id is not None and session.scalar(parked):
            jobs.retry(session, check.task_id)
        return check
    check = RunCheck(
        run_id=run_id, total=run.total, started_by=actor.user_id, code=code_digest(), libraries=libraries(session)
    )
    session.add(check)
    session.flush()
    check.task_id = jobs.enqueue(session, "check_run", {"check_id": str(check.id)}, key=f"check_run:{check.id}")
    record(session, actor, "scoring:run:check", "score_run", run_id, {"check": check.id})
    return check


def step_check(session: Session, check_id: UUID) -> jobs.Progress:
    """Compute the next scores again; the last step writes the digest over all of them."""
    check = session.scalar(select(RunCheck).where(RunCheck.id == check_id).with_for_update())
    if check is None:
        raise NotFound
    if check.ended_at is not None:
        return jobs.Progress(check.total, check.total)
    run = session.get_one(ScoreRun, check.run_id)
    used = track_rules(session, run.tender_track_id)
    if check.first is None and used.digest != run.rules_digest:
        check.first = _first("", Difference("rules", "digest", run.rules_digest, used.digest))
    if check.first is None and check.done == 0:
        check.first = _calibration(session, run, used)
    scores = again(session, run.id, check.last_number, BATCH)
    scorer = Scorer(used.rules)
    differing = dict(check.differing)
    for each in scores:
        found, new_digest = _compared(each, used, scorer)
        if found is not None:
            differing[each.number] = new_digest
            check.first = check.first or _first(each.number, found)
    check.differing = differing
    check.reviews_since += _others_now(session, scores)
    check.done = min(check.done + len(scores), check.total)
    if len(scores) < BATCH:
        _end(session, check)
        return jobs.Progress(check.total, check.total)
    check.last_number = scores[-1].number
    return jobs.Progress(check.done, max(check.total, check.done + 1))


def _calibration(session: Session, run: ScoreRun, used: TrackRules) -> dict[str, Any] | None:
    """The first calibrated value that does not follow from the reviews kept with the run's scores; None for none.

    Three queries, where calibrated means count.
    """
    if used.rules.expert_mean is not ExpertMean.CALIBRATED:
        return None
    kept = session.execute(
        select(Submission.number, Score.submission_id, Score.reviews, Score.calibrated)
        .join(Submission, Submission.id == Score.submission_id)
        .where(Score.run_id == run.id)
    ).all()
    who = dict(
        session.execute(
            select(Assignment.id, Assignment.reviewer_id).where(
                Assignment.submission_id.in_([row.submission_id for row in kept])
            )
        ).all()
    )
    marks = {
        (str(row.submission_id), str(who.get(UUID(review["review"])))): given
        for row in kept
        for review, given in zip(row.reviews, read_reviews(row.reviews), strict=True)
    }
    anew = calibrating.computed_anew(used.rules, marks)
    for number, submission_id, _reviews, values in sorted(kept):
        now_values = {part: plain_decimal(value) for part, value in anew.get(str(submission_id), {}).items()}
        for part in sorted({*values, *now_values}):
            if values.get(part) != now_values.get(part):
                return _first(number, Difference("calibration", part, values.get(part), now_values.get(part)))
    return None


def _compared(each: Again, used: TrackRules, scorer: Scorer) -> tuple[Difference | None, str]:
    """The first difference of one score, and the digest that it has now."""
    known = measure(each.package, used.rules, each.received_at.astimezone(used.zone).date())
    sheet = scorer.score(known, read_reviews(each.reviews), read_calibrated(each.calibrated))
    new_digest = sheet.digest
    found = [*_inputs(each), *_outputs(each, sheet.to_json(), new_digest, known.amounts)]
    return (found[0] if found else None), new_digest


def _inputs(each: Again) -> Iterator[Difference]:
    package = digest(each.package)
    if package != each.sha256:
        yield Difference("submission", "sha256", each.sha256, package)
    for review in each.reviews:
        marks = digest(review["marks"])
        if marks != review["sha256"]:
            yield Difference("review", review["review"], review["sha256"], marks)
    inputs = inputs_digest(each.sha256, _sums(each.reviews), each.calibrated)
    if inputs != each.inputs:
        yield Difference("inputs", "sha256", each.inputs, inputs)


def _outputs(
    each: Again, sheet: Mapping[str, Any], new_digest: str, amounts: Mapping[str, str]
) -> Iterator[Difference]:
    if digest_of(each.sheet) != each.digest:
        yield Difference("score", "digest", each.digest, digest_of(each.sheet))
    if new_digest != each.digest:
        yield first_difference(each.sheet, sheet) or Difference("score", "digest", each.digest, new_digest)
    if amounts != each.amounts:
        yield Difference("score", "amounts", digest(each.amounts), digest(amounts))


def _others_now(session: Session, scores: Sequence[Again]) -> int:
    """How many of the applications have other reviews now than those that were used."""
    present = reviews_of(session, [each.submission_id for each in scores])
    return sum(_sums(each.reviews) != sorted(sums_of(present.get(each.submission_id, {}))) for each in scores)


def _sums(reviews: Sequence[Mapping[str, Any]]) -> list[str]:
    return sorted(review["sha256"] for review in reviews)


def _first(number: str, found: Difference) -> dict[str, Any]:
    return {"number": number, **found._asdict()}


def _end(session: Session, check: RunCheck) -> None:
    scores, ended_at = manifests.scores_of(session, check.run_id), now(session)
    anew = [each._replace(digest=check.differing.get(each.number, each.digest)) for each in scores]
    check.output_digest = manifests.output_digest(anew)
    check.done = check.total
    check.ended_at = ended_at
    details = {"check": check.id, "output": check.output_digest, "differing": len(check.differing)}
    record(session, ACTOR, "scoring:run:checked", "score_run", check.run_id, details)


def checks_of(session: Session, run_id: UUID) -> Sequence[RunCheck]:
    """The latest checks of a run, newest first."""
    return session.scalars(
        select(RunCheck).where(RunCheck.run_id == run_id).order_by(RunCheck.id.desc()).limit(10)
    ).all()


def check_of(session: Session, run_id: UUID, check_id: UUID) -> RunCheck:
    """A check of a run; :class:`NotFound` otherwise."""
    row = session.scalar(select(RunCheck).where(RunCheck.id == check_id, RunCheck.run_id == run_id))
    if row is None:
        raise NotFound
    return row
