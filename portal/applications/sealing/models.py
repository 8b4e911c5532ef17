"""Sealed submissions, and the opening of a tender's."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.applications.models import Submission
from portal.core.db import Base
from portal.identity.models import one_of


class SealEnd(StrEnum):
    """What became of a sealed submission."""

    OPENED = "opened"
    WITHDRAWN = "withdrawn"


class Fault(StrEnum):
    """Why a submission could not be opened."""

    KEY = "key"
    CONTENT = "content"
    DIGEST = "digest"
    SIGNATURE = "signature"
    FILE = "file"


class Seal(Base):
    """A submission's content under its own key (:mod:`portal.applications.sealing.vault`).

    ``wraps`` holds the key for each pair of keepers (base64), ``own_salt`` and ``own_key`` for the applicants'
    password. ``vault`` is the ciphertext, gone once it is opened or withdrawn; ``vault_sha256`` and ``size`` are of it.
    ``fault`` says why the last try to open failed, ``fault_at`` which file it was.
    """

    __tablename__ = "seal"
    __table_args__ = (
        CheckConstraint(one_of("ended", SealEnd), name="ended"),
        CheckConstraint(one_of("fault", Fault), name="fault"),
        CheckConstraint("(ended is null) = (ended_at is null) and (ended is null) = (vault is not null)", name="end"),
        CheckConstraint("ended is null or (wraps = '{}' and own_key is null and fault is null)", name="keys_gone"),
        CheckConstraint("length(vault_sha256) = 64", name="vault_sha256"),
        Index("ix_seal_application", "application_id"),
        Index("ix_seal_tender", "tender_id", "number"),
    )

    submission_id: Mapped[UUID] = mapped_column(ForeignKey("submission.id"), primary_key=True)
    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"))
    track: Mapped[str]
    number: Mapped[str]
    sealed_at: Mapped[datetime]
    wraps: Mapped[dict[str, Any]]
    own_salt: Mapped[bytes]
    own_key: Mapped[bytes | None]
    vault: Mapped[bytes | None] = mapped_column(deferred=True)
    vault_sha256: Mapped[str]
    size: Mapped[int]
    fault: Mapped[str | None]
    fault_at: Mapped[str | None]
    ended: Mapped[str | None]
    ended_at: Mapped[datetime | None]

    submission: Mapped[Submission] = relationship(lazy="raise")


class SealOpening(Base):
    """The opening of a sealed tender's applications: begun by the second keeper, done by a task.

    ``tries`` counts how often it was begun, again after a repair too.
    """

    __tablename__ = "seal_opening"
    __table_args__ = (
        CheckConstraint("tries >= 1", name="tries"),
        CheckConstraint("finished_at >= begun_at", name="finished"),
    )

    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"), primary_key=True)
    begun_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=1)
    task_id: Mapped[UUID | None]
