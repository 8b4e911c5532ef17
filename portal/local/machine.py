"""The three services together: given ones are used, missing ones are started on one data folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from portal.local.postgres import postgres
from portal.local.process import ServiceError
from portal.local.redis import redis
from portal.local.smtp import smtp

LOCK_SECONDS: Final = 15.0
MEMORY: Final = Path("/dev", "shm")
ROOM: Final = 4 * 2**30
"""Bytes that must be free in :data:`MEMORY`."""


@dataclass(frozen=True, slots=True)
class Services:
    """Where the services are.

    ``mail_folder`` is where our own SMTP sink delivers; None where MAIL_URL was given.
    """

    database_url: str
    redis_url: str
    mail_url: str
    mail_folder: Path | None

    def environment(self) -> dict[str, str]:
        """The variables that the program reads (``config.Config.from_env``)."""
        variables = {
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
            "MAIL_URL": self.mail_url,
        }
        if self.mail_folder:
            variables["MAIL_FOLDER"] = str(self.mail_folder)
        return variables


@contextmanager
def services(folder: Path, given: Mapping[str, str] = os.environ, *, durable: bool = True) -> Iterator[Services]:
    """Start what ``given`` does not name by URL, with its data in ``folder``, and stop it at the end.

    The data survive, and so does a start after a crash. ``durable`` False is for data that are thrown away.
    Raises ServiceError if a service does not start, or another process uses the folder.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    log = folder / "log"
    log.mkdir(exist_ok=True)
    with ExitStack() as stack:
        lock = stack.enter_context(held(folder))
        database_url = given.get("DATABASE_URL") or stack.enter_context(
            postgres(folder / "postgres", log / "postgres.log", holds=[lock], durable=durable)
        )
        redis_url = given.get("REDIS_URL") or stack.enter_context(
            redis(folder / "redis", log / "redis.log", holds=[lock], durable=durable)
        )
        mail_url, mail_folder = given.get("MAIL_URL"), None
        if not mail_url:
            mail_folder = folder.resolve() / "mail"
            mail_url = stack.enter_context(smtp(mail_folder))
        yield Services(database_url, redis_url, mail_url, mail_folder)


@contextmanager
def ephemeral_services(given: Mapping[str, str] = os.environ) -> Iterator[Services]:
    """Services on a folder that is thrown away at the end: fast, and forgetful on a crash."""
    with (
        tempfile.TemporaryDirectory(prefix="portal-", dir=_in_memory(), ignore_cleanup_errors=True) as folder,
        services(Path(folder), given, durable=False) as running,
    ):
        yield running


def _in_memory() -> Path | None:
    """Where files are kept in memory, if there is such a place and it has room: a database is copied ten times faster.

    A given ``TMPDIR`` is obeyed.
    """
    try:
        free = shutil.disk_usage(MEMORY).free
    except OSError:
        return None
    return MEMORY if free >= ROOM and os.access(MEMORY, os.W_OK) and "TMPDIR" not in os.environ else None


@contextmanager
def held(folder: Path) -> Iterator[int]:
    """Hold the folder for ourselves and our children.

    The children inherit the lock and keep it as long as one of them lives: after a SIGKILL of ours the next
    start waits here until they have stopped, instead of running a second server on the same files.
    """
    descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        limit = time.monotonic() + LOCK_SECONDS
        while not _locked(descriptor):
            if time.monotonic() > limit:
                raise ServiceError(
                    f"{folder} is in use by process {os.pread(descriptor, 20, 0).decode() or '?'}: "
                    "the portal runs already on this folder."
                )
            time.sleep(0.1)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
