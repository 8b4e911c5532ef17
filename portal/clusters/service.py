"""The verbs of the register: membership of an organisation in a cluster, and the clusters themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, contains_eager

import portal.clusters.policy  # noqa: F401 - registers the rules and scopes
from portal.audit import service as audit
from portal.clusters import fields, letters
from portal.clusters.models import Cluster, ClusterMember, ImportKind, MembershipState, RegisterImport
from portal.clusters.rules import MAX_PRODUCT, MAX_REASON, MEMBERSHIP, task_key
from portal.core import jobs
from portal.core.clock import now
from portal.core.db import uuid7
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused, Stale
from portal.core.language import N_
from portal.documents import kinds
from portal.documents import service as documents
from portal.identity.models import Organisation
from portal.identity.policy import Actor, Permission, authorize, find


def request_membership(
    session: Session,
    actor: Actor,
    *,
    cluster_id: UUID,
    organisation_id: UUID,
    product: str,
    final_producer: bool,
) -> ClusterMember:
    """Ask, in the name of an organisation, to become a member; after a refusal or a departure, ask again.

    Raises :class:`Problems` (``product``, ``organisation_id``, or the whole form), and :class:`Conflict` when
    a request waits already.
    """
    organisation = session.get(Organisation, organisation_id)
    if organisation is None:
        raise NotFound
    authorize(actor, Permission.CLUSTER_JOIN, organisation)
    cluster = find(session, actor, Cluster, cluster_id)
    product = fields.tidy(product)
    _check_request(cluster, organisation, product)
    at = now(session)
    row, asked_before = _claim_membership(session, cluster, organisation)
    if asked_before:
        if row.state == MembershipState.CONFIRMED:
            raise Problems.one("member", "organisation_id", N_("This organisation is a member already."))
        if row.state == MembershipState.REQUESTED:
            raise Conflict(N_("The request was sent already and waits for the specialised organisation."))
        row.state = MEMBERSHIP.after("request", MembershipState(row.state))
        row.decided_at = row.decided_by = row.reason = None
    row.product, row.final_producer = product, final_producer
    row.requested_at, row.requested_by = at, actor.user_id
    changes = {"cluster": cluster.id, "organisation": organisation.id, "product": product}
    _note(session, actor, "request", row, {**changes, "final_producer": final_producer})
    letters.requested(session, row, cluster, organisation, at)
    session.flush()
    return row


def _check_request(cluster: Cluster, organisation: Organisation, product: str) -> None:
    problems = []
    if not product:
        problems.append(Problem("empty", "product", N_("Enter what the organisation makes for the cluster.")))
    if len(product) > MAX_PRODUCT:
        limit = N_("Shorten this to %(limit)s characters.", limit=MAX_PRODUCT)
        problems.append(Problem("too_long", "product", limit))
    if cluster.spec_org_id is None:
        nobody = N_("The cluster has no specialised organisation yet, so nobody could confirm the membership.")
        problems.append(Problem("no_spec_org", "", nobody))
    if cluster.spec_org_id == organisation.id:
        own = N_("The specialised organisation cannot be a member of the cluster it runs.")
        problems.append(Problem("own_cluster", "organisation_id", own))
    if problems:
        raise Problems(problems)


def _claim_membership(session: Session, cluster: Cluster, organisation: Organisation) -> tuple[ClusterMember, bool]:
    """The one row of this pair, locked; two requests at once meet here. True when it was there before."""
    written = session.scalar(
        insert(ClusterMember)
        .values(
            id=uuid7(),
            cluster_id=cluster.id,
            organisation_id=organisation.id,
            state=MembershipState.REQUESTED,
            final_producer=False,
            product="",
        )
        .on_conflict_do_nothing(index_elements=[ClusterMember.cluster_id, ClusterMember.organisation_id])
        .returning(ClusterMember.id)
    )
    row = session.scalars(
        select(ClusterMember)
        .where(ClusterMember.cluster_id == cluster.id, ClusterMember.organisation_id == organisation.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    return row, written is None


def confirm_membership(session: Session, actor: Actor, *, member_id: UUID) -> ClusterMember:
    """Confirm a waiting request in the name of the cluster's specialised organisation."""
    row, cluster, organisation = _for_decision(session, actor, member_id)
    at = now(session)
    row.state, row.decided_at = MEMBERSHIP.after("confirm", MembershipState(row.state)), at
    row.decided_by, row.reason = actor.user_id, None
    _note(session, actor, "confirm", row, {"cluster": cluster.id, "organisation": organisation.id})
    letters.confirmed(session, row, cluster, organisation, at)
    tell_confirmed(session, cluster.id, f"{row.id}:{at.isoformat()}")
    session.flush()
    return row


