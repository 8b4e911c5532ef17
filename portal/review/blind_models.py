"""What reviewers of a blind tender get instead of an applicant's files."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed, Stamped
from portal.documents.models import StoredFile
from portal.identity.models import one_of


class CopyState(StrEnum):
    """``ready``: nothing tells; ``held``: an officer looks first; ``failed``: no copy could be made."""

    READY = "ready"
    HELD = "held"
    FAILED = "failed"


class BlindCopy(Keyed, Stamped, Base):
    """The copy of a frozen file without its properties, for those from whom it is hidden who applies.

    ``places`` are those of a held one, ``[{"kind": "page", "at": "3", "word": "Romashka"}]``; an empty word: a place
    without text that could be searched. ``fault`` is of :data:`portal.documents.stripping.FAULTS`.
    """

    __tablename__ = "blind_copy"
    __table_args__ = (
        UniqueConstraint("submission_id", "file_id"),
        CheckConstraint(one_of("state", CopyState), name="state"),
        CheckConstraint("(state = 'failed') = (copy_id is null)", name="copy"),
        CheckConstraint("(state = 'failed') = (fault <> '')", name="fault"),
        CheckConstraint("(state = 'held') = (jsonb_array_length(places) > 0)", name="places"),
        CheckConstraint("(allowed_at is null) = (allowed_by is null)", name="allowed"),
        CheckConstraint("allowed_at is null or state = 'held'", name="allowed_of_held"),
        Index("ix_blind_copy_application", "application_id"),
    )

    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"))
    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    file_id: Mapped[UUID] = mapped_column(ForeignKey("stored_file.id"))
    copy_id: Mapped[UUID | None] = mapped_column(ForeignKey("stored_file.id"))
    state: Mapped[str]
    fault: Mapped[str] = mapped_column(default="")
    places: Mapped[list[Any]] = mapped_column(default=list)
    allowed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    allowed_at: Mapped[datetime | None]

    copy: Mapped[StoredFile | None] = relationship(lazy="raise", foreign_keys=[copy_id])

    @property
    def given(self) -> bool:
        """Whether a reviewer gets it."""
        return self.state == CopyState.READY or self.allowed_at is not None
