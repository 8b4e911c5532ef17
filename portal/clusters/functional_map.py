"""The functional map of a cluster and its members' figures: the verbs, and the writing of their imports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

import portal.clusters.policy  # noqa: F401 - registers the rules and scopes
from portal.audit import service as audit
from portal.clusters import fields
from portal.clusters.models import Cluster, ClusterMember, ImportKind, MembershipState, RegisterImport
from portal.clusters.profile_models import ClusterYear, MemberYear, Supply
from portal.clusters.register import Outcome, Row, finish
from portal.clusters.rules import task_key
from portal.clusters.service import assign
from portal.core import jobs
from portal.core.db import uuid7
from portal.core.errors import NotFound, Problem, Problems
from portal.core.language import N_
from portal.core.money import MoneyError, parse_money
from portal.documents import kinds
from portal.documents import service as documents
from portal.identity.models import Organisation
from portal.identity.policy import Actor, Permission, authorize

NOT_A_MEMBER = N_("No confirmed member of the cluster has this INN and KPP.")
TWO_MEMBERS = N_("Several members of the cluster have this INN: enter the KPP too.")
_SUPPLY = ("product_ru", "product_en", "volume")
_FIGURES = ("output", "exports", "jobs", "hp_jobs", "value_added")


def kept(session: Session, actor: Actor, cluster_id: UUID) -> Cluster:
    """The cluster, locked, for somebody who keeps its profile; :class:`NotFound`, :class:`Refused`."""
    cluster = session.get(Cluster, cluster_id, with_for_update={"key_share": True}, populate_existing=True)
    if cluster is None:
        raise NotFound
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    return cluster


def enter_supply(
    session: Session, actor: Actor, *, cluster_id: UUID, supplier_id: UUID, buyer_id: UUID, values: Mapping[str, str]
) -> Supply:
    """Enter a line of the map; the same parties, product code and year are changed instead.

    ``values``: texts ``okpd2``, ``product_ru``, ``product_en``, ``year``, ``volume``. Raises :class:`Problems`.
    """
    cluster = kept(session, actor, cluster_id)
    columns, problems = fields.supply(values)
    if supplier_id == buyer_id:
        problems.append(Problem("parties", "buyer_id", N_("The supplier and the buyer are the same organisation.")))
    members = _member_ids(session, cluster_id)
    for name, key in (("supplier_id", supplier_id), ("buyer_id", buyer_id)):
        if key not in members:
            problems.append(Problem("unknown", name, N_("Choose a member of the cluster.")))
    if problems:
        raise Problems(problems)
    held = session.scalar(
        select(Supply).where(
            Supply.cluster_id == cluster_id,
            Supply.year == columns["year"],
            Supply.supplier_id == supplier_id,
            Supply.buyer_id == buyer_id,
            Supply.okpd2 == columns["okpd2"],
        )
    )
    if held is None:
        held = Supply(cluster_id=cluster_id, supplier_id=supplier_id, buyer_id=buyer_id, **columns)
        session.add(held)
        changes: dict[str, Any] = {**columns, "supplier": supplier_id, "buyer": buyer_id}
    else:
        changes = assign(held, {name: columns[name] for name in _SUPPLY})
    session.flush()
    if changes:
        audit.record(session, actor, "clusters:supply:enter", "supply", held.id, {"cluster": cluster.code, **changes})
    return held


def remove_supply(session: Session, actor: Actor, *, cluster_id: UUID, supply_id: UUID) -> None:
    """Take a line out of the map."""
    cluster = kept(session, actor, cluster_id)
    held = session.scalar(select(Supply).where(Supply.id == supply_id, Supply.cluster_id == cluster_id))
    if held is None:
        raise NotFound
    changes = {
        "cluster": cluster.code,
        "supplier": held.supplier_id,
        "buyer": held.buyer_id,
        "year": held.year,
        "okpd2": held.okpd2,
        "volume": held.volume,
    }
    session.delete(held)
    session.flush()
    audit.record(session, actor, "clusters:supply:remove", "supply", supply_id, changes)


def enter_figures(
    session: Session, actor: Actor, *, cluster_id: UUID, organisation_id: UUID, values: Mapping[str, str]
) -> MemberYear:
    """Enter or change a member's figures of a year; ``values`` are texts of :func:`fields.figures`."""
    cluster = kept(session, actor, cluster_id)
    columns, problems = fields.figures(values)
    if organisation_id not in _member_ids(session, cluster_id):
        problems.append(Problem("unknown", "organisation_id", N_("Choose a member of the cluster.")))
    if problems:
        raise Problems(problems)
    held = session.scalar(
        select(MemberYear).where(
            MemberYear.cluster_id == cluster_id,
            MemberYear.organisation_id == organisation_id,
            MemberYear.year == columns["year"],
        )
    )
    if held is None:
        held = MemberYear(cluster_id=cluster_id, organisation_id=organisation_id, **columns)
        session.add(held)
        changes: dict[str, Any] = {**columns, "organisation": organisation_id}
    else:
        changes = assign(held, {name: columns[name] for name in _FIGURES})
    session.flush()
    if changes:
        changes = {"cluster": cluster.code, "year": held.year, **changes}
        audit.record(session, actor, "clusters:figures:enter", "member_year", held.id, changes)
    return held


