"""The pool of reviewers: what each knows, how much each takes on, when each is away. By the reviewer or an officer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

import portal.review.policy  # noqa: F401 - registers the room's rules
from portal.audit.service import record
from portal.core.clock import today
from portal.core.errors import NotFound, Problem, Problems, Stale
from portal.core.formats import EXAMPLE_DAY
from portal.core.language import N_
from portal.core.okved import section
from portal.identity.models import Role, RoleGrant, User
from portal.identity.policy import Actor, Permission, authorize
from portal.review.pool_models import LANGUAGES, MOST_LOAD, ReviewerAbsence, ReviewerProfile
from portal.review.pool_queries import known_lanes

MOST_CLASSES: Final = 40
MOST_ABSENCES: Final = 20
LONGEST_ABSENCE: Final = 366
_CLASS: Final = re.compile(r"\d{2}(\.\d{1,2}(\.\d{1,2}(\.\d{1,3})?)?)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class ProfileValues:
    """A profile as typed. ``classes``: codes by blanks, commas or lines; ``load_limit``: a whole number."""

    classes: str = ""
    lanes: Sequence[str] = ()
    languages: Sequence[str] = ("ru",)
    load_limit: str = ""


def save_profile(
    session: Session, actor: Actor, *, user_id: UUID, values: ProfileValues, expected_version: int
) -> ReviewerProfile:
    """Keep a reviewer's profile; ``expected_version`` is 0 for one who has none yet.

    Raises :class:`Problems` with everything that is wrong, :class:`Stale`, :class:`NotFound` for others than reviewers.
    """
    _permit(session, actor, user_id)
    row = session.scalar(
        select(ReviewerProfile)
        .where(ReviewerProfile.user_id == user_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if (row.version if row else 0) != expected_version:
        raise Stale(N_("This page was changed in the meantime. Open it again."), row.version if row else 0)
    classes, limit, problems = _classes(values.classes), _limit(values.load_limit), []
    if wrong := [code for code in classes if not _CLASS.fullmatch(code) or section(code) is None]:
        message = N_("%(codes)s: no class of OKPD 2 or OKVED 2. Write 28 or 28.14.", codes=", ".join(wrong[:5])[:100])
        problems.append(Problem("unknown_class", "classes", message))
    if len(classes) > MOST_CLASSES:
        message = N_("Name at most %(most)s classes; a shorter code stands for all below it.", most=MOST_CLASSES)
        problems.append(Problem("too_many", "classes", message))
    if not set(values.lanes) <= set(known_lanes(session)):
        problems.append(Problem("unknown_lane", "lanes", N_("There is no such lane.")))
    if not values.languages or not set(values.languages) <= set(LANGUAGES):
        problems.append(Problem("required", "languages", N_("Choose at least one language.")))
    if limit is None:
        message = N_("Give a whole number from 1 to %(most)s.", most=MOST_LOAD)
        problems.append(Problem("out_of_range", "load_limit", message))
    if problems:
        raise Problems(problems)
    if row is None:
        row = ReviewerProfile(user_id=user_id)
        session.add(row)
    row.classes, row.lanes = classes, sorted(set(values.lanes))
    row.languages = [each for each in LANGUAGES if each in values.languages]
    row.load_limit = limit or 1
    session.flush()
    changes = {"classes": row.classes, "lanes": row.lanes, "languages": row.languages, "load_limit": row.load_limit}
    record(session, actor, "review:profile:save", "reviewer", user_id, changes)
    return row


def add_absence(session: Session, actor: Actor, *, user_id: UUID, starts_on: str, ends_on: str) -> ReviewerAbsence:
    """Note days on which a reviewer is away. Raises :class:`Problems`."""
    _permit(session, actor, user_id)
    first, last, problems = _day(starts_on), _day(ends_on), []
    for name, day in (("starts_on", first), ("ends_on", last)):
        if day is None:
            problems.append(Problem("not_date", name, N_("Give a day, for example %(day)s.", day=EXAMPLE_DAY)))
    if first and last:
        if last < first:
            problems.append(Problem("order", "ends_on", N_("The last day comes after the first.")))
        elif (last - first).days >= LONGEST_ABSENCE:
            problems.append(Problem("too_long", "ends_on", N_("An absence lasts at most a year.")))
        elif last < today(session):
            problems.append(Problem("past", "ends_on", N_("This absence is over already.")))
    held = session.scalar(
        select(func.count()).where(ReviewerAbsence.user_id == user_id, ReviewerAbsence.ends_on >= today(session))
    )
    if (held or 0) >= MOST_ABSENCES:
        message = N_("At most %(most)s absences are kept: remove one first.", most=MOST_ABSENCES)
        problems.append(Problem("too_many", "", message))
    if problems:
        raise Problems(problems)
    row = ReviewerAbsence(user_id=user_id, starts_on=first, ends_on=last)
    session.add(row)
    session.flush()
    record(session, actor, "review:absence:add", "reviewer", user_id, {"from": row.starts_on, "to": row.ends_on})
    return row


def remove_absence(session: Session, actor: Actor, *, user_id: UUID, absence_id: UUID) -> None:
    """Take an absence back. :class:`NotFound` for one of somebody else."""
    _permit(session, actor, user_id)
    row = session.scalar(
        select(ReviewerAbsence).where(ReviewerAbsence.id == absence_id, ReviewerAbsence.user_id == user_id)
    )
    if row is None:
        raise NotFound
    session.delete(row)
    session.flush()
    record(session, actor, "review:absence:remove", "reviewer", user_id, {"from": row.starts_on, "to": row.ends_on})


def _permit(session: Session, actor: Actor, user_id: UUID) -> None:
    """Officers for everybody, a reviewer for themself; the person's row waits for others who write about them."""
    if user_id == actor.user_id and actor.has(Role.REVIEWER):
        authorize(actor, Permission.REVIEW_WRITE)
    else:
        authorize(actor, Permission.REVIEW_POOL_EDIT)
    found = session.scalar(
        select(User.id)
        .join(RoleGrant, RoleGrant.user_id == User.id)
        .where(User.id == user_id, RoleGrant.role == Role.REVIEWER)
        .with_for_update(of=User, key_share=True)
    )
    if found is None:
        raise NotFound


def _classes(text: str) -> list[str]:
    words = [word.strip(".") for word in re.split(r"[\s,;]+", text.replace("\x00", "")) if word.strip(".")]
    return sorted(dict.fromkeys(words))


def _limit(text: str) -> int | None:
    text = text.strip()
    if not re.fullmatch(r"\d{1,4}", text, re.ASCII) or not 1 <= int(text) <= MOST_LOAD:
        return None
    return int(text)


def _day(text: str) -> date | None:
    found = re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", text.strip(), re.ASCII)
    try:
        return date(int(found[3]), int(found[2]), int(found[1])) if found else date.fromisoformat(text.strip())
    except ValueError:
        return None
