"""Notices and letters: rows first. A letter goes out by SMTP in the background with a Message-ID that never changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, Keyed, Stamped


class Letter(Keyed, Stamped, Base):
    """A mail to one address in one language; ``key`` makes the same letter of the same cause exist once.

    ``secret`` is the token of a link that works once; once the letter is sent it is struck out of text and HTML.
    """

    __tablename__ = "letter"
    __table_args__ = (
        CheckConstraint("locale in ('ru', 'en')", name="locale"),
        CheckConstraint("sent_at is null or secret is null", name="secret"),
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
    secret: Mapped[str | None]
    sent_at: Mapped[datetime | None]


class Notice(Keyed, Stamped, Base):
    """What one person is told in the portal or by the daily digest; ``key`` makes the same notice exist once.

    ``subject`` is ``{"ru": str, "en": str}``, ``paragraphs`` ``{"ru": [str], "en": [str]}``: a person may change
    the language later. ``path`` leads to the object, whose page asks for the right to see it.
    ``for_digest`` waits for the person's next digest until ``digest_id`` names it.
    """

    __tablename__ = "notice"
    __table_args__ = (
        CheckConstraint("in_portal or for_digest", name="somewhere"),
        CheckConstraint("for_digest or digest_id is null", name="digest"),
        CheckConstraint(r"path ~ '^/([^/\\]|$)'", name="path"),
        Index("ix_notice_inbox", "user_id", "id", postgresql_where=text("in_portal")),
        Index("ix_notice_unread", "user_id", "kind", postgresql_where=text("in_portal and read_at is null")),
        Index("ix_notice_digest", "user_id", "id", postgresql_where=text("for_digest and digest_id is null")),
        Index("ix_notice_about", "about_type", "about_id"),
    )

    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    subject: Mapped[dict[str, Any]]
    paragraphs: Mapped[dict[str, Any]]
    path: Mapped[str | None]
    about_type: Mapped[str | None]
    about_id: Mapped[UUID | None]
    in_portal: Mapped[bool]
    for_digest: Mapped[bool]
    digest_id: Mapped[UUID | None] = mapped_column(ForeignKey("letter.id"))
    read_at: Mapped[datetime | None]


class Preference(Base):
    """A person's choice for one kind of notice; kinds without a row are as declared."""

    __tablename__ = "notice_preference"
    __table_args__ = (CheckConstraint("mail in ('now', 'digest', 'none')", name="mail"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    portal: Mapped[bool]
    mail: Mapped[str]


class DigestTime(Base):
    """When a person gets the daily digest: the hour in their zone, or never (``hour`` is null)."""

    __tablename__ = "digest_time"
    __table_args__ = (CheckConstraint("hour between 0 and 23", name="hour"),)

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    zone: Mapped[str]
    hour: Mapped[int | None]
