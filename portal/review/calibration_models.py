"""Calibrations of the reviews of a track, kept with the digest of what they were computed from."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Keyed, Stamped


class ReviewCalibration(Keyed, Stamped, Base):
    """What the reviews of a track say once the reviewers' severity is taken out. Append-only.

    ``inputs_digest``: SHA-256 of the reviews used; ``reviews`` and ``newest`` (how many, and when the last of them
    was handed in) tell quickly whether the present reviews are the same. ``result``: part -> what
    :func:`portal.review.calibrating.written` gives, a refusal with its reason included; ``output_digest``: its SHA-256.
    """

    __tablename__ = "review_calibration"
    __table_args__ = (
        UniqueConstraint("tender_track_id", "method", "inputs_digest"),
        CheckConstraint("reviews >= 0 and (reviews = 0) = (newest is null)", name="reviews"),
        CheckConstraint("inputs_digest ~ '^[0-9a-f]{64}$' and output_digest ~ '^[0-9a-f]{64}$'", name="digests"),
        Index("ix_review_calibration_track", "tender_track_id", "id"),
    )

    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"))
    method: Mapped[str]
    inputs_digest: Mapped[str]
    reviews: Mapped[int]
    newest: Mapped[datetime | None]
    result: Mapped[dict[str, Any]]
    output_digest: Mapped[str]
