"""Background work: what is written is done once, whatever dies in between."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from redis import Redis
from sqlalchemy import func, select, text

from portal.core import jobs
from portal.core.db import db, session, transaction
from portal.core.jobs import Claim, Progress, Task
from tests.workers import doomed_worker


@pytest.fixture
def kinds() -> Iterator[dict[str, Any]]:
    """Handlers registered by a test are forgotten after it."""
    before = dict(jobs._kinds)
    yield jobs._kinds
    jobs._kinds.clear()
    jobs._kinds.update(before)


def write(kind: str, key: str | None = None, **payload: Any) -> UUID | None:
    with transaction() as current:
        return jobs.enqueue(current, kind, payload, key=key)


def task(task_id: UUID | None) -> Task:
    session().expire_all()
    row = session().get(Task, task_id)
    assert row is not None
    return row


@pytest.fixture
def ready(fresh_app: Flask, kinds: dict[str, Any]) -> Iterator[Flask]:
    jobs.connect(None)
    with fresh_app.app_context():
        yield fresh_app


def test_task_is_done_once(ready: Flask) -> None:
    seen: list[str] = []

    @jobs.handler("test_note")
    def note(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        seen.append(payload["word"])

    task_id = write("test_note", word="one")
    assert jobs.drain("work") == 1
    assert jobs.drain("work") == 0
    assert seen == ["one"]
    assert task(task_id).state == "done"


def test_same_key_is_written_once(ready: Flask) -> None:
    @jobs.handler("test_keyed")
    def keyed(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        return None

    assert write("test_keyed", key="k") is not None
    assert write("test_keyed", key="k") is None
    assert session().scalar(select(func.count()).select_from(Task)) == 1


def test_rolled_back_work_was_never_written(ready: Flask) -> None:
    @jobs.handler("test_undone")
    def undone(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        return None

    with pytest.raises(RuntimeError), transaction() as current:
        jobs.enqueue(current, "test_undone", {})
        raise RuntimeError
    assert session().scalar(select(func.count()).select_from(Task)) == 0


def test_failure_undoes_the_step_and_is_retried_then_parked(ready: Flask) -> None:
    @jobs.handler("test_fails")
    def fails(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        current.execute(text("update task set lane = 'lost'"))
        raise ValueError("no")

    task_id = write("test_fails")
    for attempt in range(1, jobs.MAX_ATTEMPTS + 1):
        assert jobs.drain("work") == 1
        row = task(task_id)
        assert (row.attempts, row.lane, row.last_error) == (attempt, "work", "ValueError: no")
        with transaction() as current:
            current.execute(text("update task set run_after = clock_timestamp()"))
    assert task(task_id).state == "parked"
    assert jobs.drain("work") == 0


def test_parked_task_is_taken_up_again(ready: Flask) -> None:
    outcome = {"fail": True}

    @jobs.handler("test_moody")
    def moody(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        if outcome["fail"]:
            raise ValueError("not yet")

    task_id = write("test_moody")
    assert task_id is not None
    for _ in range(jobs.MAX_ATTEMPTS):
        jobs.drain("work")
        with transaction() as current:
            current.execute(text("update task set run_after = clock_timestamp()"))
    outcome["fail"] = False
    with transaction() as current:
        assert jobs.retry(current, task_id) is not None
    assert jobs.drain("work") == 1
    assert task(task_id).state == "done"


def test_retry_leaves_alone_what_is_not_parked(ready: Flask) -> None:
    @jobs.handler("test_waiting")
    def waiting(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        return None

    task_id = write("test_waiting")
    assert task_id is not None
    with transaction() as current:
        assert jobs.retry(current, task_id) is None


def test_steps_are_transactions_with_progress(ready: Flask) -> None:
    steps: list[int] = []

    @jobs.handler("test_steps")
    def stepped(current: Any, payload: dict[str, Any], claim: Claim) -> Progress:
        steps.append(len(steps) + 1)
        return Progress(len(steps), 3)

    task_id = write("test_steps")
    assert jobs.drain("work") == 1
    row = task(task_id)
    assert (steps, row.progress_done, row.progress_total, row.state) == ([1, 2, 3], 3, 3, "done")


def test_task_in_other_hands_is_left_alone(ready: Flask) -> None:
    @jobs.handler("test_held")
    def held(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        return None

    task_id = write("test_held")
    number = task(task_id).number
    session().rollback()
    with db.engine.connect() as other:
        other.execute(text("select pg_advisory_lock(:space, :number)"), {"space": jobs.LOCK_SPACE, "number": number})
        assert jobs.drain("work") == 0
        other.rollback()
        other.execute(text("select pg_advisory_unlock_all()"))
    assert jobs.drain("work") == 1


def test_lost_claim_writes_nothing(ready: Flask) -> None:
    @jobs.handler("test_overtaken")
    def overtaken(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        raise AssertionError("must not run")

    row = task(write("test_overtaken"))
    with pytest.raises(jobs.LostClaim), transaction() as current:
        jobs._step(current, Claim(row.id, row.number, row.claim + 1, row.kind, {}, 1))
    assert task(row.id).state == "waiting"


def test_killed_workers_task_is_free_at_once(ready: Flask, tmp_path: Path) -> None:
    flag, ours = tmp_path / "started", os.getpid()

    @jobs.handler("test_killed")
    def killed(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        if os.getpid() != ours:
            flag.touch()
            time.sleep(30)

    task_id = write("test_killed")
    with doomed_worker() as worker:
        while not flag.exists():
            assert os.waitpid(worker, os.WNOHANG) == (0, 0)
            time.sleep(0.05)
        assert jobs.drain("work") == 0
        os.kill(worker, signal.SIGKILL)
        os.waitpid(worker, 0)
    for _ in range(100):
        if jobs.drain("work"):
            break
        time.sleep(0.05)
    assert (task(task_id).state, task(task_id).claim) == ("done", 2)


def test_task_that_kills_its_worker_is_parked(ready: Flask) -> None:
    ours = os.getpid()

    @jobs.handler("test_killed")
    def killed(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        if os.getpid() != ours:
            os.kill(os.getpid(), signal.SIGKILL)

    task_id = write("test_killed")
    with transaction() as current:
        current.execute(text(f"update task set attempts = {jobs.MAX_ATTEMPTS - 1}"))
    with doomed_worker() as worker:
        assert os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) == -signal.SIGKILL
    for _ in range(100):
        jobs.drain("work")
        if task(task_id).state == "parked":
            break
        time.sleep(0.05)
    assert task(task_id).last_error == "the worker ended without an answer, again and again"


def test_kick_reaches_redis_after_the_commit_only(fresh_app: Flask, kinds: dict[str, Any], redis_url: str) -> None:
    @jobs.handler("test_kicked")
    def kicked(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        return None

    redis = Redis.from_url(redis_url)
    redis.flushdb()
    jobs.connect(redis)
    with fresh_app.app_context():
        with transaction() as current:
            jobs.enqueue(current, "test_kicked", {})
            assert redis.llen("rq:queue:work") == 0
        assert redis.llen("rq:queue:work") == 1
    redis.flushdb()


def test_missing_redis_loses_nothing(fresh_app: Flask, kinds: dict[str, Any]) -> None:
    @jobs.handler("test_unkicked")
    def unkicked(current: Any, payload: dict[str, Any], claim: Claim) -> None:
        return None

    jobs.connect(Redis.from_url("redis://127.0.0.1:1/0"))
    with fresh_app.app_context():
        task_id = write("test_unkicked")
        jobs.connect(None)
        assert jobs.drain("work") == 1
        assert task(task_id).state == "done"