def enter_region(session: Session, actor: Actor, *, cluster_id: UUID, year: str, productivity: str) -> ClusterYear:
    """Enter the productivity of the region's industry in a year (roubles a person), for CL-08."""
    cluster = kept(session, actor, cluster_id)
    problems: list[Problem] = []
    number, amount = 0, None
    try:
        number = fields.year(fields.tidy(year))
    except fields.FieldError as error:
        problems.append(Problem(error.code, "year", error.message))
    try:
        amount = parse_money(productivity)
    except MoneyError as error:
        problems.append(Problem(error.code, "productivity", error.message))
    if amount is not None and amount == 0:
        problems.append(Problem("too_small", "productivity", N_("Enter an amount above zero.")))
    if problems or amount is None:
        raise Problems(problems)
    held = session.get(ClusterYear, (cluster_id, number))
    if held is None:
        held = ClusterYear(cluster_id=cluster_id, year=number, regional_productivity=amount)
        session.add(held)
    held.regional_productivity = amount
    session.flush()
    changes = {"cluster": cluster.code, "year": number, "regional_productivity": amount}
    audit.record(session, actor, "clusters:region:enter", "cluster", cluster_id, changes)
    return held


def mark_member(session: Session, actor: Actor, *, member_id: UUID, marks: Mapping[str, bool]) -> ClusterMember:
    """Set a member's marks: final producer, special territory, special investment contract, not producing yet."""
    row = session.get(ClusterMember, member_id)
    if row is None:
        raise NotFound
    cluster = kept(session, actor, row.cluster_id)
    known = ("final_producer", *fields.MARKS)
    changes = assign(row, {name: bool(value) for name, value in marks.items() if name in known})
    session.flush()
    if changes:
        changes = {"cluster": [cluster.code], **changes}
        audit.record(session, actor, "clusters:membership:mark", "cluster_member", row.id, changes)
    return row


def start_import(
    session: Session, actor: Actor, *, cluster_id: UUID, kind: ImportKind, name: str, stream: BinaryIO
) -> RegisterImport:
    """Keep the uploaded table of a cluster's map and queue its import. Raises :class:`Problems` (``file``)."""
    cluster = kept(session, actor, cluster_id)
    assert actor.user_id is not None
    file = documents.store(session, actor, name=name, stream=stream, allowed=kinds.TABLES)
    row = RegisterImport(kind=kind, cluster_id=cluster_id, file_id=file.id, started_by=actor.user_id, report={})
    session.add(row)
    session.flush()
    changes = {"kind": kind, "cluster": cluster.code, "file": file.name, "sha256": file.sha256}
    audit.record(session, actor, "clusters:map:import_start", "register_import", row.id, changes)
    jobs.enqueue(session, "register_import", {"import_id": str(row.id)}, key=task_key(row.id))
    return row


