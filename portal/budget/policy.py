"""Who moves money and who looks at it; what is left in the envelopes is public.

An order that moves money between envelopes is drafted by the finance officer or an administrator, and signed by
another of them, the director or the chair: never by the one who drafted it.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, false, select

from portal.budget.models import BudgetOrder, Envelope, Posting
from portal.core.language import N_
from portal.identity.models import Role
from portal.identity.policy import YES, Actor, Decision, Permission, by_role, no, rule, scope_of

READERS = (Role.ADMINISTRATOR, Role.OFFICER, Role.CHAIR, Role.COMMISSION, Role.AUDITOR, Role.DIRECTOR, Role.FINANCE)

rule(Permission.BUDGET_ALARM)(by_role(Role.ADMINISTRATOR))
rule(Permission.BUDGET_POST)(by_role(Role.ADMINISTRATOR))
rule(Permission.BUDGET_VIEW)(by_role(*READERS))
rule(Permission.BUDGET_ORDER_DRAFT)(by_role(Role.ADMINISTRATOR, Role.FINANCE))

SIGNERS = (Role.ADMINISTRATOR, Role.FINANCE, Role.DIRECTOR, Role.CHAIR)
"""Who may give the second signature under an order, but for its drafter."""
_signer = by_role(*SIGNERS)


@rule(Permission.BUDGET_ORDER_SIGN)
def _sign(actor: Actor, obj: BudgetOrder | None) -> Decision:
    by_right = _signer(actor, None)
    if not by_right or obj is None:
        return by_right
    if actor.user_id is None or actor.user_id == obj.drafted_by:
        return no(N_("You drafted this order. Another person signs it."))
    return YES


@scope_of(Envelope)
def _envelopes(actor: Actor) -> Select[Any]:
    return _for_readers(actor, select(Envelope))


@scope_of(Posting)
def _postings(actor: Actor) -> Select[Any]:
    return _for_readers(actor, select(Posting))


@scope_of(BudgetOrder)
def _orders(actor: Actor) -> Select[Any]:
    return _for_readers(actor, select(BudgetOrder))


def _for_readers(actor: Actor, every: Select[Any]) -> Select[Any]:
    return every if actor.system or actor.has(*READERS) else every.where(false())
