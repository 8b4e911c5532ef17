"""Statements as files: asked for, made in the background, kept for some days for the person who asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Keyed, Stamped


class StatementExport(Keyed, Stamped, Base):
    """A statement by ``filters`` (texts as in :func:`portal.budget.statement_files.as_text`) in one format."""

    __tablename__ = "statement_export"
    __table_args__ = (
        CheckConstraint("format in ('xlsx', 'pdf')", name="format"),
        CheckConstraint("locale in ('ru', 'en')", name="locale"),
        CheckConstraint(
            "(made_key is null) = (made_at is null) and (made_at is null) = (size is null)"
            " and (size is null) = (sha256 is null)",
            name="made",
        ),
        Index("ix_statement_export_person", "requested_by", "id"),
        Index("ix_statement_export_expires", "expires_at"),
    )

    programme_id: Mapped[UUID] = mapped_column(ForeignKey("programme.id"))
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    filters: Mapped[dict[str, Any]]
    format: Mapped[str]
    locale: Mapped[str]
    name: Mapped[str]
    made_key: Mapped[str | None]
    made_at: Mapped[datetime | None]
    size: Mapped[int | None]
    sha256: Mapped[str | None]
    expires_at: Mapped[datetime]
