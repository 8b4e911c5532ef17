"""Child processes that end when we end, also when we are killed."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Final

PR_SET_PDEATHSIG: Final = 1
TAIL: Final = 2_000


class ServiceError(RuntimeError):
    """A service could not be started; the text says which, why, and what to do."""


class Child:
    """A process in a session of its own: a Ctrl-C in the terminal reaches only us, we stop it in our order.

    On Linux the kernel sends it ``stop_signal`` when our process dies, whatever the cause; elsewhere a
    SIGKILL of ours leaves it running. ``user`` is a numeric (uid, gid) to run as. ``holds`` are descriptors
    that it keeps open as long as it lives. ``log`` takes its output, emptied at each start; without it the
    output goes where ours goes.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        user: tuple[int, int] | None = None,
        holds: Sequence[int] = (),
        log: Path | None = None,
        stdin: bytes | None = None,
    ) -> None:
        self.name = name
        self.stop_signal = stop_signal
        self._log = log
        uid, gid = user or (None, None)
        with open(log, "wb") if log else nullcontext() as output:
            self._process = subprocess.Popen(
                [os.fspath(part) for part in argv],
                stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=env,
                cwd=cwd,
                user=uid,
                group=gid,
                extra_groups=[] if user else None,
                pass_fds=tuple(holds),
                start_new_session=True,
                preexec_fn=_dies_with(os.getpid(), stop_signal),
            )
        self.started = time.monotonic()
        if stdin is not None and self._process.stdin:
            self._process.stdin.write(stdin)
            self._process.stdin.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ended(self) -> int | None:
        """Its exit code (negative: the signal that ended it), None while it runs."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        if self.ended() is None:
            self._process.send_signal(self.stop_signal)

    def stop(self, seconds: float = 30.0) -> None:
        """Ask it to stop and wait; after ``seconds`` kill it and everything in its session."""
        self.ask_to_stop()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        self.sweep()
        self._process.wait()

    def sweep(self) -> None:
        """Kill what is left of its process group: workers outlive a master that was killed."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def wait_until(self, ready: Callable[[], bool], seconds: float = 60.0, pause: float = 0.03) -> None:
        """Wait until ``ready()``, asking every ``pause`` seconds.

        Raises ServiceError with the end of the log if the process ends first or the time is over.
        """
        limit = time.monotonic() + seconds
        while not ready():
            code = self.ended()
            if code is not None:
                raise ServiceError(f"{self.name} ended with {code} at its start.{self._tail()}")
            if time.monotonic() > limit:
                raise ServiceError(f"{self.name} was not ready after {seconds:.0f} s.{self._tail()}")
            time.sleep(pause)

    def _tail(self) -> str:
        if not self._log or not self._log.exists():
            return ""
        return f" Its log, {self._log}, ends:\n" + self._log.read_text(errors="replace")[-TAIL:]


def _dies_with(parent: int, stop_signal: signal.Signals) -> Callable[[], None] | None:
    """What the child does between fork and exec so that the kernel tells it of our death."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl

    def arm() -> None:
        prctl(PR_SET_PDEATHSIG, int(stop_signal), 0, 0, 0)
        if os.getppid() != parent:  # we died between the fork and the call above
            os._exit(1)

    return arm
