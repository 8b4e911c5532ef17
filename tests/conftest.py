"""Fixtures of all tests: a real database with a savepoint per test, a client, and people who sign in."""

from __future__ import annotations

import gc
import hashlib
import itertools
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask, g, has_app_context
from flask.testing import FlaskClient
from flask_login.utils import _create_identifier
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import event, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.orm import Session

from portal.core import sealing
from portal.core.db import db, transaction
from portal.core.db import session as current_session
from portal.documents import service as documents
from portal.identity.models import User
from tests.plugins.services import TestServices, environment

# No stop-watch in tests: a loaded machine is slow, not wrong.
# The same examples each time, so that a change is judged by what it changed; FULL=1 looks for new ones, and for more.
FULL = bool(os.environ.get("FULL"))
settings.register_profile(
    "portal",
    deadline=None,
    derandomize=not FULL,
    max_examples=100 if FULL else 30,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("portal")
if not FULL:
    # Otherwise each worker reads the syntax of all sources for numbers and strings to try, for some seconds, and what a
    # test tries depends on which modules happen to be imported: not the same examples each time.
    providers.is_local_module_file = lambda path: False

# Passphrases and passwords are stretched by Argon2id as outside, only not for long: that took a minute of the session.
QUICK_STRETCH = {"argon2__time_cost": 1, "argon2__memory_cost": 64}
vars(sealing).update(PASSES=1, KIBIBYTES=64)

# As in wsgi.py: what is imported stays, and collecting it again and again is a twentieth of the session.
gc.set_threshold(50_000, 50, 50)

pytest_plugins = ["tests.plugins.services", "tests.plugins.statements", "tests.plugins.browser", "tests.plugins.demo"]


def pytest_collection_finish() -> None:
    """What is imported and collected stays to the end: the collector need not look at it again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that no worker is left alone with one at the end; one with the demo before all others.

    The demo is loaded by the first who wants it while the next one would wait. Of the others the files with most tests
    come first: they go to one worker each.
    """
    slow = [item for item in items if item.get_closest_marker("slow")]
    slow.sort(key=lambda item: "demo" in getattr(item, "fixturenames", ()))
    if slow:
        slow.insert(0, slow.pop())
    rest = [item for item in items if not item.get_closest_marker("slow")]
    sizes = Counter(item.path for item in rest)
    items[:] = [*slow, *sorted(rest, key=lambda item: -sizes[item.path])]


class FreshClient(FlaskClient):
    """A client whose requests start with nothing remembered.

    The test holds the application's context open, and a request inside it shares that context's ``g``: without
    this, the second request of a test would act with the rights of the first one's reader.
    """

    def open(self, *args: Any, **kwargs: Any) -> Any:
        if has_app_context():
            vars(g._get_current_object()).clear()
        return super().open(*args, **kwargs)


def make_app(variables: dict[str, str]) -> Flask:
    """The portal with the given environment, CSRF checks off (the browser journeys have them on)."""
    from portal.app import create_app
    from portal.web.limits import EXTENSION

    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        app = create_app()
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    app.extensions[EXTENSION].enabled = False  # all tests come from one address; the limits have tests of their own
    app.test_client_class = FreshClient
    app.extensions["security"].pwd_context.update(**QUICK_STRETCH)
    # Each test's portal of its own would compile the templates again.
    app.jinja_env.bytecode_cache = FileSystemBytecodeCache()
    return app


@pytest.fixture(scope="session")
def shared_app(portal_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Flask:
    files = tmp_path_factory.mktemp("files").as_uri()
    return make_app({**portal_environment, "FILES_URL": files, "PORTAL_DEMO": "1"})


@contextmanager
def on_one_connection(shared_app: Flask) -> Iterator[Connection]:
    """The portal on one connection whose transaction is rolled back in the end."""
    # Another application of this process may have named another folder since.
    documents.configure(shared_app.extensions["portal"].files_url)
    with shared_app.app_context():
        engine = db.engine
        connection: Connection = engine.connect()
        outer = connection.begin()
        db.engines[None] = connection  # type: ignore[assignment]
        db.session.configure(join_transaction_mode="create_savepoint")
        try:
            yield connection
        finally:
            db.session.remove()
            db.engines[None] = engine
            outer.rollback()
            connection.close()


@pytest.fixture
def app(shared_app: Flask) -> Iterator[Flask]:
    """The portal on one connection whose transaction is rolled back after the test."""
    with on_one_connection(shared_app):
        yield shared_app


@pytest.fixture
def session(app: Flask) -> Session:
    """The test's session. Commit what a request is to see: it is a savepoint, undone after the test."""
    return current_session()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@cache
def _browser(app: Flask) -> str:
    """What the sign-in library tells a test's browser by."""
    with app.test_request_context(environ_base=app.test_client().environ_base):
        identifier: str = _create_identifier()
    return identifier


_SIGN_IN = text(
    "insert into user_session (token_hash, data, user_id, agent, expires_at)"
    " select :token_hash, :data, id, :agent, clock_timestamp() + interval '12 hours'"
    " from user_account where fs_uniquifier = :person"
)


def signed_in_client(app: Flask, uniquifier: str) -> FlaskClient:
    """A client with the session of a person who has signed in and seen a page: a request writes nothing to it.

    What the present session has written is committed with it.
    """
    client = app.test_client()
    token = secrets.token_urlsafe(32)
    cookies = {
        "_user_id": uniquifier,
        "_fresh": True,
        "_id": _browser(app),
        "fs_cc": "set",
        "fs_paa": time.time(),
        "csrf_token": "0" * 40,
    }
    with transaction() as current:
        current.flush()
        row = {
            "token_hash": hashlib.sha256(token.encode()).hexdigest(),
            "data": app.session_interface.serializer.dumps(cookies).encode(),
            "agent": client.environ_base["HTTP_USER_AGENT"],
            "person": uniquifier,
        }
        current.execute(_SIGN_IN, row)
    client.set_cookie(app.config["SESSION_COOKIE_NAME"], token)
    return client


@pytest.fixture
def sign_in(app: Flask) -> Callable[[User], FlaskClient]:
    """A client signed in as the person, freshly authenticated."""

    return lambda user: signed_in_client(app, user.fs_uniquifier)


@pytest.fixture
def count_queries(app: Flask) -> Callable[[], Any]:
    """``with count_queries() as statements: ...`` collects the SQL that was sent."""

    @contextmanager
    def counting() -> Iterator[list[str]]:
        statements: list[str] = []

        def note(conn: Any, cursor: Any, statement: str, *rest: Any) -> None:
            if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
                statements.append(statement)

        event.listen(db.engine, "before_cursor_execute", note)
        try:
            yield statements
        finally:
            event.remove(db.engine, "before_cursor_execute", note)

    return counting


_fresh_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def moving_app(portal_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """The portal that moves from database to database: what it has compiled (pages, statements) it compiles once."""
    app = make_app({**portal_environment, "FILES_URL": tmp_path_factory.mktemp("moving").as_uri()})
    with app.app_context():
        engine = db.engine

    def to_its_database(dialect: Any, record: Any, arguments: Any, parameters: dict[str, Any]) -> None:
        parameters["dbname"] = engine.url.database

    event.listen(engine, "do_connect", to_its_database)
    app.extensions["tests"] = (engine, dict(app.config))
    return app


@pytest.fixture
def fresh_app(
    moving_app: Flask, services: TestServices, worker_name: str, redis_url: str, tmp_path: Any
) -> Iterator[Flask]:
    """The portal on a database of its own with real connections and commits: for races, workers and browsers."""
    from portal.app import configure_rooms
    from portal.web.limits import EXTENSION

    app = moving_app
    engine, settings = app.extensions["tests"]
    database_url = services.copy(f"{worker_name}_{next(_fresh_numbers)}")
    given = environment(services, database_url, redis_url)
    files_url = (tmp_path / "files").as_uri()
    app.config.clear()
    app.config.update(settings, SQLALCHEMY_DATABASE_URI=database_url, TEST_ENVIRONMENT=given)
    app.extensions["portal"] = replace(app.extensions["portal"], database_url=database_url, files_url=files_url)
    app.extensions[EXTENSION].enabled = False
    configure_rooms(app.extensions["portal"])
    engine.url = make_url(database_url)
    with app.app_context():
        db.engines[None] = engine
    try:
        yield app
    finally:
        with app.app_context():
            db.session.remove()
            engine.dispose()
        services.drop(engine.url.database or "")


def form(**fields: Any) -> dict[str, Any]:
    """The body of a POST: the fields with a new idempotency key."""
    return {"idempotency_key": str(uuid4()), **fields}
