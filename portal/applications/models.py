"""The joint project: its application, the participants, what each typed, and the frozen submissions."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, select, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, column_property, mapped_column, relationship

from portal.clusters.models import Cluster
from portal.core.db import Base, Keyed, Stamped
from portal.core.money import Money
from portal.documents.models import StoredFile
from portal.identity.models import Organisation, User, one_of
from portal.tenders.models import Tender, TenderTrack, Track


class State(StrEnum):
    """States of an application (domain glossary): from the draft to the decision.

    ``sealed``: submitted in a sealed tender and not opened yet (decision 20).
    """

    DRAFT = "draft"
    SEALED = "sealed"
    SUBMITTED = "submitted"
    WITHDRAWN = "withdrawn"
    RETURNED = "returned"
    REJECTED = "rejected"
    EXPERTISE = "expertise"
    AWARDED = "awarded"
    RESERVE = "reserve"
    DECLINED = "declined"
    RENOUNCED = "renounced"


class ParticipantRole(StrEnum):
    INITIATOR = "initiator"
    PARTICIPANT = "participant"


class ParticipantState(StrEnum):
    INVITED = "invited"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    REMOVED = "removed"


class PartRole(StrEnum):
    """What a person may do for its organisation in one application; without a row it follows from the organisation.

    ``lead``: writes and gives these roles; ``editor``: writes; ``viewer``: reads; ``signatory``: writes and signs.
    """

    LEAD = "lead"
    EDITOR = "editor"
    VIEWER = "viewer"
    SIGNATORY = "signatory"


class Proof(StrEnum):
    """How a person showed, just before signing, to be that person.

    ``confirmation``: signed before the portal asked for it again (rows of earlier versions only).
    """

    WORD = "password"
    TOTP = "totp"
    CONFIRMATION = "confirmation"


class VoidReason(StrEnum):
    """Why a signature no longer holds. ``replaced``: the same side signed anew."""

    CHANGED = "changed"
    LEFT = "left"
    REPLACED = "replaced"


class LetterState(StrEnum):
    ASKED = "asked"
    SIGNED = "signed"
    REFUSED = "refused"


class Application(Keyed, Stamped, Base):
    """An application of one joint project on one track of a tender.

    Titles and the requested total repeat what the sections say, for the lists; they are written by the room's
    verbs together with the section. ``requested_total`` is in roubles. ``content_sha256`` is what a submitted one
    says (:mod:`portal.applications.submissions.twins`); an organisation says the same in a tender once. ``sealed``:
    of a sealed tender and never opened, so that the fund reads nothing of it, whatever its state.
    """

    if TYPE_CHECKING:
        letter: dict[str, Any] | None

    __tablename__ = "application"
    __table_args__ = (
        CheckConstraint(one_of("track", Track), name="track"),
        CheckConstraint(one_of("state", State), name="state"),
        CheckConstraint(
            "state in ('draft', 'withdrawn') or (number is not null and submission_id is not null"
            " and received_at is not null)",
            name="registered",
        ),
        CheckConstraint("(state = 'returned') = (correction_due is not null)", name="correction_due"),
        CheckConstraint(
            "state != 'sealed' or (sealed and title_ru = '' and title_en = '' and requested_total is null)",
            name="sealed",
        ),
        CheckConstraint("not sealed or state in ('draft', 'sealed', 'withdrawn')", name="sealed_state"),
        Index("ix_application_staff", "tender_id", "received_at", "id"),
        Index("ix_application_staff_state", "tender_id", "state", "received_at", "id"),
        Index("ix_application_received", "received_at", "id"),
        Index("ix_application_number_prefix", text("number text_pattern_ops")),
        Index("ix_application_title_ru_prefix", text("lower(title_ru) text_pattern_ops")),
        Index("ix_application_title_en_prefix", text("lower(title_en) text_pattern_ops")),
        Index("ix_application_initiator", "initiator_id"),
        Index(
            "ix_application_in_play",
            "tender_track_id",
            "id",
            postgresql_where=text("state in ('submitted', 'returned', 'expertise')"),
        ),
        Index("uq_application_content", "tender_id", "initiator_id", "content_sha256", unique=True),
    )

    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"))
    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"), index=True)
    track: Mapped[str]
    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), index=True)
    initiator_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    state: Mapped[str] = mapped_column(default=State.DRAFT)
    number: Mapped[str | None] = mapped_column(unique=True)
    title_ru: Mapped[str] = mapped_column(default="")
    title_en: Mapped[str] = mapped_column(default="")
    requested_total: Mapped[Decimal | None] = mapped_column(Money)
    received_at: Mapped[datetime | None]
    submission_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("submission.id", use_alter=True, name="fk_application_submission_id")
    )
    correction_due: Mapped[date | None]
    content_sha256: Mapped[str | None]
    sealed: Mapped[bool] = mapped_column(default=False, server_default="false")
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    tender: Mapped[Tender] = relationship(lazy="raise")
    tender_track: Mapped[TenderTrack] = relationship(lazy="raise")
    cluster: Mapped[Cluster] = relationship(lazy="raise")
    initiator: Mapped[Organisation] = relationship(lazy="raise")
    submission: Mapped[Submission | None] = relationship(lazy="raise", foreign_keys=[submission_id])
    participants: Mapped[list[Participant]] = relationship(
        back_populates="application", lazy="raise", order_by="Participant.id"
    )


class Participant(Keyed, Stamped, Base):
    """An organisation's part in a joint project."""

    if TYPE_CHECKING:
        grants: dict[str, str] | None

    __tablename__ = "participant"
    __table_args__ = (
        UniqueConstraint("application_id", "organisation_id"),
        CheckConstraint(one_of("role", ParticipantRole), name="role"),
        CheckConstraint(one_of("state", ParticipantState), name="state"),
        CheckConstraint("state != 'invited' or expires_at is not null", name="invited_until"),
        CheckConstraint(
            "lead_offered_at is null or (state = 'accepted' and role = 'participant')", name="lead_offered"
        ),
        CheckConstraint("resent between 0 and 3", name="resent"),
        Index(
            "uq_participant_initiator",
            "application_id",
            unique=True,
            postgresql_where=text("role = 'initiator'"),
        ),
        Index("ix_participant_organisation", "organisation_id"),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    role: Mapped[str]
    state: Mapped[str]
    invited_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    responded_at: Mapped[datetime | None]
    responded_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    expires_at: Mapped[datetime | None]
    resent: Mapped[int] = mapped_column(default=0)
    decline_reason: Mapped[str | None]
    lead_offered_at: Mapped[datetime | None]

    application: Mapped[Application] = relationship(back_populates="participants")
    organisation: Mapped[Organisation] = relationship(lazy="raise")


class PartGrant(Keyed, Stamped, Base):
    """A person's role in its organisation's part of one application, other than its role there would give."""

    __tablename__ = "part_grant"
    __table_args__ = (
        UniqueConstraint("participant_id", "user_id"),
        CheckConstraint(one_of("role", PartRole), name="role"),
        Index("ix_part_grant_user", "user_id"),
    )

    participant_id: Mapped[UUID] = mapped_column(ForeignKey("participant.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    role: Mapped[str]
    granted_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))


Participant.grants = column_property(  # type: ignore[assignment]
    select(func.json_object_agg(PartGrant.user_id, PartGrant.role))
    .where(PartGrant.participant_id == Participant.id)
    .correlate_except(PartGrant)
    .scalar_subquery()
)
"""User's key -> role, read with the participant itself: no query more, and always as it is now."""


class Section(Keyed, Base):
    """What was typed into one section, as typed: a draft keeps anything, the rules read typed values from it.

    ``data`` maps field names to strings, ``stamps`` those changed since to who changed them last and when
    (``{"by": …, "at": …}``). ``participant_id`` is null for the sections of the project as a whole.
    """

    __tablename__ = "section"
    __table_args__ = (
        Index(
            "uq_section_place",
            "application_id",
            text("coalesce(participant_id, '00000000-0000-0000-0000-000000000000'::uuid)"),
            "name",
            unique=True,
        ),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    participant_id: Mapped[UUID | None] = mapped_column(ForeignKey("participant.id"))
    name: Mapped[str]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    stamps: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default=text("'{}'"))
    saved_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    saved_at: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class Presence(Base):
    """That a person has a section open for writing: a beat every few seconds, worth nothing after a minute.

    Unlogged: a crash of the database empties it, and the next beats fill it again. ``place`` is the
    participant's key, or "", and the section's name, with a colon between.
    """

    __tablename__ = "presence"
    __table_args__ = ({"prefixes": ["UNLOGGED"]},)

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id", ondelete="CASCADE"), primary_key=True)
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id", ondelete="CASCADE"))
    seen_at: Mapped[datetime]


class Attachment(Keyed, Stamped, Base):
    """A file given as a document (``DOC-02``) or as the answer to a question of the tender (``Q-01``).

    Removed ones stay, because submissions refer to them. A file and what replaced it are a series; its id is
    that of the first one.
    """

    __tablename__ = "attachment"
    __table_args__ = (
        CheckConstraint("code ~ '^(DOC|Q)-[0-9]{2}$'", name="code"),
        CheckConstraint("version >= 1", name="version"),
        UniqueConstraint("series_id", "version"),
        Index("ix_attachment_application", "application_id", "code"),
        Index("uq_attachment_current", "series_id", unique=True, postgresql_where=text("removed_at is null")),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    participant_id: Mapped[UUID | None] = mapped_column(ForeignKey("participant.id"))
    code: Mapped[str]
    file_id: Mapped[UUID] = mapped_column(ForeignKey("stored_file.id"), index=True)
    issued_on: Mapped[date | None]
    series_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    added_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    removed_at: Mapped[datetime | None]
    removed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))

    file: Mapped[StoredFile] = relationship(lazy="raise")


