"""Sealed tenders with keepers who have keys, and applications sealed in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from portal.applications.models import Submission
from portal.applications.submissions import submission
from portal.core.clock import now
from portal.identity.models import Role, User
from portal.identity.policy import Actor
from portal.tenders import seal_keys
from portal.tenders.models import Tender
from portal.tenders.seal_models import SealKey
from tests.factories import applications, identity, tenders

PASSPHRASES = ("first keeper's words", "second keeper's words", "the director's own words")
PASSWORD = "seventeen sealed herons"
DAY = timedelta(days=1)


@dataclass
class Kept:
    """A sealed tender that takes applications, with its keepers in their places."""

    session: Session
    tender: Tender
    keepers: list[User]

    def actor(self, place: int) -> Actor:
        return identity.actor(self.session, self.keepers[place])


def tender(session: Session, *, reserve: bool = False, keys: bool = True, **fields: Any) -> Kept:
    """Open since yesterday, closing tomorrow."""
    at = now(session)
    row = tenders.tender(
        session,
        published_at=at - 2 * DAY,
        opens_at=at - DAY,
        closes_at=at + DAY,
        sealed=True,
        rules={"min_participants": 1},
        **fields,
    )
    people = [identity.user(session, Role.OFFICER), identity.user(session, Role.OFFICER)]
    people += [identity.user(session, Role.CHAIR)] if reserve else []
    kept = Kept(session, row, people)
    for place, person in enumerate(people, 1):
        session.add(SealKey(tender_id=row.id, place=place, user_id=person.id))
    session.flush()
    if keys:
        for place in range(len(people)):
            make_key(kept, place)
    return kept


def make_key(kept: Kept, place: int) -> SealKey:
    words = PASSPHRASES[place]
    return seal_keys.make_key(kept.session, kept.actor(place), kept.tender.id, passphrase=words, again=words)


def submitted(kept: Kept, **options: Any) -> tuple[applications.Joint, Submission]:
    """An application that was sealed through the verb."""
    joint = applications.ready(kept.session, tender=kept.tender, **{"partners": 0, **options})
    return joint, send(joint)


def send(joint: applications.Joint) -> Submission:
    return submission.submit(
        joint.session,
        joint.actor(),
        application_id=joint.id,
        acknowledged=True,
        password=PASSWORD,
        again=PASSWORD,
    )
