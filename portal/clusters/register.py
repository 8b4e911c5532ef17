"""Writing an import that was checked: everything in the present transaction, and only what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.audit import service as audit
from portal.clusters.fields import MARKS, Values
from portal.clusters.models import Cluster, ClusterMember, MembershipState, RegisterImport
from portal.clusters.service import assign, spec_organisations, tell_confirmed
from portal.core.clock import now
from portal.core.db import uuid7
from portal.identity.models import Organisation
from portal.identity.policy import Actor

AUDIT_ROWS: Final = 200
_LOCK: Final = text("select pg_advisory_xact_lock(:key)")
_LOCK_KEY: Final = 0x4A50_0002
_ORGANISATION: Final[tuple[str, ...]] = ("ogrn", "okved2", "region", "name_ru", "name_en")
_MEMBERSHIP: Final[tuple[str, ...]] = ("final_producer", "product", *MARKS)

Row = tuple[int, Values]


@dataclass
class Outcome:
    """How many rows were created, changed and left alone, and what happened to each of the first two."""

    created: int = 0
    changed: int = 0
    unchanged: int = 0
    events: list[dict[str, Any]] = field(default_factory=list)

    def note(self, line: int, key: UUID, created: bool, changes: dict[str, Any]) -> None:
        if not created and not changes:
            self.unchanged += 1
            return
        self.created, self.changed = self.created + created, self.changed + (not created)
        self.events.append({"line": line, "id": key, "created": created, "changes": changes})


def apply_clusters(session: Session, actor: Actor, row: RegisterImport, rows: Sequence[Row]) -> Outcome:
    """Create and change clusters by code. Clusters that the table does not name stay as they are."""
    session.execute(_LOCK, {"key": _LOCK_KEY})
    outcome = Outcome()
    codes = [values["code"] for _, values in rows]
    held = {
        cluster.code: cluster
        for cluster in session.scalars(
            select(Cluster).where(Cluster.code.in_(codes)).order_by(Cluster.id).with_for_update()
        )
    }
    pairs = {(v["spec_inn"], v.get("spec_kpp")) for _, v in rows if v.get("spec_inn")}
    spec = spec_organisations(session, pairs) if pairs else {}
    for line, values in rows:
        columns = {name: value for name, value in values.items() if not name.startswith("spec_")}
        if "spec_inn" in values:
            inn = values["spec_inn"]
            columns["spec_org_id"] = spec[inn, values.get("spec_kpp")] if inn else None
        cluster = held.get(columns["code"])
        if cluster is None:
            cluster = Cluster(id=uuid7(), **{"name_en": "", **columns})
            session.add(cluster)
            outcome.note(line, cluster.id, True, columns)
        else:
            outcome.note(line, cluster.id, False, assign(cluster, columns))
    finish(session, actor, row, outcome)
    return outcome


def apply_members(session: Session, actor: Actor, row: RegisterImport, rows: Sequence[Row]) -> Outcome:
    """Create and change organisations by INN and KPP, and confirm their memberships.

    Members that the table does not name stay members.
    """
    session.execute(_LOCK, {"key": _LOCK_KEY})
    outcome = Outcome()
    codes = {values["cluster"] for _, values in rows}
    clusters = {cluster.code: cluster.id for cluster in session.scalars(select(Cluster).where(Cluster.code.in_(codes)))}
    organisations = _organisations(session, rows)
    memberships = _memberships(session, organisations)
    at = now(session)
    for line, values in rows:
        changes: dict[str, Any] = {}
        organisation = _organisation(session, organisations, values, changes)
        pair = (clusters[values["cluster"]], organisation.id)
        held = memberships.get(pair)
        columns: dict[str, Any] = {name: values[name] for name in _MEMBERSHIP if name in values}
        if held is None:
            created = ClusterMember(
                id=uuid7(),
                cluster_id=pair[0],
                organisation_id=pair[1],
                state=MembershipState.CONFIRMED,
                decided_at=at,
                decided_by=row.started_by,
                **columns,
            )
            session.add(created)
            changes |= {"organisation": organisation.id, "cluster": values["cluster"], **columns}
            outcome.note(line, created.id, True, changes)
            continue
        if held.state != MembershipState.CONFIRMED:
            columns |= {"state": MembershipState.CONFIRMED.value, "reason": None}
            held.decided_at, held.decided_by = at, row.started_by
        changes |= assign(held, columns)
        outcome.note(line, held.id, False, changes)
    finish(session, actor, row, outcome)
    for cluster_id in clusters.values():
        tell_confirmed(session, cluster_id, f"import:{row.id}")
    return outcome


def _organisations(session: Session, rows: Sequence[Row]) -> dict[tuple[str, str | None], Organisation]:
    found = session.scalars(
        select(Organisation)
        .where(Organisation.inn.in_({values["inn"] for _, values in rows}))
        .order_by(Organisation.id)
        .with_for_update()
    )
    return {(organisation.inn, organisation.kpp): organisation for organisation in found}


def _organisation(
    session: Session,
    known: dict[tuple[str, str | None], Organisation],
    values: Values,
    changes: dict[str, Any],
) -> Organisation:
    """The organisation of a row, created or brought up to date; what was changed is added to ``changes``."""
    key = (values["inn"], values["kpp"])
    columns = {name: values[name] for name in _ORGANISATION if name in values}
    held = known.get(key)
    if held is None:
        held = Organisation(id=uuid7(), inn=key[0], kpp=key[1], **{"name_en": "", **columns})
        session.add(held)
        known[key] = held
    else:
        if not columns.get("name_en"):
            columns.pop("name_en", None)
        changes |= assign(held, columns)
    return held


def _memberships(
    session: Session, organisations: dict[tuple[str, str | None], Organisation]
) -> dict[tuple[UUID, UUID], ClusterMember]:
    keys = [organisation.id for organisation in organisations.values()]
    found = session.scalars(
        select(ClusterMember)
        .where(ClusterMember.organisation_id.in_(keys))
        .order_by(ClusterMember.id)
        .with_for_update()
    )
    return {(member.cluster_id, member.organisation_id): member for member in found}


def finish(session: Session, actor: Actor, row: RegisterImport, outcome: Outcome) -> None:
    """Flush, and note the changed rows in parcels: the audit chain is locked for a short time only."""
    session.flush()
    for start in range(0, len(outcome.events), AUDIT_ROWS):
        parcel = outcome.events[start : start + AUDIT_ROWS]
        changes = {"kind": row.kind, "started_by": row.started_by, "rows": parcel}
        audit.record(session, actor, "clusters:register:import", "register_import", row.id, changes)
