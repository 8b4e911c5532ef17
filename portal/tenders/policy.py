"""Who prepares tenders, and which of them everyone may see."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from portal.identity.models import Role
from portal.identity.policy import FUND, Actor, Permission, by_role, rule, scope_of
from portal.tenders.models import Programme, RuleSetVersion, Tender, TenderTrack

rule(Permission.TENDER_EDIT)(by_role(Role.ADMINISTRATOR))
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
