"""The keepers of a sealed tender, and their keys for it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed, Stamped
from portal.core.sealing import Locked
from portal.identity.models import User
from portal.tenders.models import Tender


class SealKey(Keyed, Stamped, Base):
    """A keeper of a tender, and the key that it has made for it: X25519, the private half under a passphrase.

    ``place`` 1 and 2 are the two officers, 3 is the reserve; any two open. ``given`` is the private half once the
    keeper has opened with it, which triggers allow after the closing only. A key is never replaced once an
    application is sealed with it.
    """

    __tablename__ = "seal_key"
    __table_args__ = (
        UniqueConstraint("tender_id", "place"),
        UniqueConstraint("tender_id", "user_id"),
        CheckConstraint("place between 1 and 3", name="place"),
        CheckConstraint(
            "num_nulls(public, salt, private, made_at) in (0, 4) and length(public) = 32 and length(salt) = 16",
            name="made",
        ),
        CheckConstraint("(given is null) = (given_at is null) and (given is null or length(given) = 32)", name="given"),
        Index("ix_seal_key_user", "user_id"),
    )

    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"))
    place: Mapped[int]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    public: Mapped[bytes | None]
    salt: Mapped[bytes | None]
    private: Mapped[bytes | None] = mapped_column(deferred=True)
    made_at: Mapped[datetime | None]
    given: Mapped[bytes | None] = mapped_column(deferred=True)
    given_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    tender: Mapped[Tender] = relationship(lazy="raise")
    keeper: Mapped[User] = relationship(lazy="raise")

    @property
    def locked(self) -> Locked:
        """The private half under the passphrase, of a key that has been made."""
        assert self.salt is not None
        assert self.private is not None
        return Locked(self.salt, self.private)
