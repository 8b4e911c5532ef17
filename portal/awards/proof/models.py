"""Results bundles: archives with which anyone recomputes the published decisions of a tender."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed, Stamped
from portal.documents.models import StoredFile


class ResultsBundle(Keyed, Stamped, Base):
    """An archive of the decisions that were published when it was made; a tender's are versions, in the order of keys.

    ``decisions``: SHA-256 over the keys of the decisions and of refused awards; ``head``: the row of the audit trail
    that the archive reaches to.
    Append-only.
    """

    __tablename__ = "results_bundle"
    __table_args__ = (
        UniqueConstraint("tender_id", "decisions"),
        CheckConstraint("decisions ~ '^[0-9a-f]{64}$'", name="decisions"),
        CheckConstraint("head >= 1", name="head"),
    )

    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"))
    decisions: Mapped[str]
    head: Mapped[int] = mapped_column(BigInteger)
    file_id: Mapped[UUID] = mapped_column(ForeignKey("stored_file.id"))

    file: Mapped[StoredFile] = relationship(lazy="raise")
