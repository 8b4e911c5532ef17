"""Scenarios of the what-if room: what is changed, what would follow, who sees it, and whether it was adopted."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed, Stamped
from portal.identity.models import User
from portal.tenders.models import TenderTrack


class Scenario(Keyed, Stamped, Base):
    """A named set of changes over a run, with the list that would follow; it writes no score and no decision.

    ``changes`` is :meth:`portal.awards.scenarios.changes.Changes.to_json`, ``changes_digest`` the SHA-256 of its
    canonical JSON; ``ground_digest`` is of what it stood on when it was computed, ``result_digest`` of the list.
    ``addendum`` is its number within the track once it is adopted; from then on a trigger refuses every change.
    """

    __tablename__ = "scenario"
    __table_args__ = (
        CheckConstraint("length(name) between 1 and 120", name="name"),
        CheckConstraint(
            "length(changes_digest) = 64 and length(ground_digest) = 64 and length(result_digest) = 64",
            name="digests",
        ),
        CheckConstraint(
            "(adopted_at is null) = (adopted_by is null) and (adopted_at is null) = (addendum is null)"
            " and (adopted_at is null) = (adoption = '')",
            name="adopted",
        ),
        CheckConstraint(
            "adopted_at is null or (shared_at is not null and discarded_at is null)", name="adopted_shared"
        ),
        UniqueConstraint("tender_track_id", "addendum"),
        Index(
            "uq_scenario_name",
            "tender_track_id",
            "author_id",
            func.lower(text("name")),
            unique=True,
            postgresql_where=text("discarded_at is null"),
        ),
        Index("ix_scenario_track", "tender_track_id", "id", postgresql_where=text("discarded_at is null")),
    )

    tender_track_id: Mapped[UUID] = mapped_column(ForeignKey("tender_track.id"))
    run_id: Mapped[UUID] = mapped_column(ForeignKey("score_run.id"))
    name: Mapped[str]
    changes: Mapped[dict[str, Any]]
    changes_digest: Mapped[str]
    ground_digest: Mapped[str]
    result: Mapped[dict[str, Any]]
    result_digest: Mapped[str]
    author_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    computed_at: Mapped[datetime]
    shared_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]
    adopted_at: Mapped[datetime | None]
    adopted_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    adoption: Mapped[str] = mapped_column(default="", server_default="")
    addendum: Mapped[int | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    author: Mapped[User] = relationship(lazy="raise", foreign_keys=[author_id])
    adopter: Mapped[User | None] = relationship(lazy="raise", foreign_keys=[adopted_by])
    track: Mapped[TenderTrack] = relationship(lazy="raise")


class ScenarioCitation(Base):
    """A draft of a decision cites a scenario that was adopted before; ``same``: its list is the one that was drafted.

    Append-only by trigger.
    """

    __tablename__ = "scenario_citation"

    decision_id: Mapped[UUID] = mapped_column(ForeignKey("award_decision.id"), primary_key=True)
    scenario_id: Mapped[UUID] = mapped_column(ForeignKey("scenario.id"), primary_key=True)
    same: Mapped[bool]

    scenario: Mapped[Scenario] = relationship(lazy="raise")


class RankAcceptability(Stamped, Base):
    """A simulation that a job has run, by the digest of its question. A cache: it can be run again."""

    __tablename__ = "rank_acceptability"
    __table_args__ = (CheckConstraint("length(digest) = 64", name="digest"),)

    digest: Mapped[str] = mapped_column(primary_key=True)
    result: Mapped[dict[str, Any]]
