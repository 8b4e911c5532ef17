"""A second process for hard searches. Decision 17.

What is promised:

- Answers do not depend on it. What is sent away is a pure thing and the calls on it (``calls.py``); where there is no
  second process (one processor, it could not be started, is not there yet, was killed, does not answer), they are made
  here. Time and processors decide who computes and never what.
- It is a fresh interpreter (``python -m portal.awards.allocation.second``) and no fork: it has none of this process'
  connections, locks, threads and secrets, and one end of a socket is its only file.
- It ends with this process, however that ends: as the other end of the socket closes, it leaves at once, also in the
  middle of a computation.
"""

from __future__ import annotations

import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from portal.awards.allocation.pairing import TooMany

PATIENCE: Final = 120.0
"""Seconds that one call may take; longer, and it is made here."""

PASSED: Final = ("HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "TMPDIR")
"""What it gets of the environment."""

ROOT: Final = Path(__file__).resolve().parents[3]


class Second:
    """A :class:`~portal.awards.allocation.calls.Helper`, until the end of the ``with`` statement."""

    def __init__(self, *, processors: int | None = None) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._there: Connection | None = None
        self._ready = False
        self._turn = 0
        if (len(os.sched_getaffinity(0)) if processors is None else processors) > 1:
            self._start()

    def _start(self) -> None:
        try:
            here, there = socket.socketpair()
        except OSError:
            return
        passed = {name: os.environ[name] for name in PASSED if name in os.environ}
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        with here, there:
            try:
                self._process = subprocess.Popen(  # noqa: S603 - this module, by the interpreter that runs it
                    [sys.executable, "-m", __name__, str(there.fileno())],
                    env=passed | {"PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(there.fileno(),),
                )
            except OSError:
                return
            self._there = Connection(here.detach())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """It is gone when this returns."""
        if self._there is not None:
            self._there.close()
            self._there = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def process(self) -> int | None:
        """Its id; None when there is none."""
        return None if self._process is None else self._process.pid

    def ready(self, seconds: float = 0.0) -> bool:
        """Whether it has started and takes calls; ``seconds``: to wait for that, and no longer."""
        if not self._ready:
            self._ready = self._got(seconds) is not None
        return self._ready and self._there is not None

    def keep(self, thing: Callable[[Any], Any]) -> bool:
        return self.ready() and self._sent(0, thing)

    def call(self, asked: object) -> int | None:
        self._turn += 1
        return self._turn if self._sent(self._turn, asked) else None

    def answer(self, turn: int) -> tuple[Any, Exception | None] | None:
        """Answers that nobody has waited for are passed over."""
        while (got := self._got(PATIENCE)) is not None:
            answered, answer, fault = got
            if answered == turn:
                return answer, fault
        return None

    def _sent(self, turn: int, what: object) -> bool:
        if self._there is None:
            return False
        try:
            self._there.send((turn, what))
        except OSError:
            self.end()
            return False
        return True

    def _got(self, seconds: float) -> Any:
        if self._there is None:
            return None
        try:
            if self._there.poll(seconds):
                return self._there.recv()
        except (OSError, EOFError):
            self.end()
            return None
        if seconds:
            self.end()
        return None


def serve(there: Connection) -> None:
    """Keep a thing and make calls on it until the other end closes."""
    waiting: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(there, waiting), daemon=True).start()
    # What things are made of: it takes longer than all else, and nobody waits for it yet.
    import_module("portal.awards.allocation.additions")
    there.send(True)
    thing: Callable[[Any], Any] | None = None
    while True:
        turn, what = waiting.get()
        if thing is None or not turn:
            thing = what
            continue
        try:
            answer: tuple[int, Any, Exception | None] = (turn, thing(what), None)
        except TooMany as fault:
            answer = (turn, None, fault)
        there.send(answer)


def _listen(there: Connection, waiting: queue.SimpleQueue[tuple[int, Any]]) -> None:
    try:
        while True:
            waiting.put(there.recv())
    finally:
        os._exit(0)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
