"""Reading a cluster's profile: programmes, figures, functional map, requirements, documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

import portal.clusters.policy  # noqa: F401 - registers the rules and scopes
from portal.clusters import queries
from portal.clusters.cooperation import Output, Shipment, YearFigures, year_figures
from portal.clusters.models import Cluster, ClusterMember, MembershipState
from portal.clusters.policy import Circle
from portal.clusters.profile_models import (
    ClusterDocument,
    ClusterProfile,
    ClusterProgramme,
    ClusterYear,
    InfrastructureObject,
    MemberYear,
    Programme,
    Supply,
)
from portal.clusters.requirements import Case
from portal.core import okved
from portal.core.errors import NotFound
from portal.identity.models import Organisation

FEWEST_FOR_SUMS: Final = 3
"""A sum over fewer members would tell what a single one does."""


@dataclass(frozen=True, slots=True)
class Badge:
    """A programme in which the cluster takes or took part; ``present`` on the day that was asked for."""

    programme: Programme
    since: date
    until: date | None
    present: bool


@dataclass(frozen=True, slots=True)
class MapLine:
    """A line of the functional map with its parties."""

    supply: Supply
    supplier: Organisation
    buyer: Organisation


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is entered of a cluster's members, read once for all that a page makes of it.

    ``members``: in any state, by name, with their organisations; the parties of figures and supplies are among them.
    ``shipments``: by year, one for each supplier and buyer.
    """

    cluster: Cluster
    members: Sequence[ClusterMember]
    figures: Sequence[MemberYear]
    shipments: Mapping[int, Sequence[Shipment]]

    @property
    def confirmed(self) -> list[ClusterMember]:
        """Confirmed members, final producers first, then by name."""
        rows = (row for row in self.members if row.state == MembershipState.CONFIRMED)
        return sorted(rows, key=lambda row: not row.final_producer)

    @property
    def circle(self) -> Circle:
        """The cluster with its confirmed members, for the rule about figures."""
        return Circle(self.cluster, frozenset(row.organisation_id for row in self.confirmed))

    @property
    def years(self) -> list[int]:
        """Years with a line of the map or a member's figures, the newest first."""
        return sorted({row.year for row in self.figures} | self.shipments.keys(), reverse=True)

    @property
    def parties(self) -> set[UUID]:
        """Who stands in a supply of the latest year of the map."""
        latest = self.shipments[max(self.shipments)] if self.shipments else ()
        return {key for row in latest for key in (row.supplier_id, row.buyer_id)}

    def figures_of(self, year: int) -> list[tuple[Organisation, MemberYear]]:
        """The members' figures of a year, by the members' names."""
        rows = {row.organisation_id: row for row in self.figures if row.year == year}
        return [(row.organisation, rows[row.organisation_id]) for row in self.members if row.organisation_id in rows]

    def history(self) -> list[YearFigures]:
        """The cluster's figures year by year, oldest first; who makes the final product is as today."""
        outputs: dict[int, list[Output]] = {}
        for row in self.figures:
            outputs.setdefault(row.year, []).append(
                Output(row.organisation_id, row.output, row.exports, row.jobs, row.hp_jobs, row.value_added)
            )
        final = {row.organisation_id for row in self.members if row.final_producer}
        return [year_figures(year, rows, self.shipments.get(year, ()), final) for year, rows in sorted(outputs.items())]


def badges(session: Session, clusters: Sequence[Cluster], today: date) -> dict[UUID, list[Badge]]:
    """Programmes of the clusters, newest first; being industrial follows from the entry in the register."""
    found: dict[UUID, list[Badge]] = {cluster.id: [] for cluster in clusters}
    for cluster in clusters:
        if cluster.registered_on is not None and cluster.registered_on <= today:
            present = cluster.in_register(today)
            badge = Badge(Programme.INDUSTRIAL, cluster.registered_on, cluster.valid_until, present)
            found[cluster.id].append(badge)
    statement = (
        select(ClusterProgramme)
        .where(ClusterProgramme.cluster_id.in_(found))
        .order_by(ClusterProgramme.since.desc(), ClusterProgramme.programme)
    )
    for row in session.scalars(statement):
        present = row.since <= today and (row.until is None or row.until >= today)
        found[row.cluster_id].append(Badge(Programme(row.programme), row.since, row.until, present))
    return found


def programme_rows(session: Session, cluster_id: UUID) -> list[ClusterProgramme]:
    """The stored programmes of one cluster, newest first."""
    statement = (
        select(ClusterProgramme)
        .where(ClusterProgramme.cluster_id == cluster_id)
        .order_by(ClusterProgramme.since.desc(), ClusterProgramme.id)
    )
    return list(session.scalars(statement))


def profile_of(session: Session, cluster_id: UUID) -> ClusterProfile | None:
    return session.get(ClusterProfile, cluster_id)


