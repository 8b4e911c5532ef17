"""Clients that approve, pay, release and reallocate at random while the worker and the database are killed.

By default a few clients for a few seconds, whose connections the server ends. ``FULL=1 python -m pytest -q
tests/budget/test_race.py``: 200 clients for a minute on a cluster of its own, of which a process is killed with
signal 9 every few seconds, so that all of it goes through recovery; the worker is killed in between.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import create_engine, func, select, text, update
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.orm import Session

from portal.audit.service import verify as verify_trail
from portal.budget import ledger, orders, queries, rules, service
from portal.budget.models import Account, BudgetOrder, Envelope, Posting, PostingKind, PostingLine
from portal.core import jobs
from portal.core.db import db, transaction
from portal.core.errors import PortalError
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.local import postgres
from portal.schema import upgrade
from portal.tenders.models import Track
from tests.conftest import make_app
from tests.factories import budget, identity
from tests.factories import tenders as tenders_factory
from tests.plugins.services import TestServices, environment

FULL: Final = bool(os.environ.get("FULL"))
CLIENTS: Final = 200 if FULL else 8
SECONDS: Final = 60.0 if FULL else 3.0
PAUSE: Final = 3.0 if FULL else 0.5
AWARDS: Final = 60 if FULL else 12
TASKS: Final = 600 if FULL else 30
YEARS: Final = (2018, 2019, 2020)
GIVEN: Final = 2000
KIND: Final = "race_payment"
VERBS: Final[tuple[tuple[Callable[..., Posting], dict[str, Any]], ...]] = (
    (service.reserve, {}),
    (service.reserve, {}),
    (service.commit, {}),
    (service.pay, {}),
    (service.release, {}),
    (service.release, {"source": Account.COMMITTED}),
    (service.give_back, {}),
)


@dataclass
class Stage:
    """The envelopes, the awards, and two officers; ``acknowledged`` is what a client was told is booked."""

    app: Flask
    programme_id: UUID
    envelopes: list[UUID]
    awards: list[UUID]
    drafter: Actor
    signer: Actor
    acknowledged: dict[str, int] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)


@pytest.fixture
def app(services: TestServices, redis_url: str, tmp_path: Path, worker_name: str) -> Iterator[Flask]:
    """With FULL=1 on a cluster of its own, which may be killed; otherwise on a database of the session's."""
    with ExitStack() as stack:
        if FULL:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            patch.setitem(postgres.SETTINGS, "max_connections", str(CLIENTS + 40))
            # Not below pytest's own folder, which only its account may enter.
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="portal-race-", ignore_cleanup_errors=True)))
            url = stack.enter_context(postgres.postgres(folder / "cluster", folder / "log"))
        else:
            url = services.copy(f"{worker_name}_race_{uuid4().hex[:8]}")
        made = make_app({**environment(services, url, redis_url), "FILES_URL": (tmp_path / "files").as_uri()})
        with made.app_context():
            if FULL:
                upgrade()
            db.engine.dispose()
            db.engines[None] = create_engine(url, pool_size=CLIENTS + 10, max_overflow=0)
        yield made
        with made.app_context():
            db.session.remove()
            db.engine.dispose()


@pytest.fixture
def stage(app: Flask) -> Stage:
    with app.app_context(), transaction() as session:
        programme = tenders_factory.programme(session, "RACE")
        envelopes = budget.envelopes(
            session, programme, {track: dict.fromkeys(YEARS, GIVEN) for track in (Track.IMPORT_SUBSTITUTION,)}
        )
        drafter, signer = (identity.actor(session, identity.user(session, Role.ADMINISTRATOR)) for _ in range(2))
        made = Stage(
            app,
            programme.id,
            [row.id for row in envelopes.values()],
            [uuid4() for _ in range(AWARDS)],
            drafter,
            signer,
        )
        prepared(session, made)
        return made


def prepared(session: Session, stage: Stage) -> None:
    """What the worker will pay: each task one kopeck of an award that has as many committed."""
    for verb in (service.reserve, service.commit):
        book(session, stage, verb, f"prepared:{verb.__name__}", stage.awards[0], {2018: Decimal(TASKS) / 100})
    for number in range(TASKS):
        payload = {"programme": str(stage.programme_id), "award": str(stage.awards[0]), "key": f"task:{number}"}
        jobs.enqueue(session, KIND, payload, key=f"race:{number}")


