"""Who prepares tenders, and which of them everyone may see."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select

from portal.core.language import N_
from portal.identity.models import Role
from portal.identity.policy import FUND, HIDDEN, YES, Actor, Decision, Permission, by_role, no, rule, scope_of
from portal.tenders.models import Programme, Question, RuleSetVersion, Tender, TenderTrack
from portal.tenders.seal_models import SealKey

QUESTION_READERS: Final = (Role.ADMINISTRATOR, Role.OFFICER, Role.CHAIR, Role.AUDITOR)
"""Roles of the fund that see who asks."""

rule(Permission.TENDER_EDIT)(by_role(Role.ADMINISTRATOR))
rule(Permission.QUESTION_ANSWER)(by_role(Role.OFFICER))
rule(Permission.QUESTION_VIEW)(by_role(*QUESTION_READERS))
SEAL_READERS: Final = (Role.ADMINISTRATOR, Role.OFFICER, Role.CHAIR, Role.COMMISSION, Role.DIRECTOR, Role.AUDITOR)
"""Roles of the fund that see how many sealed applications there are, and the protocol of their opening."""

rule(Permission.SEAL_VIEW)(by_role(*SEAL_READERS))
rule(Permission.TENDER_VIEW)(by_role(Role.ADMINISTRATOR, Role.OFFICER, Role.CHAIR, Role.AUDITOR))


@scope_of(Programme)
def _programmes(actor: Actor) -> Select[Any]:
    return select(Programme)


@scope_of(Tender)
def _tenders(actor: Actor) -> Select[Any]:
    """The fund sees drafts, everyone what was published."""
    every = select(Tender)
    return every if actor.system or actor.has(*FUND) else every.where(Tender.published_at.is_not(None))


@scope_of(TenderTrack)
def _tracks(actor: Actor) -> Select[Any]:
    every = select(TenderTrack).join(TenderTrack.tender)
    return every if actor.system or actor.has(*FUND) else every.where(Tender.published_at.is_not(None))


@scope_of(RuleSetVersion)
def _rule_sets(actor: Actor) -> Select[Any]:
    every = select(RuleSetVersion)
    return every if actor.system or actor.has(*FUND) else every.where(RuleSetVersion.frozen_at.is_not(None))


@rule(Permission.TENDER_FOLLOW, Permission.CALENDAR_FEED)
def _signed_in(actor: Actor, obj: Any) -> Decision:
    return YES if actor.is_authenticated else no(N_("Sign in to continue."))


@rule(Permission.SEAL_KEEP)
def _keep(actor: Actor, key: SealKey | None) -> Decision:
    """Each keeper its own key, as long as it is an officer, the chair or a director."""
    if not actor.has(Role.OFFICER, Role.CHAIR, Role.DIRECTOR):
        return no(N_("Your role does not include this.")) if actor.has(*FUND) else HIDDEN
    return YES if key is None or key.user_id == actor.user_id else HIDDEN


@rule(Permission.QUESTION_ASK)
def _ask(actor: Actor, organisation_id: UUID | None) -> Decision:
    """Applicants ask for an organisation that they act for."""
    if not actor.is_authenticated:
        return no(N_("Sign in to continue."))
    if not actor.memberships:
        return no(N_("Questions are asked by people of an organisation: register yours first."))
    return YES if organisation_id is None or actor.acts_for(organisation_id) else HIDDEN


@scope_of(Question)
def _questions(actor: Actor) -> Select[Any]:
    """The fund reads all questions, people their own. What is public is read from the answers."""
    every = select(Question)
    return every if actor.system or actor.has(*QUESTION_READERS) else every.where(Question.asked_by == actor.user_id)