def tell_confirmed(session: Session, cluster_id: UUID, key: str) -> None:
    """Write down that the cluster has new members: rooms above go on with what waited for them."""
    payload = {"cluster_id": str(cluster_id)}
    jobs.enqueue(session, "membership_confirmed", payload, key=f"membership_confirmed:{cluster_id}:{key}")


def refuse_membership(session: Session, actor: Actor, *, member_id: UUID, reason: str) -> ClusterMember:
    """Refuse a waiting request with a reason. Raises :class:`Problems` (``reason``)."""
    row, cluster, organisation = _for_decision(session, actor, member_id)
    reason = fields.tidy(reason)
    if not reason:
        raise Problems.one("empty", "reason", N_("Enter the reason: the organisation will read it."))
    if len(reason) > MAX_REASON:
        limit = N_("Shorten this to %(limit)s characters.", limit=MAX_REASON)
        raise Problems.one("too_long", "reason", limit)
    at = now(session)
    row.state, row.decided_at = MEMBERSHIP.after("refuse", MembershipState(row.state)), at
    row.decided_by, row.reason = actor.user_id, reason
    changes = {"cluster": cluster.id, "organisation": organisation.id, "reason": reason}
    _note(session, actor, "refuse", row, changes)
    letters.refused(session, row, cluster, organisation, at, reason)
    session.flush()
    return row


def _for_decision(session: Session, actor: Actor, member_id: UUID) -> tuple[ClusterMember, Cluster, Organisation]:
    row, cluster, organisation = _locked(session, actor, member_id)
    authorize(actor, Permission.CLUSTER_CONFIRM_MEMBER, cluster)
    if actor.acts_for(organisation.id):
        raise Refused(N_("You act for this organisation too: somebody else of the specialised organisation decides."))
    return row, cluster, organisation


def leave(session: Session, actor: Actor, *, member_id: UUID) -> ClusterMember:
    """End a membership, or take a waiting request back, in the name of the organisation."""
    row, cluster, organisation = _locked(session, actor, member_id)
    authorize(actor, Permission.CLUSTER_JOIN, organisation)
    before, at = row.state, now(session)
    row.state, row.decided_at = MEMBERSHIP.after("leave", MembershipState(before)), at
    row.decided_by = actor.user_id
    changes = {"cluster": cluster.id, "organisation": organisation.id, "before": before}
    _note(session, actor, "leave", row, changes)
    letters.left(session, row, cluster, organisation, at)
    session.flush()
    return row


def _locked(session: Session, actor: Actor, member_id: UUID) -> tuple[ClusterMember, Cluster, Organisation]:
    find(session, actor, ClusterMember, member_id)
    row = session.scalars(
        select(ClusterMember)
        .join(ClusterMember.cluster)
        .join(ClusterMember.organisation)
        .options(contains_eager(ClusterMember.cluster), contains_eager(ClusterMember.organisation))
        .where(ClusterMember.id == member_id)
        .with_for_update(of=ClusterMember)
        .execution_options(populate_existing=True)
    ).one()
    return row, row.cluster, row.organisation