class Parties:
    """The confirmed members of a cluster by INN and KPP; a KPP may be missing where the INN alone tells."""

    def __init__(self, session: Session, cluster_id: UUID) -> None:
        self._by_inn: dict[str, dict[str | None, UUID]] = {}
        statement = (
            select(Organisation.id, Organisation.inn, Organisation.kpp)
            .join(ClusterMember, ClusterMember.organisation_id == Organisation.id)
            .where(ClusterMember.cluster_id == cluster_id, ClusterMember.state == MembershipState.CONFIRMED)
        )
        for key, inn, kpp in session.execute(statement):
            self._by_inn.setdefault(inn, {})[kpp] = key

    def find(self, inn: str, kpp: str | None) -> UUID | None:
        """The member's key, or None for nobody and for several."""
        found = self._by_inn.get(inn, {})
        if kpp is None:
            return next(iter(found.values())) if len(found) == 1 else None
        return found.get(kpp)

    def ambiguous(self, inn: str, kpp: str | None) -> bool:
        return kpp is None and len(self._by_inn.get(inn, {})) > 1


def apply_supplies(session: Session, actor: Actor, row: RegisterImport, rows: Sequence[Row]) -> Outcome:
    """Enter and change the lines of a table that was checked. Lines that it does not name stay."""
    outcome, cluster_id = Outcome(), _locked(session, row)
    parties = Parties(session, cluster_id)
    held = {
        (line.year, line.supplier_id, line.buyer_id, line.okpd2): line
        for line in session.scalars(select(Supply).where(Supply.cluster_id == cluster_id))
    }
    for line, values in rows:
        supplier = parties.find(values["supplier_inn"], values.get("supplier_kpp"))
        buyer = parties.find(values["buyer_inn"], values.get("buyer_kpp"))
        assert supplier is not None
        assert buyer is not None
        columns = {name: values[name] for name in _SUPPLY if name in values}
        found = held.get((values["year"], supplier, buyer, values["okpd2"]))
        if found is not None:
            outcome.note(line, found.id, False, assign(found, columns))
            continue
        columns |= {"year": values["year"], "okpd2": values["okpd2"], "supplier_id": supplier, "buyer_id": buyer}
        created = Supply(id=uuid7(), cluster_id=cluster_id, **{"product_en": "", **columns})
        session.add(created)
        outcome.note(line, created.id, True, columns)
    finish(session, actor, row, outcome)
    return outcome


def apply_figures(session: Session, actor: Actor, row: RegisterImport, rows: Sequence[Row]) -> Outcome:
    """Enter and change the members' figures of a table that was checked."""
    outcome, cluster_id = Outcome(), _locked(session, row)
    parties = Parties(session, cluster_id)
    held = {
        (line.year, line.organisation_id): line
        for line in session.scalars(select(MemberYear).where(MemberYear.cluster_id == cluster_id))
    }
    for line, values in rows:
        member = parties.find(values["inn"], values.get("kpp"))
        assert member is not None
        columns = {name: values[name] for name in _FIGURES if name in values}
        found = held.get((values["year"], member))
        if found is not None:
            outcome.note(line, found.id, False, assign(found, columns))
            continue
        columns |= {"year": values["year"], "organisation_id": member}
        defaults = {"exports": 0, "hp_jobs": 0, "value_added": None}
        created = MemberYear(id=uuid7(), cluster_id=cluster_id, **{**defaults, **columns})
        session.add(created)
        outcome.note(line, created.id, True, columns)
    finish(session, actor, row, outcome)
    return outcome


def _locked(session: Session, row: RegisterImport) -> UUID:
    """Two imports of one cluster write one after the other."""
    assert row.cluster_id is not None
    session.get_one(Cluster, row.cluster_id, with_for_update={"key_share": True})
    return row.cluster_id


def _member_ids(session: Session, cluster_id: UUID) -> set[UUID]:
    statement = select(ClusterMember.organisation_id).where(
        ClusterMember.cluster_id == cluster_id, ClusterMember.state == MembershipState.CONFIRMED
    )
    return set(session.scalars(statement))
