"""Who drafts, signs, publishes and reads decisions. Two people or more, none of them of an organisation that wins.

The object of the signing rule is a :class:`Signing`: the decision with the conflicts that the database knows of.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Select, false, select

from portal.applications.models import Application
from portal.awards.commission.appeal_models import Appeal
from portal.awards.commission.models import Meeting, MeetingMember
from portal.awards.models import AwardDecision
from portal.core.language import N_, Message
from portal.identity.models import OrgRole, Role
from portal.identity.policy import HIDDEN, YES, Actor, Decision, Permission, by_role, no, rule, scope_of

READERS = (Role.ADMINISTRATOR, Role.OFFICER, Role.CHAIR, Role.COMMISSION, Role.AUDITOR, Role.DIRECTOR, Role.FINANCE)

rule(Permission.AWARD_DRAFT)(by_role(Role.CHAIR, Role.OFFICER))
rule(Permission.AWARD_PUBLISH)(by_role(Role.OFFICER, Role.CHAIR))
rule(Permission.AWARD_VIEW)(by_role(*READERS))

_signer = by_role(Role.CHAIR, Role.COMMISSION, Role.DIRECTOR, Role.FINANCE)


rule(Permission.APPEAL_DECIDE)(by_role(Role.OFFICER, Role.CHAIR, Role.COMMISSION, Role.DIRECTOR))
rule(Permission.APPEAL_VIEW)(by_role(*READERS))
rule(Permission.MEETING_CONDUCT)(by_role(Role.OFFICER, Role.CHAIR))
rule(Permission.MEETING_VIEW)(by_role(*READERS))
rule(Permission.MEETING_VOTE)(by_role(Role.CHAIR, Role.COMMISSION))


_SIGNATORIES = (OrgRole.OWNER, OrgRole.SIGNATORY)


@rule(Permission.AWARD_REFUSE, Permission.APPEAL_FILE, Permission.OFFER_ANSWER)
def _for_the_initiator(actor: Actor, application: Application | None) -> Decision:
    """What binds the initiator is done by its owners and signatories."""
    if not actor.is_authenticated:
        return no(N_("Sign in to continue."))
    if application is None or actor.acts_for(application.initiator_id, *_SIGNATORIES):
        return YES
    if actor.acts_for(application.initiator_id):
        return no(N_("An owner or a signatory of the initiator does this."))
    return HIDDEN


@dataclass(frozen=True, slots=True)
class Interest:
    """A person belongs to an organisation that takes part in a project of the award list."""

    user_id: UUID
    person: str
    number: str
    organisation_ru: str
    organisation_en: str

    @property
    def organisation(self) -> dict[str, str]:
        return {"ru": self.organisation_ru, "en": self.organisation_en}


@dataclass(frozen=True, slots=True)
class Signing:
    """A decision that somebody wants to sign, with the interests of its drafter and of the signer.

    ``barred``: the conflict of interest of one of them, in words.
    """

    decision: AwardDecision
    interests: Sequence[Interest] = ()
    barred: Message | None = None


@rule(Permission.AWARD_SIGN)
def _sign(actor: Actor, obj: Signing | None) -> Decision:
    by_right = _signer(actor, None)
    if not by_right or obj is None:
        return by_right
    if actor.user_id == obj.decision.drafted_by:
        return no(N_("You drafted this list. Another member of the commission signs it."))
    refusal = interest_refusal(actor.user_id, obj.interests) or obj.barred
    return no(refusal) if refusal else YES


def interest_refusal(user_id: UUID | None, interests: Sequence[Interest]) -> Message | None:
    """Why the interests forbid this person to take part in the decision; the actor's own come first."""
    for interest in sorted(interests, key=lambda each: each.user_id != user_id):
        if interest.user_id == user_id:
            return N_(
                "You belong to %(organisation)s, which takes part in %(number)s of the award list. Nobody"
                " decides on a project of an organisation they belong to.",
                organisation=interest.organisation,
                number=interest.number,
            )
        return N_(
            "%(person)s, who drafted this list, belongs to %(organisation)s, which takes part in %(number)s of"
            " the award list. Discard the draft; somebody else has to draft it.",
            person=interest.person,
            organisation=interest.organisation,
            number=interest.number,
        )
    return None


@scope_of(AwardDecision)
def _decisions(actor: Actor) -> Select[Any]:
    every = select(AwardDecision)
    return every if actor.system or actor.has(*READERS) else every.where(false())


@scope_of(Meeting)
def _meetings(actor: Actor) -> Select[Any]:
    """The fund's readers see every meeting; a member of the commission those in which it has a seat."""
    every = select(Meeting)
    if actor.system or actor.has(*(role for role in READERS if role is not Role.COMMISSION)):
        return every
    if not actor.has(Role.COMMISSION):
        return every.where(false())
    return every.where(Meeting.id.in_(select(MeetingMember.meeting_id).where(MeetingMember.user_id == actor.user_id)))


@scope_of(Appeal)
def _appeals(actor: Actor) -> Select[Any]:
    """The fund's readers see every appeal; applicants read theirs on the page of the application."""
    every = select(Appeal)
    return every if actor.system or actor.has(*READERS) else every.where(false())
