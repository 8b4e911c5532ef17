"""Whose signature a decision waits for is told: once it can be signed, all offices that the amount asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from portal.awards import sign_offs
from portal.awards.commission.meetings import on_agenda
from portal.awards.commission.models import ItemState
from portal.awards.models import AwardDecision, DecisionLine
from portal.awards.offers import queries as offer_queries
from portal.awards.offers.models import OfferState
from portal.core.figures import roubles
from portal.core.language import N_
from portal.identity.models import RoleGrant, User
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell
from portal.scoring.queries import rules_of
from portal.tenders.models import Tender, TenderTrack, Track
from portal.tenders.rules import TRACK_NAMES

WAITS: Final = declare(
    "decision_waits", Topic.DECISION, N_("A decision waits for your signature"), important=True, staff=True
)


def signable(session: Session, decision: AwardDecision) -> bool:
    """Whether nothing but signatures is missing: the commission has adopted it, initiators have agreed to parts."""
    if decision.signed_at is not None or decision.discarded_at is not None:
        return False
    if rules_of(session, decision.tender_track_id).commission:
        item = on_agenda(session, decision.id)
        if item is None or item.state != ItemState.ADOPTED:
            return False
    return all(part.state == OfferState.ACCEPTED for part in offer_queries.parts(session, decision))


def waits(session: Session, decision: AwardDecision) -> int:
    """Tell those whose signature it lacks, once for each state of its list; nothing before it can be signed."""
    if not signable(session, decision):
        return 0
    held = session.scalars(
        select(AwardDecision)
        .where(AwardDecision.id == decision.id)
        .options(selectinload(AwardDecision.lines).selectinload(DecisionLine.amounts))
        .execution_options(populate_existing=True)
    ).one()
    amount = sign_offs.awarded(held)
    given = sign_offs.given(session, held.id)
    missing = [
        item for item in sign_offs.listed(rules_of(session, held.tender_track_id), amount, given) if not item.given
    ]
    track = session.get_one(TenderTrack, held.tender_track_id)
    code = session.get_one(Tender, track.tender_id).code
    signed = [row.signed_by for row in given]
    return tell(
        session,
        _people(
            session, [role for item in missing for role in sign_offs.ROLES[item.office]], [held.drafted_by, *signed]
        ),
        kind=WAITS,
        key=f"{WAITS}:{held.id}",
        subject=N_("A decision on the tender %(code)s waits for your signature", code=code),
        paragraphs=[
            N_(
                "%(track)s, decision No. %(number)s: awards of %(amount)s.",
                track=TRACK_NAMES[Track(track.track)],
                number=held.number,
                amount=roubles(amount),
            ),
            N_("Check the list and the effect on the envelopes before you sign."),
        ],
        link=(N_("Open the decision"), f"/staff/decisions/tracks/{track.id}"),
        about=("award_decision", held.id),
    )


def _people(session: Session, roles: Sequence[str], without: Sequence[object]) -> Sequence[User]:
    held = select(RoleGrant.user_id).where(RoleGrant.role.in_(roles))
    return session.scalars(
        select(User)
        .where(User.id.in_(held), User.id.not_in(without), User.active, User.confirmed_at.is_not(None))
        .order_by(User.id)
    ).all()
