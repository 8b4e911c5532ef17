"""The demo for tests: loaded once in a session, by whichever xdist worker comes first, and copied for each test."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from flask import Flask

from portal.core.db import db
from tests.plugins.services import TestServices, environment

_copies = itertools.count(1)


@dataclass(frozen=True)
class Demo:
    """A database filled with the demo that nobody is connected to, its files, and how long the loading took."""

    database: str
    files: str
    seconds: float


@pytest.fixture(scope="session")
def demo(services: TestServices, redis_url: str) -> Demo:
    """The session's demo."""
    database = f"{services.template}_demo"
    folder = services.mail_folder.parent / "demo"
    note = folder / "loaded.json"
    with services.alone("demo"):
        if not note.exists():
            folder.mkdir(exist_ok=True)
            note.write_text(json.dumps(_load(services, database, redis_url, folder)))
    return Demo(database, (folder / "files").as_uri(), json.loads(note.read_text()))


def _load(services: TestServices, database: str, redis_url: str, folder: Path) -> float:
    import portal.demo
    from tests.conftest import make_app

    services.drop(database)
    services.copy("demo")
    variables = environment(services, services.url(database), redis_url)
    app = make_app({**variables, "FILES_URL": (folder / "files").as_uri(), "PORTAL_DEMO": "1"})
    began = time.monotonic()
    with app.app_context():
        try:
            portal.demo.load()
        finally:
            db.session.remove()
            db.engine.dispose()
    return time.monotonic() - began


@pytest.fixture(scope="module")
def demo_app(demo: Demo, services: TestServices, redis_url: str, worker_name: str) -> Iterator[Flask]:
    """The portal on a copy of the demo, shared by the tests of one file."""
    from tests.conftest import make_app

    name = f"{demo.database}_{worker_name}_{next(_copies)}"
    variables = environment(services, services.copy_of(demo.database, name), redis_url)
    app = make_app({**variables, "FILES_URL": demo.files, "PORTAL_DEMO": "1"})
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()
