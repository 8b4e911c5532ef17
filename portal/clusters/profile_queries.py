"""Reading a cluster's profile: programmes, figures, functional map, requirements, documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, union
from sqlalchemy.orm import Session, joinedload

import portal.clusters.policy  # noqa: F401 - registers the rules and scopes
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
    """A line of the functional map with the names of its parties and its share of the supplier's output."""

    supply: Supply
    supplier: Organisation
    buyer: Organisation


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


def circle(session: Session, cluster: Cluster) -> Circle:
    """The cluster with its confirmed members, for the rule about figures."""
    statement = select(ClusterMember.organisation_id).where(
        ClusterMember.cluster_id == cluster.id, ClusterMember.state == MembershipState.CONFIRMED
    )
    return Circle(cluster, frozenset(session.scalars(statement)))


def years_of(session: Session, cluster_id: UUID) -> list[int]:
    """Years with a line of the map or a member's figures, the newest first."""
    statement = union(
        select(Supply.year).where(Supply.cluster_id == cluster_id),
        select(MemberYear.year).where(MemberYear.cluster_id == cluster_id),
    )
    return sorted(session.scalars(statement), reverse=True)


def map_lines(session: Session, cluster_id: UUID, year: int) -> list[MapLine]:
    """The functional map of a year: by supplier's name, larger volumes first."""
    supplier = select(Organisation).subquery("supplier")
    statement = (
        select(Supply)
        .join(supplier, supplier.c.id == Supply.supplier_id)
        .where(Supply.cluster_id == cluster_id, Supply.year == year)
        .order_by(supplier.c.name_ru, Supply.volume.desc(), Supply.id)
    )
    rows = list(session.scalars(statement))
    keys = {row.supplier_id for row in rows} | {row.buyer_id for row in rows}
    names = {row.id: row for row in session.scalars(select(Organisation).where(Organisation.id.in_(keys)))}
    return [MapLine(row, names[row.supplier_id], names[row.buyer_id]) for row in rows]


def figures_of(session: Session, cluster_id: UUID, year: int) -> list[MemberYear]:
    """The members' figures of a year with the organisations, by name."""
    statement = (
        select(MemberYear)
        .join(MemberYear.organisation)
        .options(joinedload(MemberYear.organisation, innerjoin=True))
        .where(MemberYear.cluster_id == cluster_id, MemberYear.year == year)
        .order_by(Organisation.name_ru, MemberYear.id)
    )
    return list(session.scalars(statement))


def history(session: Session, cluster_id: UUID) -> list[YearFigures]:
    """The cluster's figures year by year, oldest first; who makes the final product is as today."""
    outputs: dict[int, list[Output]] = {}
    for row in session.scalars(select(MemberYear).where(MemberYear.cluster_id == cluster_id)):
        outputs.setdefault(row.year, []).append(
            Output(row.organisation_id, row.output, row.exports, row.jobs, row.hp_jobs, row.value_added)
        )
    shipments: dict[int, list[Shipment]] = {}
    statement = (
        select(Supply.year, Supply.supplier_id, Supply.buyer_id, func.sum(Supply.volume))
        .where(Supply.cluster_id == cluster_id)
        .group_by(Supply.year, Supply.supplier_id, Supply.buyer_id)
    )
    for year, supplier, buyer, volume in session.execute(statement):
        shipments.setdefault(year, []).append(Shipment(supplier, buyer, volume))
    final = set(
        session.scalars(
            select(ClusterMember.organisation_id).where(
                ClusterMember.cluster_id == cluster_id, ClusterMember.final_producer
            )
        )
    )
    return [year_figures(year, rows, shipments.get(year, []), final) for year, rows in sorted(outputs.items())]


def open_sums(figures: Iterable[YearFigures]) -> list[YearFigures]:
    """Years whose sums do not tell the figures of a single member."""
    return [row for row in figures if row.members >= FEWEST_FOR_SUMS]


def case_of(session: Session, cluster: Cluster, figures: Sequence[YearFigures], today: date) -> Case:
    """What the requirements ask of a cluster, from the register, the map and the figures of its latest year."""
    members = session.execute(
        select(ClusterMember, Organisation.region, Organisation.okved2)
        .join(ClusterMember.organisation)
        .where(ClusterMember.cluster_id == cluster.id, ClusterMember.state == MembershipState.CONFIRMED)
    ).all()
    latest = figures[-1] if figures else None
    parties = _parties(session, cluster.id)
    alone = {row.organisation_id for row, _, _ in members} - parties
    remote = {row.organisation_id for row, region, _ in members if region not in cluster.regions}
    kinds = Counter(
        session.scalars(select(InfrastructureObject.kind).where(InfrastructureObject.cluster_id == cluster.id))
    )
    papers = session.scalars(
        select(ClusterDocument.kind).where(
            ClusterDocument.cluster_id == cluster.id, ClusterDocument.removed_at.is_(None)
        )
    )
    region = session.get(ClusterYear, (cluster.id, latest.year)) if latest else None
    industrial = {row.organisation_id for row, _, code in members if okved.is_industry(code)}
    return Case(
        industrial=len(industrial),
        final_producers=sum(row.final_producer and row.organisation_id in industrial for row, _, _ in members),
        members=len(members),
        regions=len(cluster.regions),
        remote=len(remote),
        remote_alone=len(remote & alone),
        without_contract=sum(row.organisation_id in alone and not row.spic for row, _, _ in members),
        special=sum(row.special_territory for row, _, _ in members),
        starting=sum(row.starting for row, _, _ in members),
        infrastructure=kinds,
        papers=frozenset(papers),
        in_register=cluster.in_register(today),
        registered_on=cluster.registered_on,
        valid_until=cluster.valid_until,
        has_map=bool(parties),
        year=latest,
        regional_productivity=region.regional_productivity if region else None,
    )


def _parties(session: Session, cluster_id: UUID) -> set[UUID]:
    """Who stands in a supply of the latest year of the map."""
    newest = select(func.max(Supply.year)).where(Supply.cluster_id == cluster_id).scalar_subquery()
    here = (Supply.cluster_id == cluster_id) & (Supply.year == newest)
    statement = union(select(Supply.supplier_id).where(here), select(Supply.buyer_id).where(here))
    return set(session.scalars(statement))
