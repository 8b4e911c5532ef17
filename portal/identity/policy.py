"""Who may do what: the enum of permissions, the actor, and the two doors to every object.

:func:`authorize` asks the rule of a permission with the object at hand; :func:`scope` gives the one select of
a model that the actor may read. The rooms register their rules (``policy.py`` of each room); a permission
without a rule denies. Refusals carry a reason. The same predicate that guards a verb hides its button
(:func:`allowed`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar
from uuid import UUID

from sqlalchemy import Select, false, select
from sqlalchemy.orm import Session

from portal.core.errors import NotFound, Refused
from portal.core.language import N_, Message
from portal.identity.models import OrgRole, Role


class Permission(StrEnum):
    """``room:resource:action``, sorted; one action each."""

    AGREEMENT_DRAFT = "awards:agreement:draft"
    AGREEMENT_PAY = "awards:agreement:pay"
    AGREEMENT_READ = "awards:agreement:read"
    AGREEMENT_SIGN = "awards:agreement:sign"
    AGREEMENT_VIEW = "awards:agreement:view"
    APPEAL_DECIDE = "awards:appeal:decide"
    APPEAL_FILE = "awards:appeal:file"
    APPEAL_VIEW = "awards:appeal:view"
    APPLICATION_CONFIRM = "applications:participant:confirm"
    APPLICATION_EDIT = "applications:application:edit"
    APPLICATION_INVITE = "applications:participant:invite"
    APPLICATION_LIST_ALL = "applications:application:list_all"
    APPLICATION_LIST_OWN = "applications:application:list_own"
    APPLICATION_RESPOND = "applications:participant:respond"
    APPLICATION_ROLES = "applications:participant:assign"
    APPLICATION_START = "applications:application:start"
    APPLICATION_SUBMIT = "applications:application:submit"
    APPLICATION_VIEW = "applications:application:view"
    APPLICATION_WITHDRAW = "applications:application:withdraw"
    AUDIT_READ = "audit:event:read"
    AWARD_DRAFT = "awards:decision:draft"
    AWARD_PUBLISH = "awards:decision:publish"
    AWARD_REFUSE = "awards:award:refuse"
    AWARD_SIGN = "awards:decision:sign"
    AWARD_VIEW = "awards:decision:view"
    BOARD_MODERATE = "clusters:board:moderate"
    BOARD_POST = "clusters:board:post"
    BUDGET_ALARM = "budget:alarm:set"
    BUDGET_ORDER_DRAFT = "budget:order:draft"
    BUDGET_ORDER_SIGN = "budget:order:sign"
    BUDGET_POST = "budget:posting:create"
    BUDGET_VIEW = "budget:envelope:view"
    CALENDAR_FEED = "tenders:feed:own"
    CLUSTER_CONFIRM_MEMBER = "clusters:membership:confirm"
    CLUSTER_EDIT = "clusters:cluster:edit"
    CLUSTER_FIGURES = "clusters:map:figures"
    CLUSTER_IMPORT = "clusters:register:import"
    CLUSTER_JOIN = "clusters:membership:request"
    CLUSTER_KEEP = "clusters:profile:edit"
    CLUSTER_PUBLISH = "clusters:roadmap:publish"
    CONFLICT_RULE = "review:conflict:rule"
    CONFLICT_VIEW = "review:conflict:view"
    DEMO_MAIL = "demo:mail:read"
    DRAW_HOLD = "scoring:draw:hold"
    EVALUATION_VIEW = "scoring:evaluation:view"
    EXCEPTION_GRANT = "applications:exception:grant"
    EXCEPTION_VIEW = "applications:exception:view"
    FIT_LETTER_SIGN = "applications:fit_letter:sign"
    JOBS_MANAGE = "core:task:manage"
    MEETING_CONDUCT = "awards:meeting:conduct"
    MEETING_VIEW = "awards:meeting:view"
    MEETING_VOTE = "awards:meeting:vote"
    MESSAGE_ANSWER = "applications:message:answer"
    MESSAGE_LIST = "applications:message:list"
    MESSAGE_READ = "applications:message:read"
    MESSAGE_WRITE = "applications:message:write"
    ORGANISATION_EDIT = "identity:organisation:edit"
    ORGANISATION_INVITE = "identity:organisation:invite"
    ORGANISATION_REGISTER = "identity:organisation:register"
    ORGANISATION_VIEW = "identity:organisation:view"
    PUBLIC = "public:page:read"
    QUESTION_ANSWER = "tenders:question:answer"
    QUESTION_ASK = "tenders:question:ask"
    QUESTION_VIEW = "tenders:question:view"
    REVIEW_ASSIGN = "review:assignment:assign"
    REVIEW_FORMAL_CHECK = "review:formal_check:decide"
    REVIEW_POOL_EDIT = "review:pool:edit"
    REVIEW_POOL_VIEW = "review:pool:view"
    REVIEW_READ = "review:review:read"
    REVIEW_SIMILAR_DECIDE = "review:similar:decide"
    REVIEW_SIMILAR_VIEW = "review:similar:view"
    REVIEW_WRITE = "review:review:write"
    OFFER_ANSWER = "awards:offer:answer"
    SCENARIO_ADOPT = "awards:scenario:adopt"
    SCENARIO_EDIT = "awards:scenario:edit"
    SCENARIO_VIEW = "awards:scenario:view"
    SCORE_CHECK = "scoring:run:check"
    SCORE_DRY_RUN = "scoring:rules:try"
    SCORE_RUN = "scoring:run:start"
    SCORE_VIEW = "scoring:score:view"
    SEAL_KEEP = "tenders:seal:keep"
    SEAL_VIEW = "tenders:seal:view"
    SIGNED_IN = "identity:account:own"
    STAFF_HOME = "fund:workspace:open"
    TENDER_EDIT = "tenders:tender:edit"
    TENDER_FOLLOW = "tenders:tender:follow"
    TENDER_VIEW = "tenders:tender:view"
    TIE_DECLARE = "review:tie:declare"
    USER_MANAGE = "identity:user:manage"


FUND: Final = frozenset(Role)


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever acts, with the rights that follow from present membership; made anew for each request.

    ``memberships`` maps organisation to role; ``spec_of`` are the clusters whose specialised organisation
    the actor may sign for.
    """

    user_id: UUID | None = None
    name: str = ""
    email: str = ""
    locale: str = "ru"
    roles: frozenset[Role] = frozenset()
    memberships: Mapping[UUID, OrgRole] = field(default_factory=dict)
    system: str | None = None

    @property
    def is_authenticated(self) -> bool:
        return self.user_id is not None

    @property
    def audit_id(self) -> str:
        return f"system:{self.system}" if self.system else f"user:{self.user_id}" if self.user_id else "anonymous"

    @property
    def audit_name(self) -> str:
        return self.name or self.email or self.audit_id

    def has(self, *roles: Role) -> bool:
        """Whether the actor has any of the fund's roles."""
        return not self.roles.isdisjoint(roles)

    def acts_for(self, organisation_id: UUID | None, *roles: OrgRole) -> bool:
        """Whether the actor is a member of the organisation, in one of ``roles`` if given; an owner is all."""
        held = self.memberships.get(organisation_id) if organisation_id else None
        return held is not None and (not roles or held in roles or held is OrgRole.OWNER)


