"""The pages of the budget with 100,000 postings against the same with 10: how long they take and what they ask.

``python -m benchmarks.budget_page [postings]``: both on one database server, taking turns; prints the ratio of medians.
"""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text

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
# Adjustments up and down by turns, an hour's worth of seconds apart, each with its two lines in one statement: the
# ledger's own trigger moves the balances and writes them down.
BULK: Final = """
do $$
declare
    made uuid;
begin
    for number in {first}..{last} loop
        perform set_config('portal.now', (timestamptz '2018-01-01' + number * interval '150 seconds')::text, true);
        made := gen_random_uuid();
        insert into posting (id, key, input_hash, kind, reason, document, author_name)
        values (made, 'bench:' || '{envelope}' || number, 'x', 'adjust', 'Bench', 'No. ' || number, 'Bench');
        insert into posting_line (posting_id, line, envelope_id, account, amount)
        values (made, 1, '{envelope}', 'appropriation', case when number % 2 = 1 then -1 else 1 end),
               (made, 2, '{envelope}', 'available', case when number % 2 = 1 then 1 else -1 end);
    end loop;
end $$
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
            few_place, many_place = _place(app, "FEW", FEW), _place(app, "MANY", many)
            with transaction() as session:
                session.execute(text("analyze"))
            worst = 0
            for name, path in PATHS.items():
                times: dict[str, list[float]] = {"few": [], "many": []}
                asked = {}
                for _ in range(ROUNDS):
                    for which, place in (("few", few_place), ("many", many_place)):
                        seconds, asked[which] = _open(place, path)
                        times[which].append(seconds)
                few, more = (statistics.median(times[which]) for which in ("few", "many"))
                worst = max(worst, asked["many"])
                print(
                    f"{name:>12}: {few * 1000:6.1f} ms with {FEW}, {more * 1000:6.1f} ms with {many}:"
                    f" {more / few:.2f} times; statements {asked['few']} and {asked['many']}"
                )
            print(f"statements at most: {worst}")
            db.session.remove()
            db.engine.dispose()


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
            session.execute(text(BULK.format(first=first, last=last, envelope=keys[1])))
    print(f"{count} postings written in {time.monotonic() - began:.1f} s")
    client = app.test_client()
    with client.session_transaction() as cookies:
        cookies["_user_id"] = keys[2]
        cookies["_fresh"] = True
    return Place(keys[0], keys[1], client)


def _open(place: Place, path: str) -> tuple[float, int]:
    """Seconds until the page is there, and how many statements it sent."""
    statements: list[str] = []

    def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
        statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        db.session.remove()
        began = time.monotonic()
        answer = place.client.get(path.format(programme=place.programme, envelope=place.envelope))
        seconds = time.monotonic() - began
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    if answer.status_code != 200:
        raise SystemExit(f"{path} answers {answer.status_code}")
    return seconds, len(statements)


if __name__ == "__main__":
    main()
