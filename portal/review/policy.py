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

KNOW_REVIEWERS: Final = (Role.OFFICER, Role.ADMINISTRATOR, Role.AUDITOR)
"""Who runs the expertise or watches over it, and so knows who reviews what. Who decides reads of experts by number."""


def knows_reviewers(actor: Actor) -> bool:
    """Whether the reader may know who the experts are."""
    return actor.has(*KNOW_REVIEWERS)


@dataclass(frozen=True, slots=True)
class Subject:
    """An application as these rules see it: who takes part, the assignment where one is meant, and whether its
    reviewers must not know who applies (``hides``)."""

    organisations: frozenset[UUID]
    assignment: Assignment | None = None
    hides: bool = False

    def tied(self, actor: Actor) -> bool:
        """Whether the actor belongs to an organisation that takes part."""
        return not self.organisations.isdisjoint(actor.memberships)


_TIED: Final = no(N_("You belong to an organisation that takes part in this project."))
_KNOWS: Final = no(
    N_("Another role of yours shows who applies, which reviewers of this tender must not know. Tell the officer.")
)


@rule(Permission.REVIEW_FORMAL_CHECK, Permission.REVIEW_ASSIGN, Permission.REVIEW_SIMILAR_DECIDE)
def _officer(actor: Actor, subject: Subject | None) -> Decision:
    if not actor.has(Role.OFFICER):
        return no(N_("Your role does not include this.")) if actor.has(*READERS) else HIDDEN
    return _TIED if subject is not None and subject.tied(actor) else YES


@rule(Permission.REVIEW_POOL_VIEW)
def _pool(actor: Actor, subject: object) -> Decision:
    """Who may know the reviewers sees the pool, the proposals and how far each of them is."""
    return _by_fund(actor, *KNOW_REVIEWERS)


@rule(Permission.REVIEW_POOL_EDIT)
def _pool_keeper(actor: Actor, subject: object) -> Decision:
    if actor.has(Role.OFFICER):
        return YES
    return no(N_("Your role does not include this.")) if actor.has(*READERS) else HIDDEN


@rule(Permission.REVIEW_READ, Permission.REVIEW_SIMILAR_VIEW)
def _read(actor: Actor, subject: Subject | None) -> Decision:
    """The fund's people who decide or audit read every review that is in, and what is alike."""
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
    if subject.hides and actor.has(*READERS):
        return _KNOWS
    return _TIED if subject.tied(actor) else YES


@dataclass(frozen=True, slots=True)
class ConflictSubject:
    """A conflict as these rules see it: whose it is, and who takes part in the application."""

    person: UUID
    organisations: frozenset[UUID] = frozenset()


@rule(Permission.CONFLICT_VIEW)
def _see_conflicts(actor: Actor, obj: ConflictSubject | None) -> Decision:
    """Officers work with them, the administrator and the auditor read; nobody of the commission learns of others'."""
    decision = _by_fund(actor, Role.OFFICER, Role.ADMINISTRATOR, Role.AUDITOR)
    if not decision or obj is None:
        return decision
    return _TIED if not obj.organisations.isdisjoint(actor.memberships) else YES


@rule(Permission.CONFLICT_RULE)
def _rule_on_conflicts(actor: Actor, obj: ConflictSubject | None) -> Decision:
    """An officer decides on soft conflicts and enters ties with their source, never on those of their own."""
    decision = _by_fund(actor, Role.OFFICER)
    if not decision or obj is None:
        return decision
    if obj.person == actor.user_id:
        return no(N_("Nobody decides on a conflict of interest of their own."))
    return _TIED if not obj.organisations.isdisjoint(actor.memberships) else YES


@rule(Permission.TIE_DECLARE)
def _declare_ties(actor: Actor, obj: object) -> Decision:
    """Those whose ties matter declare their own."""
    return _by_fund(actor, Role.REVIEWER, Role.CHAIR, Role.COMMISSION, Role.DIRECTOR, Role.FINANCE)


def _by_fund(actor: Actor, *roles: Role) -> Decision:
    if actor.has(*roles):
        return YES
    return no(N_("Your role does not include this.")) if actor.has(*FUND) else HIDDEN


@scope_of(Assignment)
def _assignments(actor: Actor) -> Select[Assignment]:
    """A reviewer's own; what was taken back is not shown any more."""
    if not actor.has(Role.REVIEWER):
        return select(Assignment).where(false())
    return select(Assignment).where(
        Assignment.reviewer_id == actor.user_id, Assignment.state != AssignmentState.REVOKED
    )
