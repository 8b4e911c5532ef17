"""A worker process of a test's own, to be killed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from portal.core import jobs
from portal.core.db import db


@contextmanager
def doomed_worker() -> Iterator[int]:
    """The number of a process that does what waits until a signal ends it, at the latest the end of the ``with``.

    It is forked, so that it starts at once, with connections of its own; call it inside the application's context.
    Not for work with files: the threads that read them do not come along.
    """
    db.session.remove()
    db.engine.dispose()
    pid = os.fork()
    if pid == 0:
        try:
            jobs.connect(None)
            while True:
                jobs.drain("work")
        finally:
            os._exit(1)
    try:
        yield pid
    finally:
        with suppress(ChildProcessError):  # a test has waited for it
            if os.waitpid(pid, os.WNOHANG) == (0, 0):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
