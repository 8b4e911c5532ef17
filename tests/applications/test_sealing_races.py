"""Sealing on real connections: what comes in while the keepers open, and both of them at once.

One round by default; ``FULL=1`` for ten.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask import Flask
from psycopg.errors import LockNotAvailable
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from portal.applications.models import Application, State, Submission
from portal.applications.sealing import opening
from portal.applications.sealing.models import Seal, SealEnd, SealOpening
from portal.applications.submissions import submission
from portal.audit.models import AuditEvent
from portal.audit.service import verify as verify_trail
from portal.core.clock import at, now
from portal.core.db import db, transaction
from portal.core.errors import Conflict
from portal.core.jobs import Task
from portal.identity.policy import Actor
from portal.tenders.models import Tender
from tests.awards.test_race import all_at_once
from tests.conftest import TestServices, environment, make_app
from tests.factories import applications, sealed
from tests.factories.sealed import DAY, PASSPHRASES, PASSWORD

pytestmark = pytest.mark.slow

ROUNDS, WAITING = (10, 4) if os.environ.get("FULL") else (1, 2)
"""How often, and how many applications are ready to be submitted in each tender."""
SECOND = timedelta(seconds=1)


@dataclass
class Sealed:
    """A sealed tender with its two keepers, and applications that are ready."""

    app: Flask
    tender: UUID
    closes_at: datetime
    keepers: list[Actor]
    ready: list[tuple[UUID, Actor]]

    def submit(self, place: int) -> Callable[[Session], object]:
        key, actor = self.ready[place]
        return lambda session: submission.submit(
            session, actor, application_id=key, acknowledged=True, password=PASSWORD, again=PASSWORD
        )

    def give(self, place: int) -> Callable[[Session], object]:
        return lambda session: opening.give_key(
            session, self.keepers[place], tender_id=self.tender, passphrase=PASSPHRASES[place]
        )

    def race(self, *work: tuple[timedelta, Callable[[Session], object]]) -> list[str]:
        """All at once, each on a connection of its own and so long after the closing."""

        def one(session: Session, place: int) -> None:
            with at(session, self.closes_at + work[place][0]):
                work[place][1](session)

        return all_at_once(self.app, len(work), one)

    def opened(self) -> None:
        """The task of the opening, by three workers at once, until nothing is left."""

        def one(session: Session, _place: int) -> None:
            with at(session, self.closes_at + DAY):
                opening.step(session, self.tender)

        finished = False
        while not finished:
            assert set(all_at_once(self.app, 3, one)) == {"done"}
            with self.app.app_context():
                row = db.session().get_one(SealOpening, self.tender, populate_existing=True)
                finished = row.finished_at is not None

    def check(self, accepted: set[UUID]) -> None:
        """Everything that was accepted is opened, once, and in the protocol; the rest was never received."""
        with self.app.app_context():
            session = db.session()
            keys = [key for key, _actor in self.ready]
            rows = session.scalars(select(Application).where(Application.id.in_(keys))).all()
            assert {row.id for row in rows if row.state == State.SUBMITTED} == accepted
            assert {row.state for row in rows if row.id not in accepted} <= {State.DRAFT}
            received = select(Submission.application_id).where(Submission.application_id.in_(keys))
            assert set(session.scalars(received)) == accepted
            ends = session.scalars(select(Seal.ended).where(Seal.tender_id == self.tender)).all()
            assert ends == [SealEnd.OPENED] * len(accepted)
            assert opening.protocol(session, self.tender).opened == len(accepted)
            told = select(func.count()).where(AuditEvent.object_id == str(self.tender))
            for tag in ("begin", "finish"):
                assert session.scalar(told.where(AuditEvent.tag == f"applications:opening:{tag}")) == 1
            tasks = select(func.count()).where(Task.kind == opening.KIND, Task.key.contains(str(self.tender)))
            assert session.scalar(tasks) == 1
            assert verify_trail(session)[1] is None


@pytest.fixture(scope="module")
def own_app(
    services: TestServices, worker_name: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """A database of this file alone: each test has tenders of its own in it."""
    url = services.copy(f"{worker_name}_sealing")
    store = (tmp_path_factory.mktemp("sealing") / "files").as_uri()
    app = make_app({**environment(services, url, redis_url), "FILES_URL": store})
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def tender(app: Flask) -> Sealed:
    with app.app_context(), transaction() as session:
        kept = sealed.tender(session)
        joints = [applications.ready(session, tender=kept.tender, partners=0) for _ in range(WAITING)]
        keepers = [kept.actor(place) for place in range(2)]
        ready = [(joint.id, joint.actor()) for joint in joints]
        return Sealed(app, kept.tender.id, kept.tender.closes_at, keepers, ready)


def test_what_comes_in_while_both_keepers_open_is_opened_or_refused(own_app: Flask) -> None:
    """Never received and left sealed; the opening begins once, and three workers open each application once.

    One application is there already, the clock of those who submit stands before the closing, and each keeper gives
    its key twice.
    """
    for _ in range(ROUNDS):
        held = tender(own_app)
        assert held.race((-SECOND, held.submit(0))) == ["done"]
        submits = [(-SECOND, held.submit(place)) for place in range(1, WAITING)]
        ends = held.race(*submits, *((SECOND, held.give(place % 2)) for place in range(4)))
        assert ends[WAITING - 1 :] == ["done"] * 4
        assert set(ends[: WAITING - 1]) <= {"done", "Conflict"}
        held.opened()
        accepted = {held.ready[place + 1][0] for place in range(WAITING - 1) if ends[place] == "done"}
        accepted.add(held.ready[0][0])
        held.check(accepted)
        late = [submit for submit, end in zip(submits, ends, strict=False) if end != "done"]
        assert set(held.race(*late)) <= {"Conflict"}
        held.check(accepted)


def test_at_the_deadline_by_the_clock_of_the_database(own_app: Flask) -> None:
    """Applicants submit around the closing while both keepers try again and again: in time is opened, late refused."""
    for _ in range(ROUNDS):
        held = tender(own_app)
        with own_app.app_context(), transaction() as session:
            closes_at = now(session) + SECOND
            session.execute(update(Tender).where(Tender.id == held.tender).values(closes_at=closes_at))
        started = time.monotonic()

        def work(session: Session, place: int, held: Sealed = held, started: float = started) -> None:
            if place < WAITING:
                # A little before the closing, at it, and after it.
                time.sleep(max(started + 0.6 + place / (WAITING - 1) / 2 - time.monotonic(), 0))
                held.submit(place)(session)
                return
            for _ in range(200):
                try:
                    held.give(place - WAITING)(session)
                except Conflict:
                    session.rollback()
                    time.sleep(0.02)
                except OperationalError as error:
                    # On a busy machine those who submit may hold the tender for longer than one waits for a lock.
                    if not isinstance(error.orig, LockNotAvailable):
                        raise
                    session.rollback()
                else:
                    return
            raise AssertionError("the keepers could not open")

        ends = all_at_once(own_app, WAITING + 2, work)
        assert Counter(ends[WAITING:]) == {"done": 2}
        assert set(ends[:WAITING]) <= {"done", "Conflict"}
        assert ends[WAITING - 1] == "Conflict"
        held.closes_at = closes_at
        held.opened()
        held.check({held.ready[place][0] for place in range(WAITING) if ends[place] == "done"})
        with own_app.app_context():
            received = select(func.max(Submission.received_at)).join(
                Application, Application.id == Submission.application_id
            )
            last = db.session.scalar(received.where(Application.tender_id == held.tender))
            assert last is None or last < closes_at
