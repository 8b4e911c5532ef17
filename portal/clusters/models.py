"""The register of industrial clusters and their members."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from portal.core.db import Base, Keyed, Stamped
from portal.documents.models import StoredFile
from portal.identity.models import Organisation, User, one_of


class MembershipState(StrEnum):
    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    LEFT = "left"


class ImportKind(StrEnum):
    """Which table an import brings: the register's two, and the two of one cluster's functional map."""

    CLUSTERS = "clusters"
    MEMBERS = "members"
    SUPPLIES = "supplies"
    FIGURES = "figures"


MAP_KINDS: Final = frozenset({ImportKind.SUPPLIES, ImportKind.FIGURES})
"""Imports that belong to a cluster."""


class ImportState(StrEnum):
    """Checking validates row by row; applying is one transaction; failed means that nothing was changed."""

    WAITING = "waiting"
    CHECKING = "checking"
    APPLYING = "applying"
    DONE = "done"
    FAILED = "failed"


class Cluster(Keyed, Stamped, Base):
    """An industrial cluster (Decree 779). In the register on a day when registered and not expired on it."""

    __tablename__ = "cluster"
    __table_args__ = (
        CheckConstraint("valid_until is null or registered_on is null or valid_until >= registered_on", name="dates"),
        Index("ix_cluster_by_name_ru", text("replace(lower(name_ru), 'ё', 'е')"), "id"),
    )

    code: Mapped[str] = mapped_column(unique=True)
    name_ru: Mapped[str]
    name_en: Mapped[str]
    sector_ru: Mapped[str] = mapped_column(default="")
    sector_en: Mapped[str] = mapped_column(default="")
    regions: Mapped[list[str]]
    registered_on: Mapped[date | None]
    valid_until: Mapped[date | None]
    spec_org_id: Mapped[UUID | None] = mapped_column(ForeignKey("organisation.id"), index=True)
    version: Mapped[int] = mapped_column(default=1)

    __mapper_args__ = {"version_id_col": version}

    spec_org: Mapped[Organisation | None] = relationship(lazy="raise")
    members: Mapped[list[ClusterMember]] = relationship(back_populates="cluster", lazy="raise")

    def in_register(self, on: date) -> bool:
        return (
            self.registered_on is not None
            and self.registered_on <= on
            and (self.valid_until is None or self.valid_until >= on)
        )


class ClusterMember(Keyed, Stamped, Base):
    """An organisation in a cluster: it asks, the specialised organisation confirms or refuses.

    ``special_territory``: it works in a special economic zone, a monotown or the like; ``spic``: it is party to a
    special investment contract; ``starting``: it has not begun to produce yet (all of them matter to Decree 779).
    """

    __tablename__ = "cluster_member"
    __table_args__ = (
        UniqueConstraint("cluster_id", "organisation_id"),
        CheckConstraint(one_of("state", MembershipState), name="state"),
        CheckConstraint("state != 'refused' or reason is not null", name="refused_with_reason"),
        CheckConstraint("state = 'requested' or decided_at is not null", name="decided"),
        Index("ix_cluster_member_organisation", "organisation_id"),
        Index("ix_cluster_member_waiting", "cluster_id", "state"),
    )

    cluster_id: Mapped[UUID] = mapped_column(ForeignKey("cluster.id"))
    organisation_id: Mapped[UUID] = mapped_column(ForeignKey("organisation.id"))
    state: Mapped[str]
    final_producer: Mapped[bool] = mapped_column(default=False)
    product: Mapped[str] = mapped_column(default="")
    special_territory: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    spic: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    starting: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    requested_at: Mapped[datetime | None]
    requested_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    decided_by: Mapped[UUID | None] = mapped_column(ForeignKey("user_account.id"))
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None]

    cluster: Mapped[Cluster] = relationship(back_populates="members")
    organisation: Mapped[Organisation] = relationship(lazy="raise")


class RegisterImport(Keyed, Stamped, Base):
    """An uploaded table of the register or of a cluster's map, applied in the background: all of it or nothing.

    ``report``: ``{"rows": n, "created": n, "changed": n, "unchanged": n, "faults": [...]}``; a fault is
    ``{"line": n, "field": key, "value": text, "reason": {"ru", "en"}}``, ``line`` 0 for the file as a whole.
    """

    __tablename__ = "register_import"
    __table_args__ = (
        CheckConstraint(one_of("kind", ImportKind), name="kind"),
        CheckConstraint(one_of("state", ImportState), name="state"),
        CheckConstraint("progress_done between 0 and progress_total", name="progress"),
        CheckConstraint("(kind in ('supplies', 'figures')) = (cluster_id is not null)", name="place"),
    )

    kind: Mapped[str]
    cluster_id: Mapped[UUID | None] = mapped_column(ForeignKey("cluster.id"), index=True)
    file_id: Mapped[UUID] = mapped_column(ForeignKey("stored_file.id"))
    started_by: Mapped[UUID] = mapped_column(ForeignKey("user_account.id"))
    state: Mapped[str] = mapped_column(default=ImportState.WAITING)
    progress_done: Mapped[int] = mapped_column(default=0)
    progress_total: Mapped[int] = mapped_column(default=0)
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    ended_at: Mapped[datetime | None]

    file: Mapped[StoredFile] = relationship(lazy="raise")
    starter: Mapped[User] = relationship(lazy="raise")