def pay_one(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """The worker's handler."""
    service.pay(
        session,
        budget.ACTOR,
        key=payload["key"],
        programme_id=UUID(payload["programme"]),
        track=Track.IMPORT_SUBSTITUTION,
        amounts={2018: Decimal("0.01")},
        reason="Race",
        document="№ 1",
        subject=("decision_line", UUID(payload["award"])),
    )


@pytest.fixture(autouse=True)
def _handler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(jobs._kinds, KIND, jobs._Kind(pay_one, "work"))


def book(
    session: Session,
    stage: Stage,
    verb: Callable[..., Posting],
    key: str,
    award: UUID,
    amounts: dict[int, Decimal],
    **options: Any,
) -> int:
    posting = verb(
        session,
        budget.ACTOR,
        key=key,
        programme_id=stage.programme_id,
        track=Track.IMPORT_SUBSTITUTION,
        amounts=amounts,
        reason="Race",
        document="№ 1",
        subject=("decision_line", award),
        **options,
    )
    return posting.number


def client(stage: Stage, number: int, until: float) -> None:
    dice = random.Random(number)
    serial = 0
    while time.monotonic() < until:
        serial += 1
        key = f"client:{number}:{serial}"
        if dice.random() < 0.1:
            reallocate(stage, key, dice, until)
            continue
        verb, options = dice.choice(VERBS)
        award = dice.choice(stage.awards[1:])
        years = dice.sample(YEARS, dice.randint(1, 3))
        amounts = {year: Decimal(dice.randint(1, 6000)) / 100 for year in years}

        def intent(
            session: Session,
            verb: Any = verb,
            award: UUID = award,
            amounts: Any = amounts,
            options: Any = options,
            key: str = key,
        ) -> int:
            return book(session, stage, verb, key, award, amounts, **options)

        answered(stage, key, intent, until, dice.random() < 0.05)


def reallocate(stage: Stage, key: str, dice: random.Random, until: float) -> None:
    source, target = dice.sample(stage.envelopes, 2)
    drafted: list[UUID] = []

    def draft(session: Session) -> None:
        order = orders.draft(
            session,
            stage.drafter,
            kind=PostingKind.REALLOCATE,
            source_id=source,
            target_id=target,
            amount=Decimal(dice.randint(1, 6000)) / 100,
            order=key,
            reason="Race",
        )
        drafted.append(order.id)

    answered(stage, "", draft, until)
    if drafted:

        def sign(session: Session) -> int | None:
            row = orders.sign(session, stage.signer, drafted[-1])
            return session.scalars(select(Posting.number).where(Posting.id == row.posting_id)).one()

        answered(stage, f"order:{drafted[-1]}", sign, until)


def answered(
    stage: Stage, key: str, intent: Callable[[Session], int | None], until: float, repeat: bool = False
) -> None:
    """Repeat the same intent until it is booked or refused; ``repeat``: once more after it was booked."""
    while True:
        try:
            with stage.app.app_context():
                try:
                    with transaction() as session:
                        number = intent(session)
                finally:
                    db.session.remove()
        except PortalError as refusal:
            stage.answers[type(refusal).__name__] += 1
            return
        except (DBAPIError, DisconnectionError) as error:
            stage.answers["connection lost"] += 1
            if time.monotonic() > until + 60:
                stage.lost.append(f"{key}: {error}")
                return
            time.sleep(0.05)
            continue
        if key and number is not None:
            assert stage.acknowledged.setdefault(key, number) == number
        stage.answers["booked"] += 1
        if not repeat:
            return
        repeat = False


def work(app: Flask) -> None:
    """The worker's process: does tasks until it is killed."""
    with app.app_context():
        db.engines[None] = create_engine(db.engine.url)
        while True:
            try:
                jobs.drain("work")
            except Exception:
                db.engine.dispose()
            time.sleep(0.02)


def keep_a_worker(app: Flask, orders_: Connection) -> None:
    """In a process of its own, without threads: kills its worker and starts another one whenever it is told to."""
    fork = multiprocessing.get_context("fork")
    told = True
    while told:
        worker = fork.Process(target=work, args=(app,), daemon=True)
        worker.start()
        told = orders_.recv()
        worker.kill()
        worker.join()


def kill_something(stage: Stage, dice: random.Random) -> None:
    """With FULL=1 a backend by signal 9, which takes the whole server with it; otherwise connections, politely."""
    url = stage.app.config["SQLALCHEMY_DATABASE_URI"]
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            pids = connection.scalars(
                text(
                    "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
                    " and backend_type = 'client backend'"
                )
            ).all()
            if not pids:
                return
            if FULL:
                os.kill(dice.choice(pids), signal.SIGKILL)
            else:
                for pid in dice.sample(pids, min(4, len(pids))):
                    connection.execute(text("select pg_terminate_backend(:pid)"), {"pid": pid})
            stage.answers["killed"] += 1
    except DBAPIError:
        pass
    finally:
        engine.dispose()


def test_who_comes_first_moves_an_envelope_first(stage: Stage) -> None:
    """Each waits its turn, and reads what those before have left."""
    hot, seen = stage.envelopes[0], []

    def move(number: int) -> None:
        with stage.app.app_context(), transaction() as session:
            seen.append((number, ledger.lock(session, {hot})[hot].available))
            ledger.post(
                session,
                stage.drafter,
                key=f"turn:{number}",
                kind=PostingKind.RESERVE,
                lines=rules.reserve({hot: Decimal(1)}),
                reason="Turn",
                document="No. 1",
                subject=("decision_line", uuid4()),
            )

    clients = [threading.Thread(target=move, args=(number,)) for number in range(5)]
    with stage.app.app_context(), transaction() as session:
        there = ledger.lock(session, {hot})[hot].available
        waiting = text(
            "select count(*) from pg_locks join pg_database on pg_database.oid = database"
            " where datname = current_database() and locktype = 'advisory' and not granted"
        )
        for number, one in enumerate(clients, 1):
            one.start()
            until = time.monotonic() + 10
            while session.execute(waiting).scalar_one() < number:
                assert time.monotonic() < until, "nobody waits"
                time.sleep(0.01)
    for one in clients:
        one.join()
    assert seen == [(number, there - number) for number in range(5)]


@pytest.mark.slow
def test_no_kopeck_over_an_envelope_and_nothing_twice(stage: Stage) -> None:
    dice = random.Random(1)
    kill_worker, told = multiprocessing.Pipe()
    keeper = multiprocessing.get_context("fork").Process(target=keep_a_worker, args=(stage.app, told))
    keeper.start()
    until = time.monotonic() + SECONDS
    threads = [threading.Thread(target=client, args=(stage, number, until)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    turn = 0
    while time.monotonic() < until:
        time.sleep(PAUSE)
        turn += 1
        if turn % 2:
            kill_something(stage, dice)
        else:
            kill_worker.send(True)
            stage.answers["worker killed"] += 1
    for thread in threads:
        thread.join()
    kill_worker.send(False)
    keeper.join()
    with stage.app.app_context():
        finish_tasks()
        check(stage)


def finish_tasks() -> None:
    db.engine.dispose()
    for _ in range(20):
        with transaction() as session:
            session.execute(
                update(jobs.Task)
                .where(jobs.Task.done_at.is_(None))
                .values(run_after=func.now(), parked_at=None, attempts=0)
            )
        jobs.drain("work")
        # The letters about orders wait in a lane of their own.
        waiting = select(func.count()).where(jobs.Task.done_at.is_(None), jobs.Task.lane == "work")
        left = db.session().scalar(waiting)
        db.session().rollback()
        if not left:
            return
    pytest.fail("tasks are left")


def check(stage: Stage) -> None:
    session = db.session()
    print(dict(stage.answers), f"{len(stage.acknowledged)} acknowledged")
    assert stage.lost == []
    assert stage.answers["killed"] > 0
    assert stage.answers["booked"] > CLIENTS
    postings = dict(session.execute(select(Posting.key, Posting.number)).all())
    assert {key: postings.get(key) for key in stage.acknowledged} == stage.acknowledged
    assert sum(key.startswith("task:") for key in postings) == TASKS
    paid = session.scalar(
        select(func.sum(PostingLine.amount))
        .join(Posting, Posting.id == PostingLine.posting_id)
        .where(Posting.subject_id == stage.awards[0], PostingLine.account == Account.PAID)
    )
    assert paid == Decimal(TASKS) / 100
    signed = session.scalar(select(func.count()).where(BudgetOrder.signed_at.is_not(None)))
    assert signed == sum(key.startswith("order:") for key in postings)
    rows = session.scalars(select(Envelope)).all()
    assert sum(row.appropriated for row in rows) == GIVEN * len(YEARS)
    floored = [account for account in Account if account is not Account.APPROPRIATION]
    assert min(getattr(row, account.value) for row in rows for account in floored) >= 0
    assert queries.verify(session) == (len(postings), None)
    assert verify_trail(session)[1] is None
