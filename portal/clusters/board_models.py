"""The board of needs and offers, inside a cluster and between clusters."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.clusters.models import Cluster
from portal.core.db import Base, Keyed, Stamped
from portal.identity.models import Organisation, one_of


class Side(StrEnum):
    NEED = "need"
    OFFER = "offer"


class PostKind(StrEnum):
    """What is needed or offered; ``component`` is an open place in a product chain."""

    SUPPLY = "supply"
    COMPONENT = "component"
    LOGISTICS = "logistics"
    WAREHOUSE = "warehouse"
    MARKET = "market"
    RETRAINING = "retraining"


class Visibility(StrEnum):
    """Who reads the whole post. Of a public one everybody sees a teaser, without who posted it."""

    CLUSTER = "cluster"
    MEMBERS = "members"
    PUBLIC = "public"


class PostState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"
    REMOVED = "removed"


class BoardPost(Keyed, Stamped, Base):
    """A need or an offer of an organisation in one of its clusters, open to the end of ``valid_until``.

    ``okpd2`` is empty where no product is meant, ``region`` where any will do; ``volume`` is free text.
    """

    __tablename__ = "board_post"
    __table_args__ = (
        CheckConstraint(one_of("side", Side), name="side"),
        CheckConstraint(one_of("kind", PostKind), name="kind"),
        CheckConstraint(one_of("visibility", Visibility), name="visibility"),
        CheckConstraint(one_of("state", PostState), name="state"),
        CheckConstraint("(state = 'removed') = (removed_reason is not null)", name="removed_with_reason"),
        Index("ix_board_post_open", "state", "id"),
        Index("ix_board_post_cluster", "cluster_id", "id"),
        Index("ix_board_post_organisation", "organisation_id", "id"),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    side: Mapped[str]
    kind: Mapped[str]
    title: Mapped[str]
    text: Mapped[str]
    okpd2: Mapped[str]
    region: Mapped[str]
    volume: Mapped[str]
    visibility: Mapped[str]
    valid_until: Mapped[date]
    state: Mapped[str] = mapped_column(default=PostState.OPEN)
    removed_reason: Mapped[str | None]
    posted_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    ended_at: Mapped[datetime | None]

    cluster: Mapped[Cluster] = relationship(lazy="raise")
    organisation: Mapped[Organisation] = relationship(lazy="raise")


class BoardContact(Keyed, Stamped, Base):
    """An organisation asked those who posted to get in touch; once for a post."""

    __tablename__ = "board_contact"
    __table_args__ = (
        UniqueConstraint("post_id", "organisation_id"),
        Index("ix_board_contact_organisation", "organisation_id", "created_at"),
    )

    post_id: Mapped[UUID] = mapped_column(ForeignKey("board_post.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    message: Mapped[str]
    asked_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))

    organisation: Mapped[Organisation] = relationship(lazy="raise")
