"""Whose figures a participant may see: the one place that decides it.

A part's figures are its costs, its financing, its answers and papers, and every sentence that names their sums. What
all share is the requested subsidy of each and the sums of the whole project; of two participants each can reckon the
other's total from these. The fund sees everything it received.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from portal.applications.models import Application, Participant, ParticipantRole, ParticipantState
from portal.applications.policy import READERS
from portal.identity.policy import Actor
from portal.tenders.ruleset import RuleSet, Sight


def seen_parts(participants: Iterable[Participant], rules: RuleSet, organisations: Collection[UUID]) -> frozenset[UUID]:
    """The participants whose figures people of ``organisations`` may see."""
    taking = [part for part in participants if part.state == ParticipantState.ACCEPTED]
    own = frozenset(part.id for part in taking if part.organisation_id in organisations)
    leads = any(part.id in own and part.role == ParticipantRole.INITIATOR for part in taking)
    if rules.confidential_parts is Sight.ALL_PARTICIPANTS or (rules.confidential_parts is Sight.INITIATOR and leads):
        return frozenset(part.id for part in taking)
    return own


def hidden_parts(actor: Actor, application: Application, rules: RuleSet) -> frozenset[UUID]:
    """The participants whose figures the actor, who may read the application, may not see."""
    if actor.system or (application.submission_id is not None and actor.has(*READERS)):
        return frozenset()
    seen = seen_parts(application.participants, rules, actor.memberships)
    everybody = frozenset(part.id for part in application.participants if part.state == ParticipantState.ACCEPTED)
    return everybody - seen
