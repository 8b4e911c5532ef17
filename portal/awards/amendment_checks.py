"""What is wrong with a later decision, looked at before it is drafted: its lines, the money, and the limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.awards.later_limits import Counted
from portal.awards.models import Award, AwardDecision, DecisionKind, DecisionLine
from portal.budget import queries as budget_queries
from portal.budget.models import Account
from portal.core.errors import Problem
from portal.core.figures import roubles
from portal.core.language import N_
from portal.scoring.models import Score

MAX_GROUNDS: Final = 2_000
REVISED: Final = (State.AWARDED, State.RESERVE, State.DECLINED)
BOUND: Final = N_("This award is bound by an agreement already: it ends with the agreement, not here.")


@dataclass(frozen=True, slots=True)
class Change:
    """What an application gets now; ``amounts``: year -> roubles, of an award only."""

    application_id: UUID
    outcome: Award
    amounts: Mapping[int, Decimal]

    @property
    def granted(self) -> Mapping[int, Decimal]:
        """The amounts of an award, nothing for other outcomes."""
        return self.amounts if self.outcome is Award.AWARD else {}


def faults(changes: Sequence[Change], former: Mapping[UUID, DecisionLine], grounds: str) -> list[Problem]:
    """What is wrong with the lines and the grounds themselves; ``former``: what stands of the applications."""
    found = []
    if not 0 < len(grounds) <= MAX_GROUNDS:
        message = N_("Say why in 1 to %(limit)s characters.", limit=MAX_GROUNDS)
        found.append(Problem("required", "grounds", message))
    if not changes or len({change.application_id for change in changes}) < len(changes):
        found.append(Problem("required", "application", N_("Choose each application that is decided anew once.")))
    for change in changes:
        old = former.get(change.application_id)
        if old is None or old.application.state not in REVISED:
            message = N_("This application has no published outcome that can be changed.")
            found.append(Problem("not_decided", "application", message))
            continue
        held = {amount.year: amount.amount for amount in old.amounts}
        wanted = {year: amount for year, amount in change.amounts.items() if amount}
        if change.outcome is Award.AWARD and not wanted:
            found.append(Problem("required", "amounts", N_("An award has an amount in at least one year.")))
        elif any(amount < 0 for amount in wanted.values()):
            found.append(Problem("not_positive", "amounts", N_("Enter an amount above zero.")))
        elif change.outcome == old.outcome and (change.outcome is not Award.AWARD or wanted == held):
            found.append(Problem("same", "outcome", N_("This is what was decided already.")))
    return found


def bound(session: Session, former: Mapping[UUID, DecisionLine]) -> list[Problem]:
    """Awards whose money is not all reserved any more, because an agreement has committed it; one query for each."""
    found = []
    for line in former.values():
        if line.outcome != Award.AWARD:
            continue
        held = budget_queries.held_by_year(session, ("decision_line", line.id))
        if any(held.get(each.year, {}).get(Account.RESERVED, 0) < each.amount for each in line.amounts):
            found.append(Problem("bound", "application", BOUND))
    return found


def beyond_request(
    session: Session, last: AwardDecision, changes: Sequence[Change], former: Mapping[UUID, DecisionLine]
) -> list[Problem]:
    """Awards of more than was asked for over all years; one query."""
    rows = session.execute(
        select(Application.id, Score.amounts)
        .join(Score, Score.submission_id == Application.submission_id)
        .where(Score.run_id == last.run_id, Application.id.in_(list(former)))
    )
    asked = {key: sum(map(Decimal, amounts.values()), Decimal(0)) for key, amounts in rows}
    found = []
    for change in changes:
        wanted = sum(change.granted.values(), Decimal(0))
        if wanted > asked.get(change.application_id, wanted):
            message = N_(
                "%(number)s asks for %(asked)s in all, and would get %(given)s: give no more than it asks for.",
                number=former[change.application_id].application.number or "",
                asked=roubles(asked[change.application_id]),
                given=roubles(wanted),
            )
            found.append(Problem("above_request", "amounts", message))
    return found


def beyond_money(
    held: Mapping[int, Decimal], changes: Sequence[Change], former: Mapping[UUID, DecisionLine]
) -> list[Problem]:
    """Years whose envelopes lack money, also with what the decision frees; the last signature is refused then too."""
    left = dict(held)
    for change in changes:
        for amount in former[change.application_id].amounts:
            left[amount.year] = left.get(amount.year, Decimal(0)) + amount.amount
    needed: dict[int, Decimal] = {}
    for change in changes:
        for year, wanted in change.granted.items():
            needed[year] = needed.get(year, Decimal(0)) + wanted
    return [
        Problem(
            "overdrawn",
            "amounts",
            N_(
                "In %(year)s %(needed)s is needed, and %(left)s is available with what this decision frees.",
                year=year,
                needed=roubles(amount),
                left=roubles(left.get(year, Decimal(0))),
            ),
        )
        for year, amount in sorted(needed.items())
        if amount > left.get(year, Decimal(0))
    ]


def beyond_limits(kind: DecisionKind, counted: Sequence[Counted], excuse: str) -> list[Problem]:
    """Limits that a decision breaks: from the reserve list never, by a correction without a reason."""
    broken = [each for each in counted if each.broken]
    if kind is DecisionKind.SUPPLEMENTARY:
        return [Problem("limit", "application", each.told) for each in broken]
    if not broken or 0 < len(excuse) <= MAX_GROUNDS:
        return []
    message = N_("Say in 1 to %(limit)s characters why the limit gives way, or decide otherwise.", limit=MAX_GROUNDS)
    return [*(Problem("limit", "beyond", each.told) for each in broken), Problem("required", "beyond", message)]


def excused(counted: Sequence[Counted], excuse: str) -> dict[str, Any] | None:
    """What is kept of the limits that a correction breaks, and why; None where it breaks none."""
    broken = [each.to_plain() for each in counted if each.broken]
    return {"reason": excuse, "limits": broken} if broken else None
