"""Keeping the computed conflicts, stopping what conflicts, and the officer's decision on soft ones.

Whoever writes a conflict and whoever acts as a reviewer or signer takes the person's lock first
(:func:`lock_people`): of a tie declared while a review is handed in, the second one sees the first. The triggers of the
database take the same lock and refuse what a barred person does (decision 14).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Uuid, bindparam, func, select, tuple_
from sqlalchemy.orm import Session, contains_eager, joinedload

import portal.review.policy  # noqa: F401 - registers the room's rules
from portal.applications.models import Application, Participant
from portal.audit.service import record
from portal.core import jobs
from portal.core.clock import now
from portal.core.db import uuid7
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused, Stale
from portal.core.language import LOCALES, N_, Message, render
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.review import letters
from portal.review.conflict_graph import IN_PLAY
from portal.review.conflict_models import ConflictRow, Ruling, Strength
from portal.review.conflict_queries import barring, computed, paths_of
from portal.review.models import Assignment, AssignmentState
from portal.review.policy import ConflictSubject
from portal.review.rules import ACTIVE, TRANSITIONS

ACTOR: Final = system_actor("conflicts")
MAX_REASON: Final = 2_000
MOST_AT_ONCE: Final = 100
# The rows come one by one in the order of the list, so that is the order of the locks.
_LOCK: Final = select(func.lock_person(func.unnest(bindparam("people", type_=ARRAY(Uuid))).column_valued("person")))


def lock_people(session: Session, people: Iterable[UUID]) -> None:
    """Wait for whoever changes or uses the conflicts of these people; before any other lock of the transaction."""
    session.execute(_LOCK, {"people": sorted(set(people))})


def refresh(
    session: Session,
    people: Collection[UUID],
    application_ids: Collection[UUID] | None = None,
    *,
    actor: Actor = ACTOR,
) -> list[ConflictRow]:
    """Compute the conflicts of people with applications (all in play) anew, keep what changed, stop what is barred.

    Locks the people, then reads: what is kept is what held while nobody else could change it. Returns the rows that
    changed. A decision on a soft conflict falls when its paths change. Fourteen queries and those of the changes.
    """
    lock_people(session, people)
    found = computed(session, people=people, application_ids=application_ids)
    at, changed = now(session), []
    held = {(row.user_id, row.application_id): row for row in _held(session, people, application_ids)}
    for pair, conflict in found.items():
        row, digest = held.get(pair), conflict.digest
        if row is None:
            row = ConflictRow(id=uuid7(), user_id=pair[0], application_id=pair[1])
            session.add(row)
        elif row.digest == digest and row.ended_at is None:
            continue
        row.strength, row.paths, row.digest = conflict.strength, conflict.as_json(), digest
        row.computed_at, row.ended_at = at, None
        row.ruling, row.reason, row.ruled_by, row.ruled_at = None, "", None, None
        changed.append(row)
    for pair, row in held.items():
        if pair not in found and row.ended_at is None:
            row.ended_at = at
            changed.append(row)
    session.flush()
    for row in changed:
        tag = "review:conflict:end" if row.ended_at else "review:conflict:find"
        changes = {"person": row.user_id, "strength": row.strength, "path": _in_words(row, "en")}
        record(session, actor, tag, "application", row.application_id, changes)
    stop(session, [row for row in changed if row.bars], actor=actor)
    return changed


def _held(session: Session, people: Collection[UUID], application_ids: Collection[UUID] | None) -> list[ConflictRow]:
    statement = (
        select(ConflictRow)
        .join(Application, Application.id == ConflictRow.application_id)
        .where(ConflictRow.user_id.in_(list(people)))
        .execution_options(populate_existing=True)
    )
    if application_ids is None:
        statement = statement.where(Application.state.in_(IN_PLAY))
    else:
        statement = statement.where(ConflictRow.application_id.in_(list(application_ids)))
    return list(session.scalars(statement))


def stop(session: Session, rows: Collection[ConflictRow], *, actor: Actor = ACTOR) -> list[Assignment]:
    """Close the reviews, begun or handed in, of barred people: marks count no more, the officers are told.

    The people are locked. What was decided already (an award that is signed) is left as it is.
    """
    barred = {(row.user_id, row.application_id): row for row in rows}
    if not barred:
        return []
    statement = (
        select(Assignment)
        .join(Assignment.application)
        .where(
            tuple_(Assignment.reviewer_id, Assignment.application_id).in_(list(barred)),
            Assignment.state.in_(ACTIVE),
            Application.state.in_(IN_PLAY),
        )
        .options(joinedload(Assignment.reviewer, innerjoin=True), contains_eager(Assignment.application))
        .order_by(Assignment.id)
        .with_for_update(of=Assignment)
        .execution_options(populate_existing=True)
    )
    found = list(session.scalars(statement))
    for assignment in found:
        row = barred[assignment.reviewer_id, assignment.application_id]
        void(session, assignment, _in_words(row, "ru"), at=now(session), found=True)
        changes = {"reviewer": assignment.reviewer_id, "path": _in_words(row, "en")}
        record(session, actor, "review:assignment:stop", "assignment", assignment.id, changes)
        letters.stopped(session, assignment.application, assignment, [edge.words for edge in paths_of(row)[0]])
    return found


def void(session: Session, assignment: Assignment, text: str, *, at: datetime, found: bool) -> None:
    """Close a review for a conflict, ``found`` by the portal or declared; a score that counted it is made anew."""
    counted = assignment.state == AssignmentState.SUBMITTED
    assignment.state = TRANSITIONS.after("declare_conflict", AssignmentState(assignment.state))
    assignment.conflict, assignment.submitted_at = text, None
    assignment.stopped_at = at if found else None
    session.flush()
    if counted:
        payload = {"submission_id": str(assignment.submission_id)}
        key = f"score_submission:{assignment.submission_id}:{assignment.id}:void:{assignment.version}"
        jobs.enqueue(session, "score_submission", payload, key=key)


def _in_words(row: ConflictRow, locale: str) -> str:
    """The strongest path as one line."""
    return "; ".join(render(edge.words, locale) for edge in paths_of(row)[0])


def refuse_barred(session: Session, people: Iterable[UUID], application_ids: Collection[UUID]) -> None:
    """:class:`Refused` with the path where one of the people is barred from one of the applications.

    The conflicts are computed anew first, so that nobody slips through before the background has come to it.
    """
    wanted = sorted(set(people))
    refresh(session, wanted, application_ids)
    row = next(iter(barring(session, wanted, application_ids)), None)
    if row is not None:
        raise Refused(barred_words(row))


def barred_words(row: ConflictRow) -> Message:
    """Why a person may not: the number and the path. ``row`` has its person and application loaded."""
    return N_(
        "%(person)s has a conflict of interest with application %(number)s: %(path)s.",
        person=row.user.full_name or row.user.email,
        number=row.application.number or "",
        path={locale: _in_words(row, locale) for locale in LOCALES},
    )


def rule(
    session: Session, actor: Actor, *, conflict_id: UUID, ruling: str, reason: str, expected_version: int
) -> ConflictRow:
    """Decide about a soft conflict: waive it, or uphold it, which bars and stops like a hard one.

    Raises :class:`Problems` without a choice or a reason, :class:`Conflict` for a hard one and one that has ended,
    :class:`Stale`, :class:`Refused` for officers of a participant and for one's own conflict.
    """
    authorize(actor, Permission.CONFLICT_RULE)
    person = session.scalar(select(ConflictRow.user_id).where(ConflictRow.id == conflict_id))
    if person is None:
        raise NotFound
    lock_people(session, [person])
    row = session.scalars(
        select(ConflictRow)
        .where(ConflictRow.id == conflict_id)
        .options(joinedload(ConflictRow.user, innerjoin=True), joinedload(ConflictRow.application, innerjoin=True))
        .with_for_update(of=ConflictRow)
        .execution_options(populate_existing=True)
    ).one()
    authorize(actor, Permission.CONFLICT_RULE, subject_of(session, row))
    if row.version != expected_version:
        raise Stale(N_("This conflict has changed since you opened it. Read it before you decide."), row.version)
    if row.ended_at is not None or row.strength == Strength.HARD or row.application.state not in IN_PLAY:
        raise Conflict(N_("Only a possible conflict with an application in play is decided."))
    text, problems = " ".join(reason.replace("\x00", "").split()), []
    if ruling not in list(Ruling):
        problems.append(Problem("required", "ruling", N_("Choose whether the person may take part.")))
    if not text or len(text) > MAX_REASON:
        message = N_("Give the reason in 1 to %(limit)s characters.", limit=MAX_REASON)
        problems.append(Problem("required", "reason", message))
    if problems:
        raise Problems(problems)
    row.ruling, row.reason, row.ruled_by, row.ruled_at = ruling, text, actor.user_id, now(session)
    session.flush()
    changes = {"person": row.user_id, "ruling": ruling, "reason": text, "path": _in_words(row, "en")}
    record(session, actor, "review:conflict:rule", "application", row.application_id, changes)
    if row.bars:
        stop(session, [row], actor=actor)
    return row


def rule_all(
    session: Session, actor: Actor, *, chosen: Mapping[UUID, int], ruling: str, reason: str
) -> list[ConflictRow]:
    """The same decision with the same reason about several soft conflicts, all of them or none.

    ``chosen``: conflict -> its version as it was read. Raises as :func:`rule` does; :class:`Problems` (``chosen``)
    where nothing is chosen, or more than :data:`MOST_AT_ONCE`.
    """
    authorize(actor, Permission.CONFLICT_RULE)
    if not 0 < len(chosen) <= MOST_AT_ONCE:
        message = N_("Choose between 1 and %(limit)s conflicts.", limit=MOST_AT_ONCE)
        raise Problems.one("required", "chosen", message)
    lock_people(session, session.scalars(select(ConflictRow.user_id).where(ConflictRow.id.in_(chosen))))
    return [
        rule(session, actor, conflict_id=key, ruling=ruling, reason=reason, expected_version=chosen[key])
        for key in sorted(chosen)
    ]


def subject_of(session: Session, row: ConflictRow) -> ConflictSubject:
    """Whose conflict it is and who takes part in the application."""
    parts = select(Participant.organisation_id).where(Participant.application_id == row.application_id)
    return ConflictSubject(row.user_id, frozenset(session.scalars(parts)))
