"""Background work: rows in PostgreSQL are the truth, RQ only carries kicks.

What has to be done is a row of :class:`Task`, written by :func:`enqueue` in the transaction that caused it.
After the commit RQ gets a content-free kick for the task's lane; a scheduler kicks every few seconds anyway,
so Redis may lose everything. :func:`drain` claims tasks and runs their handlers:

* a claim is a PostgreSQL advisory lock on the task's number, held by the worker's own connection for as long
  as it works, so that a killed worker's task is free the moment its connection ends, without any time-out;
* each claim counts an attempt *before* the work starts and commits it, so that a task that kills its worker
  is parked like one that fails;
* the handler's effects and the mark "done" are one transaction, fenced by the claim's number;
* a long handler works in steps: it returns :class:`Progress`, each step is a transaction of its own, and a
  step that got further starts the count of attempts anew.

A handler may run twice; effects inside the database happen once, effects outside at least once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, cast
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Connection,
    Identity,
    Index,
    Table,
    and_,
    delete,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.core.db import Base, Keyed, after_commit, db, transaction, uuid7

log = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 5
BACK_OFF: Final = (2, 10, 60, 300)
LOCK_SPACE: Final = 0x4A50
LANES: Final = ("work", "mail")
DRAIN_SECONDS: Final = 60.0
KICKS_WAITING: Final = 4


class Task(Keyed, Base):
    """One piece of background work: waiting, done, or parked after :data:`MAX_ATTEMPTS` failures."""

    __tablename__ = "task"
    __table_args__ = (
        CheckConstraint("done_at is null or parked_at is null", name="one_end"),
        CheckConstraint("parked_at is null or last_error is not null", name="parked_with_reason"),
        CheckConstraint("progress_done between 0 and progress_total", name="progress"),
        Index(
            "ix_task_waiting",
            "lane",
            "run_after",
            "number",
            postgresql_where=text("done_at is null and parked_at is null"),
        ),
        Index("ix_task_parked", "parked_at", postgresql_where=text("parked_at is not null")),
    )

    number: Mapped[int] = mapped_column(BigInteger, Identity(), unique=True)
    kind: Mapped[str]
    lane: Mapped[str]
    payload: Mapped[dict[str, Any]]
    key: Mapped[str | None] = mapped_column(unique=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    run_after: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    claim: Mapped[int] = mapped_column(default=0, server_default="0")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    started_at: Mapped[datetime | None]
    progress_done: Mapped[int] = mapped_column(default=0, server_default="0")
    progress_total: Mapped[int] = mapped_column(default=0, server_default="0")
    last_error: Mapped[str | None]
    done_at: Mapped[datetime | None]
    parked_at: Mapped[datetime | None]

    @property
    def state(self) -> str:
        """'done', 'parked', 'retrying', 'running' (claimed and not yet ended) or 'waiting'."""
        if self.done_at is not None:
            return "done"
        if self.parked_at is not None:
            return "parked"
        if self.last_error is not None:
            return "retrying"
        return "running" if self.attempts else "waiting"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a stepped handler has come; it is called again until ``done == total``."""

    done: int
    total: int

    @property
    def finished(self) -> bool:
        return self.done >= self.total


@dataclass(frozen=True, slots=True)
class Claim:
    """A task in the hands of this worker."""

    id: UUID
    number: int
    claim: int
    kind: str
    payload: dict[str, Any]
    attempts: int


Handler = Callable[[Session, dict[str, Any], Claim], Progress | None]


@dataclass(frozen=True, slots=True)
class _Kind:
    handler: Handler
    lane: str
    every: int | None = None
    passing: bool = False


_kinds: dict[str, _Kind] = {}
_redis: Redis | None = None


class LostClaim(Exception):
    """Another worker has claimed the task since; this one's step is rolled back."""


