"""The roadmap of a cluster in versions: one draft at a time, and what is published never changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.audit import service as audit
from portal.clusters import fields
from portal.clusters.functional_map import kept
from portal.clusters.models import ClusterMember, MembershipState
from portal.clusters.profile_models import (
    ActionKind,
    ActionState,
    Roadmap,
    RoadmapAction,
    RoadmapState,
)
from portal.clusters.roadmap_diff import order
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize, scope

MAX_TITLE: Final = 300
MAX_INDICATOR: Final = 300
MAX_REASON: Final = 500
MAX_ACTIONS: Final = 200
_COPIED: Final = (
    "code", "kind", "title_ru", "title_en", "responsible_id", "starts_on", "ends_on", "indicator_ru", "indicator_en",
    "state",
)  # fmt: skip
_NOT_EMPTY: Final = N_("Enter the title in Russian.")


def versions(session: Session, actor: Actor, cluster_id: UUID) -> list[Roadmap]:
    """The versions that the actor may see, newest first, with their actions and who is responsible."""
    statement = (
        scope(actor, Roadmap)
        .where(Roadmap.cluster_id == cluster_id)
        .options(selectinload(Roadmap.actions).joinedload(RoadmapAction.responsible))
        .order_by(Roadmap.number.desc())
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def start_version(session: Session, actor: Actor, *, cluster_id: UUID, reason_ru: str, reason_en: str) -> Roadmap:
    """Begin the next version as a copy of the last one. Raises :class:`Conflict` while a draft is there.

    ``reason_*`` says why it is adjusted; the first version may go without.
    """
    cluster = kept(session, actor, cluster_id)
    found = session.scalars(
        select(Roadmap)
        .options(selectinload(Roadmap.actions))
        .where(Roadmap.cluster_id == cluster_id)
        .order_by(Roadmap.number.desc())
    ).first()
    if found is not None and found.state == RoadmapState.DRAFT:
        raise Conflict(N_("There is a draft of the next version already: change or publish it."))
    texts = {"reason_ru": fields.tidy(reason_ru), "reason_en": fields.tidy(reason_en)}
    problems = _lengths(texts, MAX_REASON)
    if found is not None and not texts["reason_ru"]:
        problems.append(Problem("empty", "reason_ru", N_("Say in Russian why the roadmap is adjusted.")))
    if problems:
        raise Problems(problems)
    assert actor.user_id is not None
    row = Roadmap(cluster_id=cluster_id, number=found.number + 1 if found else 1, created_by=actor.user_id, **texts)
    session.add(row)
    session.flush()
    copies = [{name: getattr(action, name) for name in _COPIED} for action in (found.actions if found else ())]
    session.add_all(RoadmapAction(roadmap_id=row.id, **values) for values in copies)
    session.flush()
    changes = {"cluster": cluster.code, "number": row.number, **texts}
    audit.record(session, actor, "clusters:roadmap:start", "roadmap", row.id, changes)
    return row


def set_action(
    session: Session, actor: Actor, *, cluster_id: UUID, code: str | None, values: Mapping[str, str]
) -> RoadmapAction:
    """Add an action to the draft (``code`` None), or change one; a new one gets the next code ever given.

    ``values``: texts of ``kind``, ``title_*``, ``responsible_id``, ``starts_on``, ``ends_on``, ``indicator_*``,
    ``state``. Raises :class:`Problems` by field, :class:`Conflict` without a draft.
    """
    kept(session, actor, cluster_id)
    draft = _draft(session, cluster_id)
    columns, problems = _columns(session, cluster_id, values)
    held = _held(session, draft, code) if code else None
    if held is None and not problems and len(_codes(session, cluster_id)) >= MAX_ACTIONS:
        problems.append(Problem("too_many", "", N_("A roadmap can have no more than %(limit)s actions.", limit=200)))
    if problems:
        raise Problems(problems)
    if held is None:
        held = RoadmapAction(roadmap_id=draft.id, code=_next_code(session, cluster_id), **columns)
        session.add(held)
    else:
        for name, value in columns.items():
            setattr(held, name, value)
    session.flush()
    changes = {"roadmap": draft.number, "code": held.code, **columns}
    audit.record(session, actor, "clusters:roadmap:set_action", "roadmap", draft.id, changes)
    return held


def remove_action(session: Session, actor: Actor, *, cluster_id: UUID, code: str) -> None:
    """Take an action out of the draft; its code is not given again."""
    kept(session, actor, cluster_id)
    draft = _draft(session, cluster_id)
    session.delete(_held(session, draft, code))
    session.flush()
    changes = {"roadmap": draft.number, "code": code}
    audit.record(session, actor, "clusters:roadmap:remove_action", "roadmap", draft.id, changes)


def publish(session: Session, actor: Actor, *, cluster_id: UUID) -> Roadmap:
    """Publish the draft, for good. Raises :class:`Problems` when it has no action."""
    cluster = kept(session, actor, cluster_id)
    authorize(actor, Permission.CLUSTER_PUBLISH, cluster)
    draft = _draft(session, cluster_id)
    count = session.scalar(select(func.count()).where(RoadmapAction.roadmap_id == draft.id)) or 0
    if count == 0:
        raise Problems.one("empty", "", N_("Add an action first: an empty roadmap cannot be published."))
    draft.state, draft.published_at, draft.published_by = RoadmapState.PUBLISHED, now(session), actor.user_id
    session.flush()
    changes = {"cluster": cluster.code, "number": draft.number, "actions": count}
    audit.record(session, actor, "clusters:roadmap:publish", "roadmap", draft.id, changes)
    return draft


def action_of_draft(session: Session, actor: Actor, cluster_id: UUID, code: str) -> RoadmapAction:
    """An action of the draft, for its form; :class:`Conflict` without a draft, :class:`NotFound`."""
    kept(session, actor, cluster_id)
    return _held(session, _draft(session, cluster_id), code)


def _draft(session: Session, cluster_id: UUID) -> Roadmap:
    draft = session.scalar(select(Roadmap).where(Roadmap.cluster_id == cluster_id, Roadmap.state == RoadmapState.DRAFT))
    if draft is None:
        raise Conflict(N_("There is no draft of the roadmap. Begin the next version first."))
    return draft


def _held(session: Session, draft: Roadmap, code: str) -> RoadmapAction:
    held = session.scalar(
        select(RoadmapAction)
        .options(joinedload(RoadmapAction.responsible))
        .where(RoadmapAction.roadmap_id == draft.id, RoadmapAction.code == code)
    )
    if held is None:
        raise NotFound
    return held


def _codes(session: Session, cluster_id: UUID) -> set[str]:
    statement = (
        select(RoadmapAction.code).join(Roadmap, Roadmap.id == RoadmapAction.roadmap_id)
        .where(Roadmap.cluster_id == cluster_id).distinct()
    )  # fmt: skip
    return set(session.scalars(statement))


def _next_code(session: Session, cluster_id: UUID) -> str:
    """After every code of any version. One removed from a draft that never was published may come again."""
    return f"RM-{max((order(code) for code in _codes(session, cluster_id)), default=0) + 1:02}"


def _columns(session: Session, cluster_id: UUID, values: Mapping[str, str]) -> tuple[dict[str, Any], list[Problem]]:
    texts = {name: fields.tidy(values.get(name, "")) for name in ("title_ru", "title_en")}
    indicators = {name: fields.tidy(values.get(name, "")) for name in ("indicator_ru", "indicator_en")}
    problems = _lengths(texts, MAX_TITLE) + _lengths(indicators, MAX_INDICATOR)
    if not texts["title_ru"]:
        problems.append(Problem("empty", "title_ru", _NOT_EMPTY))
    columns: dict[str, Any] = {**texts, **indicators}
    for name, known in (("kind", ActionKind), ("state", ActionState)):
        columns[name] = values.get(name, "")
        if columns[name] not in set(known):
            problems.append(Problem("unknown", name, N_("Choose one from the list.")))
    for name in ("starts_on", "ends_on"):
        try:
            columns[name] = fields.day(fields.tidy(values.get(name, "")))
        except fields.FieldError as error:
            problems.append(Problem(error.code, name, error.message))
            continue
        if columns[name] is None:
            problems.append(Problem("empty", name, N_("Enter a date, for example 01.06.2016.")))
    first, last = columns.get("starts_on"), columns.get("ends_on")
    if first and last and last < first:
        problems.append(Problem("dates", "ends_on", N_("The end cannot be before the beginning.")))
    columns["responsible_id"] = _responsible(session, cluster_id, values.get("responsible_id", ""), problems)
    return columns, problems


def _responsible(session: Session, cluster_id: UUID, text: str, problems: list[Problem]) -> UUID | None:
    """A confirmed member of the cluster; nobody stands for the specialised organisation."""
    if not text:
        return None
    try:
        key = UUID(text)
    except ValueError:
        key = None
    statement = select(ClusterMember.id).where(
        ClusterMember.cluster_id == cluster_id,
        ClusterMember.organisation_id == key,
        ClusterMember.state == MembershipState.CONFIRMED,
    )
    if key is None or session.scalar(statement) is None:
        problems.append(Problem("unknown", "responsible_id", N_("Choose a member of the cluster.")))
        return None
    return key


def _lengths(texts: Mapping[str, str], limit: int) -> list[Problem]:
    message = N_("Shorten this to %(limit)s characters.", limit=limit)
    return [Problem("too_long", name, message) for name, text in texts.items() if len(text) > limit]
