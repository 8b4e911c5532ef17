"""Objective scoring of a whole track, with the shares of SQL and of Python.

``python -m benchmarks.scoring [applications]`` (10,000): one worker, explanations written in both languages.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import event

from benchmarks.support import environment, migrated
from portal.core import jobs
from portal.core.db import db, transaction
from portal.identity.models import Role
from portal.local import services
from portal.scoring import service
from portal.scoring.models import ScoreRun
from tests.factories import identity, tenders
from tests.factories.submissions import submitted, track_of, varied


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with TemporaryDirectory(prefix="portal-bench-") as folder, services(Path(folder), {}, durable=False) as running:
        app = migrated(environment(running))
        with app.app_context():
            jobs.connect(None)
            with transaction() as session:
                tender = tenders.open_tender(session)
                packages = varied(90)
                for start in range(0, count, 1000):
                    submitted(session, tender, [packages[n % 90] for n in range(start, min(start + 1000, count))])
                actor = identity.actor(session, identity.user(session, Role.OFFICER))
                run_id = service.start_run(session, actor, track_of(tender).id).id
            spent = _watch_sql()
            start, cpu = time.perf_counter(), time.process_time()
            while jobs.drain("work"):
                pass
            seconds, python = time.perf_counter() - start, time.process_time() - cpu
            with transaction() as session:
                run = session.get_one(ScoreRun, run_id)
                assert run.ended_at is not None
                print(f"{run.total} applications in {seconds:.1f} s: {run.total / seconds:.0f} a second")
                sql = spent[0] / seconds
                print(f"SQL (waiting included) {sql:.0%}, the rest {1 - sql:.0%}; worker CPU {python / seconds:.0%}")
                print(f"output digest {run.output_digest}")


def _watch_sql() -> list[float]:
    """Seconds spent between sending a statement and having its result."""
    spent, since = [0.0], [0.0]

    def before(*_: Any) -> None:
        since[0] = time.perf_counter()

    def after(*_: Any) -> None:
        spent[0] += time.perf_counter() - since[0]

    event.listen(db.engine, "before_cursor_execute", before)
    event.listen(db.engine, "after_cursor_execute", after)
    return spent


if __name__ == "__main__":
    main()