def handler(
    kind: str, *, lane: str = "work", every: int | None = None, passing: bool = False
) -> Callable[[Handler], Handler]:
    """Register the function that does tasks of ``kind``; mail has a lane of its own, so that runs do not delay it.

    ``every``: seconds after which :func:`schedule` writes such a task again, with an empty payload. ``passing``: the
    tasks are many and nobody asks for them once they are done, so they are deleted after two days.
    """
    if lane not in LANES:
        raise ValueError(lane)

    def register(function: Handler) -> Handler:
        _kinds[kind] = _Kind(function, lane, every, passing)
        return function

    return register


_TASKS: Final = cast(Table, Task.__table__)
_NEW_TASK: Final = insert(_TASKS).on_conflict_do_nothing(index_elements=[_TASKS.c.key]).returning(_TASKS.c.id)
"""By its table and with its values as parameters: built once, where SQLAlchemy would build it for each task."""


def connect(redis: Redis | None) -> None:
    """Give this process its Redis; without one only the scheduler of another process finds the tasks."""
    global _redis
    _redis = redis


def enqueue(
    session: Session,
    kind: str,
    payload: Mapping[str, Any],
    *,
    key: str | None = None,
    after: datetime | None = None,
    delay: timedelta = timedelta(0),
) -> UUID | None:
    """Write down work in the present transaction; the same ``key`` is written once, ever.

    It is not done before ``after``, or before ``delay`` has passed; then the scheduler's next kick finds it. Returns
    the task's id, or None when a task with this key exists already.
    """
    lane = _kinds[kind].lane
    values = {"id": uuid7(), "kind": kind, "lane": lane, "payload": dict(payload), "key": key}
    statement = _NEW_TASK
    if after is not None:
        values["run_after"] = after
    elif delay:
        statement = statement.values(run_after=func.clock_timestamp() + delay)
    written: UUID | None = session.scalar(statement, values)
    if not delay:
        after_commit(session, f"kick:{lane}", lambda: kick(lane))
    return written


def schedule(session: Session) -> int:
    """Write the tasks that come again and again, each once in its stretch of time, however many schedulers ask.

    Those done more than two days ago are deleted, and the done ones of passing kinds. Returns how many were written.
    """
    written = 0
    regular = {kind: entry.every for kind, entry in _kinds.items() if entry.every}
    if not regular:
        return 0
    seconds = session.scalar(select(func.extract("epoch", func.clock_timestamp())))
    for kind, every in regular.items():
        written += enqueue(session, kind, {}, key=f"every:{kind}:{int(seconds or 0) // every}") is not None
    if written:
        old = func.clock_timestamp() - timedelta(days=2)
        again = and_(Task.kind.in_(list(regular)), Task.key.startswith("every:"))
        passing = Task.kind.in_([kind for kind, entry in _kinds.items() if entry.passing])
        session.execute(delete(Task).where(or_(again, passing), Task.done_at < old))
    return written


def kick(lane: str) -> None:
    """Wake the workers of a lane. A lost kick costs a few seconds, so a missing Redis is only logged."""
    if _redis is None:
        return
    try:
        queue = Queue(lane, connection=_redis, serializer=JSONSerializer)
        if queue.count < KICKS_WAITING:
            queue.enqueue("portal.core.jobs.drain", lane, job_timeout=600, result_ttl=0, failure_ttl=60)
    except RedisError as error:
        log.warning("kick not delivered: %s", error)


def drain(lane: str) -> int:
    """Do the waiting tasks of a lane, oldest first, for up to a minute. Returns how many were claimed."""
    claimed = 0
    until = time.monotonic() + DRAIN_SECONDS
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while time.monotonic() < until:
            claim = _claim(connection, lane)
            if claim is None:
                return claimed
            claimed += 1
            try:
                _work(claim, until)
            finally:
                _release(connection, claim.number)
    kick(lane)
    return claimed


