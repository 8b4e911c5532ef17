"""What a cluster shows of itself: programmes, profile, infrastructure, documents, functional map, roadmap."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed, Stamped
from portal.core.money import Money
from portal.documents.models import StoredFile
from portal.identity.models import Organisation, one_of


class Programme(StrEnum):
    """State programmes of cluster policy; ``industrial`` follows from the register and is never stored."""

    PILOT_INNOVATIVE = "pilot_innovative"
    LEADING = "leading"
    INDUSTRIAL = "industrial"


class Infrastructure(StrEnum):
    """Kinds of infrastructure that Decree 779 counts."""

    EDUCATION = "education"
    TECHNOLOGY = "technology"
    FINANCE = "finance"


class Paper(StrEnum):
    """Documents of a cluster (domain CL-10), and others it shows."""

    AGREEMENT = "agreement"
    PROGRAMME = "programme"
    MAP = "map"
    MEMBERS = "members"
    REGION = "region"
    OTHER = "other"


class ActionKind(StrEnum):
    """What an action of a roadmap is about."""

    LOGISTICS = "logistics"
    WAREHOUSE = "warehouse"
    MARKET = "market"
    RETRAINING = "retraining"
    RCC = "rcc"
    PRODUCTIVITY = "productivity"
    CHAIN = "chain"
    INVESTMENT = "investment"
    OTHER = "other"


class ActionState(StrEnum):
    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    DROPPED = "dropped"


class RoadmapState(StrEnum):
    DRAFT = "draft"
    PUBLISHED = "published"


class ClusterProgramme(Keyed, Stamped, Base):
    """A cluster takes part in a programme from a day on, to a day or without an end."""

    __tablename__ = "cluster_programme"
    __table_args__ = (
        UniqueConstraint("cluster_id", "programme", "since"),
        CheckConstraint("programme in ('pilot_innovative', 'leading')", name="programme"),
        CheckConstraint("until is null or until >= since", name="dates"),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    programme: Mapped[str]
    since: Mapped[date]
    until: Mapped[date | None]


class ClusterProfile(Base):
    """What the specialised organisation tells of its cluster. ``facts_*``: anchor facts, one a line.

    ``rcc_since``: since when the cluster's organisation hosts a regional competence centre.
    """

    __tablename__ = "cluster_profile"

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), primary_key=True)
    about_ru: Mapped[str] = mapped_column(default="")
    about_en: Mapped[str] = mapped_column(default="")
    facts_ru: Mapped[str] = mapped_column(default="")
    facts_en: Mapped[str] = mapped_column(default="")
    rcc_since: Mapped[date | None]
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}


class ClusterYear(Base):
    """What a year of the cluster is compared with: the region's productivity in industry, roubles a person."""

    __tablename__ = "cluster_year"
    __table_args__ = (
        CheckConstraint("year between 2000 and 2100", name="year"),
        CheckConstraint("regional_productivity > 0", name="regional_productivity"),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    regional_productivity: Mapped[Decimal] = mapped_column(Money)


class InfrastructureObject(Keyed, Stamped, Base):
    """An object of the cluster's infrastructure (domain CL-09)."""

    __tablename__ = "infrastructure_object"
    __table_args__ = (
        CheckConstraint(one_of("kind", Infrastructure), name="kind"),
        Index("ix_infrastructure_object_cluster", "cluster_id", "kind"),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    kind: Mapped[str]
    name_ru: Mapped[str]
    name_en: Mapped[str]
    region: Mapped[str]


class ClusterDocument(Keyed, Stamped, Base):
    """A public document of a cluster; a removed one stays as a row."""

    __tablename__ = "cluster_document"
    __table_args__ = (
        CheckConstraint(one_of("kind", Paper), name="kind"),
        Index("ix_cluster_document_cluster", "cluster_id", "kind"),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    kind: Mapped[str]
    title: Mapped[str]
    issued_on: Mapped[date | None]
    file_id: Mapped[UUID] = mapped_column(ForeignKey("stored_file.id"), index=True)
    added_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    removed_at: Mapped[datetime | None]

    file: Mapped[StoredFile] = relationship(lazy="raise")


class MemberYear(Keyed, Stamped, Base):
    """A member's figures of a year, without VAT: what the requirements and the cluster's history are made of.

    ``output``, ``exports`` and ``value_added`` in roubles; ``jobs`` and of them ``hp_jobs`` (high productivity,
    by Rosstat's method). They are known to the cluster and the fund; the public sees their sums.
    """

    __tablename__ = "member_year"
    __table_args__ = (
        UniqueConstraint("cluster_id", "organisation_id", "year"),
        ForeignKeyConstraint(
            ["cluster_id", "organisation_id"],
            ["cluster_member.cluster_id", "cluster_member.organisation_id"],
            name="fk_member_year_membership",
        ),
        CheckConstraint("year between 2000 and 2100", name="year"),
        CheckConstraint("output >= 0 and exports between 0 and output", name="output"),
        CheckConstraint("jobs >= 0 and hp_jobs between 0 and jobs", name="jobs"),
        Index("ix_member_year_cluster", "cluster_id", "year"),
    )

    cluster_id: Mapped[UUID]
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    year: Mapped[int]
    output: Mapped[Decimal] = mapped_column(Money)
    exports: Mapped[Decimal] = mapped_column(Money)
    jobs: Mapped[int]
    hp_jobs: Mapped[int]
    value_added: Mapped[Decimal | None] = mapped_column(Money)

    organisation: Mapped[Organisation] = relationship(lazy="raise")


class Supply(Keyed, Stamped, Base):
    """A line of the functional map: who supplied whom with what in a year, in roubles without VAT."""

    __tablename__ = "supply"
    __table_args__ = (
        UniqueConstraint("cluster_id", "year", "supplier_id", "buyer_id", "okpd2"),
        ForeignKeyConstraint(
            ["cluster_id", "supplier_id"],
            ["cluster_member.cluster_id", "cluster_member.organisation_id"],
            name="fk_supply_supplier",
        ),
        ForeignKeyConstraint(
            ["cluster_id", "buyer_id"],
            ["cluster_member.cluster_id", "cluster_member.organisation_id"],
            name="fk_supply_buyer",
        ),
        CheckConstraint("supplier_id <> buyer_id", name="parties"),
        CheckConstraint("volume > 0", name="volume"),
        CheckConstraint("year between 2000 and 2100", name="year"),
    )

    cluster_id: Mapped[UUID]
    supplier_id: Mapped[UUID]
    buyer_id: Mapped[UUID]
    year: Mapped[int]
    okpd2: Mapped[str]
    product_ru: Mapped[str]
    product_en: Mapped[str]
    volume: Mapped[Decimal] = mapped_column(Money)


class Roadmap(Keyed, Stamped, Base):
    """A version of a cluster's roadmap. Published, it and its actions never change (trigger)."""

    __tablename__ = "roadmap"
    __table_args__ = (
        UniqueConstraint("cluster_id", "number"),
        CheckConstraint(one_of("state", RoadmapState), name="state"),
        CheckConstraint("(state = 'published') = (published_at is not null)", name="published"),
        Index("uq_roadmap_draft", "cluster_id", unique=True, postgresql_where=text("state = 'draft'")),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    number: Mapped[int]
    state: Mapped[str] = mapped_column(default=RoadmapState.DRAFT)
    reason_ru: Mapped[str] = mapped_column(default="")
    reason_en: Mapped[str] = mapped_column(default="")
    created_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    published_at: Mapped[datetime | None]
    published_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))

    actions: Mapped[list[RoadmapAction]] = relationship(lazy="raise", order_by="RoadmapAction.code")


class RoadmapAction(Keyed, Base):
    """An action of a version. Its ``code`` (RM-03) is the same in every version and is never given again."""

    __tablename__ = "roadmap_action"
    __table_args__ = (
        UniqueConstraint("roadmap_id", "code"),
        CheckConstraint("code ~ '^RM-[0-9]{2,3}$'", name="code"),
        CheckConstraint(one_of("kind", ActionKind), name="kind"),
        CheckConstraint(one_of("state", ActionState), name="state"),
        CheckConstraint("ends_on >= starts_on", name="dates"),
    )

    roadmap_id: Mapped[UUID] = mapped_column(ForeignKey("roadmap.id"))
    code: Mapped[str]
    kind: Mapped[str]
    title_ru: Mapped[str]
    title_en: Mapped[str]
    responsible_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisation.id"))
    starts_on: Mapped[date]
    ends_on: Mapped[date]
    indicator_ru: Mapped[str] = mapped_column(default="")
    indicator_en: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default=ActionState.PLANNED)

    responsible: Mapped[Organisation | None] = relationship(lazy="raise")