def create_cluster(session: Session, actor: Actor, *, values: Mapping[str, str]) -> Cluster:
    """Enter a cluster; ``values`` are texts for :func:`fields.cluster`. Raises :class:`Problems`."""
    authorize(actor, Permission.CLUSTER_EDIT)
    columns = _columns(session, values)
    row = Cluster(**columns)
    _insert(session, row)
    audit.record(session, actor, "clusters:cluster:create", "cluster", row.id, columns)
    return row


def edit_cluster(
    session: Session, actor: Actor, *, cluster_id: UUID, values: Mapping[str, str], expected_version: int
) -> Cluster:
    """Change a cluster, its specialised organisation included. Raises :class:`Problems`, :class:`Stale`."""
    row = session.get(Cluster, cluster_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    authorize(actor, Permission.CLUSTER_EDIT, row)
    if row.version != expected_version:
        changed = N_("Somebody else changed this cluster since you opened it. Open it again and repeat your change.")
        raise Stale(changed, row.version)
    changes = assign(row, _columns(session, values))
    _insert(session, row)
    if changes:
        audit.record(session, actor, "clusters:cluster:edit", "cluster", row.id, changes)
    return row


def _columns(session: Session, values: Mapping[str, str]) -> dict[str, Any]:
    columns, problems = fields.cluster(values)
    if not problems:
        inn, kpp = columns.pop("spec_inn", None), columns.pop("spec_kpp", None)
        columns["spec_org_id"] = None
        if inn:
            found = spec_organisations(session, {(inn, kpp)})
            columns["spec_org_id"] = found.get((inn, kpp))
            if columns["spec_org_id"] is None:
                problems = [Problem("unknown", "spec_inn", NOT_REGISTERED)]
    if problems:
        raise Problems(problems)
    return columns


NOT_REGISTERED = N_("No organisation with this INN and KPP is registered in the portal. Register it first.")


def spec_organisations(session: Session, pairs: set[tuple[str, str | None]]) -> dict[tuple[str, str | None], UUID]:
    """Keys of organisations by INN and KPP; without a KPP when the INN alone tells the organisation."""
    found: dict[tuple[str, str | None], UUID] = {}
    alone: dict[str, set[UUID]] = {}
    statement = select(Organisation.id, Organisation.inn, Organisation.kpp).where(
        Organisation.inn.in_({inn for inn, _ in pairs})
    )
    for key, inn, kpp in session.execute(statement):
        found[inn, kpp] = key
        alone.setdefault(inn, set()).add(key)
    for inn, keys in alone.items():
        if len(keys) == 1:
            found.setdefault((inn, None), next(iter(keys)))
    return found


def assign(row: Any, columns: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Set what differs; returns ``{column: [before, after]}``."""
    changes = {}
    for name, value in columns.items():
        before = getattr(row, name)
        if before != value:
            setattr(row, name, value)
            changes[name] = [before, value]
    return changes


def _insert(session: Session, row: Cluster) -> None:
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError as error:
        if "uq_cluster_code" not in str(error.orig):
            raise
        taken = N_("Another cluster has this code.")
        raise Problems.one("taken", "code", taken) from None


def start_import(session: Session, actor: Actor, *, kind: ImportKind, name: str, stream: BinaryIO) -> RegisterImport:
    """Keep the uploaded table and queue its import. Raises :class:`Problems` (``file``) for no table."""
    authorize(actor, Permission.CLUSTER_IMPORT)
    assert actor.user_id is not None
    file = documents.store(session, actor, name=name, stream=stream, allowed=kinds.TABLES)
    row = RegisterImport(kind=kind, file_id=file.id, started_by=actor.user_id, report={})
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor,
        "clusters:register:import_start",
        "register_import",
        row.id,
        {"kind": kind, "file": file.name, "sha256": file.sha256},
    )
    jobs.enqueue(session, "register_import", {"import_id": str(row.id)}, key=task_key(row.id))
    return row


def _note(session: Session, actor: Actor, verb: str, row: ClusterMember, changes: Mapping[str, Any]) -> None:
    audit.record(session, actor, f"clusters:membership:{verb}", "cluster_member", row.id, changes)