class Correction(StrEnum):
    """How a participant answers a request for correction."""

    CHANGED = "changed"
    EXPLAINED = "explained"


class CorrectionRequest(Keyed, Stamped, Base):
    """One thing that the officer asks to correct in a returned submission, bound to the place it is about.

    ``field`` is a place as :func:`portal.applications.drafts.sections.place_of` reads it: a field, a row of a table, a
    document, or a whole section. ``participant_id`` repeats whose part that is, for the right to answer.
    """

    __tablename__ = "correction_request"
    __table_args__ = (
        UniqueConstraint("submission_id", "field"),
        CheckConstraint("length(note) > 0", name="note"),
        CheckConstraint(one_of("answer", Correction), name="answer"),
        CheckConstraint(
            "(answer is null) = (answered_at is null) and (answered_at is null) = (answered_by is null)",
            name="answered",
        ),
        CheckConstraint("answer is distinct from 'explained' or length(explanation) > 0", name="explained"),
        Index("ix_correction_request_application", "application_id", "position"),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"))
    participant_id: Mapped[UUID | None] = mapped_column(ForeignKey("participant.id"))
    field: Mapped[str]
    position: Mapped[int]
    note: Mapped[str]
    answer: Mapped[str | None]
    explanation: Mapped[str] = mapped_column(default="")
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))


