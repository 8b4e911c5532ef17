"""What a cluster tells of itself: the verbs of its profile, programmes, infrastructure and documents."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import BinaryIO, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit import service as audit
from portal.clusters import fields
from portal.clusters.functional_map import kept
from portal.clusters.models import Cluster
from portal.clusters.profile_models import (
    ClusterDocument,
    ClusterProfile,
    ClusterProgramme,
    Infrastructure,
    InfrastructureObject,
    Paper,
    Programme,
)
from portal.clusters.service import assign
from portal.core import regions
from portal.core.clock import now
from portal.core.errors import NotFound, Problem, Problems, Stale
from portal.core.language import N_
from portal.documents import kinds
from portal.documents import service as documents
from portal.identity.policy import Actor, Permission, authorize

MAX_ABOUT: Final = 3000
MAX_FACTS: Final = 2000
MAX_NAME: Final = 300
STORED_PROGRAMMES: Final = (Programme.PILOT_INNOVATIVE, Programme.LEADING)
_TEXTS: Final = {"about_ru": MAX_ABOUT, "about_en": MAX_ABOUT, "facts_ru": MAX_FACTS, "facts_en": MAX_FACTS}


def save_profile(
    session: Session, actor: Actor, *, cluster_id: UUID, values: Mapping[str, str], expected_version: int
) -> ClusterProfile:
    """Save the texts (``about_*``, ``facts_*``) and the day ``rcc_since`` of the hosted competence centre.

    Raises :class:`Problems` by field, :class:`Stale`; the version of a profile that is not there yet is 0.
    """
    kept(session, actor, cluster_id)
    held = session.get(ClusterProfile, cluster_id, populate_existing=True)
    if (held.version if held else 0) != expected_version:
        changed = N_("Somebody else changed this profile since you opened it. Open it again and repeat your change.")
        raise Stale(changed, held.version if held else 0)
    columns: dict[str, object] = {}
    problems = []
    for name, limit in _TEXTS.items():
        lines = [fields.tidy(line) for line in values.get(name, "").splitlines()]
        text = "\n".join(lines).strip()
        columns[name] = text
        if len(text) > limit:
            problems.append(Problem("too_long", name, N_("Shorten this to %(limit)s characters.", limit=limit)))
    columns["rcc_since"] = _day(values.get("rcc_since", ""), "rcc_since", problems)
    if problems:
        raise Problems(problems)
    if held is None:
        held = ClusterProfile(cluster_id=cluster_id, **columns)
        session.add(held)
        changes: dict[str, object] = columns
    else:
        changes = dict(assign(held, columns))
    session.flush()
    if changes:
        audit.record(session, actor, "clusters:profile:save", "cluster", cluster_id, changes)
    return held


def add_programme(
    session: Session, actor: Actor, *, cluster_id: UUID, programme: str, since: str, until: str
) -> ClusterProgramme:
    """Note that the cluster takes part in a state programme, from a day to a day or without an end.

    The fund's administrator does; being industrial follows from the register. Raises :class:`Problems`.
    """
    cluster = session.get(Cluster, cluster_id)
    if cluster is None:
        raise NotFound
    authorize(actor, Permission.CLUSTER_EDIT, cluster)
    problems: list[Problem] = []
    if programme not in STORED_PROGRAMMES:
        problems.append(Problem("unknown", "programme", N_("Choose a programme from the list.")))
    first, last = _day(since, "since", problems), _day(until, "until", problems)
    if first is None and not any(p.field == "since" for p in problems):
        problems.append(Problem("empty", "since", N_("Enter the day from which it takes part.")))
    if first and last and last < first:
        problems.append(Problem("dates", "until", N_("The end cannot be before the beginning.")))
    if problems or first is None:
        raise Problems(problems)
    row = ClusterProgramme(cluster_id=cluster_id, programme=programme, since=first, until=last)
    try:
        with session.begin_nested():
            session.add(row)
            session.flush()
    except IntegrityError:
        raise Problems.one("taken", "since", N_("This is noted already.")) from None
    changes = {"cluster": cluster.code, "programme": programme, "since": first, "until": last}
    audit.record(session, actor, "clusters:programme:add", "cluster", cluster_id, changes)
    return row


def remove_programme(session: Session, actor: Actor, *, cluster_id: UUID, programme_row_id: UUID) -> None:
    """Take a wrong entry of a programme away."""
    row = session.get(ClusterProgramme, programme_row_id)
    if row is None or row.cluster_id != cluster_id:
        raise NotFound
    authorize(actor, Permission.CLUSTER_EDIT, session.get_one(Cluster, cluster_id))
    changes = {"programme": row.programme, "since": row.since, "until": row.until}
    session.delete(row)
    session.flush()
    audit.record(session, actor, "clusters:programme:remove", "cluster", cluster_id, changes)


def add_infrastructure(
    session: Session, actor: Actor, *, cluster_id: UUID, kind: str, name_ru: str, name_en: str, region: str
) -> InfrastructureObject:
    """Name an object of the cluster's infrastructure. Raises :class:`Problems` by field."""
    cluster = kept(session, actor, cluster_id)
    name_ru, name_en = fields.tidy(name_ru), fields.tidy(name_en)
    problems = []
    if kind not in set(Infrastructure):
        problems.append(Problem("unknown", "kind", N_("Choose the kind from the list.")))
    if not name_ru:
        problems.append(Problem("empty", "name_ru", N_("Enter the name in Russian.")))
    for field, name in (("name_ru", name_ru), ("name_en", name_en)):
        if len(name) > MAX_NAME:
            problems.append(Problem("too_long", field, N_("Shorten this to %(limit)s characters.", limit=MAX_NAME)))
    if regions.find(region) is None:
        problems.append(Problem("unknown", "region", N_("Choose a region from the list.")))
    if problems:
        raise Problems(problems)
    row = InfrastructureObject(cluster_id=cluster_id, kind=kind, name_ru=name_ru, name_en=name_en, region=region)
    session.add(row)
    session.flush()
    changes = {"cluster": cluster.code, "kind": kind, "name_ru": name_ru, "region": region}
    audit.record(session, actor, "clusters:infrastructure:add", "infrastructure_object", row.id, changes)
    return row


