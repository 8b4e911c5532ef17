"""A meeting of the commission: members, agenda, who may not vote, votes, minutes. Triggers guard votes and results.

A secret ballot is one row for each item: the set of those who have voted, in the order of their keys, and three
counts. There is no row of a single vote, so that neither keys nor times nor transaction numbers join a person to one.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, Uuid, func, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.awards.commission.appeal_models import Appeal
from portal.awards.models import AwardDecision
from portal.core.db import Base, Keyed, Stamped
from portal.identity.models import User, one_of
from portal.tenders.models import Tender, TenderTrack
from portal.tenders.ruleset import Ballot


class MeetingState(StrEnum):
    PLANNED = "planned"
    OPEN = "open"
    CLOSED = "closed"


class ItemKind(StrEnum):
    TRACK = "track"
    DECISION = "decision"
    APPEAL = "appeal"
    OTHER = "other"


class ItemState(StrEnum):
    """``tied``: a secret ballot with exactly half, which waits for the chair's casting vote."""

    WAITING = "waiting"
    VOTING = "voting"
    TIED = "tied"
    ADOPTED = "adopted"
    REJECTED = "rejected"
    NO_QUORUM = "no_quorum"
    WITHDRAWN = "withdrawn"


class Choice(StrEnum):
    YES = "yes"
    NO = "no"
    ABSTAIN = "abstain"


class Meeting(Keyed, Stamped, Base):
    """A meeting over a tender, counted per tender from 1. The secretary keeps the minutes and has no vote."""

    __tablename__ = "meeting"
    __table_args__ = (
        UniqueConstraint("tender_id", "number"),
        CheckConstraint(one_of("state", MeetingState), name="state"),
        CheckConstraint("number > 0", name="number"),
        CheckConstraint("chair_id <> secretary_id", name="two_persons"),
        CheckConstraint("(opened_at is null) = (state = 'planned')", name="opened"),
        CheckConstraint("(closed_at is null) = (state <> 'closed')", name="closed"),
        Index("ix_meeting_starts_at", "starts_at", "id"),
    )

    tender_id: Mapped[UUID] = mapped_column(ForeignKey("tender.id"))
    number: Mapped[int]
    starts_at: Mapped[datetime]
    place: Mapped[str]
    chair_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    secretary_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    state: Mapped[str] = mapped_column(default=MeetingState.PLANNED)
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    tender: Mapped[Tender] = relationship(lazy="raise")
    chair: Mapped[User] = relationship(lazy="raise", foreign_keys=[chair_id])
    secretary: Mapped[User] = relationship(lazy="raise", foreign_keys=[secretary_id])
    members: Mapped[list[MeetingMember]] = relationship(back_populates="meeting", lazy="raise")
    items: Mapped[list[AgendaItem]] = relationship(back_populates="meeting", lazy="raise", order_by="AgendaItem.place")


class MeetingMember(Base):
    """A member with a vote, the chair among them; ``present`` as the secretary has it at the moment."""

    __tablename__ = "meeting_member"
    __table_args__ = (Index("ix_meeting_member_user", "user_id", "meeting_id"),)

    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("meeting.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    present: Mapped[bool] = mapped_column(default=False)

    meeting: Mapped[Meeting] = relationship(back_populates="members", lazy="raise")
    user: Mapped[User] = relationship(lazy="raise")


class AgendaItem(Keyed, Base):
    """A question of a meeting. Counts are there once the vote is over; a trigger compares them with the votes.

    ``entitled``: members who may vote on it; ``present``: those of them who are there. ``casting``: the chair's
    casting vote, which is given where exactly half of those present are in favour.
    """

    __tablename__ = "agenda_item"
    __table_args__ = (
        UniqueConstraint("meeting_id", "place"),
        CheckConstraint(one_of("kind", ItemKind), name="kind"),
        CheckConstraint(one_of("state", ItemState), name="state"),
        CheckConstraint(one_of("ballot", Ballot), name="ballot"),
        CheckConstraint("(kind = 'decision') = (decision_id is not null)", name="decision"),
        CheckConstraint("(kind = 'appeal') = (appeal_id is not null)", name="appeal"),
        CheckConstraint("kind not in ('track', 'appeal') or tender_track_id is not null", name="track"),
        CheckConstraint("kind <> 'other' or title <> ''", name="title"),
        CheckConstraint("casting is null or casting in ('yes', 'no')", name="casting"),
        CheckConstraint("quorum_parts > 0 and quorum_parts <= quorum_of", name="quorum"),
        CheckConstraint(
            "(entitled is null) = (state not in ('tied', 'adopted', 'rejected', 'no_quorum'))"
            " and num_nulls(entitled, present, yes, no, abstained) in (0, 5)",
            name="counted",
        ),
        CheckConstraint("yes + no + abstained <= present and present <= entitled", name="counts"),
        CheckConstraint(
            "state not in ('tied', 'adopted', 'rejected')"
            " or (present >= 2 and present * quorum_of >= entitled * quorum_parts)",
            name="has_quorum",
        ),
        CheckConstraint(
            "state <> 'adopted' or 2 * yes > present or (2 * yes = present and casting is not distinct from 'yes')",
            name="majority",
        ),
        CheckConstraint("state <> 'tied' or (2 * yes = present and casting is null)", name="tie"),
        CheckConstraint("(closed_at is null) = (state in ('waiting', 'voting', 'tied', 'withdrawn'))", name="closed"),
        Index(
            "uq_agenda_item_decision",
            "decision_id",
            unique=True,
            postgresql_where=text("state in ('waiting', 'voting', 'tied', 'adopted')"),
        ),
        Index("ix_agenda_item_decision", "decision_id"),
        Index(
            "uq_agenda_item_appeal",
            "appeal_id",
            unique=True,
            postgresql_where=text("state in ('waiting', 'voting', 'tied', 'adopted')"),
        ),
    )

    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("meeting.id"))
    place: Mapped[int]
    kind: Mapped[str]
    tender_track_id: Mapped[UUID | None] = mapped_column(ForeignKey("tender_track.id"))
    decision_id: Mapped[UUID | None] = mapped_column(ForeignKey("award_decision.id"))
    appeal_id: Mapped[UUID | None] = mapped_column(ForeignKey("appeal.id"))
    title: Mapped[str] = mapped_column(default="")
    ballot: Mapped[str]
    quorum_parts: Mapped[int]
    quorum_of: Mapped[int]
    state: Mapped[str] = mapped_column(default=ItemState.WAITING)
    opened_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    entitled: Mapped[int | None]
    present: Mapped[int | None]
    yes: Mapped[int | None]
    no: Mapped[int | None]
    abstained: Mapped[int | None]
    casting: Mapped[str | None]

    meeting: Mapped[Meeting] = relationship(back_populates="items", lazy="raise")
    decision: Mapped[AwardDecision | None] = relationship(lazy="raise")
    tender_track: Mapped[TenderTrack | None] = relationship(lazy="raise")
    appeal: Mapped[Appeal | None] = relationship(lazy="raise")
    recusals: Mapped[list[Recusal]] = relationship(lazy="raise", order_by="Recusal.id")


