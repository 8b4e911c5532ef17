"""Who writes, signs, pays and reads agreements.

An officer writes one, the director or the chair signs it, the finance officer or the administrator, who keeps the
envelopes, pays and takes back. The initiator's organisation reads its own as soon as it is signed.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from portal.agreements.models import Agreement, AgreementState
from portal.awards.policy import READERS
from portal.core.language import N_
from portal.identity.models import Role
from portal.identity.policy import HIDDEN, YES, Actor, Decision, Permission, by_role, no, rule, scope_of

OPEN = (AgreementState.SIGNED, AgreementState.ENDED)
"""States in which the recipient reads its agreement."""

rule(Permission.AGREEMENT_DRAFT)(by_role(Role.OFFICER))
rule(Permission.AGREEMENT_PAY)(by_role(Role.FINANCE, Role.ADMINISTRATOR))
rule(Permission.AGREEMENT_VIEW)(by_role(*READERS))

_signer = by_role(Role.DIRECTOR, Role.CHAIR)


@rule(Permission.AGREEMENT_SIGN)
def _sign(actor: Actor, obj: Agreement | None) -> Decision:
    by_right = _signer(actor, None)
    if by_right and obj is not None and obj.drafted_by == actor.user_id:
        return no(N_("You drafted this agreement. Another person registers its signature."))
    return by_right


@rule(Permission.AGREEMENT_READ)
def _read(actor: Actor, obj: Agreement | None) -> Decision:
    """Without an object: whoever is signed in may ask; with it: the recipient's people and the fund's readers."""
    if obj is None:
        return YES if actor.is_authenticated else no(N_("Sign in to continue."))
    if actor.has(*READERS):
        return YES
    return YES if actor.acts_for(obj.organisation_id) and obj.state in OPEN else HIDDEN


@scope_of(Agreement)
def _agreements(actor: Actor) -> Select[Any]:
    every = select(Agreement)
    if actor.system or actor.has(*READERS):
        return every
    return every.where(
        Agreement.organisation_id.in_(list(actor.memberships)),
        Agreement.state.in_(OPEN),
    )