def remove_infrastructure(session: Session, actor: Actor, *, cluster_id: UUID, object_id: UUID) -> None:
    """Take an object of the infrastructure off the list."""
    cluster = kept(session, actor, cluster_id)
    row = session.get(InfrastructureObject, object_id)
    if row is None or row.cluster_id != cluster_id:
        raise NotFound
    changes = {"cluster": cluster.code, "kind": row.kind, "name_ru": row.name_ru}
    session.delete(row)
    session.flush()
    audit.record(session, actor, "clusters:infrastructure:remove", "infrastructure_object", object_id, changes)


def add_document(
    session: Session,
    actor: Actor,
    *,
    cluster_id: UUID,
    kind: str,
    title: str,
    issued_on: str,
    name: str,
    stream: BinaryIO,
) -> ClusterDocument:
    """Publish a document of the cluster. Raises :class:`Problems` (``kind``, ``title``, ``issued_on``, ``file``)."""
    cluster = kept(session, actor, cluster_id)
    title = fields.tidy(title)
    problems: list[Problem] = []
    if kind not in set(Paper):
        problems.append(Problem("unknown", "kind", N_("Choose the kind from the list.")))
    if not title:
        problems.append(Problem("empty", "title", N_("Enter the title of the document.")))
    if len(title) > MAX_NAME:
        problems.append(Problem("too_long", "title", N_("Shorten this to %(limit)s characters.", limit=MAX_NAME)))
    day = _day(issued_on, "issued_on", problems)
    if problems:
        raise Problems(problems)
    assert actor.user_id is not None
    file = documents.store(session, actor, name=name, stream=stream, allowed=kinds.DOCUMENTS)
    row = ClusterDocument(
        cluster_id=cluster_id, kind=kind, title=title, issued_on=day, file_id=file.id, added_by=actor.user_id
    )
    session.add(row)
    session.flush()
    changes = {"cluster": cluster.code, "kind": kind, "title": title, "sha256": file.sha256}
    audit.record(session, actor, "clusters:document:add", "cluster_document", row.id, changes)
    return row


def remove_document(session: Session, actor: Actor, *, cluster_id: UUID, document_id: UUID) -> None:
    """Take a document off the page; its row and its file stay."""
    cluster = kept(session, actor, cluster_id)
    row = session.scalar(
        select(ClusterDocument).where(
            ClusterDocument.id == document_id,
            ClusterDocument.cluster_id == cluster_id,
            ClusterDocument.removed_at.is_(None),
        )
    )
    if row is None:
        raise NotFound
    row.removed_at = now(session)
    session.flush()
    changes = {"cluster": cluster.code, "kind": row.kind, "title": row.title}
    audit.record(session, actor, "clusters:document:remove", "cluster_document", row.id, changes)


def _day(text: str, field: str, problems: list[Problem]) -> date | None:
    try:
        return fields.day(fields.tidy(text))
    except fields.FieldError as error:
        problems.append(Problem(error.code, field, error.message))
        return None
