"""The manifest of a run: everything that its result was made of, so that anyone can make it again.

``{"format": 1, "run", "tender", "track", "rules": {"version", "digest"}, "code", "seed", "libraries",
"started", "ended", "applications", "inputs", "output"}``. ``code`` is the SHA-256 over the modules that decide what
a score is (:mod:`portal.scoring.origin`); ``inputs`` that over number and inputs of every score in the order of
numbers, where the inputs of a score are the digests of its frozen submission and of the reviews used; ``output``
that over number and digest of every score. Digests are SHA-256 of canonical JSON (:mod:`portal.core.canonical`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Submission
from portal.core.canonical import digest, plain_digest
from portal.core.errors import NotFound
from portal.scoring.models import Manifest, Score, ScoreRun
from portal.scoring.origin import SEED, libraries
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack

FORMAT: Final = 1


class Scored(NamedTuple):
    """What the digests of a run are made of."""

    number: str
    digest: str
    inputs: str | None


def scores_of(session: Session, run_id: UUID) -> list[Scored]:
    """The scores of a run in the order of their numbers, whatever the collation of the database."""
    rows = session.execute(
        select(Submission.number, Score.digest, Score.inputs)
        .join(Submission, Submission.id == Score.submission_id)
        .where(Score.run_id == run_id)
    )
    return sorted(Scored(*row) for row in rows)


def output_digest(scores: Sequence[Scored]) -> str:
    """SHA-256 over number and digest of every score."""
    return plain_digest([[each.number, each.digest] for each in scores])


def write(session: Session, run: ScoreRun, scores: Sequence[Scored]) -> Manifest:
    """Keep the manifest of a run that has just ended."""
    version, tender, track = session.execute(
        select(RuleSetVersion.content["version"].as_string(), Tender.code, TenderTrack.track)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .where(TenderTrack.id == run.tender_track_id)
    ).one()
    assert run.ended_at is not None
    content: dict[str, Any] = {
        "format": FORMAT,
        "run": str(run.id),
        "tender": tender,
        "track": track,
        "rules": {"version": version, "digest": run.rules_digest},
        "code": run.code,
        "seed": SEED,
        "libraries": libraries(session),
        "started": run.created_at.astimezone(UTC).isoformat(),
        "ended": run.ended_at.astimezone(UTC).isoformat(),
        "applications": len(scores),
        "inputs": plain_digest([[each.number, each.inputs] for each in scores]),
        "output": run.output_digest,
    }
    row = Manifest(run_id=run.id, content=content, digest=digest(content))
    session.add(row)
    session.flush()
    return row


def manifest_of(session: Session, run_id: UUID) -> Manifest:
    """The manifest of a run; :class:`NotFound` for one that has not ended or is older than manifests."""
    row = session.get(Manifest, run_id)
    if row is None:
        raise NotFound
    return row


def document(session: Session, run_id: UUID) -> dict[str, Any]:
    """The manifest with what its digests are made of: per score the submission, the reviews used, and the result."""
    row = manifest_of(session, run_id)
    scores = session.execute(
        select(Submission.number, Submission.sha256, Score.reviews, Score.calibrated, Score.inputs, Score.digest)
        .join(Submission, Submission.id == Score.submission_id)
        .where(Score.run_id == run_id)
    )
    return {
        "manifest": row.content,
        "digest": row.digest,
        "scores": [
            {
                "number": number,
                "submission": sha256,
                "reviews": [{"review": each["review"], "sha256": each["sha256"]} for each in reviews],
                **({"calibrated": calibrated} if calibrated else {}),
                "inputs": inputs,
                "score": result,
            }
            for number, sha256, reviews, calibrated, inputs, result in sorted(scores, key=lambda score: score.number)
        ],
    }
