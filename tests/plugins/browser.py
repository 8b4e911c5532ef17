"""A real Chromium on a real server: the portal in threads of this process, its worker, its SMTP sink.

The server has CSRF protection on. Background work is done by two threads, one for each lane, that drain what is
waiting when they are kicked, as workers are, and every second. Where there is no Chromium (``$CHROMIUM``, or
Debian's) the tests that want one are skipped.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from flask import Flask
from redis import Redis
from rq import Queue
from werkzeug.serving import WSGIRequestHandler, make_server

from portal.core import jobs
from portal.core.db import db
from portal.local import received

# The build without windows first: the same engine at half the processor time.
INSTALLED: Final = ("/usr/bin/chromium-headless-shell", "/usr/bin/chromium")
CHROMIUM: Final = Path(os.environ.get("CHROMIUM") or next(filter(os.path.exists, INSTALLED), INSTALLED[-1]))
ARGUMENTS: Final = [
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Scripts of a page run once: its slower compilers take more than what they make gives back.
    "--js-flags=--no-turbofan,--no-maglev",
]
DRAIN_SECONDS: Final = 1.0
LETTER_SECONDS: Final = 20.0
_LINK: Final = re.compile(r"https?://[^/\s]+(/\S*)")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser of this worker; skipped with a reason where there is none."""
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: set CHROMIUM, or install Debian's package")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Site:
    """A running portal: its address, its application, and the letters that it has sent."""

    app: Flask
    url: str
    mail_folder: Path
    faults: list[str] = field(default_factory=list)

    def letter(self, address: str, words: str = "") -> Any:
        """The newest letter to ``address`` with ``words`` in its subject or text; waits for it."""
        until = time.monotonic() + LETTER_SECONDS
        while time.monotonic() < until:
            for mail in received(self.mail_folder, to=address):
                if words in f"{mail.subject}\n{mail.text}":
                    return mail
            time.sleep(0.1)
        raise AssertionError(f"no letter to {address} with {words!r}")

    def link(self, address: str, words: str = "") -> str:
        """The first link of that letter, as a path of this site."""
        found = _LINK.search(self.letter(address, words).text)
        assert found, "the letter has no link"
        return found.group(1)

    def until(self, holds: Callable[[], Any], seconds: float = 30.0) -> Any:
        """Wait until ``holds`` gives something, in a transaction of its own; fails after ``seconds``."""
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            with self.app.app_context():
                found = holds()
                db.session.rollback()
            if found:
                return found
            time.sleep(0.1)
        raise AssertionError("it did not happen in time")


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        pass


@contextmanager
def serving(app: Flask, mail_folder: Path, *, workers: bool = True, port: int = 0) -> Iterator[Site]:
    """Serve the application on a free port of this machine (or on ``port``), with workers, until the block ends."""
    app.config["WTF_CSRF_ENABLED"] = True
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    site = Site(app, f"http://127.0.0.1:{server.server_port}", mail_folder)
    faults = _Faults(site.faults)
    logging.getLogger("portal").addHandler(faults)
    stopped = threading.Event()
    threads = [threading.Thread(target=server.serve_forever, daemon=True)]
    if workers:
        threads += [threading.Thread(target=_work, args=(app, lane, stopped), daemon=True) for lane in jobs.LANES]
    for thread in threads:
        thread.start()
    try:
        yield site
    finally:
        stopped.set()
        server.shutdown()
        server.server_close()
        for thread in threads:
            thread.join(20)
        logging.getLogger("portal").removeHandler(faults)


class _Faults(logging.Handler):
    """Keeps what the portal logs as an error, for the test to look at."""

    def __init__(self, kept: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.append(self.format(record))


def _work(app: Flask, lane: str, stopped: threading.Event) -> None:
    kicks = f"{Queue.redis_queue_namespace_prefix}{lane}"
    with app.app_context(), Redis.from_url(app.extensions["portal"].redis_url) as redis:
        while not stopped.is_set():
            redis.blpop([kicks], DRAIN_SECONDS)
            redis.delete(kicks)  # one look is enough for all of them
            jobs.drain(lane)
            db.session.remove()


@pytest.fixture
def site(fresh_app: Flask, mail_folder: Path) -> Iterator[Site]:
    """A portal on an empty database of its own."""
    with serving(fresh_app, mail_folder) as running:
        yield running
