"""Who moves money and who looks at it; what is left in the envelopes is public."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, false, select

from portal.budget.models import Envelope, Posting
from portal.identity.models import Role
from portal.identity.policy import Actor, Permission, by_role, rule, scope_of

READERS = (Role.ADMINISTRATOR, Role.OFFICER, Role.CHAIR, Role.COMMISSION, Role.AUDITOR, Role.DIRECTOR, Role.FINANCE)

rule(Permission.BUDGET_POST)(by_role(Role.ADMINISTRATOR))
rule(Permission.BUDGET_VIEW)(by_role(*READERS))


@scope_of(Envelope)
def _envelopes(actor: Actor) -> Select[Any]:
    return _for_readers(actor, select(Envelope))


@scope_of(Posting)
def _postings(actor: Actor) -> Select[Any]:
    return _for_readers(actor, select(Posting))


def _for_readers(actor: Actor, every: Select[Any]) -> Select[Any]:
    return every if actor.system or actor.has(*READERS) else every.where(false())
