"""Partial funding with the initiator's consent: a part is offered, answered in time or expired, and binds the list.

Whoever fits into the budget only in part is asked, when the rules name partial funding; no answer in time counts as
no. After a yes the draft stands as it is and gives just these amounts. After a no the project asks for the whole or
nothing: the list drafted anew puts it on the reserve list and gives the money to the next by the policy.

Locks are taken in the order decision, offers by key; an answer locks its offer alone.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, contains_eager, selectinload

from portal.applications.signatures.signing import Shown, require_fresh
from portal.audit.service import record
from portal.awards import basis, decision_letters
from portal.awards.locks import locked_decision, locked_track
from portal.awards.models import AwardDecision
from portal.awards.offers import letters as offer_letters
from portal.awards.offers import queries as offer_queries
from portal.awards.offers.models import AwardOffer, OfferAmount, OfferState
from portal.awards.offers.queries import Part
from portal.awards.policy import interest_refusal
from portal.awards.queries import interests
from portal.core import jobs
from portal.core.calendar import deadline
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.review import barring
from portal.scoring.queries import rules_of

DUE: Final = "offer_due"
ACTOR: Final = system_actor("offers")
MAX_REASON: Final = 2_000
ANSWER: Final = "awards:offer:answer"
EXPIRE: Final = "awards:offer:expire"
"""What the trail says of an answer is shown in the results bundle: the reason stays in the row."""
IN_TIME: Final = "offer_in_time"
OVER: Final = N_("The time to answer this offer is over.")


def send(session: Session, actor: Actor, decision_id: UUID, *, expected_version: int | None = None) -> list[AwardOffer]:
    """Ask the initiators of all projects that a drafted list funds in part, each once for these amounts.

    Raises :class:`Conflict` when the list is signed or discarded, no longer what follows, or nobody is left to be
    asked; :class:`Stale`; :class:`Refused` for somebody with an interest in, or a conflict with, one of them.
    """
    authorize(actor, Permission.AWARD_DRAFT)
    decision = locked_decision(session, decision_id, expected_version)
    if decision.signed_at is not None:
        raise Conflict(N_("This decision is signed already."))
    track = locked_track(session, decision.tender_track_id)
    what = basis.difference(session, track, decision)
    if what is not None:
        raise Conflict(N_("Since this list was drafted, %(what)s. Draft it anew before anybody is asked.", what=what))
    unsent = [part for part in offer_queries.parts(session, decision) if part.offer is None]
    if not unsent:
        raise Conflict(N_("Nobody has to be asked: every part of this list was offered already, or there is none."))
    assert actor.user_id is not None
    keys = [part.line.application_id for part in unsent]
    refusal = interest_refusal(actor.user_id, interests(session, [actor.user_id], keys))
    if refusal:
        raise Refused(refusal)
    barring.refuse_barred(session, [actor.user_id], keys)
    at, zone = now(session), ZoneInfo(track.tender.zone)
    due = deadline(at.astimezone(zone).date(), rules_of(session, track.id).offer_days, zone)
    return [_offer(session, actor, decision, part, at, due) for part in unsent]


def answer(session: Session, actor: Actor, offer_id: UUID, *, agree: bool, reason: str, shown: Shown) -> AwardOffer:
    """The initiator's yes or no, once and in time.

    Only an owner or signatory of the initiator (NotFound, Refused). Problems for a no without a reason, and when who
    answers was shown too long ago (field ``password``); Conflict when the offer is answered, expired or withdrawn.
    """
    offer = _locked(session, offer_id)
    application = offer.application
    authorize(actor, Permission.OFFER_ANSWER, application)
    require_fresh(shown)
    text = " ".join(reason.replace("\x00", "").split())
    if len(text) > MAX_REASON or not (agree or text):
        limit = MAX_REASON
        raise Problems.one("required", "reason", N_("Give the reason in 1 to %(limit)s characters.", limit=limit))
    instant = now(session)
    if offer.state == OfferState.EXPIRED or (offer.state == OfferState.OPEN and instant >= offer.due_at):
        raise Conflict(OVER)
    if offer.state == OfferState.WITHDRAWN:
        raise Conflict(N_("This offer was withdrawn: the list that it belonged to is put away."))
    if offer.state != OfferState.OPEN:
        raise Conflict(N_("This offer is answered already. An answer cannot be changed."))
    try:
        with session.begin_nested():
            offer.state = OfferState.ACCEPTED if agree else OfferState.REFUSED
            offer.answered_by, offer.proof, offer.reason = actor.user_id, shown.proof, text
            offer.ended_at = instant
    except IntegrityError as error:
        # Due between the look at the clock and the row.
        if getattr(getattr(error.orig, "diag", None), "constraint_name", None) != IN_TIME:
            raise
        raise Conflict(OVER) from error
    changes = {
        "offer": offer.id,
        "number": application.number,
        "answer": "yes" if agree else "no",
        "amounts": basis.as_text(offer.by_year),
    }
    record(session, actor, ANSWER, "application", application.id, changes)
    offer_letters.answered(session, offer)
    decision_letters.waits(session, _present_draft(session, offer))
    return offer


def expire(session: Session, offer_id: UUID) -> AwardOffer | None:
    """What the task of its due instant does: an offer that nobody has answered counts as refused. Twice is once."""
    offer = _locked(session, offer_id)
    instant = now(session)
    if offer.state != OfferState.OPEN or instant < offer.due_at:
        return None
    offer.state, offer.ended_at = OfferState.EXPIRED, instant
    session.flush()
    changes = {
        "offer": offer.id,
        "number": offer.application.number,
        "answer": "none",
        "amounts": basis.as_text(offer.by_year),
    }
    record(session, ACTOR, EXPIRE, "application", offer.application_id, changes)
    offer_letters.expired(session, offer)
    return offer


def withdraw_all(session: Session, actor: Actor, decision: AwardDecision) -> None:
    """The draft is put away: what waits for an answer is withdrawn, and the initiators are told."""
    for offer in _open_ones(session, decision.tender_track_id):
        _withdraw(session, actor, offer)


def take_over(session: Session, actor: Actor, decision: AwardDecision) -> None:
    """A list was drafted anew: offers of just its amounts stay open, others are withdrawn."""
    waiting = _open_ones(session, decision.tender_track_id)
    if not waiting:
        return
    kept = {part.offer.id for part in offer_queries.parts(session, decision) if part.offer is not None}
    for offer in waiting:
        if offer.id not in kept:
            _withdraw(session, actor, offer)


def require_consent(session: Session, decision: AwardDecision) -> None:
    """Refuse to sign, or to vote on, a list as long as somebody has not agreed to a part. Raises :class:`Conflict`."""
    for part in offer_queries.parts(session, decision):
        number = part.application.number or ""
        if part.offer is None:
            raise Conflict(N_("%(number)s fits only in part: ask its initiator first.", number=number))
        if part.state == OfferState.OPEN:
            raise Conflict(
                N_(
                    "The initiator of %(number)s has until %(instant)s to agree to a part. Wait for the answer.",
                    number=number,
                    instant=offer_letters.due(session, part.offer, part.application),
                )
            )
        if part.state != OfferState.ACCEPTED:
            raise Conflict(
                N_("The initiator of %(number)s did not agree to a part: draft the list anew.", number=number)
            )


def _offer(
    session: Session, actor: Actor, decision: AwardDecision, part: Part, at: datetime, due: datetime
) -> AwardOffer:
    application = part.application
    assert actor.user_id is not None
    assert application.submission_id is not None
    offer = AwardOffer(
        tender_track_id=decision.tender_track_id,
        application_id=application.id,
        submission_id=application.submission_id,
        decision_id=decision.id,
        sent_by=actor.user_id,
        sent_at=at,
        due_at=due,
        amounts=[OfferAmount(year=year, asked=asked, offered=part.offered[year]) for year, asked in part.asked.items()],
    )
    session.add(offer)
    session.flush()
    # A little later than due: whoever answers in the last moment holds the row, and is in time.
    jobs.enqueue(session, DUE, {"offer_id": str(offer.id)}, key=f"{DUE}:{offer.id}", after=due + timedelta(seconds=1))
    changes = {
        "offer": offer.id,
        "number": application.number,
        "amounts": basis.as_text(offer.by_year),
        "asked": basis.as_text(part.asked),
        "due": due,
    }
    record(session, actor, "awards:offer:send", "application", application.id, changes)
    offer_letters.sent(session, offer, application)
    return offer


def _present_draft(session: Session, offer: AwardOffer) -> AwardDecision:
    """The draft that an offer is about now: a list drafted anew takes offers over."""
    return session.scalars(
        select(AwardDecision).where(
            AwardDecision.tender_track_id == offer.tender_track_id,
            AwardDecision.number == 1,
            AwardDecision.discarded_at.is_(None),
        )
    ).one()


def _withdraw(session: Session, actor: Actor, offer: AwardOffer) -> None:
    instant = now(session)
    offer.state, offer.ended_at = OfferState.WITHDRAWN, instant
    session.flush()
    changes = {"offer": offer.id, "number": offer.application.number}
    record(session, actor, "awards:offer:withdraw", "application", offer.application_id, changes)
    offer_letters.withdrawn(session, offer)


def _open_ones(session: Session, tender_track_id: UUID) -> list[AwardOffer]:
    """The offers of a track that wait, locked, with their applications and amounts."""
    statement = (
        select(AwardOffer)
        .join(AwardOffer.application)
        .where(AwardOffer.tender_track_id == tender_track_id, AwardOffer.state == OfferState.OPEN)
        .options(contains_eager(AwardOffer.application), selectinload(AwardOffer.amounts))
        .order_by(AwardOffer.id)
        .with_for_update(of=AwardOffer)
        .execution_options(populate_existing=True)
    )
    return list(session.scalars(statement))


def _locked(session: Session, offer_id: UUID) -> AwardOffer:
    offer = session.scalar(
        select(AwardOffer)
        .join(AwardOffer.application)
        .where(AwardOffer.id == offer_id)
        .options(contains_eager(AwardOffer.application), selectinload(AwardOffer.amounts))
        .with_for_update(of=AwardOffer)
        .execution_options(populate_existing=True)
    )
    if offer is None:
        raise NotFound
    return offer
