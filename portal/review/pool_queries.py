"""Reading the pool of reviewers, in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.core.errors import NotFound
from portal.core.language import LOCALES
from portal.identity.models import Role, RoleGrant, User
from portal.review.models import Assignment
from portal.review.pool_models import DEFAULT_LIMIT, ReviewerAbsence, ReviewerProfile
from portal.review.rules import UNFINISHED
from portal.tenders.models import RuleSetVersion
from portal.tenders.rulebook import load_lanes

STATES = ("away", "full", "silent")


@dataclass(frozen=True, slots=True)
class Pooled:
    """A reviewer with all that the pool knows. ``absences``: the present and the coming ones, by their days."""

    person: User
    profile: ReviewerProfile | None
    absences: Sequence[ReviewerAbsence]
    load: int


def known_lanes(session: Session) -> dict[str, Mapping[str, str]]:
    """Code -> title in both languages: the usual lanes, and those of any rule set; one query."""
    lanes: dict[str, Mapping[str, str]] = {lane.code: lane.title.both() for lane in load_lanes()}
    held_in = RuleSetVersion.content["lanes"]
    for held in session.scalars(select(held_in).where(held_in.is_not(None)).distinct()):
        for lane in held or ():
            lanes.setdefault(lane["code"], {name: lane["title"][name] for name in LOCALES})
    return lanes


def pool_select(*, words: str = "", lane: str = "", state: str = "", on: date) -> Select[Any]:
    """Reviewers, their profiles, their largest number of unfinished reviews in one tender (``load``), and whether they
    are away on the day ``on`` (``away``); page it by ``User.full_name`` and ``User.id``.

    ``words``: beginning of a name, an address or a class; ``state``: ``away``, ``full`` (at the limit) or ``silent``
    (nothing told).
    """
    loads = _loads()
    limit = func.coalesce(ReviewerProfile.load_limit, DEFAULT_LIMIT)
    load = func.coalesce(loads.c.load, 0)
    away = (
        select(ReviewerAbsence.id)
        .where(ReviewerAbsence.user_id == User.id, ReviewerAbsence.starts_on <= on, ReviewerAbsence.ends_on >= on)
        .exists()
    )
    statement = (
        select(User, ReviewerProfile, load.label("load"), away.label("away"))
        .join(RoleGrant, RoleGrant.user_id == User.id)
        .outerjoin(ReviewerProfile, ReviewerProfile.user_id == User.id)
        .outerjoin(loads, loads.c.reviewer_id == User.id)
        .where(RoleGrant.role == Role.REVIEWER)
    )
    if words:
        start = words.lower().replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        name, classes = func.lower(User.full_name), func.array_to_string(ReviewerProfile.classes, " ")
        statement = statement.where(
            or_(
                func.lower(User.email).like(f"{start}%"),
                name.like(f"{start}%"),
                name.like(f"% {start}%"),
                classes.like(f"{start}%"),
                classes.like(f"% {start}%"),
            )
        )
    if lane:
        any_lane = func.coalesce(func.cardinality(ReviewerProfile.lanes), 0) == 0
        statement = statement.where(or_(any_lane, ReviewerProfile.lanes.contains([lane])))
    conditions = {"away": away, "full": load >= limit, "silent": ReviewerProfile.user_id.is_(None)}
    return statement.where(conditions[state]) if state in conditions else statement


def _loads() -> Any:
    """Reviewer -> their largest number of unfinished reviews in one tender."""
    counted = (
        select(Assignment.reviewer_id, func.count().label("number"))
        .join(Application, Application.id == Assignment.application_id)
        .where(Assignment.state.in_(UNFINISHED))
        .group_by(Assignment.reviewer_id, Application.tender_id)
        .subquery()
    )
    return (
        select(counted.c.reviewer_id, func.max(counted.c.number).label("load"))
        .group_by(counted.c.reviewer_id)
        .subquery()
    )


def pooled(session: Session, user_id: UUID, on: date) -> Pooled:
    """One reviewer of the pool; :class:`NotFound` for others. Two queries."""
    found = session.execute(pool_select(on=on).where(User.id == user_id)).one_or_none()
    if found is None:
        raise NotFound
    absences = session.scalars(
        select(ReviewerAbsence)
        .where(ReviewerAbsence.user_id == user_id, ReviewerAbsence.ends_on >= on)
        .order_by(ReviewerAbsence.starts_on, ReviewerAbsence.id)
    )
    return Pooled(found[0], found[1], list(absences), found[2])
