"""What waits for the fund's people, and what was awarded: counts in a fixed number of statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

import portal.applications.policy  # noqa: F401 - registers the scope of applications
from portal.agreements import queries as agreement_queries
from portal.agreements.models import Agreement, AgreementState, Tranche
from portal.applications.models import Application, State
from portal.awards.chain import superseded
from portal.awards.models import Award, AwardAmount, AwardDecision, DecisionLine
from portal.awards.reserve_models import ProposalState, ReserveProposal
from portal.budget import orders
from portal.budget.models import BudgetOrder
from portal.core.clock import now
from portal.identity.policy import Actor, scope
from portal.review.models import Assignment, AssignmentState
from portal.tenders.models import Tender, TenderTrack
from portal.tenders.queries import CURRENT

WAITING: Final = (AssignmentState.ASSIGNED, AssignmentState.OPEN)


@dataclass(frozen=True, slots=True)
class Counted:
    """Applications of current tenders in one state: how many, and the subsidy they ask for in roubles."""

    count: int
    requested: Decimal


@dataclass(frozen=True, slots=True)
class Overview:
    """``reviews`` are waiting in all, ``own_reviews`` for the actor; ``late`` of all are past their due day.

    ``orders``: of each order of the budget that waits for the actor's signature, the programme.
    """

    applications: Mapping[tuple[UUID, State], Counted]
    reviews: int
    late: int
    own_reviews: int
    unsigned: int
    without_agreement: int = 0
    overdue_tranches: int = 0
    proposals: int = 0
    orders: Sequence[UUID] = ()

    def count(self, *states: State) -> int:
        return sum(held.count for (_, state), held in self.applications.items() if state in states)

    def requested(self, *states: State) -> Decimal:
        amounts = (held.requested for (_, state), held in self.applications.items() if state in states)
        return sum(amounts, Decimal(0))


def overview(session: Session, actor: Actor) -> Overview:
    """The counts of what the actor may see."""
    seen = scope(actor, Application).with_only_columns(Application.id)
    counted = (
        select(
            Application.tender_id,
            Application.state,
            func.count(),
            func.sum(Application.requested_total),
        )
        .join(Tender, Tender.id == Application.tender_id)
        .where(CURRENT, Application.id.in_(seen))
        .group_by(Application.tender_id, Application.state)
    )
    applications = {
        (tender, State(state)): Counted(count, requested or Decimal(0))
        for tender, state, count, requested in session.execute(counted)
    }
    waiting = Assignment.state.in_(WAITING)
    today = now(session).date()
    reviews, late, own = session.execute(
        select(
            func.count(),
            func.count().filter(Assignment.due_on < today),
            func.count().filter(Assignment.reviewer_id == actor.user_id),
        ).where(waiting)
    ).one()
    unsigned, without, overdue, proposals, programmes = session.execute(
        select(
            select(func.count())
            .where(AwardDecision.signed_at.is_(None), AwardDecision.discarded_at.is_(None))
            .scalar_subquery(),
            select(func.count()).select_from(agreement_queries.waiting(actor).subquery()).scalar_subquery(),
            select(func.count())
            .select_from(Tranche)
            .join(Agreement, Agreement.id == Tranche.agreement_id)
            .where(
                agreement_queries.OPEN_TRANCHE,
                Agreement.state == AgreementState.SIGNED,
                Tranche.planned_on < today,
            )
            .scalar_subquery(),
            select(func.count()).where(ReserveProposal.state == ProposalState.OPEN).scalar_subquery(),
            orders.for_signature(actor).with_only_columns(func.array_agg(BudgetOrder.programme_id)).scalar_subquery(),
        )
    ).one()
    return Overview(applications, reviews, late, own, unsigned, without, overdue, proposals, tuple(programmes or ()))


@dataclass(frozen=True, slots=True)
class Totals:
    """The published awards of a tender: how many projects, and the sum of all years in roubles."""

    projects: int
    amount: Decimal


def published_totals(session: Session, tender_ids: Sequence[UUID]) -> dict[UUID, Totals]:
    """Tender -> its published awards, in one statement; a tender without any is not there. Public."""
    counted = (
        select(
            TenderTrack.tender_id,
            func.count(DecisionLine.id.distinct()),
            func.sum(AwardAmount.amount),
        )
        .join(AwardDecision, AwardDecision.tender_track_id == TenderTrack.id)
        .join(DecisionLine, DecisionLine.decision_id == AwardDecision.id)
        .join(AwardAmount, AwardAmount.line_id == DecisionLine.id)
        .join(Application, Application.id == DecisionLine.application_id)
        .where(
            Application.state != State.RENOUNCED,
            TenderTrack.tender_id.in_(tender_ids),
            AwardDecision.published_at.is_not(None),
            AwardDecision.discarded_at.is_(None),
            DecisionLine.outcome == Award.AWARD,
            ~superseded(),
        )
        .group_by(TenderTrack.tender_id)
    )
    return {key: Totals(projects, amount or Decimal(0)) for key, projects, amount in session.execute(counted)}
