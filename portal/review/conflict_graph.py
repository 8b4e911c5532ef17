"""Reading the graph of conflicts: what the portal knows of the fund's people and the applications in play."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, or_, select, union
from sqlalchemy.orm import Session, aliased

from portal.applications.models import Application, Participant, ParticipantState, State
from portal.clusters.models import Cluster, ClusterMember, MembershipState
from portal.clusters.profile_models import Supply
from portal.core.clock import today
from portal.identity.models import Membership, Organisation, Role, RoleGrant, User
from portal.review.conflict_models import OrganisationOwner, PersonTie
from portal.review.conflicts import STRENGTHS, Bond, Firm, Graph, Kind, Project, bond_of, effects_of
from portal.review.models import Assignment, AssignmentState
from portal.tenders.models import RuleSetVersion, TenderTrack

JUDGES: Final = (Role.REVIEWER, Role.CHAIR, Role.COMMISSION, Role.DIRECTOR, Role.FINANCE)
"""Whose conflicts are looked for: those who review, propose, approve and sign."""
IN_PLAY: Final = (State.SUBMITTED, State.RETURNED, State.EXPERTISE)
"""Applications that are still to be reviewed or decided on; what was decided stays as it was known then."""
TAKES_PART: Final = (ParticipantState.INVITED, ParticipantState.ACCEPTED)


def graph(
    session: Session, *, people: Collection[UUID] | None = None, application_ids: Collection[UUID] | None = None
) -> Graph:
    """What is known today of people (all who judge) and applications (all in play); at most twelve queries."""
    on = today(session)
    names = _people(session, people)
    bonds = [*_memberships(session, names), *_ties(session, names, on)]
    projects, declared = _projects(session, application_ids), _declared(session, names)
    if not bonds:  # nobody belongs or is tied to anybody: no path begins
        return Graph(names, [], projects, flows=[], owners=[], partners=[], clusters={}, declared=declared)
    inns = {bond.firm.inn for bond in bonds}
    own = select(Organisation.id).where(Organisation.inn.in_(inns)).scalar_subquery()
    return Graph(
        people=names,
        bonds=bonds,
        projects=projects,
        flows=_flows(session, own, on),
        owners=_owners(session),
        partners=_partners(session, own, on),
        clusters=_clusters(session, inns),
        declared=declared,
    )


def _people(session: Session, people: Collection[UUID] | None) -> dict[UUID, str]:
    wanted = select(User.id, User.full_name, User.email)
    if people is None:
        wanted = wanted.where(User.id.in_(select(RoleGrant.user_id).where(RoleGrant.role.in_(JUDGES))))
    else:
        wanted = wanted.where(User.id.in_(list(people)))
    return {key: name or email for key, name, email in session.execute(wanted)}


def _memberships(session: Session, people: Mapping[UUID, str]) -> list[Bond]:
    rows = session.execute(
        select(Membership.user_id, *_FIRM)
        .join(Organisation, Organisation.id == Membership.organisation_id)
        .where(Membership.user_id.in_(list(people)))
    )
    return [Bond(person, _firm(*firm), Kind.MEMBERSHIP) for person, *firm in rows]


def _firm(inn: Any, russian: Any, english: Any, kpp: Any) -> Firm:
    """An organisation from the columns of :data:`_FIRM`."""
    return Firm(inn, russian, english, kpp)


_FIRM: Final = (Organisation.inn, Organisation.name_ru, Organisation.name_en, Organisation.kpp)


def _ties(session: Session, people: Mapping[UUID, str], on: date) -> list[Bond]:
    """Declared ties that hold today; the name is the portal's where the organisation is known to it."""
    rows = session.execute(
        select(PersonTie, func.min(Organisation.name_ru), func.min(Organisation.name_en))
        .outerjoin(Organisation, Organisation.inn == PersonTie.inn)
        .where(
            PersonTie.user_id.in_(list(people)),
            PersonTie.struck_at.is_(None),
            or_(PersonTie.since.is_(None), PersonTie.since <= on),
        )
        .group_by(PersonTie.id)
    )
    found = []
    for tie, russian, english in rows:
        firm = Firm(tie.inn, russian or tie.name, english or tie.name)
        bond = bond_of(tie.user_id, firm, tie.kind, on, share=tie.share, until=tie.until)
        if bond is not None:
            found.append(bond)
    return found


def _projects(session: Session, application_ids: Collection[UUID] | None) -> list[Project]:
    wanted = (
        select(
            Application.id,
            Application.number,
            Application.tender_track_id,
            Application.cluster_id,
            Cluster.name_ru,
            Cluster.name_en,
            *_FIRM,
            RuleSetVersion.content["conflict_ties"],
        )
        .join(Cluster, Cluster.id == Application.cluster_id)
        .join(TenderTrack, TenderTrack.id == Application.tender_track_id)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .outerjoin(Organisation, Organisation.id == Cluster.spec_org_id)
        .where(Application.submission_id.is_not(None))
    )
    if application_ids is None:
        wanted = wanted.where(Application.state.in_(IN_PLAY))
    else:
        wanted = wanted.where(Application.id.in_(list(application_ids)))
    rows = session.execute(wanted).all()
    parts: dict[UUID, list[Firm]] = defaultdict(list)
    for application_id, *firm in session.execute(
        select(Participant.application_id, *_FIRM)
        .join(Organisation, Organisation.id == Participant.organisation_id)
        .where(
            Participant.application_id.in_([row[0] for row in rows]),
            Participant.state.in_(TAKES_PART),
        )
        .order_by(Participant.role, Organisation.inn, Organisation.kpp)
    ):
        parts[application_id].append(_firm(*firm))
    return [
        Project(
            id=row[0],
            number=row[1] or "",
            track_id=row[2],
            participants=tuple(parts.get(row[0], ())),
            cluster_id=row[3],
            cluster={"ru": row[4], "en": row[5]},
            specialised=_firm(row[6], row[7], row[8], row[9]) if row[6] else None,
            effects=effects_of(row[10] or ()),
        )
        for row in rows
    ]


