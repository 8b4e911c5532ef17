"""Letters: each is a row first, and goes out by SMTP in the background with a Message-ID that never changes."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Keyed, Stamped


class Letter(Keyed, Stamped, Base):
    """A mail to one address in one language; ``key`` makes the same letter of the same cause exist once."""

    __tablename__ = "letter"
    __table_args__ = (
        CheckConstraint("locale in ('ru', 'en')", name="locale"),
        Index("ix_letter_user", "user_id", "created_at"),
        Index("ix_letter_about", "about_type", "about_id"),
    )

    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    recipient: Mapped[str]
    locale: Mapped[str]
    subject: Mapped[str]
    text: Mapped[str]
    html: Mapped[str]
    message_id: Mapped[str] = mapped_column(unique=True)
    about_type: Mapped[str | None]
    about_id: Mapped[UUID | None]
    sent_at: Mapped[datetime | None]
