"""What the demo's experts know and take on, and a proposal of reviewers that waits for the officer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from portal.core.clock import now as read_clock
from portal.core.db import session as current_session
from portal.demo.moments import moment, work
from portal.demo.people import People
from portal.demo.programme import IMPORTS, Announced
from portal.review import planning, pool
from portal.review.pool import ProfileValues

# Classes of OKPD 2 and OKVED 2, lanes, languages, most unfinished reviews; lawyers need no class.
KNOWN: Final = (
    ("28.14, 28.99", ("technical",), ("ru", "en"), 8),
    ("13, 20.6, 22", ("technical",), ("ru",), 8),
    ("26, 27", ("technical",), ("ru", "en"), 6),
    ("28, 25", ("technical", "financial"), ("ru",), 8),
    ("26.51, 32.5", ("technical",), ("ru", "en"), 6),
    ("", ("financial",), ("ru",), 10),
    ("10, 21", ("technical",), ("ru",), 6),
    ("", ("financial",), ("ru", "en"), 10),
    ("29, 30", ("technical",), ("ru",), 6),
    ("", ("legal",), ("ru",), 12),
    ("", ("legal", "financial"), ("ru", "en"), 12),
)
"""Of experts 1 to 11; the twelfth has told nothing yet."""


def introduce(people: People, instant: datetime) -> None:
    """The experts say what they know."""
    with moment(instant) as session:
        for number, (classes, lanes, languages, limit) in enumerate(KNOWN, start=1):
            account = f"reviewer{number}"
            pool.save_profile(
                session,
                people.actor(session, account),
                user_id=people.key(account),
                values=ProfileValues(classes, lanes, languages, str(limit)),
                expected_version=0,
            )


def propose(people: People, tender: Announced) -> None:
    """The ninth expert goes away for a month; the officer has a proposal computed for the import track, which waits.

    Today, because a proposal holds as long as what it was computed from.
    """
    instant = read_clock(current_session()) - timedelta(minutes=5)
    current_session().rollback()
    with moment(instant) as session:
        first = instant.date() + timedelta(days=3)
        pool.add_absence(
            session,
            people.actor(session, "reviewer9"),
            user_id=people.key("reviewer9"),
            starts_on=first.isoformat(),
            ends_on=(first + timedelta(days=30)).isoformat(),
        )
        officer = people.actor(session, "officer")
        planning.start(session, officer, tender_track_id=tender.tracks[IMPORTS], keep_asked=True)
    work(instant + timedelta(minutes=1))
