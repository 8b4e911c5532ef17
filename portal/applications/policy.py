"""Who may do what with an application: the people of its participants, each their own part; the fund reads.

The object of a rule is a :class:`~portal.applications.models.Application` with its participants loaded, or a
:class:`Part` of it. People of other organisations learn not even that it exists.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, false, or_, select

from portal.applications.models import (
    Application,
    DeadlineException,
    FitLetter,
    Participant,
    ParticipantRole,
    ParticipantState,
    PartRole,
)
from portal.core.language import N_
from portal.identity.models import OrgRole, Role
from portal.identity.policy import FUND, HIDDEN, YES, Actor, Decision, Permission, by_role, no, rule, scope_of

READERS: Final = (
    Role.OFFICER,
    Role.CHAIR,
    Role.COMMISSION,
    Role.ADMINISTRATOR,
    Role.AUDITOR,
    Role.DIRECTOR,
    Role.FINANCE,
)
"""Roles of the fund that read every submitted application."""

EXCEPTION_READERS: Final = (Role.OFFICER, Role.CHAIR, Role.ADMINISTRATOR, Role.AUDITOR)
"""Roles of the fund that see who was granted a later closing, and why."""

WRITERS: Final = (OrgRole.EDITOR, OrgRole.SIGNATORY)
"""Who may write for an organisation, besides its owner."""


@dataclass(frozen=True, slots=True)
class Part:
    """A participant's part of an application."""

    application: Application
    participant: Participant


def rights(actor: Actor, part: Participant) -> frozenset[str]:
    """What the actor may do with a part, of ``read``, ``write``, ``sign``, ``manage``; empty for other organisations.

    A present membership is the ground of it; a present row for this application replaces what the role in the
    organisation gives. Owners keep everything: nobody can take their own organisation from them.
    """
    held = actor.memberships.get(part.organisation_id)
    return rights_by(held, part, actor.user_id) if held is not None else frozenset()


def rights_by(held: OrgRole, part: Participant, user_id: UUID | None) -> frozenset[str]:
    """The same of a person with the role ``held`` in the part's organisation."""
    given = (part.grants or {}).get(str(user_id))
    if held is OrgRole.OWNER or given is None:
        return _BY_ORGANISATION[held]
    return _BY_GRANT[PartRole(given)]


_BY_ORGANISATION: Final = {
    OrgRole.OWNER: frozenset({"read", "write", "sign", "manage"}),
    OrgRole.SIGNATORY: frozenset({"read", "write", "sign"}),
    OrgRole.EDITOR: frozenset({"read", "write"}),
    OrgRole.VIEWER: frozenset({"read"}),
}
_BY_GRANT: Final = {
    PartRole.LEAD: frozenset({"read", "write", "manage"}),
    PartRole.SIGNATORY: frozenset({"read", "write", "sign"}),
    PartRole.EDITOR: frozenset({"read", "write"}),
    PartRole.VIEWER: frozenset({"read"}),
}


@scope_of(Application)
def _visible(actor: Actor) -> Select[Application]:
    own = select(Participant.application_id).where(
        Participant.organisation_id.in_(actor.memberships),
        Participant.state.in_((ParticipantState.INVITED, ParticipantState.ACCEPTED)),
    )
    received = and_(Application.submission_id.is_not(None), ~Application.sealed)
    submitted = received if actor.has(*READERS) else false()
    return select(Application).where(or_(Application.id.in_(own), submitted))


@rule(Permission.APPLICATION_LIST_OWN, Permission.APPLICATION_START)
def _signed_in(actor: Actor, obj: Any) -> Decision:
    """``obj``: the organisation for which an application is to be started."""
    if not actor.is_authenticated:
        return no(N_("Sign in to continue."))
    if obj is None or actor.acts_for(obj.id, *WRITERS):
        return YES
    if actor.acts_for(obj.id):
        return no(N_("You may read for this organisation, but not write. Ask its owner for the right."))
    return HIDDEN


@rule(Permission.APPLICATION_LIST_ALL)
def _list_all(actor: Actor, obj: Any) -> Decision:
    return YES if actor.has(*READERS) else HIDDEN


rule(Permission.EXCEPTION_GRANT)(by_role(Role.OFFICER))
rule(Permission.EXCEPTION_VIEW)(by_role(*EXCEPTION_READERS))


@scope_of(DeadlineException)
def _exceptions(actor: Actor) -> Select[DeadlineException]:
    """The fund reads all; applicants see those of their applications on the pages of these."""
    every = select(DeadlineException)
    return every if actor.has(*EXCEPTION_READERS) else every.where(false())


@rule(Permission.APPLICATION_VIEW)
def _view(actor: Actor, application: Application | None) -> Decision:
    if not actor.is_authenticated:
        return no(N_("Sign in to continue."))
    if application is None or _takes_part(actor, application):
        return YES
    if actor.has(*READERS) and _with_the_fund(application):
        return YES
    if _holds(actor, application, ParticipantState.INVITED):
        return no(N_("Answer the invitation first: it is under My applications."))
    return HIDDEN


@rule(Permission.APPLICATION_EDIT)
def _edit(actor: Actor, obj: Application | Part | None) -> Decision:
    """The sections of the project belong to the initiator's people, a part to its organisation's."""
    if obj is None:
        return _view(actor, None)
    if isinstance(obj, Part):
        owner, application = obj.participant.organisation_id, obj.application
        if obj.participant.state == ParticipantState.ACCEPTED and "write" in rights(actor, obj.participant):
            return YES
    else:
        owner, application = obj.initiator_id, obj
        if "write" in rights(actor, initiator_of(obj)):
            return YES
    return _seen_but(actor, application, owner)


