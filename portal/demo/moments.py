"""The history of the demo happens in the past: transactions and background work at given instants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session

from portal.core import clock, jobs
from portal.core.clock import MOSCOW
from portal.core.db import db, session, transaction


def moscow(year: int, month: int, day: int, hour: int = 10, minute: int = 0) -> datetime:
    """The instant at which clocks in Moscow show this."""
    return datetime(year, month, day, hour, minute, tzinfo=MOSCOW)


@contextmanager
def moment(instant: datetime) -> Iterator[Session]:
    """One transaction at ``instant``, its commit included."""
    with clock.at(session(), instant), transaction() as current:
        yield current


def work(instant: datetime) -> int:
    """Do all waiting work (not the mail) as if it were ``instant``; returns how many tasks were taken up."""

    def begin(connection: Any) -> None:
        connection.exec_driver_sql("select set_config('portal.now', %s, true)", (instant.isoformat(),))

    done = 0
    event.listen(db.engine, "begin", begin)
    try:
        while claimed := jobs.drain("work"):
            done += claimed
    finally:
        event.remove(db.engine, "begin", begin)
    return done
