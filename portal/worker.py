"""The worker and scheduler processes: RQ carries kicks, :func:`portal.core.jobs.drain` does the work."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from types import FrameType
from typing import Final

from flask import Flask
from redis import Redis
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool
from sqlalchemy.exc import SQLAlchemyError

from portal.core import jobs
from portal.core.db import db, transaction

KICK_SECONDS: Final = 3.0
SCHEDULE_EVERY: Final = 10
"""After how many kicks the regular tasks are written."""
log = logging.getLogger(__name__)


def settle() -> None:
    """Keep the collector of garbage away from what the program consists of, and let it come less often.

    Forks share what it does not touch; a run of scores makes so many objects that live on that looking at them after
    every 700 took a quarter of its time.
    """
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def run_workers(app: Flask, redis_url: str, count: int) -> None:
    """Run ``count`` RQ workers until stopped; a worker that dies is started anew by the pool."""
    settle()
    redis = Redis.from_url(redis_url)
    with app.app_context():
        db.engine.dispose()
        WorkerPool(list(reversed(jobs.LANES)), connection=redis, num_workers=count, serializer=JSONSerializer).start(
            logging_level="WARNING"
        )


def run_scheduler(app: Flask) -> None:
    """Kick every lane every few seconds until stopped: what a lost kick left behind is found here.

    Every half a minute the regular tasks are written (reminders, digests): each exists once in its stretch of time.
    """
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    kicks = 0
    with app.app_context():
        while not stopped.wait(KICK_SECONDS):
            if kicks % SCHEDULE_EVERY == 0:
                _schedule()
            kicks += 1
            for lane in jobs.LANES:
                jobs.kick(lane)


def _schedule() -> None:
    """A database that is away for a moment must not end the scheduler."""
    try:
        with transaction() as session:
            jobs.schedule(session)
    except SQLAlchemyError as error:
        log.warning("regular tasks not written: %s", error)
    finally:
        db.session.remove()
