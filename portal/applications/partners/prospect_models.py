"""Organisations that are asked into a project before they belong to its cluster."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.applications.models import Application
from portal.core.db import Base, Keyed, Stamped
from portal.identity.models import one_of


class ProspectState(StrEnum):
    """``invited``: it has become a participant's invitation; ``stopped``: it could not, ``reason`` says why."""

    WAITING = "waiting"
    INVITED = "invited"
    WITHDRAWN = "withdrawn"
    STOPPED = "stopped"


class Prospect(Keyed, Stamped, Base):
    """An organisation, known by its INN, that the initiator wants in its project; waiting until it is a member."""

    __tablename__ = "prospect"
    __table_args__ = (
        CheckConstraint(one_of("state", ProspectState), name="state"),
        CheckConstraint("inn ~ '^([0-9]{10}|[0-9]{12})$'", name="inn"),
        CheckConstraint("(state = 'stopped') = (reason is not null)", name="stopped_with_reason"),
        CheckConstraint("(state = 'waiting') = (ended_at is null)", name="ended"),
        Index("uq_prospect_waiting", "application_id", "inn", unique=True, postgresql_where=text("state = 'waiting'")),
        Index("ix_prospect_inn", "inn", "state"),
        Index("ix_prospect_email", text("lower(email)")),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    inn: Mapped[str]
    email: Mapped[str]
    note: Mapped[str]
    invited_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    state: Mapped[str] = mapped_column(default=ProspectState.WAITING)
    reason: Mapped[dict[str, Any] | None]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

    application: Mapped[Application] = relationship(lazy="raise")
