"""The audit trail: append-only rows, each sealed with the hash of the one before."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Identity, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base


class AuditEvent(Base):
    """One change: who did what to which object, with the fields before and after.

    ``hash`` seals the row and the hash of the row before (:mod:`portal.audit.sealing`); ``salt`` closes the parts that
    are not shown when the row is. Rows of before November 2026 have none. ``rows``: the digest of the seals of
    ``batch``, the rows that the same transaction has written (:mod:`portal.audit.row_seals`).
    """

    __tablename__ = "audit_event"
    __table_args__ = (
        CheckConstraint("length(hash) = 64 and length(previous) = 64", name="hashes"),
        CheckConstraint("(batch is null) = (rows is null)", name="batch"),
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
    salt: Mapped[str | None]
    batch: Mapped[UUID | None] = mapped_column(unique=True)
    rows: Mapped[str | None]


class RowLayout(Base):
    """The columns of a table that seals cover, and what is hashed of them: ``to_jsonb``, or ``row_to_json`` as a text.

    Append-only.
    """

    __tablename__ = "row_layout"
    __table_args__ = (
        UniqueConstraint("place", "covers", "form"),
        CheckConstraint("form in ('jsonb', 'text')", name="form"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    place: Mapped[str]
    covers: Mapped[list[str]] = mapped_column(ARRAY(Text))
    form: Mapped[str] = mapped_column(server_default="jsonb")


class RowSeal(Base):
    """What a row said when it was written (:mod:`portal.audit.row_seals`); only triggers write it, append-only.

    ``place`` is the table, ``key`` its primary key; ``digest``: SHA-256 of the row as JSON, null when it was deleted.
    """

    __tablename__ = "row_seal"
    __table_args__ = (Index("ix_row_seal_batch", "batch"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    batch: Mapped[UUID]
    place: Mapped[str]
    layout: Mapped[int] = mapped_column(ForeignKey("row_layout.id"))
    key: Mapped[str]
    digest: Mapped[str | None]


class AuditHead(Base):
    """The newest row of the trail as it was published on a day, signed (:mod:`portal.audit.heads`); append-only.

    ``public_key`` and ``signature`` are Ed25519 in hexadecimal, over the canonical JSON of
    :func:`portal.audit.heads.statement`.
    """

    __tablename__ = "audit_head"
    __table_args__ = (
        CheckConstraint("seq >= 1", name="seq"),
        CheckConstraint("hash ~ '^[0-9a-f]{64}$' and public_key ~ '^[0-9a-f]{64}$'", name="digests"),
        CheckConstraint("signature ~ '^[0-9a-f]{128}$'", name="signature"),
    )

    day: Mapped[date] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[str]
    at: Mapped[datetime]
    public_key: Mapped[str]
    signature: Mapped[str]
