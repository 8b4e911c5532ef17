"""Scoring some submissions of one track at once: reading what is needed, computing, writing.

A batch reads the kept measurements; where one is missing (a new rule set, other code, a submission that arrived
this moment) it reads the package, measures and keeps the result. It works in parts: while one is computed, the
database writes the one before by COPY and reads the one after.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import ColumnElement, Connection, Select, Text, cast, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.applications.models import Application, Submission
from portal.core.canonical import canonical_text, plain_decimal, plain_digest
from portal.core.db import among, beside, copy_in, copy_text, uuid7
from portal.review import calibrating
from portal.review.queries import reviews_of
from portal.review.rules import Marks
from portal.scoring.engine import Scorer
from portal.scoring.measuring import Measured, measure
from portal.scoring.models import Measurement, Score
from portal.scoring.origin import code_digest
from portal.scoring.queries import SCORED_STATES, parsed_rules
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import ExpertMean, RuleSet, rules_digest

_COLUMNS: Final = (
    "id",
    "run_id",
    "submission_id",
    "sheet",
    "digest",
    "objective",
    "total",
    "recommended",
    "amounts",
    "hpj",
    "reviews",
    "inputs",
    "calibrated",
    "current",
)

PART: Final = 400
"""Applications that are read, computed and written together: a trigger's table of so many rows stays in memory."""

Calibrated = Mapping[str, Mapping[str, Decimal]]
"""Submission -> part -> calibrated value."""


@dataclass(frozen=True, slots=True)
class TrackRules:
    """The rules by which a track is scored, and the zone in which its days of filing are counted."""

    rules: RuleSet
    version: str
    digest: str
    zone: ZoneInfo


class Due(NamedTuple):
    """A submission to be scored."""

    id: UUID
    number: str
    received_at: datetime
    sha256: str


class Known(NamedTuple):
    """What is known of some submissions: their reviews, and the measurement or, where there is none, the package."""

    reviews: Mapping[UUID, Mapping[UUID, Marks]]
    measured: Mapping[UUID, Measured]
    packages: Mapping[UUID, dict[str, Any]]


def track_rules(session: Session, tender_track_id: UUID) -> TrackRules:
    """The present rules of a track."""
    row = session.execute(
        select(RuleSetVersion.content, RuleSetVersion.digest, Tender.zone)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .where(TenderTrack.id == tender_track_id)
    ).one()
    rules = parsed_rules(row.content)
    return TrackRules(rules, rules.version, row.digest or rules_digest(row.content), ZoneInfo(row.zone))


def to_score(*conditions: ColumnElement[bool]) -> Select[UUID]:
    """The present submissions of the applications that are to be scored."""
    return (
        select(Submission.id)
        .join(Application, Application.submission_id == Submission.id)
        .where(Application.state.in_(SCORED_STATES), *conditions)
    )


def due(session: Session, *conditions: ColumnElement[bool], limit: int = 1) -> Sequence[Due]:
    """The first submissions that meet the conditions, by number; one query."""
    rows = session.execute(
        to_score(*conditions)
        .add_columns(Submission.number, Submission.received_at, Submission.sha256)
        .order_by(Submission.number)
        .limit(limit)
    )
    return [Due._make(row) for row in rows]


def calibrated_values(
    session: Session, tender_track_id: UUID, rules: RuleSet, until: datetime | None = None
) -> Calibrated:
    """What takes the place of the plain means, by the reviews handed in until an instant; empty where these count.

    Computed here where nobody has done it yet: a score never waits for another task.
    """
    if rules.expert_mean is not ExpertMean.CALIBRATED:
        return {}
    return calibrating.values(calibrating.ensure(session, tender_track_id, until=until))


def write_scores(
    session: Session, run_id: UUID, used: TrackRules, batch: Sequence[Due], calibrated: Calibrated | None = None
) -> None:
    """Compute and store the scores of some submissions; they become the current ones."""
    if not batch:
        return
    parts = [batch[start : start + PART] for start in range(0, len(batch), PART)]
    scorer = Scorer(used.rules)
    values = calibrated or {}
    with beside(session) as begin:
        reading = [begin(partial(_read, used=used, part=part)) for part in parts[:1]]
        begin(partial(_outdate, batch=batch))
        for place, part in enumerate(parts):
            reading += [begin(partial(_read, used=used, part=part)) for part in parts[place + 1 : place + 2]]
            known = reading[place].result()
            fresh = _measure(used, part, known.packages)
            if fresh:
                begin(partial(_keep, used=used, fresh=fresh))
            rows = [
                _row(
                    run_id,
                    each,
                    fresh.get(each.id) or known.measured[each.id],
                    scorer,
                    known.reviews.get(each.id, {}),
                    values.get(str(each.id), {}),
                )
                for each in part
            ]
            text = copy_text(rows)
            begin(partial(copy_in, table=Score.__tablename__, columns=_COLUMNS, text=text))


def _read(connection: Connection, used: TrackRules, part: Sequence[Due]) -> Known:
    """Two queries; one more where something was not measured yet."""
    ids = [each.id for each in part]
    kept = connection.execute(
        # As text: read by orjson in a third of the time of the standard library.
        select(Measurement.submission_id, cast(Measurement.figures, Text)).where(
            among(Measurement.submission_id, ids),
            Measurement.rules_digest == used.digest,
            Measurement.code == code_digest(),
        )
    )
    measured = {key: Measured(**orjson.loads(figures)) for key, figures in kept}
    packages: dict[UUID, dict[str, Any]] = {}
    if missing := [key for key in ids if key not in measured]:
        rows = connection.execute(select(Submission.id, Submission.snapshot).where(among(Submission.id, missing)))
        packages = {row.id: row.snapshot for row in rows}
    return Known(reviews_of(connection, ids), measured, packages)