def retry(session: Session, task_id: UUID) -> Task | None:
    """Take a parked task up again. Returns None when it is not parked."""
    statement = (
        update(Task)
        .where(Task.id == task_id, Task.parked_at.is_not(None))
        .values(parked_at=None, attempts=0, last_error=None, run_after=func.clock_timestamp())
        .returning(Task)
    )
    task = session.scalar(statement)
    if task is not None:
        lane = task.lane
        after_commit(session, f"kick:{lane}", lambda: kick(lane))
    return task


_CANDIDATES = text(
    "select number from task where lane = :lane and done_at is null and parked_at is null"
    " and run_after <= clock_timestamp() order by run_after, number limit 16"
)
_LOCK = text("select pg_try_advisory_lock(:space, cast(:number % 2147483647 as integer))")
_UNLOCK = text("select pg_advisory_unlock(:space, cast(:number % 2147483647 as integer))")
_TAKE = text(
    "update task set claim = claim + 1, attempts = attempts + 1, started_at = clock_timestamp()"
    " where number = :number and done_at is null and parked_at is null and run_after <= clock_timestamp()"
    " returning id, number, claim, kind, payload, attempts"
)


def _claim(connection: Connection, lane: str) -> Claim | None:
    for number in connection.scalars(_CANDIDATES, {"lane": lane}).all():
        place = {"space": LOCK_SPACE, "number": number}
        if not connection.scalar(_LOCK, place):
            continue
        row = connection.execute(_TAKE, {"number": number}).one_or_none()
        if row is None:
            connection.execute(_UNLOCK, place)
            continue
        claim = Claim(*row)
        if claim.attempts > MAX_ATTEMPTS:
            _park(claim, "the worker ended without an answer, again and again")
            connection.execute(_UNLOCK, place)
            continue
        return claim
    return None


def _release(connection: Connection, number: int) -> None:
    if not connection.invalidated:
        connection.execute(_UNLOCK, {"space": LOCK_SPACE, "number": number})


def _work(claim: Claim, until: float) -> None:
    while True:
        try:
            with transaction() as session:
                finished = _step(session, claim)
        except LostClaim:
            return
        except Exception as error:  # whatever a handler raises is the task's failure, not the worker's
            log.exception("task %s (%s) failed", claim.id, claim.kind)
            _fail(claim, f"{type(error).__name__}: {error}"[:2000])
            return
        if finished or time.monotonic() > until:
            return


def _step(session: Session, claim: Claim) -> bool:
    mine = select(Task.attempts).where(Task.id == claim.id, Task.claim == claim.claim, Task.done_at.is_(None))
    if session.scalar(mine.with_for_update()) is None:
        raise LostClaim
    progress = _kinds[claim.kind].handler(session, claim.payload, claim)
    values: dict[str, Any] = {"last_error": None}
    if progress is not None:
        values |= {"progress_done": progress.done, "progress_total": progress.total, "attempts": 1}
    finished = progress is None or progress.finished
    if finished:
        values["done_at"] = func.clock_timestamp()
    session.execute(update(Task).where(Task.id == claim.id).values(**values))
    return finished


def _fail(claim: Claim, reason: str) -> None:
    if claim.attempts >= MAX_ATTEMPTS:
        _park(claim, reason)
        return
    wait = timedelta(seconds=BACK_OFF[min(claim.attempts, len(BACK_OFF)) - 1])
    with transaction() as session:
        session.execute(
            update(Task)
            .where(Task.id == claim.id, Task.claim == claim.claim)
            .values(last_error=reason, run_after=func.clock_timestamp() + wait)
        )


def _park(claim: Claim, reason: str) -> None:
    with transaction() as session:
        session.execute(
            update(Task)
            .where(Task.id == claim.id, Task.claim == claim.claim, Task.done_at.is_(None))
            .values(parked_at=func.clock_timestamp(), last_error=func.coalesce(Task.last_error, reason))
        )


def waiting(session: Session) -> int:
    """How many tasks are neither done nor parked."""
    count = session.scalar(
        select(func.count()).select_from(Task).where(Task.done_at.is_(None), Task.parked_at.is_(None))
    )
    return cast(int, count)
