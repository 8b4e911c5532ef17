"""The tests as pytest compiles them, with its assertions, made once: each worker would do it, all at the same time.

It takes a worker ten seconds of a slow processor to do it for all files, and a fresh clone has none of them.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from _pytest.assertion import rewrite

TESTS: Final = Path(__file__).parents[1]


@contextmanager
def rewritten(config: pytest.Config) -> Iterator[None]:
    """Processes that rewrite all files of tests have ended with the ``with``; inside it something else can be done.

    Does nothing where Python is told to keep no bytecode. What fails here is done, and told, by the workers.
    """
    files = [] if sys.dont_write_bytecode else sorted(TESTS.rglob("test_*.py"))
    count = min(os.cpu_count() or 1, 8) if files else 0
    children = [_started(config, files[place::count]) for place in range(count)]
    try:
        yield
    finally:
        for child in children:
            os.waitpid(child, 0)


def _started(config: pytest.Config, files: Sequence[Path]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        for file in files:
            _rewrite(config, file)
    finally:
        os._exit(0)


def _rewrite(config: pytest.Config, file: Path) -> None:
    """What pytest's own import hook does before it runs a module."""
    folder = rewrite.get_cache_dir(file)
    kept = folder / f"{file.stem}{rewrite.PYC_TAIL}"
    if rewrite.try_makedirs(folder) and rewrite._read_pyc(file, kept) is None:
        stamp, code = rewrite._rewrite_test(file, config)
        rewrite._write_pyc(config.stash[rewrite.assertstate_key], code, stamp, kept)
