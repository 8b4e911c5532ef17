"""The pages of the budget with 100,000 postings against the same with 10: how long they take and what they ask.

``python -m benchmarks.budget_page [postings]``: both on one database server, taking turns; prints the ratio of medians.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text

from benchmarks.support import environment, migrated
from portal.core.db import db, transaction
from portal.identity.models import Role
from portal.local import services
from tests.factories import budget, identity, tenders

FEW: Final = 10
ROUNDS: Final = 25
BATCH: Final = 500
PATHS: Final = {
    "budget": "/staff/budget/programmes/{programme}",
    "as of a day": "/staff/budget/programmes/{programme}?on=15.06.2018",
    "over time": "/staff/budget/programmes/{programme}/over-time",
    "statement": "/staff/budget/programmes/{programme}/statement",
    "envelope": "/staff/budget/envelopes/{envelope}",
}
# Adjustments up and down by turns, 150 seconds apart, each with its two lines: the ledger's own trigger moves the
# balances and writes them down.
POSTINGS: Final = """
insert into posting (id, key, input_hash, kind, reason, document, author_name, at)
select gen_random_uuid(), 'bench:{envelope}:' || n, 'x', 'adjust', 'Bench', 'No. ' || n, 'Bench',
    timestamptz '2018-01-01' + n * interval '150 seconds'
from generate_series({first}, {last}) n order by n
"""
LINES: Final = """
insert into posting_line (posting_id, line, envelope_id, account, amount)
select p.id, l.line, '{envelope}', l.account, case when n % 2 = 1 then l.sign else -l.sign end
from generate_series({first}, {last}) n join posting p on p.key = 'bench:{envelope}:' || n
cross join (values (1, 'appropriation', -1), (2, 'available', 1)) l (line, account, sign)
order by n, l.line
"""


@dataclass(frozen=True, slots=True)
class Place:
    programme: UUID
    envelope: UUID
    client: FlaskClient


def main() -> None:
    many = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with ExitStack() as stack:
        folder = stack.enter_context(TemporaryDirectory(prefix="portal-bench-"))
        running = stack.enter_context(services(Path(folder), {}, durable=False))
        app = migrated(environment(running))
        with app.app_context():
            places = {"few": _place(app, "FEW", FEW), "many": _place(app, "MANY", many)}
            with transaction() as session:
                session.execute(text("analyze"))
            db.session.remove()
            engine = db.engine
        worst = max(_compare(engine, places, name, path, many) for name, path in PATHS.items())
        print(f"statements at most: {worst}")
        engine.dispose()


def _compare(engine: Engine, places: Mapping[str, Place], name: str, path: str, many: int) -> int:
    """Open one page of both places by turns and print the medians. Returns how many statements the larger one sends."""
    times: dict[str, list[float]] = {which: [] for which in places}
    asked = {}
    for _ in range(ROUNDS):
        for which, place in places.items():
            seconds, asked[which] = _open(engine, place, path)
            times[which].append(seconds)
    few, more = (statistics.median(times[which]) for which in ("few", "many"))
    print(
        f"{name:>12}: {few * 1000:6.1f} ms with {FEW}, {more * 1000:6.1f} ms with {many}:"
        f" {more / few:.2f} times; statements {asked['few']} and {asked['many']}"
    )
    return asked["many"]


def _place(app: Flask, code: str, count: int) -> Place:
    """A programme of one envelope with ``count`` postings, and an officer's browser."""
    with transaction() as session:
        programme = tenders.programme(session, code)
        envelope = budget.envelope(session, programme.id, amount=0)
        officer = identity.user(session, Role.OFFICER)
        keys = programme.id, envelope.id, officer.fs_uniquifier
    began = time.monotonic()
    # Not all in one transaction: the envelope's row would grow a version for each posting that nothing can clear away.
    for first in range(1, count + 1, BATCH):
        with transaction() as session:
            last = min(first + BATCH - 1, count)
            for statement in (POSTINGS, LINES):
                session.execute(text(statement.format(first=first, last=last, envelope=keys[1])))
    print(f"{count} postings written in {time.monotonic() - began:.1f} s")
    client = app.test_client()
    with client.session_transaction() as cookies:
        cookies["_user_id"] = keys[2]
        cookies["_fresh"] = True
    return Place(keys[0], keys[1], client)


def _open(engine: Engine, place: Place, path: str) -> tuple[float, int]:
    """Seconds until the page is there, and how many statements it sent."""
    statements: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        began = time.monotonic()
        answer = place.client.get(path.format(programme=place.programme, envelope=place.envelope))
        seconds = time.monotonic() - began
    finally:
        event.remove(engine, "before_cursor_execute", note)
    if answer.status_code != 200:
        raise SystemExit(f"{path} answers {answer.status_code}")
    return seconds, len(statements)


if __name__ == "__main__":
    main()
