"""The last instants of offers in a person's own calendar."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from portal.applications.following.letters import title_of
from portal.awards.offers import letters as offer_letters
from portal.awards.offers import queries
from portal.core.calendar_file import Event
from portal.core.language import N_, render
from portal.identity.policy import Actor
from portal.notifications.letters import address
from portal.tenders.agenda import HOST


def due(session: Session, actor: Actor, now: datetime) -> list[Event]:
    """An entry for each offer that this person may answer, at the instant from which it is a no; one query."""
    return [
        Event(
            uid=f"offer.{row.id}@{HOST}",
            title=render(N_("Answer the offer of a part: %(title)s", title=title_of(row.application)), actor.locale),
            stamp=now,
            url=address(offer_letters.path(row.application)),
            at=row.due_at,
        )
        for row in queries.awaited(session, actor)
    ]
