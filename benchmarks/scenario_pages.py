"""How long the pages of the what-if room take over the run of a whole track.

``python -m benchmarks.scenario_pages [applications]`` (1,000): each page six times in one process, as a chair reads it;
the first time, which finds nothing kept, and the best of the other five; beside it the processor time of this process
alone. ``follow`` and ``standing`` are what most of the pages are made of.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final
from uuid import UUID

from flask.testing import FlaskClient
from sqlalchemy import delete, update

from benchmarks.scoring import review, twelve, with_own_figures
from benchmarks.support import environment, migrated
from portal.applications.models import Application, State
from portal.awards.scenarios import service as scenarios
from portal.awards.scenarios.changes import Changes
from portal.awards.scenarios.outcome import follow
from portal.awards.scenarios.queries import room, standing
from portal.core import jobs
from portal.core.db import db, transaction
from portal.identity.models import Role, User
from portal.identity.policy import Permission
from portal.local import services
from portal.scoring import service
from portal.tenders.models import Track
from portal.worker import settle
from tests.factories import budget, identity, tenders
from tests.factories.submissions import submitted, track_of, varied

TIMES: Final = 6


def main(count: int) -> None:
    with TemporaryDirectory(prefix="portal-bench-") as folder, services(Path(folder), {}, durable=False) as running:
        app = migrated(environment(running))
        with app.app_context():
            jobs.connect(None)
            track_id, scenario_id, chair_id = _fill(count)
            settle()
            client = app.test_client()
            with client.session_transaction() as held, transaction() as session:
                held.update({"_user_id": session.get_one(User, chair_id).fs_uniquifier, "_fresh": True})
            db.session.remove()
            print(f"{count} applications")
            base = "/staff/scenarios"
            for name, path in (
                ("the room, a scenario beside", f"{base}/tracks/{track_id}"),
                ("a scenario", f"{base}/{scenario_id}"),
                ("a new scenario", f"{base}/tracks/{track_id}/new"),
            ):
                _timed(name, lambda path=path: _asked(client, path))
            with transaction() as session:
                actor = identity.actor(session, session.get_one(User, chair_id))
                place = room(session, actor, track_id, Permission.SCENARIO_VIEW)
                _timed("standing", lambda: standing(session, place))
                ground = standing(session, place)
                assert ground is not None
                _timed("digest of what it stands on", lambda: replace(ground.ground).digest)
                _timed("follow", lambda: follow(ground.ground))


def _fill(count: int) -> tuple[UUID, UUID, UUID]:
    """A track with reviewed and scored applications, and a scenario of its chair: keys of track, scenario and chair."""
    with transaction() as session:
        tender = tenders.open_tender(session, tracks=("import_substitution",), rules={"criteria": twelve()})
        packages = varied(90)
        for start in range(0, count, 1000):
            some = [with_own_figures(packages[n % 90], n) for n in range(start, min(start + 1000, count))]
            review(session, submitted(session, tender, some))
        session.execute(update(Application).values(state=State.EXPERTISE))
        for year in (2018, 2019, 2020):
            budget.envelope(session, tender.programme_id, Track.IMPORT_SUBSTITUTION, year, 600_000_000)
        track_id = track_of(tender).id
        actor = identity.actor(session, identity.user(session, Role.OFFICER))
        service.start_run(session, actor, track_id)
        session.execute(delete(jobs.Task).where(jobs.Task.kind != "score_track"))
    while jobs.drain("work"):
        pass
    with transaction() as session:
        chair = identity.user(session, Role.CHAIR)
        actor = identity.actor(session, chair)
        changes = Changes(threshold=Decimal(65))
        scenario = scenarios.create(session, actor, track_id, name="A higher threshold", changes=changes)
        return track_id, scenario.id, chair.id


def _asked(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    if answer.status_code != 200:
        raise SystemExit(f"{path} answers {answer.status_code}")


def _timed(name: str, work: Callable[[], object]) -> None:
    found = []
    for _ in range(TIMES):
        begun, used = time.perf_counter(), time.process_time()
        work()
        found.append(((time.perf_counter() - begun) * 1000, (time.process_time() - used) * 1000))
    first, best = found[0], [min(each) for each in zip(*found[1:], strict=True)]
    print(f"{name:<30} {first[0]:8.1f} ms ({first[1]:.1f}), then {best[0]:8.1f} ms ({best[1]:.1f})", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
