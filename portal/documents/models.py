"""Files: what was uploaded, by whom, what it is by its content, and uploads that are still on their way."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Keyed, Stamped


class Scan(StrEnum):
    """What is known of viruses in a file. ``unscanned``: there was no scanner when it came."""

    UNSCANNED = "unscanned"
    PENDING = "pending"
    CLEAN = "clean"
    REFUSED = "refused"


class StoredFile(Keyed, Stamped, Base):
    """A file in the store, under a generated key; its permission is that of the object which refers to it.

    Of a refused file the row is kept with ``scan_note``, the name of what was found; its content is deleted.
    An encrypted file is AES-256-GCM under ``content_key``; without the key it is sealed: nobody reads it.
    """

    __tablename__ = "stored_file"
    __table_args__ = (
        CheckConstraint("length(sha256) = 64", name="sha256"),
        CheckConstraint("size >= 0", name="size"),
        CheckConstraint("scan in ('unscanned', 'pending', 'clean', 'refused')", name="scan"),
        CheckConstraint("(scan in ('clean', 'refused')) = (scanned_at is not null)", name="scanned"),
        CheckConstraint("(scan = 'refused') = (scan_note is not null)", name="scan_note"),
        CheckConstraint("content_key is null or (encrypted and length(content_key) = 32)", name="content_key"),
        Index("ix_stored_file_uploader", "uploaded_by"),
        Index("ix_stored_file_unscanned", "id", postgresql_where=text("scan in ('unscanned', 'pending')")),
    )

    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    content_type: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    uploaded_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    scan: Mapped[str] = mapped_column(default=Scan.UNSCANNED, server_default="unscanned")
    scanned_at: Mapped[datetime | None]
    scan_note: Mapped[str | None]
    encrypted: Mapped[bool] = mapped_column(default=False, server_default="false")
    content_key: Mapped[bytes | None] = mapped_column(deferred=True)


class Upload(Keyed, Stamped, Base):
    """A file that comes in parts, of one person for one object; it outlives connections, sessions and servers.

    ``place`` says what the file is for, in the words of the room of the object. ``size`` and ``sha256`` are as
    declared by the browser; ``fingerprint`` is what the browser knows the file by where it cannot take a digest.
    """

    __tablename__ = "upload"
    __table_args__ = (
        CheckConstraint("size > 0", name="size"),
        CheckConstraint("received between 0 and size", name="received"),
        CheckConstraint("sha256 is null or length(sha256) = 64", name="sha256"),
        CheckConstraint("(done_at is null) = (file_id is null)", name="done"),
        CheckConstraint("done_at is null or received = size", name="whole"),
        Index("ix_upload_person", "uploaded_by", "object_id"),
        Index("ix_upload_object", "object_id"),
        Index("ix_upload_touched", "touched_at"),
    )

    uploaded_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    object_type: Mapped[str]
    object_id: Mapped[UUID]
    place: Mapped[dict[str, Any]]
    name: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str | None]
    fingerprint: Mapped[str] = mapped_column(default="")
    received: Mapped[int] = mapped_column(BigInteger, default=0)
    touched_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    file_id: Mapped[UUID | None] = mapped_column(ForeignKey("stored_file.id"))


class UploadPart(Base):
    """One received part: where it starts, how long it is, and its key in the store."""

    __tablename__ = "upload_part"
    __table_args__ = (CheckConstraint("start >= 0 and size > 0", name="place"),)

    upload_id: Mapped[UUID] = mapped_column(ForeignKey("upload.id", ondelete="CASCADE"), primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    size: Mapped[int]
    key: Mapped[str] = mapped_column(unique=True)
