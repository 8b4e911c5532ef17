"""The last instants of offers in a person's own calendar."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from portal.applications.following.letters import title_of
from portal.applications.models import Application
from portal.awards.offers import letters as offer_letters
from portal.awards.offers.models import AwardOffer, OfferState
from portal.core.calendar_file import Event
from portal.core.language import N_, render
from portal.identity.policy import Actor, Permission, allowed
from portal.notifications.letters import address
from portal.tenders.agenda import HOST


def due(session: Session, actor: Actor, now: datetime) -> list[Event]:
    """An entry for each offer that this person may answer, at the instant from which it is a no; one query."""
    statement = (
        select(AwardOffer)
        .join(AwardOffer.application)
        .options(contains_eager(AwardOffer.application))
        .where(Application.initiator_id.in_(list(actor.memberships)), AwardOffer.state == OfferState.OPEN)
        .order_by(AwardOffer.id)
    )
    return [
        Event(
            uid=f"offer.{row.id}@{HOST}",
            title=render(N_("Answer the offer of a part: %(title)s", title=title_of(row.application)), actor.locale),
            stamp=now,
            url=address(offer_letters.path(row.application)),
            at=row.due_at,
        )
        for row in session.scalars(statement)
        if allowed(actor, Permission.OFFER_ANSWER, row.application)
    ]