class Thread(Stamped, Base):
    """The correspondence of one application between its participants and the fund's officers.

    ``waiting_since``: when the oldest unanswered message of the participants came; null when it is the fund's word.
    """

    __tablename__ = "application_thread"
    __table_args__ = (
        CheckConstraint("(closed_at is null) = (closed_by is null)", name="closed"),
        CheckConstraint("closed_at is null or waiting_since is null", name="closed_waits_for_nothing"),
        Index("ix_application_thread_last", "last_at", "application_id"),
        Index(
            "ix_application_thread_waiting",
            "last_at",
            "application_id",
            postgresql_where=text("waiting_since is not null"),
        ),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"), primary_key=True)
    last_at: Mapped[datetime]
    waiting_since: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))

    application: Mapped[Application] = relationship(lazy="raise")


class ThreadMessage(Keyed, Stamped, Base):
    """One message; append-only by trigger. ``organisation_id`` is null for the fund's own."""

    __tablename__ = "application_message"
    __table_args__ = (
        CheckConstraint("length(text) > 0", name="text"),
        Index("ix_application_message_thread", "application_id", "id"),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application_thread.application_id"))
    author_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    organisation_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisation.id"))
    text: Mapped[str]
    file_id: Mapped[UUID | None] = mapped_column(ForeignKey("stored_file.id"))

    author: Mapped[User] = relationship(lazy="raise")
    organisation: Mapped[Organisation | None] = relationship(lazy="raise")
    file: Mapped[StoredFile | None] = relationship(lazy="raise")


class Export(Keyed, Stamped, Base):
    """The whole application as a ZIP: made in the background, kept for some days, for the person who asked.

    ``submission_id`` is null for the draft as it is. ``made_key`` names the file once it is made.
    """

    __tablename__ = "application_export"
    __table_args__ = (
        CheckConstraint("locale in ('ru', 'en')", name="locale"),
        CheckConstraint(
            "(made_key is null) = (made_at is null) and (made_at is null) = (size is null)"
            " and (size is null) = (sha256 is null)",
            name="made",
        ),
        Index("ix_application_export_person", "requested_by", "id"),
        Index("ix_application_export_expires", "expires_at"),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"), index=True)
    submission_id: Mapped[UUID | None] = mapped_column(ForeignKey("submission.id"))
    requested_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    locale: Mapped[str]
    task_id: Mapped[UUID | None]
    name: Mapped[str]
    made_key: Mapped[str | None]
    made_at: Mapped[datetime | None]
    size: Mapped[int | None]
    sha256: Mapped[str | None]
    expires_at: Mapped[datetime]


class Submission(Keyed, Base):
    """A frozen version of an application: what was submitted, when by the database's clock, and its SHA-256.

    Immutable by trigger, but for ``withdrawn_at``. ``snapshot`` is the package, ``sha256`` of its canonical JSON.
    Of a sealed application the snapshot is empty until it is opened; it is then written, once.
    """

    __tablename__ = "submission"
    __table_args__ = (
        UniqueConstraint("application_id", "round"),
        CheckConstraint("length(sha256) = 64", name="sha256"),
        CheckConstraint("round >= 1", name="round"),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"), index=True)
    round: Mapped[int]
    number: Mapped[str]
    received_at: Mapped[datetime]
    submitted_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    snapshot: Mapped[dict[str, Any]]
    sha256: Mapped[str]
    withdrawn_at: Mapped[datetime | None]

    application: Mapped[Application] = relationship(foreign_keys=[application_id], lazy="raise")


class Signature(Keyed, Base):
    """A signature under one exact scope of an application; append-only by trigger.

    ``participant_id`` is null for the specialised organisation's letter of fit.
    ``scope`` is what was signed, part by part; ``manifest`` lists the SHA-256 of each part, and ``digest`` is that
    of the manifest's canonical JSON. ``file`` is a detached CMS signature over that JSON, if one was given, and
    ``cms`` what it proved.
    """

    __tablename__ = "signature"
    __table_args__ = (
        CheckConstraint(one_of("proof", Proof), name="proof"),
        CheckConstraint("length(digest) = 64", name="digest"),
        CheckConstraint("(file is null) = (cms is null) and (file is null) = (file_sha256 is null)", name="cms"),
        CheckConstraint("length(file) <= 131072", name="file_size"),
        Index("ix_signature_application", "application_id", "participant_id", "id"),
        Index("ix_signature_organisation", "organisation_id"),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    participant_id: Mapped[UUID | None] = mapped_column(ForeignKey("participant.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    digest: Mapped[str]
    scope: Mapped[dict[str, Any]]
    manifest: Mapped[dict[str, Any]]
    proof: Mapped[str]
    signed_at: Mapped[datetime]
    signed_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    file: Mapped[bytes | None] = mapped_column(deferred=True)
    file_sha256: Mapped[str | None]
    cms: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    signer: Mapped[User] = relationship(lazy="raise")
    void: Mapped[SignatureVoid | None] = relationship(back_populates="signature", lazy="raise", uselist=False)


class SignatureVoid(Keyed, Base):
    """The end of a signature: when, by whose doing, and what had changed; append-only by trigger.

    ``changes``: ``[{"path": "participant.<id>.costs.CC-01.2018", "before": ..., "after": ...}]``.
    """

    __tablename__ = "signature_void"
    __table_args__ = (CheckConstraint(one_of("reason", VoidReason), name="reason"),)

    signature_id: Mapped[UUID] = mapped_column(ForeignKey("signature.id"), unique=True)
    reason: Mapped[str]
    voided_at: Mapped[datetime]
    voided_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    author: Mapped[str]
    changes: Mapped[list[Any]]

    signature: Mapped[Signature] = relationship(back_populates="void")


class DeadlineException(Keyed, Stamped, Base):
    """A later closing for one application, or for all of one initiator in a tender; or the revocation of such a row.

    Rows are never changed or deleted. A trigger holds that a grant is later than the tender's closing and that its
    application belongs to the tender, and touches the tender's row, so that a submission that waits for it decides
    by what stands after the wait (``dossier.intake_open``).
    """

    __tablename__ = "deadline_exception"
    __table_args__ = (
        CheckConstraint("num_nonnulls(application_id, organisation_id) = 1", name="for_one"),
        CheckConstraint("(revokes_id is null) = (closes_at is not null)", name="grant_or_revocation"),
        CheckConstraint("btrim(reason) <> ''", name="reason"),
        Index("ix_deadline_exception_tender", "tender_id", "created_at", "id"),
        Index("ix_deadline_exception_application", "application_id"),
        Index("ix_deadline_exception_organisation", "organisation_id"),
    )

    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"))
    application_id: Mapped[UUID | None] = mapped_column(ForeignKey("application.id"))
    organisation_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisation.id"))
    closes_at: Mapped[datetime | None]
    reason: Mapped[str]
    granted_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    revokes_id: Mapped[UUID | None] = mapped_column(ForeignKey("deadline_exception.id"), unique=True)

    application: Mapped[Application | None] = relationship(lazy="raise")
    organisation: Mapped[Organisation | None] = relationship(lazy="raise")
    granter: Mapped[User] = relationship(lazy="raise")


class FitLetter(Keyed, Base):
    """A request for the specialised organisation's letter of fit (EL-04, DOC-09), and its answer.

    One request is open at a time. A signed one has its signature; whether that still holds is computed from it.
    """

    __tablename__ = "fit_letter"
    __table_args__ = (
        CheckConstraint(one_of("state", LetterState), name="state"),
        CheckConstraint("(state = 'asked') = (answered_at is null)", name="answered"),
        CheckConstraint("(state = 'signed') = (signature_id is not null)", name="signed"),
        CheckConstraint("(state = 'refused') = (reason is not null)", name="refused"),
        Index("uq_fit_letter_open", "application_id", unique=True, postgresql_where=text("state = 'asked'")),
        Index("ix_fit_letter_application", "application_id", "id"),
        Index("ix_fit_letter_due", "organisation_id", "state", "id"),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    state: Mapped[str]
    asked_at: Mapped[datetime]
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    answered_at: Mapped[datetime | None]
    answered_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    reason: Mapped[str | None]
    signature_id: Mapped[UUID | None] = mapped_column(ForeignKey("signature.id"))

    application: Mapped[Application] = relationship(lazy="raise")
    organisation: Mapped[Organisation] = relationship(lazy="raise")


Application.letter = column_property(  # type: ignore[assignment]
    select(
        func.json_build_object(
            "signature",
            Signature.id,
            "digest",
            Signature.digest,
            "signed_at",
            Signature.signed_at,
            "scope",
            Signature.scope,
            "manifest",
            Signature.manifest,
        )
    )
    .outerjoin(SignatureVoid, SignatureVoid.signature_id == Signature.id)
    .where(
        Signature.application_id == Application.id,
        Signature.participant_id.is_(None),
        SignatureVoid.id.is_(None),
    )
    .order_by(Signature.signed_at.desc())
    .limit(1)
    .correlate(Application)
    .scalar_subquery(),
    deferred=True,
)
"""The live signature under the letter of fit, read with the dossier; None where there is none."""
