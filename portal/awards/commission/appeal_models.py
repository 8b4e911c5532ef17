"""An applicant's appeal against a published decision, and what became of it. A trigger keeps text and ends."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.applications.models import Application
from portal.awards.models import AwardDecision
from portal.core.db import Base, Keyed
from portal.identity.models import User, one_of


class AppealState(StrEnum):
    """``inadmissible``: not looked into, because it is not against the decision; ``dismissed``: unfounded."""

    FILED = "filed"
    ADMITTED = "admitted"
    INADMISSIBLE = "inadmissible"
    UPHELD = "upheld"
    DISMISSED = "dismissed"


class Appeal(Keyed, Base):
    """One appeal of an application against one decision; others than its drafter and signers decide."""

    __tablename__ = "appeal"
    __table_args__ = (
        UniqueConstraint("application_id", "decision_id"),
        CheckConstraint(one_of("state", AppealState), name="state"),
        CheckConstraint("text <> ''", name="text"),
        CheckConstraint("filed_at < due_at", name="in_time"),
        CheckConstraint(
            "(examined_by is null) = (state = 'filed') and (examined_at is null) = (examined_by is null)"
            " and (examined_by is null) = (examination is null)",
            name="examined",
        ),
        CheckConstraint(
            "(decided_by is null) = (state not in ('upheld', 'dismissed'))"
            " and (decided_at is null) = (decided_by is null) and (decided_by is null) = (ruling is null)",
            name="decided",
        ),
        Index("ix_appeal_filed", "filed_at", "id"),
        Index("ix_appeal_decision", "decision_id"),
    )

    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    decision_id: Mapped[UUID] = mapped_column(ForeignKey("award_decision.id"))
    text: Mapped[str]
    filed_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    filed_at: Mapped[datetime]
    due_at: Mapped[datetime]
    state: Mapped[str] = mapped_column(default=AppealState.FILED)
    examined_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    examined_at: Mapped[datetime | None]
    examination: Mapped[str | None]
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    decided_at: Mapped[datetime | None]
    ruling: Mapped[str | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    application: Mapped[Application] = relationship(lazy="raise")
    decision: Mapped[AwardDecision] = relationship(lazy="raise")
    filer: Mapped[User] = relationship(lazy="raise", foreign_keys=[filed_by])
    examiner: Mapped[User | None] = relationship(lazy="raise", foreign_keys=[examined_by])
    decider: Mapped[User | None] = relationship(lazy="raise", foreign_keys=[decided_by])
