"""The pool of reviewers, and proposals of who reviews what."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, Numeric, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.applications.models import Application
from portal.core.db import Base, Keyed, Stamped
from portal.identity.models import User, one_of
from portal.tenders.models import TenderTrack

DEFAULT_LIMIT: Final = 15
"""Most unfinished reviews in a tender of a reviewer who has said nothing else; the trigger says the same."""

MOST_LOAD: Final = 200
LANGUAGES: Final = ("ru", "en")


class ReviewerProfile(Base):
    """What a reviewer knows and how much they take on.

    ``classes``: codes of OKPD 2 or OKVED 2, or their beginnings (``28``, ``28.14``); ``lanes``: codes of lanes, none
    for any; ``load_limit``: most unfinished reviews in one tender, which a trigger holds.
    """

    __tablename__ = "reviewer_profile"
    __table_args__ = (
        CheckConstraint(f"load_limit between 1 and {MOST_LOAD}", name="load_limit"),
        CheckConstraint("languages <@ array['ru', 'en']::text[] and cardinality(languages) > 0", name="languages"),
        CheckConstraint(
            r"array_to_string(classes, ' ') ~ '^(\d{2}(\.\d{1,2}(\.\d{1,2}(\.\d{1,3})?)?)?( |$))*$'", name="classes"
        ),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    classes: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    lanes: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list)
    languages: Mapped[list[str]] = mapped_column(ARRAY(Text), default=lambda: ["ru"])
    load_limit: Mapped[int] = mapped_column(default=DEFAULT_LIMIT)
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class ReviewerAbsence(Keyed, Stamped, Base):
    """Days on which a reviewer is away, the first and the last included."""

    __tablename__ = "reviewer_absence"
    __table_args__ = (
        CheckConstraint("starts_on <= ends_on", name="order"),
        Index("ix_reviewer_absence_user", "user_id", "ends_on"),
    )

    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    starts_on: Mapped[date]
    ends_on: Mapped[date]


class PlanState(StrEnum):
    """``accepted``: a person has confirmed it, and it is being carried out; ``overtaken``: something had changed until
    then, and nothing was done."""

    COMPUTING = "computing"
    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    CONFIRMED = "confirmed"
    OVERTAKEN = "overtaken"
    DISCARDED = "discarded"


class Change(StrEnum):
    """What a line of a plan would do; ``UNMET`` names what cannot be satisfied."""

    NEW = "new"
    KEPT = "kept"
    REVOKED = "revoked"
    UNMET = "unmet"


class AssignmentPlan(Keyed, Stamped, Base):
    """A proposal for a track of a tender: computed in the background, then confirmed by a person or discarded.

    ``keep_asked``: whether those who were asked and have not answered stay; ``phase``: 0 to 3, how far the computing
    is; ``inputs_digest``: of all that decides, so that a plan of yesterday is not confirmed today; ``digest``: of the
    lines. ``confirmed_at`` and ``confirmed_by`` are of the decision, which is carried out after it. ``cost`` and
    ``gap`` are those of :class:`portal.review.assignment.Plan`; ``seconds`` is solving alone.
    """

    __tablename__ = "assignment_plan"
    __table_args__ = (
        CheckConstraint(one_of("state", PlanState), name="state"),
        CheckConstraint("phase between 0 and 3", name="phase"),
        CheckConstraint(
            "state not in ('proposed', 'accepted', 'confirmed', 'overtaken') or (phase = 3 and digest is not null)",
            name="computed",
        ),
        CheckConstraint(
            "(state in ('accepted', 'confirmed', 'overtaken')) = (confirmed_at is not null)"
            " and (confirmed_at is null) = (confirmed_by is null)",
            name="confirmed",
        ),
        Index(
            "uq_assignment_plan_live",
            "tender_track_id",
            unique=True,
            postgresql_where=text("state in ('computing', 'proposed', 'accepted')"),
        ),
        Index("ix_assignment_plan_track", "tender_track_id", "id"),
    )

    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"))
    state: Mapped[str] = mapped_column(default=PlanState.COMPUTING)
    keep_asked: Mapped[bool] = mapped_column(default=True)
    phase: Mapped[int] = mapped_column(default=0)
    task_id: Mapped[UUID | None]
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    applications: Mapped[int] = mapped_column(default=0)
    reviewers: Mapped[int] = mapped_column(default=0)
    wanted: Mapped[int] = mapped_column(default=0)
    inputs_digest: Mapped[str | None]
    digest: Mapped[str | None]
    cost: Mapped[int | None]
    gap: Mapped[Decimal | None] = mapped_column(Numeric(9, 6))
    seconds: Mapped[Decimal | None] = mapped_column(Numeric(8, 2))
    loads: Mapped[list[Any]] = mapped_column(default=list)
    computed_at: Mapped[datetime | None]
    confirmed_at: Mapped[datetime | None]
    confirmed_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    track: Mapped[TenderTrack] = relationship(lazy="raise")
    creator: Mapped[User] = relationship(lazy="raise", foreign_keys=[created_by])
    confirmer: Mapped[User | None] = relationship(lazy="raise", foreign_keys=[confirmed_by])


class PlanLine(Keyed, Base):
    """One line of a plan; never changed. Of what cannot be satisfied, ``count`` and ``reasons`` tell how much and why.

    ``fit``: 0 to 100; ``reasons``: word -> number of reviewers (:class:`portal.review.assignment.Shortage`).
    """

    __tablename__ = "assignment_plan_line"
    __table_args__ = (
        CheckConstraint(one_of("change", Change), name="change"),
        CheckConstraint("(change = 'unmet') = (reviewer_id is null)", name="reviewer"),
        CheckConstraint("count >= 1", name="count"),
        CheckConstraint("fit between 0 and 100", name="fit"),
        Index("ix_assignment_plan_line_list", "plan_id", "change", "id"),
    )

    plan_id: Mapped[UUID] = mapped_column(ForeignKey("assignment_plan.id"))
    application_id: Mapped[UUID] = mapped_column(ForeignKey("application.id"))
    lane: Mapped[str]
    reviewer_id: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    change: Mapped[str]
    fit: Mapped[int] = mapped_column(default=0)
    count: Mapped[int] = mapped_column(default=1)
    reasons: Mapped[dict[str, Any]] = mapped_column(default=dict)

    application: Mapped[Application] = relationship(lazy="raise")
    reviewer: Mapped[User | None] = relationship(lazy="raise")