@rule(Permission.APPLICATION_INVITE)
def _invite(actor: Actor, application: Application | None) -> Decision:
    return _edit(actor, application)


@rule(Permission.APPLICATION_CONFIRM)
def _confirm(actor: Actor, part: Part | None) -> Decision:
    if part is None:
        return _view(actor, None)
    owner = part.participant.organisation_id
    if part.participant.state == ParticipantState.ACCEPTED and "sign" in rights(actor, part.participant):
        return YES
    return _seen_but(actor, part.application, owner, signs=True)


@rule(Permission.APPLICATION_SUBMIT, Permission.APPLICATION_WITHDRAW)
def _submit(actor: Actor, application: Application | None) -> Decision:
    if application is None:
        return _view(actor, None)
    if "sign" in rights(actor, initiator_of(application)):
        return YES
    return _seen_but(actor, application, application.initiator_id, signs=True)


@rule(Permission.FIT_LETTER_SIGN)
def _sign_letter(actor: Actor, letter: FitLetter | None) -> Decision:
    """The owners and signatories of the specialised organisation that was asked; nobody else learns of it."""
    if letter is None:
        return _view(actor, None)
    if actor.acts_for(letter.organisation_id, OrgRole.SIGNATORY):
        return YES
    if actor.acts_for(letter.organisation_id):
        return no(N_("Only an owner or a signatory of the organisation may sign for it."))
    return HIDDEN


@rule(Permission.APPLICATION_ROLES)
def _roles(actor: Actor, part: Part | None) -> Decision:
    """Who gives roles for one application: the organisation's owners, and whoever leads its part."""
    if part is None:
        return _view(actor, None)
    if part.participant.state == ParticipantState.ACCEPTED and "manage" in rights(actor, part.participant):
        return YES
    seen = _view(actor, part.application)
    return no(N_("Only an owner of the organisation or the lead of its part gives roles.")) if seen else seen


@rule(Permission.APPLICATION_RESPOND)
def _respond(actor: Actor, part: Part | None) -> Decision:
    """Invited organisations answer; their readers see the invitation."""
    if part is None:
        return _view(actor, None)
    if actor.acts_for(part.participant.organisation_id, *WRITERS):
        return YES
    if actor.acts_for(part.participant.organisation_id):
        return no(N_("You may read for this organisation, but not write. Ask its owner for the right."))
    return HIDDEN


CORRESPONDENTS: Final = (Role.OFFICER, Role.ADMINISTRATOR, Role.AUDITOR)
"""Roles of the fund that read the messages of applicants; only officers answer."""


@rule(Permission.MESSAGE_LIST)
def _message_list(actor: Actor, obj: Any) -> Decision:
    if actor.has(*CORRESPONDENTS):
        return YES
    return no(N_("Your role does not include this.")) if actor.has(*FUND) else HIDDEN


@rule(Permission.MESSAGE_READ)
def _message_read(actor: Actor, application: Application | None) -> Decision:
    """Those who take part, and of the fund those who answer or oversee; reviewers and the commission never."""
    if not actor.is_authenticated:
        return no(N_("Sign in to continue."))
    if application is None or _takes_part(actor, application):
        return YES
    if actor.has(*CORRESPONDENTS) and _with_the_fund(application):
        return YES
    return HIDDEN


@rule(Permission.MESSAGE_WRITE)
def _message_write(actor: Actor, application: Application | None) -> Decision:
    if application is None:
        return _view(actor, None)
    if not _takes_part(actor, application):
        return HIDDEN
    if any(
        part.state == ParticipantState.ACCEPTED and actor.acts_for(part.organisation_id, *WRITERS)
        for part in application.participants
    ):
        return YES
    return no(N_("You may read for this organisation, but not write. Ask its owner for the right."))


@rule(Permission.MESSAGE_ANSWER)
def _message_answer(actor: Actor, application: Application | None) -> Decision:
    if not actor.has(Role.OFFICER):
        return no(N_("Your role does not include this.")) if actor.has(*FUND) else HIDDEN
    if application is None:
        return YES
    if any(actor.acts_for(part.organisation_id) for part in application.participants):
        return no(N_("You belong to an organisation that takes part in this project."))
    return YES if _with_the_fund(application) else HIDDEN


def _seen_but(actor: Actor, application: Application, owner: Any, *, signs: bool = False) -> Decision:
    """A refusal for those who may read the application, with the reason; nothing for anybody else."""
    seen = _view(actor, application)
    if not seen:
        return seen
    if not actor.acts_for(owner):
        return no(N_("This part belongs to another organisation: its own people fill it in and sign it."))
    if signs:
        return no(N_("Only an owner or a signatory of the organisation may sign for it."))
    return no(N_("You may read for this organisation, but not write. Ask its owner for the right."))


def initiator_of(application: Application) -> Participant:
    """The initiator's part."""
    return next(part for part in application.participants if part.role == ParticipantRole.INITIATOR)


def _with_the_fund(application: Application) -> bool:
    """Whether the fund may read it: submitted, and opened where its tender is sealed."""
    return application.submission_id is not None and not application.sealed


def _takes_part(actor: Actor, application: Application) -> bool:
    return _holds(actor, application, ParticipantState.ACCEPTED)


def _holds(actor: Actor, application: Application, state: ParticipantState) -> bool:
    return any(part.state == state and actor.acts_for(part.organisation_id) for part in application.participants)
