"""Who checks, assigns and reviews: never somebody who belongs to an organisation that takes part.

The object of a rule is a :class:`Subject`. A reviewer knows only of the applications assigned to them;
one who has declared a conflict, was taken off, or is a reviewer no longer, knows of none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Select, false, select

from portal.applications.policy import READERS
from portal.core.language import N_
from portal.identity.models import Role
from portal.identity.policy import FUND, HIDDEN, YES, Actor, Decision, Permission, no, rule, scope_of
from portal.review.models import Assignment, AssignmentState

CLOSED: Final = (AssignmentState.CONFLICT, AssignmentState.REVOKED)
"""States in which an assignment opens nothing any more."""


@dataclass(frozen=True, slots=True)
class Subject:
    """An application as these rules see it: who takes part, and the assignment where one is meant."""

    organisations: frozenset[UUID]
    assignment: Assignment | None = None

    def tied(self, actor: Actor) -> bool:
        """Whether the actor belongs to an organisation that takes part."""
        return not self.organisations.isdisjoint(actor.memberships)


_TIED: Final = no(N_("You belong to an organisation that takes part in this project."))


@rule(Permission.REVIEW_FORMAL_CHECK, Permission.REVIEW_ASSIGN, Permission.REVIEW_SIMILAR_DECIDE)
def _officer(actor: Actor, subject: Subject | None) -> Decision:
    if not actor.has(Role.OFFICER):
        return no(N_("Your role does not include this.")) if actor.has(*READERS) else HIDDEN
    return _TIED if subject is not None and subject.tied(actor) else YES


@rule(Permission.REVIEW_READ, Permission.REVIEW_SIMILAR_VIEW)
def _read(actor: Actor, subject: Subject | None) -> Decision:
    """The fund's people who decide or audit read every review, with the reviewer's name, and what is alike."""
    if not actor.has(*READERS):
        return HIDDEN
    return _TIED if subject is not None and subject.tied(actor) else YES


@rule(Permission.REVIEW_WRITE)
def _write(actor: Actor, subject: Subject | None) -> Decision:
    if not actor.has(Role.REVIEWER):
        return no(N_("Your role does not include this.")) if actor.has(*FUND) else HIDDEN
    if subject is None:
        return YES
    own = subject.assignment
    if own is None or own.reviewer_id != actor.user_id or own.state in CLOSED:
        return HIDDEN
    return _TIED if subject.tied(actor) else YES


@scope_of(Assignment)
def _assignments(actor: Actor) -> Select[Assignment]:
    """A reviewer's own; what was taken back is not shown any more."""
    if not actor.has(Role.REVIEWER):
        return select(Assignment).where(false())
    return select(Assignment).where(
        Assignment.reviewer_id == actor.user_id, Assignment.state != AssignmentState.REVOKED
    )
