"""The services of a test session: started once, shared by the xdist workers, thrown away at the end.

``DATABASE_URL`` and ``REDIS_URL`` are used when they are set: the tests then make databases of their own
beside the given one and drop them at the end, and empty Redis databases from number 1 on. Without them
PostgreSQL and Redis are started (``portal.local``). Mail always goes to a real SMTP sink of the session.

Each worker has a database copied from a template that was migrated once, a Redis database, and a mail folder
shared by all (look letters up by their address, which is unique to a test).
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.engine import make_url

from portal.local import ephemeral_services
from tests.plugins.rewriting import rewritten

KEY: Final = pytest.StashKey["TestServices"]()
STACK: Final = pytest.StashKey[ExitStack]()
SECRET_KEY: Final = "a key for tests only, long enough to be taken"
ROOT: Final = Path(__file__).parents[2]
MIGRATION_SECONDS: Final = 300.0


class TestServices:
    """Where the session's services are; plain strings, so that they travel to the xdist workers."""

    __test__ = False

    def __init__(self, given: Mapping[str, str]) -> None:
        self.given = dict(given)
        self.server: str = given["server"]
        self.template: str = given["template"]
        self.redis: str = given["redis"]
        self.mail_url: str = given["mail_url"]
        self.mail_folder = Path(given["mail_folder"])

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database of the session's server."""
        return make_url(self.server).set(database=database).render_as_string(hide_password=False)

    def redis_url(self, number: int) -> str:
        """The URL of a Redis database; ``number`` 0 is the given one."""
        base, _, own = self.redis.rpartition("/")
        if not own.isdigit():
            base, own = self.redis.rstrip("/"), "0"
        return f"{base}/{int(own) + number}"

    def copy(self, name: str) -> str:
        """Make a database from the migrated template; gives its URL."""
        return self.copy_of(self.template, f"{self.template}_{name}")

    def copy_of(self, template: str, database: str) -> str:
        """Make a database like another one that nobody is connected to; gives its URL.

        Copying its files costs half of what writing its pages to the log does.
        """
        with self.connect() as connection:
            connection.execute(
                sql.SQL("create database {} template {} strategy file_copy").format(
                    sql.Identifier(database), sql.Identifier(template)
                )
            )
        return self.url(database)

    def drop(self, database: str) -> None:
        """Throw a database away, with whoever is still connected to it."""
        with self.connect() as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(database)))

    @property
    def migrated(self) -> Path:
        """Says how the migration of the template has ended: empty where it went well, else why it did not."""
        return self.mail_folder.parent / "migrated"

    def wait(self) -> None:
        """Until the template is there: it is migrated while the workers read and collect the tests."""
        until = time.monotonic() + MIGRATION_SECONDS
        while not self.migrated.exists():
            if time.monotonic() > until:
                raise RuntimeError(f"the template was not migrated in {MIGRATION_SECONDS:.0f} s")
            time.sleep(0.05)
        reason = self.migrated.read_text()
        if reason:
            raise RuntimeError(f"the template could not be migrated: {reason}")

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Only one worker of the session is in here at a time, for each ``what``."""
        with self.connect() as connection:
            connection.execute("select pg_advisory_lock(hashtextextended(%s, 0))", [what])
            yield

    @contextmanager
    def connect(self) -> Iterator[psycopg.Connection]:
        """A connection to the server, outside of any transaction and any database of ours."""
        url = make_url(self.server)
        given = url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(given, autocommit=True) as connection:
            yield connection


def environment(services: TestServices, database_url: str, redis_url: str) -> dict[str, str]:
    """The variables of a portal under test, for processes that a test starts too."""
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "MAIL_URL": services.mail_url,
        "MAIL_FOLDER": str(services.mail_folder),
        "SECRET_KEY": SECRET_KEY,
    }


def pytest_configure(config: pytest.Config) -> None:
    """The controller of xdist starts the services before its workers; without xdist a fixture starts them."""
    if getattr(config.option, "collectonly", False) or hasattr(config, "workerinput"):
        return
    if getattr(config.option, "numprocesses", None):
        with rewritten(config):
            _started(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the services are."""
    node.workerinput["services"] = _started(node.config).given


