"""Reading offers of a part: which lines of a draft need one, what was answered, what an initiator reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from portal.applications.models import Application
from portal.awards.models import Award, AwardDecision, DecisionLine
from portal.awards.offers.models import AwardOffer, OfferState
from portal.core.language import N_, Message
from portal.identity.policy import Actor, Permission, allowed
from portal.scoring.models import Score
from portal.scoring.queries import rules_of
from portal.tenders.ruleset import Allotment, RuleSet

REFUSED = (OfferState.REFUSED, OfferState.EXPIRED)
STANDS: Mapping[OfferState, Message] = {
    OfferState.OPEN: N_("The list gives a part of the subsidy: the initiator has to answer the offer."),
    OfferState.ACCEPTED: N_("The initiator has agreed to a part of the subsidy: the commission decides on the list."),
    OfferState.REFUSED: N_(
        "The initiator has not agreed to a part of the subsidy: the commission decides on a list without it."
    ),
    OfferState.EXPIRED: N_(
        "The offer of a part was not answered in time, which is a no: the commission decides on a list without it."
    ),
}
"""What the initiator reads of where its project stands while the list is not decided."""


@dataclass(frozen=True, slots=True)
class Part:
    """A line of a draft that gives less than is asked for. Roubles by year; ``offer``: the last one of these amounts
    that is not withdrawn."""

    line: DecisionLine
    asked: Mapping[int, Decimal]
    offered: Mapping[int, Decimal]
    offer: AwardOffer | None

    @property
    def application(self) -> Application:
        return self.line.application

    @property
    def state(self) -> str:
        """ "unsent", or that of the offer."""
        return "unsent" if self.offer is None else self.offer.state

    @property
    def asked_total(self) -> Decimal:
        return sum(self.asked.values(), Decimal("0.00"))

    @property
    def offered_total(self) -> Decimal:
        return sum(self.offered.values(), Decimal("0.00"))


def parts(session: Session, decision: AwardDecision) -> list[Part]:
    """The lines of a first decision that need their initiator's consent, by place; four queries at most.

    None where the rules do not name partial funding: there a line is given whole.
    """
    rules = rules_of(session, decision.tender_track_id)
    if not _has_parts(decision, rules):
        return []
    rows = session.execute(
        select(DecisionLine, Score.amounts)
        .join(DecisionLine.application)
        .join(Score, and_(Score.run_id == decision.run_id, Score.submission_id == Application.submission_id))
        .where(DecisionLine.decision_id == decision.id, DecisionLine.outcome == Award.AWARD)
        .options(selectinload(DecisionLine.amounts), contains_eager(DecisionLine.application))
        .order_by(DecisionLine.place)
    ).all()
    asked = ((line, {int(year): Decimal(amount) for year, amount in amounts.items()}) for line, amounts in rows)
    return parts_of(session, decision, rules, asked)


def _has_parts(decision: AwardDecision, rules: RuleSet) -> bool:
    return decision.number == 1 and rules.allotment is Allotment.PARTIAL


def parts_of(
    session: Session,
    decision: AwardDecision,
    rules: RuleSet,
    lines: Iterable[tuple[DecisionLine, Mapping[int, Decimal]]],
) -> list[Part]:
    """The same of lines that are loaded, each with what it asks for: roubles by year; one query at most."""
    if not _has_parts(decision, rules):
        return []
    found = []
    for line, wanted in lines:
        asked = {year: amount for year, amount in wanted.items() if amount}
        offered = {amount.year: amount.amount for amount in line.amounts}
        if line.outcome == Award.AWARD and offered != asked:
            found.append((line, asked, offered))
    offers = of_applications(session, [line.application_id for line, _, _ in found]) if found else []
    last: dict[UUID, AwardOffer] = {}
    for offer in offers:
        matching = {line.application_id: offered for line, _, offered in found}
        if offer.by_year == matching[offer.application_id] and offer.state != OfferState.WITHDRAWN:
            last[offer.application_id] = offer
    return [
        Part(line, asked, {year: offered.get(year, Decimal("0.00")) for year in asked}, last.get(line.application_id))
        for line, asked, offered in found
    ]


def of_applications(session: Session, application_ids: Sequence[UUID]) -> Sequence[AwardOffer]:
    """All offers about these applications' present submissions, the oldest first, with their amounts; one query."""
    rows = session.scalars(
        select(AwardOffer)
        .join(AwardOffer.application)
        .where(AwardOffer.application_id.in_(application_ids), AwardOffer.submission_id == Application.submission_id)
        .options(joinedload(AwardOffer.amounts), joinedload(AwardOffer.answerer))
        .order_by(AwardOffer.id)
        .execution_options(populate_existing=True)
    )
    return rows.unique().all()


def refused(session: Session, tender_track_ids: Sequence[UUID]) -> dict[str, AwardOffer]:
    """Of these tracks: application -> the last offer that its initiator did not agree to.

    It is whole or nothing from then on.
    """
    rows = session.scalars(
        select(AwardOffer)
        .join(AwardOffer.application)
        .where(
            AwardOffer.tender_track_id.in_(tender_track_ids),
            AwardOffer.state.in_(REFUSED),
            AwardOffer.submission_id == Application.submission_id,
        )
        .options(joinedload(AwardOffer.amounts))
        .order_by(AwardOffer.id)
    )
    return {str(row.application_id): row for row in rows.unique()}


def of_application(session: Session, application_id: UUID) -> list[AwardOffer]:
    """What an initiator reads: every offer ever made, the newest first. The caller authorises."""
    return list(
        session.scalars(
            select(AwardOffer)
            .where(AwardOffer.application_id == application_id)
            .options(selectinload(AwardOffer.amounts), joinedload(AwardOffer.answerer))
            .order_by(AwardOffer.id.desc())
            .execution_options(populate_existing=True)
        )
    )


def last_offer(session: Session, application: Application) -> AwardOffer | None:
    """The last offer about the present submission that was not withdrawn, if any."""
    return session.scalar(
        select(AwardOffer)
        .where(
            AwardOffer.application_id == application.id,
            AwardOffer.submission_id == application.submission_id,
            AwardOffer.state != OfferState.WITHDRAWN,
        )
        .order_by(AwardOffer.id.desc())
        .limit(1)
    )


def awaited(session: Session, actor: Actor) -> list[AwardOffer]:
    """The offers that wait for this person's answer, with their applications and tenders; one query."""
    statement = (
        select(AwardOffer)
        .join(AwardOffer.application)
        .options(contains_eager(AwardOffer.application).joinedload(Application.tender, innerjoin=True))
        .where(Application.initiator_id.in_(list(actor.memberships)), AwardOffer.state == OfferState.OPEN)
        .order_by(AwardOffer.id)
    )
    return [row for row in session.scalars(statement) if allowed(actor, Permission.OFFER_ANSWER, row.application)]
