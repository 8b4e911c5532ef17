"""Reading the register: who is in which cluster."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Integer, Select, String, and_, cast, func, or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload

import portal.clusters.policy  # noqa: F401 - registers the rules and scopes
from portal.clusters.models import Cluster, ClusterMember, MembershipState, RegisterImport
from portal.clusters.profile_models import (
    ActionState,
    ClusterProgramme,
    Programme,
    Roadmap,
    RoadmapAction,
    RoadmapState,
)
from portal.clusters.roadmap_diff import order
from portal.clusters.rules import task_key
from portal.core.jobs import Task
from portal.identity.models import Organisation, OrgRole
from portal.identity.policy import Actor

_CONFIRMED: Final = ClusterMember.state == MembershipState.CONFIRMED
FINAL_PRODUCERS_FIRST: Final[tuple[ColumnElement[Any], ...]] = (
    cast(ClusterMember.final_producer, Integer),
    ClusterMember.__table__.c.id,
)
"""The order of a long list of members, newest first within."""

_WAITING: Final = ClusterMember.state == MembershipState.REQUESTED


def is_confirmed(session: Session, cluster_id: UUID, organisation_id: UUID) -> bool:
    """Whether the organisation is a confirmed member of the cluster."""
    statement = select(ClusterMember.id).where(
        ClusterMember.cluster_id == cluster_id, ClusterMember.organisation_id == organisation_id, _CONFIRMED
    )
    return session.scalar(statement) is not None


def confirmed_members(session: Session, cluster_id: UUID) -> list[ClusterMember]:
    """Confirmed members with their organisations, final producers first, then by Russian name."""
    statement = (
        select(ClusterMember)
        .join(ClusterMember.organisation)
        .options(contains_eager(ClusterMember.organisation))
        .where(ClusterMember.cluster_id == cluster_id, _CONFIRMED)
        .order_by(ClusterMember.final_producer.desc(), _sortable(Organisation.name_ru), ClusterMember.id)
    )
    return list(session.scalars(statement))


def members_in_any_state(session: Session, cluster_id: UUID) -> list[ClusterMember]:
    """All who are, were or want to be members, with their organisations, by Russian name."""
    statement = (
        select(ClusterMember)
        .join(ClusterMember.organisation)
        .options(contains_eager(ClusterMember.organisation))
        .where(ClusterMember.cluster_id == cluster_id)
        .order_by(_sortable(Organisation.name_ru), ClusterMember.id)
    )
    return list(session.scalars(statement))


def confirmed_clusters_of(session: Session, organisation_ids: Iterable[UUID]) -> dict[UUID, list[Cluster]]:
    """Clusters of which each organisation is a confirmed member, by name; every given key is answered."""
    found: dict[UUID, list[Cluster]] = {key: [] for key in organisation_ids}
    if not found:
        return found
    statement = (
        select(ClusterMember.organisation_id, Cluster)
        .join(ClusterMember.cluster)
        .where(ClusterMember.organisation_id.in_(found), _CONFIRMED)
        .order_by(_sortable(Cluster.name_ru), Cluster.id)
    )
    for organisation_id, cluster in session.execute(statement):
        found[organisation_id].append(cluster)
    return found


def members_of(cluster_id: UUID) -> Select[Any]:
    """Confirmed members with their organisations, for a list that is read in pages."""
    return (
        select(ClusterMember)
        .join(ClusterMember.organisation)
        .options(contains_eager(ClusterMember.organisation))
        .where(ClusterMember.cluster_id == cluster_id, _CONFIRMED)
    )


def candidates(session: Session, actor: Actor, cluster_id: UUID) -> list[Organisation]:
    """Organisations that the actor may sign for and that neither belong to the cluster nor have asked to."""
    signed_for = [key for key in actor.memberships if actor.acts_for(key, OrgRole.OWNER, OrgRole.SIGNATORY)]
    inside = select(ClusterMember.organisation_id).where(
        ClusterMember.cluster_id == cluster_id, or_(_CONFIRMED, _WAITING)
    )
    statement = (
        select(Organisation)
        .where(Organisation.id.in_(signed_for), Organisation.id.not_in(inside))
        .order_by(_sortable(Organisation.name_ru), Organisation.id)
    )
    return list(session.scalars(statement))


def with_names(session: Session, row: ClusterMember) -> ClusterMember:
    """The membership with its cluster and organisation loaded."""
    statement = (
        select(ClusterMember)
        .options(joinedload(ClusterMember.cluster), joinedload(ClusterMember.organisation))
        .where(ClusterMember.id == row.id)
        .execution_options(populate_existing=True)
    )
    return session.scalars(statement).one()


def memberships_of(session: Session, organisation_ids: Iterable[UUID]) -> list[ClusterMember]:
    """All memberships of the organisations in any state, with cluster and organisation."""
    statement = (
        select(ClusterMember)
        .options(joinedload(ClusterMember.cluster), joinedload(ClusterMember.organisation))
        .where(ClusterMember.organisation_id.in_(list(organisation_ids)))
        .order_by(ClusterMember.organisation_id, ClusterMember.id)
    )
    return list(session.scalars(statement))


def run_by(session: Session, organisation_ids: Iterable[UUID]) -> list[tuple[Cluster, int]]:
    """Clusters whose specialised organisation is one of these, each with the number of waiting requests."""
    statement = (
        select(Cluster, func.count(ClusterMember.id))
        .outerjoin(ClusterMember, and_(ClusterMember.cluster_id == Cluster.id, _WAITING))
        .where(Cluster.spec_org_id.in_(list(organisation_ids)))
        .group_by(Cluster.id)
        .order_by(_sortable(Cluster.name_ru), Cluster.id)
    )
    return [(cluster, count) for cluster, count in session.execute(statement)]


def waiting_requests(session: Session, cluster_ids: Iterable[UUID]) -> list[ClusterMember]:
    """Requests that wait for a decision, oldest first, with cluster and organisation."""
    statement = (
        select(ClusterMember)
        .options(joinedload(ClusterMember.cluster), joinedload(ClusterMember.organisation))
        .where(ClusterMember.cluster_id.in_(list(cluster_ids)), _WAITING)
        .order_by(ClusterMember.requested_at, ClusterMember.id)
    )
    return list(session.scalars(statement))


@dataclass(frozen=True, slots=True)
class Listed:
    """A cluster in a list, with the number of its confirmed members and of waiting requests."""

    cluster: Cluster
    members: int
    waiting: int


def listed(
    clusters: Select[Any],
    *,
    text: str = "",
    region: str = "",
    sector: str = "",
    programme: str = "",
    locale: str = "ru",
) -> Select[Any]:
    """The list of the register, from a permitted select of clusters; every filter narrows it.

    Rows are ``(cluster, members, waiting, name)``, to be ordered by :func:`by_name`. ``sector``: the Russian
    sector; ``programme``: of :class:`Programme`, now or in the past.
    """
    counted = (
        select(
            ClusterMember.cluster_id,
            func.count().filter(_CONFIRMED).label("members"),
            func.count().filter(_WAITING).label("waiting"),
        )
        .group_by(ClusterMember.cluster_id)
        .subquery()
    )
    statement = clusters.outerjoin(counted, counted.c.cluster_id == Cluster.id).add_columns(
        func.coalesce(counted.c.members, 0), func.coalesce(counted.c.waiting, 0), by_name(locale)[0]
    )
    if region:
        statement = statement.where(Cluster.regions.contains([region]))
    if sector:
        statement = statement.where(Cluster.sector_ru == sector)
    if programme:
        statement = statement.where(_ever_took_part(programme))
    if text:
        statement = statement.where(
            or_(
                *(
                    _holds(column, text)
                    for column in (
                        Cluster.name_ru,
                        Cluster.name_en,
                        Cluster.sector_ru,
                        Cluster.sector_en,
                        Cluster.code,
                    )
                )
            )
        )
    return statement


def by_name(locale: str) -> tuple[ColumnElement[str], ColumnElement[UUID]]:
    """The order of the register: the name in the language, then the key."""
    name = Cluster.name_ru if locale == "ru" else func.coalesce(func.nullif(Cluster.name_en, ""), Cluster.name_ru)
    return _sortable(name), Cluster.__table__.c.id


def _ever_took_part(programme: str) -> ColumnElement[bool]:
    if programme == Programme.INDUSTRIAL:
        return Cluster.registered_on.is_not(None)
    return Cluster.id.in_(select(ClusterProgramme.cluster_id).where(ClusterProgramme.programme == programme))


def sectors(session: Session) -> list[tuple[str, str]]:
    """The sectors of the register in both languages, by the Russian name."""
    statement = (
        select(Cluster.sector_ru, func.max(Cluster.sector_en))
        .where(Cluster.sector_ru != "")
        .group_by(Cluster.sector_ru)
        .order_by(_sortable(Cluster.sector_ru))
    )
    return [(russian, english or russian) for russian, english in session.execute(statement)]


def region_counts(session: Session) -> dict[str, int]:
    """How many clusters each federal subject has a part in."""
    codes = select(func.jsonb_array_elements_text(Cluster.regions).label("code")).subquery()
    statement = select(codes.c.code, func.count()).group_by(codes.c.code)
    return {row.code: row[1] for row in session.execute(statement)}


def register(session: Session, statement: Select[Any], limit: int) -> list[Listed]:
    """Run :func:`listed` in the order of the Russian names."""
    rows = session.execute(statement.order_by(*by_name("ru")).limit(limit))
    return [Listed(cluster, members, waiting) for cluster, members, waiting, _name in rows]


@dataclass(frozen=True, slots=True)
class Cited:
    """An action that a project can cite: the code stays the same from version to version."""

    code: str
    title_ru: str
    title_en: str
    kind: str
    state: str
    version: int


def roadmap_actions(session: Session, cluster_id: UUID) -> list[Cited]:
    """The actions of the newest published version, dropped ones not, by code; none without a roadmap."""
    newest = (
        select(Roadmap.id, Roadmap.number)
        .where(Roadmap.cluster_id == cluster_id, Roadmap.state == RoadmapState.PUBLISHED)
        .order_by(Roadmap.number.desc())
        .limit(1)
        .subquery()
    )
    statement = (
        select(RoadmapAction, newest.c.number)
        .join(newest, newest.c.id == RoadmapAction.roadmap_id)
        .where(RoadmapAction.state != ActionState.DROPPED)
    )
    found = [
        Cited(row.code, row.title_ru, row.title_en, row.kind, row.state, number)
        for row, number in session.execute(statement)
    ]
    return sorted(found, key=lambda row: order(row.code))


def with_spec_org(clusters: Select[Any]) -> Select[Any]:
    """Load the specialised organisation with the cluster."""
    return clusters.options(joinedload(Cluster.spec_org))


def recent_imports(imports: Select[Any], limit: int) -> Select[Any]:
    """The newest imports with their files and who started them."""
    return (
        imports.options(joinedload(RegisterImport.file), joinedload(RegisterImport.starter))
        .order_by(RegisterImport.id.desc())
        .limit(limit)
    )


def import_parked(session: Session, row: RegisterImport) -> bool:
    """Whether the import's work was given up after several failures and waits for an administrator."""
    statement = select(Task.parked_at).where(Task.key == task_key(row.id))
    return session.scalar(statement) is not None


def _sortable(column: ColumnElement[str] | object) -> ColumnElement[str]:
    """Without ICU "ё" sorts after "я"."""
    return func.replace(func.lower(column), "ё", "е", type_=String)


def _holds(column: object, text: str) -> ColumnElement[bool]:
    return func.strpos(func.lower(column), func.lower(text)) > 0