def infrastructure_of(session: Session, cluster_id: UUID) -> list[InfrastructureObject]:
    """Objects of the infrastructure by kind and name."""
    statement = (
        select(InfrastructureObject)
        .where(InfrastructureObject.cluster_id == cluster_id)
        .order_by(InfrastructureObject.kind, InfrastructureObject.name_ru, InfrastructureObject.id)
    )
    return list(session.scalars(statement))


def documents_of(session: Session, cluster_id: UUID) -> list[ClusterDocument]:
    """The cluster's documents with their files, by kind, the newest first."""
    statement = (
        select(ClusterDocument)
        .options(joinedload(ClusterDocument.file, innerjoin=True))
        .where(ClusterDocument.cluster_id == cluster_id, ClusterDocument.removed_at.is_(None))
        .order_by(ClusterDocument.kind, ClusterDocument.id.desc())
    )
    return list(session.scalars(statement))


def document(session: Session, cluster_id: UUID, document_id: UUID) -> ClusterDocument:
    """A document that is on the cluster's page, with its file; :class:`NotFound`."""
    statement = (
        select(ClusterDocument)
        .options(joinedload(ClusterDocument.file, innerjoin=True))
        .where(
            ClusterDocument.id == document_id,
            ClusterDocument.cluster_id == cluster_id,
            ClusterDocument.removed_at.is_(None),
        )
    )
    row = session.scalar(statement)
    if row is None:
        raise NotFound
    return row


def ledger(session: Session, cluster: Cluster) -> Ledger:
    """Members, figures and sums of supplies of a cluster; three queries."""
    figures = session.scalars(select(MemberYear).where(MemberYear.cluster_id == cluster.id)).all()
    shipments: dict[int, list[Shipment]] = {}
    statement = (
        select(Supply.year, Supply.supplier_id, Supply.buyer_id, func.sum(Supply.volume))
        .where(Supply.cluster_id == cluster.id)
        .group_by(Supply.year, Supply.supplier_id, Supply.buyer_id)
    )
    for year, supplier, buyer, volume in session.execute(statement):
        shipments.setdefault(year, []).append(Shipment(supplier, buyer, volume))
    return Ledger(cluster, queries.members_in_any_state(session, cluster.id), figures, shipments)


def map_lines(session: Session, ledger: Ledger, year: int) -> list[MapLine]:
    """The functional map of a year: by supplier's name, larger volumes first."""
    places = {row.organisation_id: place for place, row in enumerate(ledger.members)}
    rows = session.scalars(select(Supply).where(Supply.cluster_id == ledger.cluster.id, Supply.year == year))
    return [
        MapLine(
            row,
            ledger.members[places[row.supplier_id]].organisation,
            ledger.members[places[row.buyer_id]].organisation,
        )
        for row in sorted(rows, key=lambda row: (places[row.supplier_id], -row.volume, row.id))
    ]


def open_sums(figures: Iterable[YearFigures]) -> list[YearFigures]:
    """Years whose sums do not tell the figures of a single member."""
    return [row for row in figures if row.members >= FEWEST_FOR_SUMS]


def case_of(session: Session, ledger: Ledger, figures: Sequence[YearFigures], today: date) -> Case:
    """What the requirements ask of a cluster, from the register, the map and the figures of its latest year."""
    cluster, members, parties = ledger.cluster, ledger.confirmed, ledger.parties
    latest = figures[-1] if figures else None
    alone = {row.organisation_id for row in members} - parties
    remote = {row.organisation_id for row in members if row.organisation.region not in cluster.regions}
    kinds = Counter(
        session.scalars(select(InfrastructureObject.kind).where(InfrastructureObject.cluster_id == cluster.id))
    )
    papers = session.scalars(
        select(ClusterDocument.kind).where(
            ClusterDocument.cluster_id == cluster.id, ClusterDocument.removed_at.is_(None)
        )
    )
    region = session.get(ClusterYear, (cluster.id, latest.year)) if latest else None
    industrial = {row.organisation_id for row in members if okved.is_industry(row.organisation.okved2)}
    return Case(
        industrial=len(industrial),
        final_producers=sum(row.final_producer and row.organisation_id in industrial for row in members),
        members=len(members),
        regions=len(cluster.regions),
        remote=len(remote),
        remote_alone=len(remote & alone),
        without_contract=sum(row.organisation_id in alone and not row.spic for row in members),
        special=sum(row.special_territory for row in members),
        starting=sum(row.starting for row in members),
        infrastructure=kinds,
        papers=frozenset(papers),
        in_register=cluster.in_register(today),
        registered_on=cluster.registered_on,
        valid_until=cluster.valid_until,
        has_map=bool(parties),
        year=latest,
        regional_productivity=region.regional_productivity if region else None,
    )