def _flows(session: Session, own: Any, on: date) -> list[tuple[Firm, Firm, int]]:
    """Supplies of the last years from or to the people's organisations."""
    recent = Supply.year >= on.year - STRENGTHS.flow_years
    sides = union(
        *(
            select(Supply.supplier_id.label("supplier"), Supply.buyer_id.label("buyer"), Supply.year.label("year"))
            .where(recent, side.in_(own))
            .distinct()
            for side in (Supply.supplier_id, Supply.buyer_id)
        )
    ).subquery()
    latest = (
        select(sides.c.supplier, sides.c.buyer, func.max(sides.c.year).label("year"))
        .group_by(sides.c.supplier, sides.c.buyer)
        .subquery()
    )
    firms: dict[UUID, Firm] = {}
    rows = session.execute(select(latest.c.supplier, latest.c.buyer, latest.c.year)).all()
    keys = {key for row in rows for key in row[:2]}
    for key, *firm in session.execute(select(Organisation.id, *_FIRM).where(Organisation.id.in_(keys))):
        firms[key] = _firm(*firm)
    return [(firms[supplier], firms[buyer], year) for supplier, buyer, year in rows]


def _owners(session: Session) -> list[tuple[Firm, Firm, Decimal]]:
    """Shares that are not struck out; names are the portal's where the organisations are known to it."""
    owner, owned = aliased(Organisation), aliased(Organisation)
    rows = session.execute(
        select(
            OrganisationOwner,
            func.min(owner.name_ru),
            func.min(owner.name_en),
            func.min(owned.name_ru),
            func.min(owned.name_en),
        )
        .outerjoin(owner, owner.inn == OrganisationOwner.owner_inn)
        .outerjoin(owned, owned.inn == OrganisationOwner.owned_inn)
        .where(OrganisationOwner.struck_at.is_(None))
        .group_by(OrganisationOwner.id)
    )
    return [
        (
            Firm(row.owner_inn, owner_ru or row.owner_name, owner_en or row.owner_name),
            Firm(row.owned_inn, owned_ru or row.owned_name, owned_en or row.owned_name),
            row.share,
        )
        for row, owner_ru, owner_en, owned_ru, owned_en in rows
    ]


def _partners(session: Session, own: Any, on: date) -> list[tuple[str, tuple[Firm, ...]]]:
    """Submitted projects of the last years in which the people's organisations took part with others."""
    theirs = (
        select(Participant.application_id)
        .join(Application, Application.id == Participant.application_id)
        .where(
            Participant.organisation_id.in_(own),
            Participant.state == ParticipantState.ACCEPTED,
            Application.number.is_not(None),
            Application.received_at >= on - timedelta(days=366 * STRENGTHS.partner_years),
        )
    )
    firms: dict[UUID, list[Firm]] = defaultdict(list)
    numbers: dict[UUID, str] = {}
    for key, number, *firm in session.execute(
        select(Application.id, Application.number, *_FIRM)
        .join(Participant, Participant.application_id == Application.id)
        .join(Organisation, Organisation.id == Participant.organisation_id)
        .where(Application.id.in_(theirs), Participant.state == ParticipantState.ACCEPTED)
        .order_by(Application.id, Organisation.inn)
    ):
        numbers[key] = number or ""
        firms[key].append(_firm(*firm))
    return [(numbers[key], tuple(members)) for key, members in firms.items()]


def _clusters(session: Session, inns: Iterable[str]) -> dict[str, frozenset[UUID]]:
    found: dict[str, set[UUID]] = defaultdict(set)
    for inn, cluster_id in session.execute(
        select(Organisation.inn, ClusterMember.cluster_id)
        .join(Organisation, Organisation.id == ClusterMember.organisation_id)
        .where(Organisation.inn.in_(list(inns)), ClusterMember.state == MembershipState.CONFIRMED)
    ):
        found[inn].add(cluster_id)
    return {inn: frozenset(clusters) for inn, clusters in found.items()}


def _declared(session: Session, people: Mapping[UUID, str]) -> frozenset[tuple[UUID, UUID]]:
    rows = session.execute(
        select(Assignment.reviewer_id, Assignment.application_id).where(
            Assignment.state == AssignmentState.CONFLICT,
            Assignment.stopped_at.is_(None),
            Assignment.reviewer_id.in_(list(people)),
        )
    )
    return frozenset((person, application) for person, application in rows)
