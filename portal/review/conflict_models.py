"""Ties of the fund's people to organisations, owners of organisations, and the conflicts of interest that follow."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.applications.models import Application
from portal.core.db import Base, Keyed, Stamped
from portal.identity.models import User, one_of


class TieKind(StrEnum):
    """What ties a person to an organisation. Employment with a last day in the past is former employment."""

    EMPLOYMENT = "employment"
    OWNERSHIP = "ownership"
    CONTRACT = "contract"
    FAMILY = "family"
    OTHER = "other"


class Strength(StrEnum):
    """Hard bars a person from an application; soft is for the officer to decide."""

    HARD = "hard"
    SOFT = "soft"


class Ruling(StrEnum):
    """What an officer decided about a soft conflict."""

    WAIVED = "waived"
    UPHELD = "upheld"


class PersonTie(Keyed, Stamped, Base):
    """A tie of a person of the fund to an organisation, declared by the person or entered by an officer.

    ``share``: per cent, of an owner only. ``source``: what an officer's entry rests on. A tie is never deleted: it
    ends on a day, or is struck out with a reason when it was entered by mistake (trigger).
    """

    __tablename__ = "person_tie"
    __table_args__ = (
        CheckConstraint("inn ~ '^([0-9]{10}|[0-9]{12})$'", name="inn"),
        CheckConstraint(one_of("kind", TieKind), name="kind"),
        CheckConstraint("(kind = 'ownership') = (share is not null)", name="share_of_owner"),
        CheckConstraint("share > 0 and share <= 100", name="share"),
        CheckConstraint("until is null or since is null or until >= since", name="dates"),
        CheckConstraint("declared_by = user_id or length(source) > 0", name="source"),
        CheckConstraint(
            "(struck_at is null) = (struck_by is null) and (struck_at is null) = (strike_reason is null)",
            name="struck",
        ),
        Index("ix_person_tie_user", "user_id"),
        Index("ix_person_tie_inn", "inn"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    inn: Mapped[str]
    name: Mapped[str]
    kind: Mapped[str]
    share: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    since: Mapped[date | None]
    until: Mapped[date | None]
    note: Mapped[str] = mapped_column(default="")
    source: Mapped[str] = mapped_column(default="")
    declared_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    struck_at: Mapped[datetime | None]
    struck_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    strike_reason: Mapped[str | None]

    user: Mapped[User] = relationship(lazy="raise", foreign_keys=[user_id])
    declarer: Mapped[User] = relationship(lazy="raise", foreign_keys=[declared_by])


class OrganisationOwner(Keyed, Stamped, Base):
    """An organisation owns a share (per cent) of another, entered by an officer from a named source."""

    __tablename__ = "organisation_owner"
    __table_args__ = (
        CheckConstraint("owner_inn ~ '^([0-9]{10}|[0-9]{12})$'", name="owner_inn"),
        CheckConstraint("owned_inn ~ '^([0-9]{10}|[0-9]{12})$'", name="owned_inn"),
        CheckConstraint("owner_inn <> owned_inn", name="parties"),
        CheckConstraint("share > 0 and share <= 100", name="share"),
        CheckConstraint("length(source) > 0", name="source"),
        CheckConstraint(
            "(struck_at is null) = (struck_by is null) and (struck_at is null) = (strike_reason is null)",
            name="struck",
        ),
        Index(
            "uq_organisation_owner_live",
            "owner_inn",
            "owned_inn",
            unique=True,
            postgresql_where=text("struck_at is null"),
        ),
    )

    owner_inn: Mapped[str]
    owner_name: Mapped[str]
    owned_inn: Mapped[str]
    owned_name: Mapped[str]
    share: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    source: Mapped[str]
    entered_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    struck_at: Mapped[datetime | None]
    struck_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    strike_reason: Mapped[str | None]


class ConflictRow(Keyed, Stamped, Base):
    """A conflict of interest of a person with an application, as the graph shows it (:mod:`portal.review.conflicts`).

    ``paths``: up to three, the strongest first, each a list of :meth:`portal.review.conflicts.Edge.as_json`;
    ``digest`` covers strength and paths: when it changes, a decision of the officer falls. ``ended_at``: the graph
    does not show it any more.
    """

    __tablename__ = "conflict"
    __table_args__ = (
        UniqueConstraint("user_id", "application_id"),
        CheckConstraint(one_of("strength", Strength), name="strength"),
        CheckConstraint(f"ruling is null or {one_of('ruling', Ruling)}", name="ruling"),
        CheckConstraint(
            "(ruling is null) = (ruled_at is null) and (ruling is null) = (ruled_by is null)", name="ruled"
        ),
        CheckConstraint("ruling is null or (strength = 'soft' and length(reason) > 0)", name="only_soft_is_ruled"),
        Index("ix_conflict_application", "application_id"),
        Index("ix_conflict_list", "id", postgresql_where=text("ended_at is null")),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    strength: Mapped[str]
    paths: Mapped[list[Any]]
    digest: Mapped[str]
    computed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ruling: Mapped[str | None]
    reason: Mapped[str] = mapped_column(default="")
    ruled_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    ruled_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    user: Mapped[User] = relationship(lazy="raise", foreign_keys=[user_id])
    application: Mapped[Application] = relationship(lazy="raise")
    ruler: Mapped[User | None] = relationship(lazy="raise", foreign_keys=[ruled_by])

    @property
    def bars(self) -> bool:
        """Whether it keeps the person from the application: hard, or soft and upheld by an officer."""
        return self.ended_at is None and (self.strength == Strength.HARD or self.ruling == Ruling.UPHELD)
