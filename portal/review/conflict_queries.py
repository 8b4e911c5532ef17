"""Reading conflicts: computed now for those who assign, kept for the pages, and the people whose they are.

Every function runs a fixed number of queries, however many people and applications there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, contains_eager, joinedload

import portal.review.policy  # noqa: F401 - registers the room's rules
from portal.applications.models import Application, Participant
from portal.core.errors import NotFound
from portal.identity.models import RoleGrant, User
from portal.review.conflict_graph import IN_PLAY, JUDGES, graph
from portal.review.conflict_models import ConflictRow, OrganisationOwner, PersonTie, Ruling, Strength
from portal.review.conflict_paths import conflicts
from portal.review.conflicts import Conflict, Edge


def conflict_pairs(session: Session, tender_track_id: UUID) -> Mapping[tuple[UUID, UUID], Conflict]:
    """The conflicts of every reviewer, chair and commission member with the applications in play of a track.

    Keys are (person, application). Computed now from the graph, with the officers' decisions on soft ones. Fourteen
    queries. Who assigns keeps away from all that :attr:`Conflict.bars`, and from those :attr:`Conflict.open`.
    """
    wanted = select(Application.id).where(
        Application.tender_track_id == tender_track_id, Application.state.in_(IN_PLAY)
    )
    return computed(session, application_ids=session.scalars(wanted).all())


def computed(
    session: Session, *, people: Collection[UUID] | None = None, application_ids: Collection[UUID] | None = None
) -> dict[tuple[UUID, UUID], Conflict]:
    """The conflicts of people (all who judge) with applications (all in play), computed from the graph now."""
    found = conflicts(graph(session, people=people, application_ids=application_ids))
    ruled = select(ConflictRow.user_id, ConflictRow.application_id, ConflictRow.digest, ConflictRow.ruling).where(
        ConflictRow.ruling.is_not(None), ConflictRow.ended_at.is_(None)
    )
    if application_ids is not None:
        ruled = ruled.where(ConflictRow.application_id.in_(list(application_ids)))
    for person, application, digest, ruling in session.execute(ruled):
        held = found.get((person, application))
        if held is not None and held.digest == digest:
            found[person, application] = Conflict(person, application, held.strength, held.paths, Ruling(str(ruling)))
    return found


def judges(session: Session) -> list[UUID]:
    """Everybody who judges, and those who did and of whom a conflict is kept, in a fixed order."""
    held = select(RoleGrant.user_id).where(RoleGrant.role.in_(JUDGES))
    kept = select(ConflictRow.user_id).where(ConflictRow.ended_at.is_(None))
    return list(session.scalars(select(User.id).where(or_(User.id.in_(held), User.id.in_(kept))).order_by(User.id)))


def kept_of(session: Session, application_id: UUID) -> list[ConflictRow]:
    """The conflicts kept of an application that still hold, the hard ones first."""
    statement = (
        select(ConflictRow)
        .where(ConflictRow.application_id == application_id, ConflictRow.ended_at.is_(None))
        .options(
            joinedload(ConflictRow.user, innerjoin=True),
            joinedload(ConflictRow.application, innerjoin=True),
            joinedload(ConflictRow.ruler),
        )
        .order_by(ConflictRow.strength, ConflictRow.id)
    )
    return list(session.scalars(statement))


def kept_for(session: Session, user_id: UUID, application_id: UUID) -> ConflictRow | None:
    """The conflict kept of one person with one application, if it still holds."""
    return session.scalar(
        select(ConflictRow).where(
            ConflictRow.user_id == user_id,
            ConflictRow.application_id == application_id,
            ConflictRow.ended_at.is_(None),
        )
    )


def barring(session: Session, people: Iterable[UUID], application_ids: Iterable[UUID]) -> list[ConflictRow]:
    """The kept conflicts that bar these people from these applications, with person and application."""
    statement = (
        select(ConflictRow)
        .where(
            ConflictRow.user_id.in_(list(people)),
            ConflictRow.application_id.in_(list(application_ids)),
            ConflictRow.ended_at.is_(None),
            or_(ConflictRow.strength == Strength.HARD, ConflictRow.ruling == Ruling.UPHELD),
        )
        .options(joinedload(ConflictRow.user, innerjoin=True), joinedload(ConflictRow.application, innerjoin=True))
        .order_by(ConflictRow.application_id, ConflictRow.user_id)
    )
    return list(session.scalars(statement))


def barred_in_track(session: Session, user_id: UUID | None, tender_track_id: UUID) -> bool:
    """Whether a kept conflict bars the person from any application of a track; one query."""
    held = (
        select(ConflictRow.id)
        .join(Application, Application.id == ConflictRow.application_id)
        .where(
            ConflictRow.user_id == user_id,
            ConflictRow.ended_at.is_(None),
            or_(ConflictRow.strength == Strength.HARD, ConflictRow.ruling == Ruling.UPHELD),
            Application.tender_track_id == tender_track_id,
        )
    )
    return bool(session.scalar(select(held.exists())))


def kept_by_id(session: Session, conflict_id: UUID) -> ConflictRow:
    """A conflict with person, application, tender and who decided; :class:`NotFound` for none."""
    row = session.scalar(
        select(ConflictRow)
        .where(ConflictRow.id == conflict_id)
        .options(
            joinedload(ConflictRow.user, innerjoin=True),
            joinedload(ConflictRow.application, innerjoin=True).joinedload(Application.tender, innerjoin=True),
            joinedload(ConflictRow.ruler),
        )
    )
    if row is None:
        raise NotFound
    return row


def select_kept(
    tender_id: UUID | None, *, strength: str = "", undecided: bool = False, without: Collection[UUID] = ()
) -> Select[Any]:
    """The conflicts kept of a tender (of all), to be paged by ``ConflictRow.id``.

    ``without``: organisations of the reader, who is not shown those of applications in which they take part.
    """
    statement = (
        select(ConflictRow)
        .join(ConflictRow.application)
        .join(ConflictRow.user)
        .options(
            contains_eager(ConflictRow.application).joinedload(Application.initiator, innerjoin=True),
            contains_eager(ConflictRow.user),
        )
        .where(ConflictRow.ended_at.is_(None))
    )
    if without:
        theirs = select(Participant.application_id).where(Participant.organisation_id.in_(list(without)))
        statement = statement.where(Application.id.not_in(theirs))
    if tender_id is not None:
        statement = statement.where(Application.tender_id == tender_id)
    if strength:
        statement = statement.where(ConflictRow.strength == strength)
    if undecided:
        statement = statement.where(
            ConflictRow.strength == Strength.SOFT, ConflictRow.ruling.is_(None), Application.state.in_(IN_PLAY)
        )
    return statement


def paths_of(row: ConflictRow) -> tuple[tuple[Edge, ...], ...]:
    """The paths as they were kept."""
    return tuple(tuple(Edge.read(edge) for edge in path) for path in row.paths)


def ties_of(session: Session, user_id: UUID) -> Sequence[PersonTie]:
    """All ties of a person, the newest first, with who declared them; struck ones too."""
    statement = (
        select(PersonTie)
        .where(PersonTie.user_id == user_id)
        .options(joinedload(PersonTie.declarer, innerjoin=True))
        .order_by(PersonTie.id.desc())
    )
    return session.scalars(statement).all()


def tie_of(session: Session, user_id: UUID, tie_id: UUID) -> PersonTie:
    """A tie of this person; :class:`NotFound` for another's."""
    row = session.scalar(select(PersonTie).where(PersonTie.id == tie_id, PersonTie.user_id == user_id))
    if row is None:
        raise NotFound
    return row


