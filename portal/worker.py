"""The worker and scheduler processes: RQ carries kicks, :func:`portal.core.jobs.drain` does the work."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType
from typing import Final

from flask import Flask
from redis import Redis
from rq.serializers import JSONSerializer
from rq.worker_pool import WorkerPool

from portal.core import jobs
from portal.core.db import db

KICK_SECONDS: Final = 3.0
log = logging.getLogger(__name__)


def load_handlers() -> None:
    """Import every room's jobs, so that their handlers are registered."""
    import portal.awards.jobs
    import portal.clusters.jobs
    import portal.notifications.jobs
    import portal.scoring.jobs  # noqa: F401


def run_workers(app: Flask, redis_url: str, count: int) -> None:
    """Run ``count`` RQ workers until stopped; a worker that dies is started anew by the pool."""
    load_handlers()
    redis = Redis.from_url(redis_url)
    with app.app_context():
        db.engine.dispose()
        WorkerPool(list(reversed(jobs.LANES)), connection=redis, num_workers=count, serializer=JSONSerializer).start(
            logging_level="WARNING"
        )


def run_scheduler(app: Flask) -> None:
    """Kick every lane every few seconds until stopped: what a lost kick left behind is found here."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    with app.app_context():
        while not stopped.wait(KICK_SECONDS):
            for lane in jobs.LANES:
                jobs.kick(lane)
