"""The audit trail: append-only rows, each sealed with the hash of the one before."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base


class AuditEvent(Base):
    """One change: who did what to which object, with the fields before and after.

    ``hash`` = SHA-256 over the previous row's hash and the canonical JSON of this row's content.
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        CheckConstraint("length(hash) = 64 and length(previous) = 64", name="hashes"),
        CheckConstraint("tag ~ '^[a-z_]+:[a-z_]+:[a-z_]+$'", name="tag"),
        Index("ix_audit_event_object", "object_type", "object_id", "seq"),
        Index("ix_audit_event_actor", "actor", "seq"),
    )

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor: Mapped[str]
    actor_name: Mapped[str]
    tag: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[str]
    changes: Mapped[dict[str, Any]]
    previous: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
