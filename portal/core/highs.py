"""HiGHS without its banner: the constructor prints to the process's standard output, before any option can be set."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import highspy

_ONE_AT_A_TIME: Final = threading.Lock()


def quiet_solver() -> highspy.Highs:
    """A new solver that has printed nothing and will print nothing. For workers: what other threads print to standard
    output in the moment of its making is lost.
    """
    with _ONE_AT_A_TIME, _no_output():
        solver = highspy.Highs()  # type: ignore[no-untyped-call]  # published half typed
        solver.setOptionValue("output_flag", False)
    return solver


@contextmanager
def _no_output() -> Iterator[None]:
    """Standard output leads nowhere, for C as well as for Python; what was buffered before is not lost."""
    flush = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    flush(None)
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
        flush(None)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)
