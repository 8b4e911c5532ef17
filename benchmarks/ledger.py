"""Bookings on one hot envelope, 16 clients, against pgbench with the same statements and rows, in one run.

``python -m benchmarks.ledger [seconds [processes [careless]]]``: rounds take turns on one server, which writes its log
to the disk before each commit, or does not (``careless``: what is left is the work of the processors). A booking of the
portal is a transaction with one reservation: ``post``, its audit event sealed into the chain, the commit. pgbench
sends the same five statements and computes nothing.
"""

from __future__ import annotations

import multiprocessing
import re
import statistics
import subprocess
import sys
import threading
import time
from decimal import Decimal
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from urllib.parse import unquote
from uuid import UUID, uuid4

from flask import Flask
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url

from benchmarks.support import CLIENTS, environment, migrated
from portal.budget import rules, service
from portal.budget.models import PostingKind
from portal.core.db import db, transaction
from portal.identity.policy import system_actor
from portal.local import services
from portal.local.postgres import _binaries
from portal.tenders.models import Track
from tests.factories import tenders

ROUNDS: Final = 5
ACTOR: Final = system_actor("benchmark")
ONE: Final = Decimal("1.00")

SCRIPT: Final = """
begin;
select number, at, transaction, refused from ledger_post(gen_random_uuid(), 'pgbench ' || gen_random_uuid(),
 '{hash}', 'reserve', 'Benchmark', 'No. 1', null, 'benchmark', 'decision_line', gen_random_uuid(), null,
 array['{envelope}', '{envelope}']::uuid[], array['available', 'reserved'], array[-1.00, 1.00]) \\gset
select seq, hash, at as stamp from audit_head({chain}) \\gset
insert into audit_event (seq, at, actor, actor_name, tag, object_type, object_id, changes, previous, hash{columns})
 values (:seq::bigint + 1, :stamp::timestamptz, 'benchmark', '', translate('budget.posting.post', '.', chr(58)),
 'posting', gen_random_uuid()::text,
 '{changes}'::jsonb, :hash::text,
 encode(sha256(convert_to(:hash::text || :seq::text, 'UTF8')), 'hex'){values});
commit;
"""


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 6
    processes = int(sys.argv[2]) if len(sys.argv) > 2 else 4
    durable = "careless" not in sys.argv
    with TemporaryDirectory(prefix="portal-bench-") as folder, services(Path(folder), {}, durable=durable) as running:
        app = migrated(environment(running))
        with app.app_context():
            hot = _envelope()
            script = Path(folder) / "booking.sql"
            _book(hot)
            script.write_text(_script(hot))
            db.engine.dispose()
        portal, bench = [], []
        for _ in range(ROUNDS):
            portal.append(_portal(app, hot, seconds, processes))
            bench.append(_pgbench(running.database_url, script, seconds))
        print(f"portal : {statistics.median(portal):7.1f} bookings a second   {[round(each) for each in portal]}")
        print(f"pgbench: {statistics.median(bench):7.1f} bookings a second   {[round(each) for each in bench]}")
        print(f"ratio  : {statistics.median(a / b for a, b in zip(portal, bench, strict=True)):.2f}")


def _envelope() -> UUID:
    with transaction() as session:
        programme = tenders.programme(session, "BENCH")
        row = service.open_envelope(session, ACTOR, programme_id=programme.id, track=Track.EXPORT, year=2018)
        service.appropriate(
            session, ACTOR, row.id, key="bench", amount=Decimal(10) ** 12, order="No. 1", reason="Benchmark"
        )
        return row.id


def _book(envelope: UUID) -> None:
    with transaction() as session:
        service.post(
            session,
            ACTOR,
            key=f"bench:{uuid4()}",
            kind=PostingKind.RESERVE,
            lines=rules.reserve({envelope: ONE}),
            reason="Benchmark",
            document="No. 1",
            subject=("decision_line", uuid4()),
        )


def _portal(app: Flask, envelope: UUID, seconds: float, processes: int) -> float:
    """Bookings a second of ``CLIENTS`` threads in ``processes`` processes."""
    threads = CLIENTS // processes
    counted = multiprocessing.Value("q", 0)
    ready = multiprocessing.Barrier(processes)
    workers = [
        multiprocessing.get_context("fork").Process(
            target=_work, args=(app, envelope, seconds, threads, counted, ready)
        )
        for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a client failed")
    return counted.value / seconds


def _work(app: Flask, envelope: UUID, seconds: float, threads: int, counted: Synchronized[int], ready: Any) -> None:
    with app.app_context():
        db.engines[None] = create_engine(db.engine.url, pool_size=threads)
        counts = [0] * threads

        def run(number: int) -> None:
            with app.app_context():
                for _ in range(10):  # connected, statements prepared
                    _book(envelope)
                started.wait()
                until = time.monotonic() + seconds
                while time.monotonic() < until:
                    _book(envelope)
                    counts[number] += 1
                db.session.remove()

        started = threading.Barrier(threads, action=ready.wait)
        clients = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        with counted.get_lock():
            counted.value += sum(counts)


def _script(envelope: UUID) -> str:
    """The booking of :func:`_book` for pgbench, with the changes of a real event.

    A colon before a word would be a variable, inside quotes too.
    """
    with transaction() as session:
        event = session.execute(db.text("select changes::text from audit_event order by seq desc limit 1")).scalar_one()
        columns = set(session.execute(db.text("select * from audit_event limit 1")).keys())
    salted = "salt" in columns
    return SCRIPT.format(
        envelope=envelope,
        hash="a" * 64,
        chain=0x4A50_0001,
        changes=event.replace("'", "''"),
        columns=", salt" if salted else "",
        values=", replace(gen_random_uuid()::text, '-', '')" if salted else "",
    )


def _pgbench(url: str, script: Path, seconds: float) -> float:
    place = make_url(url)
    command: list[str | Path] = [
        *(_binaries() / "pgbench", "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "2", "-T", str(int(seconds))),
        *("-f", script, "-h", unquote(str(place.query["host"])), "-U", str(place.username), str(place.database)),
    ]
    printed = subprocess.run(command, capture_output=True, text=True, check=False)
    rate = re.search(r"tps = ([\d.]+)", printed.stdout)
    if rate is None or printed.returncode:
        raise SystemExit(printed.stdout + printed.stderr)
    return float(rate[1])


if __name__ == "__main__":
    main()
