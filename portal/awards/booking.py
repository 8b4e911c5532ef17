"""What a signed line of a decision does: books its award, frees what it changes, gives its application the outcome."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from sqlalchemy.orm import Session

from portal.applications import service as applications
from portal.applications.models import Application
from portal.audit.service import record
from portal.awards import amending
from portal.awards.models import Award, AwardDecision, DecisionLine
from portal.budget import service as budget
from portal.core.clock import now
from portal.core.language import N_, Message, render
from portal.identity.policy import Actor
from portal.tenders.models import Tender, Track
from portal.tenders.rules import TRACK_NAMES


def carry_out(session: Session, actor: Actor, decision: AwardDecision, line: DecisionLine) -> None:
    """A line of a decision that takes effect; the decision is locked. Overdrawn when an envelope lacks money."""
    if decision.number > 1:
        amending.free_former(session, actor, decision, line)
    if line.outcome == Award.AWARD:
        book_award(session, actor, decision, line)
    elif decision.number > 1:
        applications.revise(session, actor, line.application_id, line.outcome)
    elif line.outcome == Award.RESERVE:
        applications.reserve(session, actor, line.application_id)
    else:
        applications.decline(session, actor, line.application_id)


def book_award(session: Session, actor: Actor, decision: AwardDecision, line: DecisionLine) -> None:
    """Book an award; the row of the line, or that of its decision, is locked."""
    if decision.number == 1:
        application = applications.award(session, actor, line.application_id)
    else:
        application = applications.revise(session, actor, line.application_id, Award.AWARD)
    _book(session, actor, line, application)
    line.approved_at = now(session)
    session.flush()
    changes = {"decision": line.decision_id, "application": application.number, "amounts": _by_year(line)}
    record(session, actor, "awards:line:approve", "decision_line", line.id, changes)


def _book(session: Session, actor: Actor, line: DecisionLine, application: Application) -> None:
    tender = session.get_one(Tender, application.tender_id)
    budget.reserve(
        session,
        actor,
        key=f"award:{line.id}",
        programme_id=tender.programme_id,
        track=application.track,
        amounts=_by_year(line),
        reason=_ledger_text(N_("Award to %(number)s", number=application.number or "")),
        document=_ledger_text(
            N_(
                "Decision on the tender %(code)s, %(track)s",
                code=tender.code,
                track=TRACK_NAMES[Track(application.track)],
            )
        ),
        subject=("decision_line", line.id),
    )


def _ledger_text(message: Message) -> str:
    """The ledger is kept in Russian, like the orders that it names."""
    return render(message, "ru")


def _by_year(line: DecisionLine) -> Mapping[int, Decimal]:
    return {amount.year: amount.amount for amount in line.amounts}