def pytest_unconfigure(config: pytest.Config) -> None:
    stack = config.stash.get(STACK, None)
    if stack:
        stack.close()


@pytest.fixture(scope="session")
def services(pytestconfig: pytest.Config) -> TestServices:
    """The session's services."""
    given = getattr(pytestconfig, "workerinput", {}).get("services")
    found = TestServices(given) if given else _started(pytestconfig)
    found.wait()
    return found


@pytest.fixture(scope="session")
def worker_name(pytestconfig: pytest.Config) -> str:
    """``gw0``, ``gw1``...; ``main`` without xdist."""
    name: str = getattr(pytestconfig, "workerinput", {}).get("workerid", "main")
    return name


@pytest.fixture(scope="session")
def database_url(services: TestServices, worker_name: str) -> str:
    """The URL of this worker's own database, migrated and empty."""
    return services.copy(worker_name)


@pytest.fixture(scope="session")
def redis_url(services: TestServices, worker_name: str) -> str:
    """The URL of this worker's own Redis database, emptied."""
    from redis import Redis

    number = 1 + int(worker_name.removeprefix("gw")) if worker_name.startswith("gw") else 1
    url = services.redis_url(number)
    with Redis.from_url(url) as client:
        client.flushdb()
    return url


@pytest.fixture(scope="session")
def mail_folder(services: TestServices) -> Path:
    """Where the SMTP sink delivers; read it with :func:`portal.local.received`."""
    return services.mail_folder


@pytest.fixture(scope="session")
def portal_environment(services: TestServices, database_url: str, redis_url: str) -> dict[str, str]:
    """The environment of this worker's portal: for ``Config.from_env`` and for child processes."""
    return environment(services, database_url, redis_url)


def _started(config: pytest.Config) -> TestServices:
    if KEY in config.stash:
        return config.stash[KEY]
    stack = config.stash.setdefault(STACK, ExitStack())
    running = stack.enter_context(
        ephemeral_services({name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")})
    )
    server = make_url(running.database_url).set(drivername="postgresql+psycopg")
    services = TestServices(
        {
            "server": server.render_as_string(hide_password=False),
            "template": f"portal_test_{secrets.token_hex(4)}",
            "redis": running.redis_url,
            "mail_url": running.mail_url,
            "mail_folder": str(running.mail_folder),
        }
    )
    if os.environ.get("DATABASE_URL"):  # a server of ours ends with all its databases
        stack.callback(_drop, services)
    _make_template(services, stack if getattr(config.option, "numprocesses", None) else None)
    config.stash[KEY] = services
    return services


def _make_template(services: TestServices, stack: ExitStack | None = None) -> None:
    """Migrate an empty database to the newest revision, as ``flask db upgrade`` does.

    Given the session's ``stack`` this happens in a process of its own, and whoever needs the template waits for it.
    """
    with services.connect() as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(services.template)))
    variables = environment(services, services.url(services.template), services.redis_url(1))
    note = str(services.migrated)
    if stack is not None:
        command = [sys.executable, "-m", "tests.plugins.services", note]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.terminate)
        return
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        _note_migration(note)
    services.wait()


def _note_migration(note: str) -> None:
    """Migrate, and keep how it ended in the file ``note``, which appears whole."""
    reason = ""
    try:
        _migrate()
    except Exception:  # whatever it is: those who wait are told, not kept waiting
        reason = traceback.format_exc()
    part = Path(f"{note}.part")
    part.write_text(reason)
    part.rename(note)


def _migrate() -> None:
    from portal.app import create_app
    from portal.core.db import db
    from portal.schema import upgrade

    app = create_app()
    with app.app_context():
        upgrade()
        db.engine.dispose()


def _drop(services: TestServices) -> None:
    with services.connect() as connection:
        names = connection.execute(
            "select datname from pg_database where starts_with(datname, %s)", [services.template]
        ).fetchall()
    for (name,) in names:
        services.drop(name)


if __name__ == "__main__":
    _note_migration(sys.argv[1])
