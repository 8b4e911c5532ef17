"""Scoring runs and the explained scores they wrote."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Boolean, CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.applications.models import Submission
from portal.core.db import Base, Keyed, Stamped


class ScoreRun(Keyed, Stamped, Base):
    """One run over the submissions of a tender's track (``kind`` 'track') or over a single one ('submission').

    ``output_digest`` is the SHA-256 over the digests of all scores in the order of registration numbers: the
    same input gives the same digest. ``code``: the digest of the code that all its scores were computed with.
    """

    __tablename__ = "score_run"
    __table_args__ = (
        CheckConstraint("kind in ('track', 'submission')", name="kind"),
        CheckConstraint("done between 0 and total", name="progress"),
        CheckConstraint("(ended_at is null) = (output_digest is null)", name="ended"),
        Index("ix_score_run_track", "tender_track_id", "id"),
        Index(
            "uq_score_run_unfinished",
            "tender_track_id",
            unique=True,
            postgresql_where=text("kind = 'track' and ended_at is null"),
        ),
    )

    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"))
    kind: Mapped[str]
    rules_digest: Mapped[str]
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    started_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    task_id: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]
    output_digest: Mapped[str | None]
    code: Mapped[str | None]


class Manifest(Base):
    """What an ended run was made of (:mod:`portal.scoring.manifests`); append-only by trigger.

    ``digest`` is the SHA-256 of the canonical JSON of ``content``.
    """

    __tablename__ = "score_manifest"
    __table_args__ = (CheckConstraint("length(digest) = 64", name="digest"),)

    run_id: Mapped[UUID] = mapped_column(ForeignKey("score_run.id"), primary_key=True)
    content: Mapped[dict[str, Any]]
    digest: Mapped[str]


class RunCheck(Keyed, Stamped, Base):
    """A run computed again from the frozen submissions and the reviews it used, and compared score by score.

    ``first`` is the first difference, ``{"number", "place", "field", "before", "after"}`` (``place``: a criterion, a
    gate, or what of the inputs is not what it was), ``differing`` number -> digest of the scores that came out
    otherwise, ``reviews_since`` how many applications have other reviews now than the run used.
    """

    __tablename__ = "run_check"
    __table_args__ = (
        CheckConstraint("done between 0 and total", name="progress"),
        CheckConstraint("(ended_at is null) = (output_digest is null)", name="ended"),
        Index("ix_run_check_run", "run_id", "id"),
        Index("uq_run_check_unfinished", "run_id", unique=True, postgresql_where=text("ended_at is null")),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("score_run.id"))
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    last_number: Mapped[str] = mapped_column(default="")
    started_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    task_id: Mapped[UUID | None]
    code: Mapped[str]
    libraries: Mapped[dict[str, Any]]
    first: Mapped[dict[str, Any] | None]
    differing: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reviews_since: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[datetime | None]
    output_digest: Mapped[str | None]

    run: Mapped[ScoreRun] = relationship(lazy="raise")


class CalibrationCheck(Keyed, Stamped, Base):
    """A calibration computed again from its reviews and compared.

    ``first``: the first difference, ``{"path", "before", "after"}``; ``path`` leads through the result of
    :func:`portal.review.calibrating.written`, or is ``reviews`` alone where these are not the same any more.
    """

    __tablename__ = "calibration_check"
    __table_args__ = (
        CheckConstraint("(ended_at is null) = (output_digest is null)", name="ended"),
        CheckConstraint("first is null or ended_at is not null", name="first"),
        Index("ix_calibration_check_calibration", "calibration_id", "id"),
        Index(
            "uq_calibration_check_unfinished",
            "calibration_id",
            unique=True,
            postgresql_where=text("ended_at is null"),
        ),
    )

    calibration_id: Mapped[UUID] = mapped_column(ForeignKey("review_calibration.id"))
    started_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    task_id: Mapped[UUID | None]
    code: Mapped[str]
    libraries: Mapped[dict[str, Any]]
    first: Mapped[dict[str, Any] | None]
    ended_at: Mapped[datetime | None]
    output_digest: Mapped[str | None]


class DryRun(Keyed, Stamped, Base):
    """Rules that are being edited, tried on the frozen submissions of an ended run; no score is written.

    ``content`` is the rule set as it was when the trial was started, ``rules_digest`` its digest.
    """

    __tablename__ = "dry_run"
    __table_args__ = (
        CheckConstraint("done between 0 and total", name="progress"),
        Index("ix_dry_run_rule_set", "rule_set_id", "id"),
    )

    rule_set_id: Mapped[UUID] = mapped_column(ForeignKey("rule_set.id"))
    run_id: Mapped[UUID] = mapped_column(ForeignKey("score_run.id"))
    content: Mapped[dict[str, Any]]
    rules_digest: Mapped[str]
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    last_number: Mapped[str] = mapped_column(default="")
    started_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    task_id: Mapped[UUID | None]
    ended_at: Mapped[datetime | None]

    run: Mapped[ScoreRun] = relationship(lazy="raise")


class DryRunLine(Base):
    """One application of a dry run: what its score and place were and would be; places come when it has ended."""

    __tablename__ = "dry_run_line"
    __table_args__ = (Index("ix_dry_run_line_place", "dry_run_id", "place_after"),)

    dry_run_id: Mapped[UUID] = mapped_column(ForeignKey("dry_run.id", ondelete="CASCADE"), primary_key=True)
    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    total_before: Mapped[Decimal | None] = mapped_column(Numeric(7, 4))
    total_after: Mapped[Decimal | None] = mapped_column(Numeric(7, 4))
    objective_before: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    objective_after: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    recommended_before: Mapped[bool | None]
    recommended_after: Mapped[bool | None]
    place_before: Mapped[int | None]
    place_after: Mapped[int | None]
    changes: Mapped[dict[str, Any]] = mapped_column(default=dict)

    submission: Mapped[Submission] = relationship(lazy="raise")


class Measurement(Base):
    """The figures of a frozen submission under one rule set, as one version of the code computes them.

    ``figures`` is :meth:`portal.scoring.measuring.Measured.to_json`. A cache: every row can be computed again.
    """

    __tablename__ = "measurement"

    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    rules_digest: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(primary_key=True)
    figures: Mapped[dict[str, Any]]


class Score(Keyed, Base):
    """The explained score of one submission in one run; ``current`` marks the newest of each submission.

    ``sheet`` holds, per criterion, the metric, the value used, the points and the reason as a code with figures
    (:mod:`portal.scoring.sheets` reads it), as the text that was hashed; ``digest`` is the SHA-256 of its canonical
    JSON without wording.
    ``reviews`` are those used: ``[{"review": id, "marks": {criterion: {aspect: points}}, "sha256": ...}]``, ``inputs``
    the SHA-256 over the submission's digest and theirs, and ``calibrated`` (part -> value) where these count;
    scores older than these columns have neither. ``amounts``
    (requested subsidy by year, roubles as text) and ``hpj`` (new high-productivity jobs) are what the ranking needs
    besides, so that it reads no snapshot.
    """

    __tablename__ = "score"
    __table_args__ = (
        UniqueConstraint("run_id", "submission_id"),
        Index("uq_score_current", "submission_id", unique=True, postgresql_where=text("current")),
        CheckConstraint("objective between 0 and 100", name="objective"),
        CheckConstraint("total between 0 and 100", name="total"),
    )

    run_id: Mapped[UUID] = mapped_column(ForeignKey("score_run.id"))
    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"))
    sheet: Mapped[dict[str, Any]] = mapped_column(JSON)
    digest: Mapped[str]
    objective: Mapped[Decimal] = mapped_column(Numeric(7, 4))
    total: Mapped[Decimal | None] = mapped_column(Numeric(7, 4))
    recommended: Mapped[bool | None]
    amounts: Mapped[dict[str, Any]]
    hpj: Mapped[int | None]
    reviews: Mapped[list[Any]] = mapped_column(default=list, server_default="[]")
    inputs: Mapped[str | None]
    calibrated: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    current: Mapped[bool] = mapped_column(Boolean, default=True)

    run: Mapped[ScoreRun] = relationship(lazy="raise")
    submission: Mapped[Submission] = relationship(lazy="raise")