ANONYMOUS: Final = Actor()


def system_actor(name: str) -> Actor:
    """The actor of background jobs: may do what its verb is for, and is named in the audit trail."""
    return Actor(system=name, name=name)


@dataclass(frozen=True, slots=True)
class Decision:
    """Allowed, or not and why; ``hidden``: not even the object's existence is the actor's business."""

    allow: bool
    reason: Message | None = None
    hidden: bool = False

    def __bool__(self) -> bool:
        return self.allow


YES: Final = Decision(True)
HIDDEN: Final = Decision(False, hidden=True)


def no(reason: Message) -> Decision:
    return Decision(False, reason)


Rule = Callable[[Actor, Any], Decision]
_rules: dict[Permission, Rule] = {}
_scopes: dict[type[Any], Callable[[Actor], Select[Any]]] = {}

R = TypeVar("R", bound=Rule)
T = TypeVar("T")


def rule(*permissions: Permission) -> Callable[[R], R]:
    """Register the predicate of a permission; each permission has one."""

    def register(function: R) -> R:
        for permission in permissions:
            if permission in _rules and _rules[permission] is not function:
                raise ValueError(f"{permission} has two rules")
            _rules[permission] = function
        return function

    return register


def scope_of(model: type[Any]) -> Callable[[Callable[[Actor], Select[Any]]], Callable[[Actor], Select[Any]]]:
    """Register the select of the rows of ``model`` that an actor may read."""

    def register(function: Callable[[Actor], Select[Any]]) -> Callable[[Actor], Select[Any]]:
        _scopes[model] = function
        return function

    return register


def decide(actor: Actor, permission: Permission, obj: Any = None) -> Decision:
    """Ask the rule. The system actor passes: its verbs are called by our own jobs only."""
    if actor.system:
        return YES
    found = _rules.get(permission)
    return found(actor, obj) if found else no(N_("You do not have the right to do this."))


def allowed(actor: Actor, permission: Permission, obj: Any = None) -> bool:
    return bool(decide(actor, permission, obj))


def authorize(actor: Actor, permission: Permission, obj: Any = None) -> None:
    """Raise :class:`NotFound` or :class:`Refused` unless the actor may."""
    decision = decide(actor, permission, obj)
    if decision.allow:
        return
    if decision.hidden:
        raise NotFound
    raise Refused(decision.reason or N_("You do not have the right to do this."))


def scope(actor: Actor, model: type[T]) -> Select[T]:
    """The one permitted select of ``model``; a model without a registered scope shows nothing."""
    found = _scopes.get(model)
    return found(actor) if found else select(model).where(false())


def find(session: Session, actor: Actor, model: type[T], key: UUID) -> T:
    """The object by its key through the actor's scope; :class:`NotFound` otherwise."""
    statement: Select[Any] = scope(actor, model).where(model.id == key)  # type: ignore[attr-defined]
    row: T | None = session.scalar(statement)
    if row is None:
        raise NotFound
    return row


def _by_role(*roles: Role) -> Rule:
    def decide_by_role(actor: Actor, obj: Any) -> Decision:
        if actor.has(*roles):
            return YES
        return HIDDEN if not actor.has(*FUND) else no(N_("Your role does not include this."))

    return decide_by_role


for _permission, _roles in {
    Permission.AUDIT_READ: (Role.ADMINISTRATOR, Role.AUDITOR),
    Permission.JOBS_MANAGE: (Role.ADMINISTRATOR,),
    Permission.STAFF_HOME: tuple(Role),
    Permission.USER_MANAGE: (Role.ADMINISTRATOR,),
}.items():
    rule(_permission)(_by_role(*_roles))

by_role = _by_role


@rule(Permission.PUBLIC, Permission.DEMO_MAIL)
def _public(actor: Actor, obj: Any) -> Decision:
    return YES


@rule(Permission.SIGNED_IN, Permission.ORGANISATION_REGISTER)
def _signed_in(actor: Actor, obj: Any) -> Decision:
    return YES if actor.is_authenticated else no(N_("Sign in to continue."))