@dataclass(frozen=True, slots=True)
class Judge:
    """A person who judges; ``ties`` that are not struck out, ``conflicts`` that hold."""

    id: UUID
    name: str
    email: str
    ties: int
    conflicts: int


JUDGES_ORDER: Final = (User.full_name.expression, User.id.expression)


def select_judges() -> Select[Any]:
    """Rows (id, name, email, ties, conflicts) of everybody who judges, to be paged by :data:`JUDGES_ORDER`."""
    ties = select(func.count()).where(PersonTie.user_id == User.id, PersonTie.struck_at.is_(None)).scalar_subquery()
    held = select(func.count()).where(ConflictRow.user_id == User.id, ConflictRow.ended_at.is_(None)).scalar_subquery()
    return select(
        User.id,
        User.full_name.label("name"),
        User.email.label("email"),
        ties.label("ties"),
        held.label("conflicts"),
    ).where(User.id.in_(select(RoleGrant.user_id).where(RoleGrant.role.in_(JUDGES))))


def judge(session: Session, user_id: UUID) -> Judge:
    """One person who judges; :class:`NotFound` for everybody else."""
    row = session.execute(select_judges().where(User.id == user_id)).one_or_none()
    if row is None:
        raise NotFound
    return Judge(row.id, row.name, row.email, row.ties, row.conflicts)


def select_owners() -> Select[Any]:
    """Shares of organisations in each other, struck ones too, to be paged by key."""
    return select(OrganisationOwner)


def undecided() -> Select[Any]:
    """The possible conflicts with applications in play that wait for an officer: rows to count."""
    return (
        select(ConflictRow.id)
        .join(ConflictRow.application)
        .where(
            ConflictRow.ended_at.is_(None),
            ConflictRow.strength == Strength.SOFT,
            ConflictRow.ruling.is_(None),
            Application.state.in_(IN_PLAY),
        )
    )