class Recusal(Keyed, Stamped, Base):
    """A member who neither votes nor counts on an item: found in the graph of conflicts, or declared. Append-only."""

    __tablename__ = "recusal"
    __table_args__ = (
        UniqueConstraint("item_id", "user_id"),
        CheckConstraint("source in ('graph', 'declared')", name="source"),
    )

    item_id: Mapped[UUID] = mapped_column(ForeignKey("agenda_item.id"))
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    source: Mapped[str]
    reason: Mapped[dict[str, Any]]

    user: Mapped[User] = relationship(lazy="raise")


class MemberVote(Base):
    """A vote of an open ballot; append-only."""

    __tablename__ = "member_vote"
    __table_args__ = (CheckConstraint(one_of("choice", Choice), name="choice"),)

    item_id: Mapped[UUID] = mapped_column(ForeignKey("agenda_item.id"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    choice: Mapped[str]
    voted_at: Mapped[datetime] = mapped_column(server_default=func.portal_now())

    user: Mapped[User] = relationship(lazy="raise")


class SecretBallot(Base):
    """A secret ballot: who has voted, and how many votes there are. Only ever one voter and one vote more."""

    __tablename__ = "secret_ballot"
    __table_args__ = (
        CheckConstraint("yes >= 0 and no >= 0 and abstained >= 0", name="counts"),
        CheckConstraint("yes + no + abstained = cardinality(voters)", name="one_each"),
    )

    item_id: Mapped[UUID] = mapped_column(ForeignKey("agenda_item.id"), primary_key=True)
    voters: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), default=list, server_default="{}")
    yes: Mapped[int] = mapped_column(default=0, server_default="0")
    no: Mapped[int] = mapped_column(default=0, server_default="0")
    abstained: Mapped[int] = mapped_column(default=0, server_default="0")


class Minutes(Keyed, Stamped, Base):
    """The minutes of a closed meeting as JSON in both languages, with their digest; append-only."""

    __tablename__ = "minutes"
    __table_args__ = (UniqueConstraint("meeting_id"),)

    meeting_id: Mapped[UUID] = mapped_column(ForeignKey("meeting.id"))
    content: Mapped[dict[str, Any]]
    digest: Mapped[str]
    drafted_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))

    signatures: Mapped[list[MinutesSignature]] = relationship(lazy="raise", order_by="MinutesSignature.id")


class MinutesSignature(Keyed, Base):
    """The chair's or the secretary's signature under the digest of the minutes; append-only."""

    __tablename__ = "minutes_signature"
    __table_args__ = (
        UniqueConstraint("minutes_id", "capacity"),
        UniqueConstraint("minutes_id", "signed_by"),
        CheckConstraint("capacity in ('chair', 'secretary')", name="capacity"),
    )

    minutes_id: Mapped[UUID] = mapped_column(ForeignKey("minutes.id"))
    capacity: Mapped[str]
    signed_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    digest: Mapped[str]
    signed_at: Mapped[datetime] = mapped_column(server_default=func.portal_now())

    signer: Mapped[User] = relationship(lazy="raise")
