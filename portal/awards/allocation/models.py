"""A computed allocation of a track: asked for by a person, found in the background, cited by the award list."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Select, select, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed, Stamped
from portal.identity.models import User, one_of
from portal.tenders.models import TenderTrack


class RunState(StrEnum):
    COMPUTING = "computing"
    DONE = "done"


class AllocationRun(Keyed, Stamped, Base):
    """``result``: :meth:`portal.awards.allocation.policies.Allocation.to_plain` with what is left of each envelope
    (``left`` and ``shadow`` by year, under ``tracks`` where they are several);
    ``problem_digest``: that of everything that decided. A row that is done is never changed (trigger)."""

    __tablename__ = "allocation_run"
    __table_args__ = (
        CheckConstraint(one_of("state", RunState), name="state"),
        CheckConstraint(
            "(state = 'done') = (done_at is not null) and (state = 'done') = (digest is not null)"
            " and (state = 'computing' or problem_digest is not null)",
            name="done",
        ),
        Index(
            "uq_allocation_run_computing",
            "tender_track_id",
            unique=True,
            postgresql_where=text("state = 'computing'"),
        ),
        Index("ix_allocation_run_track", "tender_track_id", "id"),
    )

    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"))
    state: Mapped[str] = mapped_column(default=RunState.COMPUTING)
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    task_id: Mapped[UUID | None]
    candidates: Mapped[int] = mapped_column(default=0)
    problem_digest: Mapped[str | None]
    digest: Mapped[str | None]
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)
    gap: Mapped[Decimal | None] = mapped_column(Numeric(9, 6))
    reproducible: Mapped[bool] = mapped_column(default=True)
    seconds: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    done_at: Mapped[datetime | None]

    creator: Mapped[User] = relationship(lazy="raise")


def together(track: TenderTrack) -> Select[UUID]:
    """The tracks whose allocation is one: all of a tender that has limits over them, otherwise the track alone.

    Such an allocation belongs to the track for which it was asked first, and is that of the others as well.
    """
    if track.tender.joint_limits:
        return select(TenderTrack.id).where(TenderTrack.tender_id == track.tender_id)
    return select(TenderTrack.id).where(TenderTrack.id == track.id)
