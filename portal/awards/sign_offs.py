"""Whose signatures a decision needs, who has given them, and in what capacity somebody may sign.

Rules with a commission name offices with the sums above which they sign (:class:`~portal.tenders.ruleset.Commission`).
Rules without one need the signature of one member of the commission beside the drafter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.awards.models import AwardDecision, DecisionSignature
from portal.core.errors import Conflict, Refused
from portal.core.language import LOCALES, N_, Message, render
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.tenders.ruleset import Office, RuleSet

MEMBER: Final = "member"
ROLES: Final[Mapping[str, tuple[Role, ...]]] = {
    MEMBER: (Role.CHAIR, Role.COMMISSION),
    Office.DIRECTOR: (Role.DIRECTOR,),
    Office.CHAIR: (Role.CHAIR,),
    Office.FINANCE: (Role.FINANCE,),
}
NAMES: Final[Mapping[str, Message]] = {
    MEMBER: N_("Member of the commission"),
    Office.DIRECTOR: N_("Director of the department"),
    Office.CHAIR: N_("Chair of the commission"),
    Office.FINANCE: N_("Finance officer"),
}


@dataclass(frozen=True, slots=True)
class SignOff:
    """A signature that a decision needs; ``person`` and ``at`` once it is given."""

    office: str
    person: str = ""
    user_id: UUID | None = None
    at: datetime | None = None

    @property
    def given(self) -> bool:
        return self.at is not None

    @property
    def name(self) -> Message:
        return NAMES[self.office]


def required(rules: RuleSet, amount: Decimal) -> tuple[str, ...]:
    """The offices that sign awards of ``amount`` roubles together, in the order of the rules."""
    return rules.commission.offices(amount) if rules.commission else (MEMBER,)


def awarded(decision: AwardDecision) -> Decimal:
    """All awards of a decision together, roubles; lines and amounts are loaded."""
    amounts = (amount.amount for line in decision.lines for amount in line.amounts)
    return sum(amounts, Decimal("0.00"))


def given(session: Session, decision_id: UUID) -> Sequence[DecisionSignature]:
    """The signatures of a decision in their order, each with its person; one query."""
    statement = select(DecisionSignature).where(DecisionSignature.decision_id == decision_id)
    return session.scalars(
        statement.order_by(DecisionSignature.id).options(joinedload(DecisionSignature.signer, innerjoin=True))
    ).all()


def listed(rules: RuleSet, amount: Decimal, signatures: Sequence[DecisionSignature]) -> list[SignOff]:
    """Every signature that is needed, given or not, in the order of the rules."""
    held = {row.office: row for row in signatures}
    found = []
    for office in required(rules, amount):
        row = held.get(office)
        if row is None:
            found.append(SignOff(office))
        else:
            person = row.signer.full_name or row.signer.email
            found.append(SignOff(office, person, row.signed_by, row.signed_at))
    return found


def office_for(actor: Actor, needed: Sequence[SignOff]) -> str:
    """In what capacity the actor signs: the first missing one of a role of theirs.

    :class:`Conflict` when they have signed already or their office has, :class:`Refused` when the amount does not
    ask for a role of theirs.
    """
    if any(item.user_id == actor.user_id for item in needed):
        raise Conflict(N_("You have signed this decision already."))
    mine = [item for item in needed if actor.has(*ROLES[item.office])]
    if not mine:
        raise Refused(refusal_of(needed))
    missing = next((item for item in mine if not item.given), None)
    if missing is None:
        raise Conflict(N_("%(person)s has signed in this capacity already.", person=mine[0].person))
    return missing.office


def refusal_of(needed: Sequence[SignOff]) -> Message:
    """Whose signatures the amount asks for, to somebody who is none of them."""
    names = [item.name for item in needed]
    both = {locale: _joined(names, locale) for locale in LOCALES}
    return N_("This amount is signed by: %(offices)s. Your role is not among them.", offices=both)


def _joined(names: Sequence[Message], locale: str) -> str:
    return ", ".join(render(name, locale) for name in names)
