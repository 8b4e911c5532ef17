"""People are reminded of an offer that they have not answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from portal.applications.following.letters import title_of
from portal.applications.models import Application
from portal.awards.offers import letters as offer_letters
from portal.awards.offers.models import AwardOffer, OfferState
from portal.core.language import N_
from portal.notifications.kinds import Topic, declare
from portal.notifications.reminders import Reminder, source, stage

OFFER_DAYS: Final = (3, 1)
OFFER: Final = declare(
    "reminder_offer", Topic.DEADLINES, N_("The offer of a part of the subsidy has to be answered soon"), obligatory=True
)


@source("awards.offer")
def offers(session: Session, at: datetime) -> Iterator[Reminder]:
    """Offers that expire in 3 and 1 days: who may answer them."""
    statement = (
        select(AwardOffer)
        .join(AwardOffer.application)
        .where(
            AwardOffer.state == OfferState.OPEN,
            AwardOffer.due_at > at,
            AwardOffer.due_at <= at + timedelta(days=max(OFFER_DAYS)),
        )
        .options(
            contains_eager(AwardOffer.application).options(joinedload(Application.tender, innerjoin=True)),
            selectinload(AwardOffer.amounts),
        )
        .order_by(AwardOffer.id)
    )
    for offer in session.scalars(statement):
        step = stage(offer.due_at, at, OFFER_DAYS)
        if step is None or offer.sent_at > offer.due_at - timedelta(days=step):
            continue
        application = offer.application
        due = offer_letters.instant(offer.due_at, application.tender.zone)
        yield Reminder(
            f"{OFFER}:{offer.id}:{step}",
            OFFER,
            offer_letters.people_of(session, application),
            N_("The offer on the project “%(title)s” has to be answered", title=title_of(application)),
            [
                N_("Please answer before %(instant)s.", instant=due),
                N_("Without a yes in time the project goes to the reserve list, and the money to the next project."),
            ],
            (N_("Open the offer"), offer_letters.path(application)),
            ("application", application.id),
        )
