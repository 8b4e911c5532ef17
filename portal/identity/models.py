"""People, organisations, and who may act for whom."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from flask_security.core import UserMixin
from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Numeric, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed, Stamped
from portal.core.money import Money


class Role(StrEnum):
    """Roles of the fund's own people. Members of organisations have :class:`OrgRole` instead."""

    ADMINISTRATOR = "administrator"
    OFFICER = "officer"
    REVIEWER = "reviewer"
    CHAIR = "chair"
    COMMISSION = "commission"
    AUDITOR = "auditor"
    DIRECTOR = "director"
    FINANCE = "finance"


class OrgRole(StrEnum):
    """What a person may do for an organisation; an owner may do all of it."""

    OWNER = "owner"
    SIGNATORY = "signatory"
    EDITOR = "editor"
    VIEWER = "viewer"


def one_of(column: str, values: type[StrEnum]) -> str:
    """The text of a CHECK that a column holds one of the enum's values (or is null)."""
    return f"{column} in ({', '.join(repr(str(v.value)) for v in values)})"


class User(Keyed, Stamped, UserMixin, Base):  # type: ignore[misc]
    """A person who signs in.

    ``fs_uniquifier`` changes with password, roles and block, which ends all sessions; ``totp_counter`` is the
    time step of the last code, so that none is taken twice.
    """

    __tablename__ = "user_account"
    __table_args__ = (
        Index("uq_user_account_email", func.lower(text("email")), unique=True),
        CheckConstraint("locale in ('ru', 'en')", name="locale"),
    )

    email: Mapped[str]
    password: Mapped[str | None]
    full_name: Mapped[str] = mapped_column(default="", server_default="")
    locale: Mapped[str] = mapped_column(default="ru", server_default="ru")
    active: Mapped[bool] = mapped_column(default=True)
    fs_uniquifier: Mapped[str] = mapped_column(unique=True)
    confirmed_at: Mapped[datetime | None]
    tf_primary_method: Mapped[str | None]
    tf_totp_secret: Mapped[str | None]
    totp_counter: Mapped[int | None]
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(JSONB))
    us_phone_number: Mapped[str | None]
    tf_phone_number: Mapped[str | None]

    grants: Mapped[list[RoleGrant]] = relationship(
        back_populates="user", foreign_keys="RoleGrant.user_id", lazy="raise", order_by="RoleGrant.role"
    )
    memberships: Mapped[list[Membership]] = relationship(
        back_populates="user", foreign_keys="Membership.user_id", lazy="raise"
    )

    @property
    def roles(self) -> list[Any]:  # type: ignore[override]
        """What Flask-Security asks for; the portal's own rights are in the policy."""
        return []


class RoleGrant(Keyed, Stamped, Base):
    """A role of the fund given to a person, by whom and when; taken back by deleting the row (audited)."""

    __tablename__ = "role_grant"
    __table_args__ = (UniqueConstraint("user_id", "role"), CheckConstraint(one_of("role", Role), name="role"))

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    role: Mapped[str]
    granted_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))

    user: Mapped[User] = relationship(back_populates="grants", foreign_keys=[user_id])


class Organisation(Keyed, Stamped, Base):
    """A legal entity or entrepreneur, one row per INN and KPP."""

    __tablename__ = "organisation"
    __table_args__ = (
        Index("uq_organisation_inn_kpp", "inn", text("coalesce(kpp, '')"), unique=True),
        CheckConstraint("inn ~ '^([0-9]{10}|[0-9]{12})$'", name="inn"),
        CheckConstraint("kpp is null or kpp ~ '^[0-9]{4}[0-9A-Z]{2}[0-9]{3}$'", name="kpp"),
        CheckConstraint("ogrn ~ '^([0-9]{13}|[0-9]{15})$'", name="ogrn"),
        CheckConstraint("(length(inn) = 10) = (kpp is not null)", name="kpp_of_legal_entity"),
        CheckConstraint("sme in ('micro', 'small', 'medium', 'none')", name="sme"),
        CheckConstraint("offshore_share between 0 and 100", name="offshore_share"),
        CheckConstraint("state_share between 0 and 100", name="state_share"),
        CheckConstraint("large_share between 0 and 100", name="large_share"),
    )

    inn: Mapped[str]
    kpp: Mapped[str | None]
    ogrn: Mapped[str]
    okved2: Mapped[str]
    region: Mapped[str]
    name_ru: Mapped[str]
    name_en: Mapped[str]
    sme: Mapped[str] = mapped_column(default="none")
    headcount: Mapped[int | None]
    income: Mapped[Decimal | None] = mapped_column(Money)
    offshore_share: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    state_share: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    large_share: Mapped[Decimal | None] = mapped_column(Numeric(5, 2))
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    members: Mapped[list[Membership]] = relationship(back_populates="organisation", lazy="raise")


class Membership(Keyed, Stamped, Base):
    """A person acts for an organisation in a role."""

    __tablename__ = "membership"
    __table_args__ = (
        UniqueConstraint("user_id", "organisation_id"),
        CheckConstraint(one_of("role", OrgRole), name="role"),
        Index("ix_membership_organisation", "organisation_id"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    role: Mapped[str]

    user: Mapped[User] = relationship(back_populates="memberships", foreign_keys=[user_id])
    organisation: Mapped[Organisation] = relationship(back_populates="members")


class Invitation(Keyed, Stamped, Base):
    """An invitation by mail to act for an organisation, used once; only the hash of its token is kept."""

    __tablename__ = "invitation"
    __table_args__ = (
        CheckConstraint(one_of("role", OrgRole), name="role"),
        CheckConstraint("(accepted_at is null) = (accepted_by is null)", name="accepted"),
        Index("ix_invitation_organisation", "organisation_id"),
    )

    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    email: Mapped[str]
    role: Mapped[str]
    token_hash: Mapped[str] = mapped_column(unique=True)
    invited_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    accepted_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    withdrawn_at: Mapped[datetime | None]

    organisation: Mapped[Organisation] = relationship(lazy="raise")


class UserSession(Base):
    """A browser's session, kept on the server; the cookie holds a token whose SHA-256 is the key."""

    __tablename__ = "user_session"

    token_hash: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    data: Mapped[bytes] = mapped_column(LargeBinary)
    agent: Mapped[str] = mapped_column(default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime] = mapped_column(index=True)
