"""Scoring of a whole track by twelve criteria with two reviews each, with the shares of SQL and of Python.

``python -m benchmarks.scoring [applications]`` (10,000): one worker, reasons kept with every score, no two projects
with the same figures. Three runs: the first finds no measurements and reads every package, as the first one after the
code of scoring has changed; the second is how runs usually are (a submission is scored, and so measured, as it
arrives); the third repeats it. Besides the time, what it costs: the processor time of the worker and that of its
connections to the database, which depends less on how busy the machine is with other things.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from sqlalchemy import delete, event, insert, select
from sqlalchemy.orm import Session

from benchmarks.support import backend_seconds, environment, migrated
from portal.applications.models import Application
from portal.core import jobs
from portal.core.clock import now
from portal.core.db import copy_in, db, transaction, uuid7
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.local import services
from portal.review.models import Assignment, AssignmentState, Mark
from portal.scoring import batch, service
from portal.scoring.models import ScoreRun
from portal.tenders.rulebook import load_rulebook
from portal.tenders.ruleset import Component, Criterion, Linear, Source, Text
from portal.worker import settle
from tests.factories import identity, tenders
from tests.factories.submissions import submitted, track_of, varied

MORE = (("trl", 1, 9), ("localisation", 0, 100), ("subsidy_share", 0, 100), ("sme_share", 0, 100))


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with TemporaryDirectory(prefix="portal-bench-") as folder, services(Path(folder), {}, durable=False) as running:
        app = migrated(environment(running))
        with app.app_context():
            jobs.connect(None)
            with transaction() as session:
                tender = tenders.open_tender(session, tracks=("import_substitution",), rules={"criteria": twelve()})
                packages = varied(90)
                for start in range(0, count, 1000):
                    some = [with_own_figures(packages[n % 90], n) for n in range(start, min(start + 1000, count))]
                    review(session, submitted(session, tender, some))
                actor = identity.actor(session, identity.user(session, Role.OFFICER))
                track_id = track_of(tender).id
            settle()  # as the worker does
            spent = _watch_sql()
            for name in ("packages are measured", "figures are kept", "once more"):
                _run(name, actor, track_id, spent)


def twelve() -> tuple[Criterion, ...]:
    """The official criteria of import substitution and four more, of two points each."""
    first, *others = load_rulebook("import_substitution").criteria
    more = [
        Criterion(
            code=f"CR-2{place}",
            title=Text(name, name),
            weight=Decimal(2),
            source=Source.PROPOSED,
            components=(Component(name, Linear(((Decimal(low), Decimal(0)), (Decimal(high), Decimal(10))))),),
        )
        for place, (name, low, high) in enumerate(MORE)
    ]
    found = (replace(first, weight=first.weight - 2 * len(more)), *others, *more)
    assert len(found) == 12
    return found


def with_own_figures(package: dict[str, Any], number: int) -> dict[str, Any]:
    """The package with figures that no other one has."""
    first, *others = package["participants"]
    year, amount = next(iter(first["subsidy"].items()))
    asks = {**first["subsidy"], year: f"{Decimal(amount) - number * 1_371}"}
    taxes = f"{Decimal(package['project']['taxes_total']) - number * 17_903}"
    share = f"{40 + Decimal(number % 4001) / 100}"
    return {
        **package,
        "project": {**package["project"], "taxes_total": taxes, "localisation_target": share, "sold_to_members": share},
        "participants": [{**first, "subsidy": asks}, *others],
    }


def review(session: Session, applications: Sequence[UUID]) -> None:
    """Two reviews of each application, as rows."""
    people = [identity.user(session, Role.REVIEWER) for _ in range(2)]
    submissions = session.execute(
        select(Application.id, Application.submission_id).where(Application.id.in_(applications))
    ).all()
    given, marks, instant = [], [], now(session)
    aspects = [(item.code, aspect.code) for item in twelve() for aspect in item.aspects]
    for number, (application_id, submission_id) in enumerate(submissions):
        for place, person in enumerate(people):
            key = uuid7()
            given.append(
                {
                    "id": key,
                    "submission_id": submission_id,
                    "application_id": application_id,
                    "reviewer_id": person.id,
                    "assigned_by": person.id,
                    "due_on": instant.date(),
                    "state": AssignmentState.SUBMITTED,
                    "declared_at": instant,
                    "submitted_at": instant,
                    "version": 1,
                }
            )
            marks += [
                {
                    "id": uuid7(),
                    "assignment_id": key,
                    "criterion": criterion,
                    "aspect": aspect,
                    "score": Decimal(6 + (number + place) % 3),
                    "justification": "A justification of the mark that was given.",
                }
                for criterion, aspect in aspects
            ]
    session.execute(insert(Assignment), given)
    session.execute(insert(Mark), marks)


def _run(name: str, actor: Actor, track_id: UUID, spent: list[float]) -> None:
    with transaction() as session:
        run_id = service.start_run(session, actor, track_id).id
        # Tasks of other rooms that the data and the run have caused are not what is measured here.
        session.execute(delete(jobs.Task).where(jobs.Task.kind != "score_track"))
    spent[0] = 0.0
    before = backend_seconds()
    start, cpu = time.perf_counter(), time.process_time()
    while jobs.drain("work"):
        pass
    seconds, python = time.perf_counter() - start, time.process_time() - cpu
    served = backend_seconds()
    with transaction() as session:
        run = session.get_one(ScoreRun, run_id)
        assert run.ended_at is not None
        print(f"{name}: {run.total} applications in {seconds:.1f} s: {run.total / seconds:.0f} a second")
        print(f"  SQL {spent[0] / seconds:.0%} of the time; the worker waits {1 - python / seconds:.0%} of the time")
        print(f"  processor time for each application: worker {python / run.total * 1e6:.0f} us", end="")
        if before is not None and served is not None:
            database = sum(used - before.get(pid, 0.0) for pid, used in served.items())
            print(f", database {database / run.total * 1e6:.0f} us ({database / (database + python):.0%} of both)")
        else:
            print(" (the database is not on this machine)")
        print(f"  output digest {run.output_digest}", flush=True)


def _watch_sql() -> list[float]:
    """Seconds that the database needed for statements and for COPY; a part of them passes while scores are computed."""
    spent, since = [0.0], [0.0]

    def before(*_: Any) -> None:
        since[0] = time.perf_counter()

    def after(*_: Any) -> None:
        spent[0] += time.perf_counter() - since[0]

    def copying(*arguments: Any, **named: Any) -> None:
        start = time.perf_counter()
        copy_in(*arguments, **named)
        spent[0] += time.perf_counter() - start

    setattr(batch, "copy_in", copying)  # noqa: B010 - the batch's own name for it
    event.listen(db.engine, "before_cursor_execute", before)
    event.listen(db.engine, "after_cursor_execute", after)
    return spent


if __name__ == "__main__":
    main()