def _outdate(connection: Connection, batch: Sequence[Due]) -> None:
    """The scores of before are not the current ones any more."""
    former = among(Score.submission_id, (each.id for each in batch))
    connection.execute(update(Score).where(former, Score.current).values(current=False))


def _measure(used: TrackRules, part: Sequence[Due], packages: Mapping[UUID, dict[str, Any]]) -> dict[UUID, Measured]:
    return {
        each.id: measure(packages[each.id], used.rules, each.received_at.astimezone(used.zone).date())
        for each in part
        if each.id in packages
    }


def _keep(connection: Connection, used: TrackRules, fresh: Mapping[UUID, Measured]) -> None:
    """Keep measurements; another worker may have kept the same in the meantime."""
    rows = [
        {"submission_id": key, "rules_digest": used.digest, "code": code_digest(), "figures": known.to_json()}
        for key, known in fresh.items()
    ]
    connection.execute(insert(Measurement).on_conflict_do_nothing(), rows)


def _row(
    run_id: UUID,
    each: Due,
    known: Measured,
    scorer: Scorer,
    given: Mapping[UUID, Marks],
    calibrated: Mapping[str, Decimal],
) -> tuple[object, ...]:
    sheet = scorer.score(known, list(given.values()), calibrated)
    reviews, sums = _reviews_text(given)
    values = {part: plain_decimal(value) for part, value in calibrated.items()}
    return (
        uuid7(),
        run_id,
        each.id,
        sheet.text,
        sheet.digest,
        sheet.objective_total,
        sheet.total,
        sheet.recommended,
        canonical_text(known.amounts),
        known.number("hpj"),
        reviews,
        inputs_digest(each.sha256, sums, values),
        canonical_text(values),
        True,
    )


def _reviews_text(given: Mapping[UUID, Marks]) -> tuple[str, list[str]]:
    """The reviews used as they are kept with the score, and the SHA-256 of each one's marks."""
    texts, sums = [], []
    for key, marks in given.items():
        text, digest = _marks_text(marks)
        texts.append(f'{{"marks":{text},"review":"{key}","sha256":"{digest}"}}')
        sums.append(digest)
    return f"[{','.join(texts)}]", sums


def _marks_text(marks: Marks) -> tuple[str, str]:
    """The marks of a review as canonical JSON, and the SHA-256 of it."""
    plain = {
        criterion: {aspect: _written(points) for aspect, points in aspects.items()}
        for criterion, aspects in marks.items()
    }
    text = canonical_text(plain)
    return text, hashlib.sha256(text.encode()).hexdigest()


_written = lru_cache(maxsize=1_001)(plain_decimal)
"""A mark as it is written: there are not many different ones."""


def sums_of(given: Mapping[UUID, Marks]) -> list[str]:
    """The SHA-256 of each review's marks."""
    return [_marks_text(marks)[1] for marks in given.values()]


def read_reviews(kept: Sequence[Mapping[str, Any]]) -> list[Marks]:
    """The marks of the reviews that were kept with a score."""
    return [
        {
            criterion: {aspect: Decimal(points) for aspect, points in aspects.items()}
            for criterion, aspects in review["marks"].items()
        }
        for review in kept
    ]


def inputs_digest(submission_sha256: str, reviews: Iterable[str], calibrated: Mapping[str, str] | None = None) -> str:
    """SHA-256 over the digests of the submission and of the reviews used, and calibrated values where they count.

    ``reviews``: the SHA-256 of each one's marks.
    """
    given: list[object] = [submission_sha256, sorted(reviews)]
    return plain_digest([*given, calibrated] if calibrated else given)


def read_calibrated(kept: Mapping[str, str]) -> dict[str, Decimal]:
    """The calibrated values that were kept with a score: part -> value."""
    return {part: Decimal(value) for part, value in kept.items()}


class Again(NamedTuple):
    """A score of an ended run with everything that it was made of."""

    submission_id: UUID
    number: str
    received_at: datetime
    sha256: str
    package: dict[str, Any]
    sheet: dict[str, Any]
    digest: str
    inputs: str | None
    reviews: list[dict[str, Any]]
    calibrated: dict[str, str]
    amounts: dict[str, str]
    hpj: int | None
    objective: Decimal
    total: Decimal | None
    recommended: bool | None


def again(session: Session, run_id: UUID, after: str, limit: int) -> Sequence[Again]:
    """The scores of a run whose numbers come after ``after``, with their packages; one query."""
    rows = session.execute(
        select(
            Submission.id,
            Submission.number,
            Submission.received_at,
            Submission.sha256,
            Submission.snapshot,
            Score.sheet,
            Score.digest,
            Score.inputs,
            Score.reviews,
            Score.calibrated,
            Score.amounts,
            Score.hpj,
            Score.objective,
            Score.total,
            Score.recommended,
        )
        .join(Submission, Submission.id == Score.submission_id)
        .where(Score.run_id == run_id, Submission.number > after)
        .order_by(Submission.number)
        .limit(limit)
    )
    return [Again(*row) for row in rows]
