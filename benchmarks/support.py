"""What the benchmarks share: services that are thrown away, a migrated database, a web server, a load."""

from __future__ import annotations

import http.client
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.request import urlopen

from flask import Flask

from portal.local import Services

ROOT: Final = Path(__file__).resolve().parents[1]
CLIENTS: Final = 16


def environment(services: Services) -> dict[str, str]:
    """The variables of a portal on these services."""
    return {**services.environment(), "SECRET_KEY": secrets.token_hex(32), "PORTAL_DEMO": "0"}


def migrated(variables: dict[str, str]) -> Flask:
    """The portal on an empty, migrated database."""
    os.environ.update(variables)
    from portal.app import create_app
    from portal.schema import upgrade

    app = create_app()
    with app.app_context():
        upgrade()
    return app


def backend_seconds() -> dict[int, float] | None:
    """Processor seconds that PostgreSQL has used for each connection to the present database, by process; None where
    it does not run on this Linux machine.
    """
    from sqlalchemy import text

    from portal.core.db import db

    with db.engine.connect() as connection:
        query = text("select pid from pg_stat_activity where datname = current_database()")
        found = connection.scalars(query).all()
    used = {}
    for pid in found:
        stat = Path(f"/proc/{pid}/stat")
        if not stat.exists() or "(postgres)" not in (line := stat.read_text()):
            return None
        fields = line.rpartition(")")[2].split()
        used[pid] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return used


@contextmanager
def served(module: str, variables: dict[str, str], workers: int = 2) -> Iterator[str]:
    """``module`` (``wsgi:app``) under gunicorn, as in production; yields host:port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    place = f"127.0.0.1:{port}"
    command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "--threads", "8", "-w", str(workers), "-b", place]
    process = subprocess.Popen(
        [*command, "--log-level", "error", "--preload", module], cwd=ROOT, env={**os.environ, **variables}
    )
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield place
    finally:
        process.terminate()
        process.wait()


@dataclass(frozen=True, slots=True)
class Load:
    """What a load found: answers a second, and answers that were not 200."""

    per_second: float
    failures: int


def load(place: str, path: str, seconds: float = 8, cookie: str = "") -> Load:
    """16 clients asking for one page; with wrk where it is on the PATH, with threads otherwise."""
    headers = {"Cookie": cookie} if cookie else {}
    connection = http.client.HTTPConnection(place)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise SystemExit(f"{path} answers {answer.status}")
    connection.close()
    if shutil.which("wrk"):
        return _wrk(place, path, seconds, cookie)
    return _threads(place, path, seconds, headers)


def _wrk(place: str, path: str, seconds: float, cookie: str) -> Load:
    command = ["wrk", "-t2", f"-c{CLIENTS}", f"-d{int(seconds)}s", f"http://{place}{path}"]
    if cookie:
        command += ["-H", f"Cookie: {cookie}"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", printed)
    if rate is None:
        raise SystemExit(printed)
    return Load(float(rate[1]), int(failed[1]) if failed else 0)


def _threads(place: str, path: str, seconds: float, headers: dict[str, str]) -> Load:
    until = time.monotonic() + seconds
    counts, failures = [0] * CLIENTS, [0] * CLIENTS

    def ask(number: int) -> None:
        connection = http.client.HTTPConnection(place)
        while time.monotonic() < until:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            counts[number] += 1
            failures[number] += answer.status != 200

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(sum(counts) / seconds, sum(failures))


def wait_for(place: str) -> float:
    """Seconds until the server answers ``/healthz``."""
    start = time.monotonic()
    while True:
        try:
            with urlopen(f"http://{place}/healthz", timeout=1):
                return time.monotonic() - start
        except OSError:
            time.sleep(0.01)
