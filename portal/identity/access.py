"""Who may do what with an organisation, its people and its invitations, and with the people of the portal."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Select, false, or_, select, true

from portal.core.language import N_
from portal.identity.models import Membership, Organisation, OrgRole, Role, User
from portal.identity.policy import HIDDEN, YES, Actor, Decision, Permission, no, rule, scope_of

READERS: Final = (
    Role.OFFICER,
    Role.CHAIR,
    Role.COMMISSION,
    Role.ADMINISTRATOR,
    Role.AUDITOR,
    Role.DIRECTOR,
    Role.FINANCE,
)
"""Roles of the fund that read every organisation."""

WRITERS: Final = (OrgRole.EDITOR, OrgRole.SIGNATORY)
"""Who may correct an organisation's profile, besides its owner."""


@scope_of(Organisation)
def _organisations(actor: Actor) -> Select[Organisation]:
    seen = true() if actor.has(*READERS) else Organisation.id.in_(list(actor.memberships))
    return select(Organisation).where(seen)


@scope_of(User)
def _people(actor: Actor) -> Select[User]:
    """Administrators see everyone; others themselves and the people of their organisations."""
    if actor.has(Role.ADMINISTRATOR):
        return select(User)
    colleagues = select(Membership.user_id).where(Membership.organisation_id.in_(list(actor.memberships)))
    own = User.id == actor.user_id if actor.user_id else false()
    return select(User).where(or_(own, User.id.in_(colleagues)))


@rule(Permission.ORGANISATION_VIEW)
def _view(actor: Actor, organisation: Organisation | None) -> Decision:
    if not actor.is_authenticated:
        return no(N_("Sign in to continue."))
    if organisation is None or actor.has(*READERS) or actor.acts_for(organisation.id):
        return YES
    return HIDDEN


@rule(Permission.ORGANISATION_EDIT)
def _edit(actor: Actor, organisation: Organisation | None) -> Decision:
    seen = _view(actor, organisation)
    if not seen or organisation is None or actor.acts_for(organisation.id, *WRITERS):
        return seen
    return no(N_("You may read for this organisation, but not write. Ask its owner for the right."))


@rule(Permission.ORGANISATION_INVITE)
def _invite(actor: Actor, organisation: Any) -> Decision:
    """Inviting people, changing their roles and removing them: owners only."""
    seen = _view(actor, organisation)
    if not seen or organisation is None or actor.acts_for(organisation.id, OrgRole.OWNER):
        return seen
    return no(N_("Only an owner of the organisation decides who acts for it."))
