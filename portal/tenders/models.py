"""Programmes, tenders with their tracks, versioned rule sets, amendments, and questions with their answers."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed, Stamped
from portal.identity.models import Organisation, User, one_of


class Track(StrEnum):
    EXPORT = "export"
    IMPORT_SUBSTITUTION = "import_substitution"


TRACK_CODES: Final = {Track.IMPORT_SUBSTITUTION: "IS", Track.EXPORT: "EX"}


class Programme(Keyed, Stamped, Base):
    """A funding programme; its envelopes are per track and year."""

    __tablename__ = "programme"

    code: Mapped[str] = mapped_column(unique=True)
    name_ru: Mapped[str]
    name_en: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class RuleSetVersion(Keyed, Stamped, Base):
    """The rules of one track in one version; its content never changes once frozen (a trigger holds it)."""

    __tablename__ = "rule_set"
    __table_args__ = (
        CheckConstraint(one_of("track", Track), name="track"),
        CheckConstraint("(frozen_at is null) = (digest is null)", name="frozen"),
    )

    track: Mapped[str]
    title_ru: Mapped[str]
    title_en: Mapped[str]
    content: Mapped[dict[str, Any]]
    digest: Mapped[str | None]
    frozen_at: Mapped[datetime | None]
    copied_from: Mapped[UUID | None] = mapped_column(ForeignKey("rule_set.id"))
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class Tender(Keyed, Stamped, Base):
    """A yearly tender. Its status follows from its instants (``tenders.rules.status``), never stored.

    ``question_days``: working days before the closing until which questions are taken. ``moved``: milestones
    that an amendment has put on another day, ``{code: ISO date}``; all others are counted (``tenders.schedule``).
    ``exceptions`` counts the exceptions from the closing; a trigger moves it, so that whoever waits for this
    row reads them anew. ``sealed``: applications stay sealed until two keepers open them (decision 20);
    ``unsealed_at`` is when the first of the two did so, and from then on nothing is taken any more.
    ``joint_limits``: limits over all tracks as JSON (:mod:`portal.tenders.joint_limits`), [] for none;
    ``joint_digest``: their digest, once they are frozen with the publication (a trigger holds it).
    """

    __tablename__ = "tender"
    __table_args__ = (
        CheckConstraint("opens_at is null or closes_at is null or opens_at < closes_at", name="intake"),
        CheckConstraint(
            "published_at is null or (opens_at is not null and closes_at is not null)",
            name="published_with_dates",
        ),
        CheckConstraint("(cancelled_at is null) = (cancel_reason is null)", name="cancelled"),
        CheckConstraint("question_days between 0 and 60", name="question_days"),
        CheckConstraint("unsealed_at is null or sealed", name="unsealed"),
        CheckConstraint(
            "(joint_digest is not null) = (published_at is not null and joint_limits <> '[]'::jsonb)",
            name="joint_limits",
        ),
        Index("ix_tender_closes", "closes_at"),
    )

    programme_id: Mapped[UUID] = mapped_column(ForeignKey("programme.id"), index=True)
    code: Mapped[str] = mapped_column(unique=True)
    year: Mapped[int]
    title_ru: Mapped[str]
    title_en: Mapped[str]
    notice_ru: Mapped[str] = mapped_column(default="")
    notice_en: Mapped[str] = mapped_column(default="")
    zone: Mapped[str] = mapped_column(default="Europe/Moscow")
    opens_at: Mapped[datetime | None]
    closes_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    results_published_at: Mapped[datetime | None]
    cancelled_at: Mapped[datetime | None]
    cancel_reason: Mapped[str | None]
    cancel_reason_en: Mapped[str | None]
    question_days: Mapped[int] = mapped_column(default=5, server_default="5")
    moved: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'::jsonb"))
    exceptions: Mapped[int] = mapped_column(default=0, server_default="0")
    sealed: Mapped[bool] = mapped_column(default=False, server_default="false")
    unsealed_at: Mapped[datetime | None]
    joint_limits: Mapped[list[Any]] = mapped_column(default=list, server_default=text("'[]'::jsonb"))
    joint_digest: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    @property
    def cancel_reasons(self) -> dict[str, str]:
        """Why it was cancelled, in both languages."""
        reason = self.cancel_reason or ""
        return {"ru": reason, "en": self.cancel_reason_en or reason}

    programme: Mapped[Programme] = relationship(lazy="raise")
    tracks: Mapped[list[TenderTrack]] = relationship(
        back_populates="tender", lazy="raise", order_by="TenderTrack.track"
    )


class TenderTrack(Keyed, Base):
    """A track of a tender with its rule set and the counter of its registration numbers."""

    __tablename__ = "tender_track"
    __table_args__ = (
        UniqueConstraint("tender_id", "track"),
        CheckConstraint(one_of("track", Track), name="track"),
        CheckConstraint("last_number >= 0", name="last_number"),
    )

    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"))
    track: Mapped[str]
    rule_set_id: Mapped[UUID] = mapped_column(ForeignKey("rule_set.id"), unique=True)
    last_number: Mapped[int] = mapped_column(default=0)

    tender: Mapped[Tender] = relationship(back_populates="tracks")
    rule_set: Mapped[RuleSetVersion] = relationship(lazy="raise")


class AmendmentKind(StrEnum):
    CHANGE = "change"
    CANCELLATION = "cancellation"


class Amendment(Keyed, Stamped, Base):
    """A published change of a published tender: numbered, dated, with its reason; never changed afterwards.

    ``changes`` is a list of ``{"what", "before", "after"}``: ``closes_at`` and ``cancelled_at`` hold instants,
    ``notice_ru`` and ``notice_en`` whole texts, ``milestone:CODE`` days; instants and days as ISO strings.
    """

    __tablename__ = "tender_amendment"
    __table_args__ = (
        UniqueConstraint("tender_id", "number"),
        CheckConstraint(one_of("kind", AmendmentKind), name="kind"),
        CheckConstraint("number >= 1", name="number"),
        CheckConstraint("btrim(reason_ru) <> '' and btrim(reason_en) <> ''", name="reasons"),
        CheckConstraint("jsonb_array_length(changes) > 0", name="changes"),
    )

    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"))
    number: Mapped[int]
    kind: Mapped[str]
    reason_ru: Mapped[str]
    reason_en: Mapped[str]
    changes: Mapped[list[Any]]
    made_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))

    tender: Mapped[Tender] = relationship(lazy="raise")


class Follow(Base):
    """A person who wants the letters of a tender without having an application in it."""

    __tablename__ = "tender_follow"
    __table_args__ = (Index("ix_tender_follow_user", "user_id"),)

    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.portal_now())


class QuestionState(StrEnum):
    """Where a question stands; a merged one is answered by another."""

    WAITING = "waiting"
    ANSWERED = "answered"
    DECLINED = "declined"
    MERGED = "merged"


class Subject(StrEnum):
    """What a question may be about."""

    RULE = "rule"
    DOCUMENT = "document"
    SECTION = "section"


class Question(Keyed, Stamped, Base):
    """A question about a tender. Who asked is never public; ``number`` is given with the first answer.

    ``text`` is what was typed, in ``locale``; the public wording stands in the answers. ``answers`` is the number
    of the present answer's version, ``draft`` what an officer has prepared and not published yet.
    """

    __tablename__ = "tender_question"
    __table_args__ = (
        UniqueConstraint("tender_id", "number"),
        CheckConstraint(one_of("state", QuestionState), name="state"),
        CheckConstraint("locale in ('ru', 'en')", name="locale"),
        CheckConstraint("btrim(text) <> ''", name="text"),
        CheckConstraint(f"about is null or {one_of('about', Subject)}", name="about"),
        CheckConstraint("(about is null) = (about_code is null)", name="about_code"),
        CheckConstraint("(state = 'answered') = (number is not null)", name="numbered"),
        CheckConstraint("(state = 'answered') = (answers > 0)", name="answers"),
        CheckConstraint("(state = 'merged') = (merged_into is not null) and merged_into <> id", name="merged"),
        CheckConstraint("(state = 'declined') = (decline_reason is not null)", name="declined"),
        Index("ix_tender_question_waiting", "created_at", "id", postgresql_where=text("state = 'waiting'")),
        Index("ix_tender_question_inbox", "created_at", "id"),
        Index("ix_tender_question_asker", "asked_by", "tender_id"),
        Index("ix_tender_question_merged", "merged_into", postgresql_where=text("merged_into is not null")),
    )

    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"))
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    locale: Mapped[str]
    text: Mapped[str]
    about: Mapped[str | None]
    about_code: Mapped[str | None]
    state: Mapped[str] = mapped_column(default=QuestionState.WAITING)
    number: Mapped[int | None]
    answers: Mapped[int] = mapped_column(default=0)
    draft: Mapped[dict[str, Any]] = mapped_column(default=dict)
    merged_into: Mapped[UUID | None] = mapped_column(ForeignKey("tender_question.id"))
    decline_reason: Mapped[str | None]
    handled_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    tender: Mapped[Tender] = relationship(lazy="raise")
    asker: Mapped[User] = relationship(lazy="raise")
    organisation: Mapped[Organisation] = relationship(lazy="raise")


class Answer(Keyed, Base):
    """A published answer with the public wording of its question; a correction is a new version, never a change."""

    __tablename__ = "tender_answer"
    __table_args__ = (
        UniqueConstraint("question_id", "version"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint(
            "btrim(question_ru) <> '' and btrim(question_en) <> ''"
            " and btrim(answer_ru) <> '' and btrim(answer_en) <> ''",
            name="both_languages",
        ),
    )

    question_id: Mapped[UUID] = mapped_column(ForeignKey("tender_question.id"))
    version: Mapped[int]
    question_ru: Mapped[str]
    question_en: Mapped[str]
    answer_ru: Mapped[str]
    answer_en: Mapped[str]
    answered_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    published_at: Mapped[datetime]


class CalendarFeed(Keyed, Stamped, Base):
    """A person's own calendar under a secret address; only the SHA-256 of its token is kept."""

    __tablename__ = "calendar_feed"
    __table_args__ = (
        CheckConstraint("length(token_hash) = 64", name="token_hash"),
        Index("uq_calendar_feed_live", "user_id", unique=True, postgresql_where=text("revoked_at is null")),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    token_hash: Mapped[str] = mapped_column(unique=True)
    revoked_at: Mapped[datetime | None]
