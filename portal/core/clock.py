"""The one clock: the database's.

``portal_now()`` is ``clock_timestamp()`` unless the transaction has fixed another instant with
:func:`at`, which only tests and the demo's history use. Deadlines are compared in SQL with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Final, cast
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

MOSCOW: Final = ZoneInfo("Europe/Moscow")
_NOW: Final = select(func.portal_now())
_FIXED: Final = "clock.fixed"
"""In ``session.info``: the transaction whose clock stands still, and where; :func:`now` need not ask then."""


def now(session: Session) -> datetime:
    """The present instant by the database's clock, with zone."""
    fixed = session.info.get(_FIXED)
    if fixed is not None and fixed[0] is session.get_transaction():
        return cast(datetime, fixed[1])
    instant = session.scalar(_NOW)
    assert isinstance(instant, datetime)
    return instant


def today(session: Session, zone: ZoneInfo = MOSCOW) -> date:
    """The present date in ``zone`` by the database's clock."""
    return now(session).astimezone(zone).date()


@contextmanager
def at(session: Session, instant: datetime) -> Iterator[None]:
    """Let ``portal_now()`` answer ``instant`` inside the present transaction (tests and demo history only)."""
    if instant.tzinfo is None:
        raise ValueError("an instant needs a zone")
    session.execute(text("select set_config('portal.now', :instant, true)"), {"instant": instant.isoformat()})
    session.info[_FIXED] = (session.get_transaction(), instant.astimezone(UTC))
    try:
        yield
    finally:
        session.info.pop(_FIXED, None)
        # Where the transaction has ended the setting went with it, and asking would begin another one at the real time.
        if session.in_transaction() and session.is_active:
            session.execute(text("select set_config('portal.now', '', true)"))
