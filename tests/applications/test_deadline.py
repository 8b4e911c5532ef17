"""The last seconds: many applicants on a real server whose clock is wrong; the database's clock decides.

Sixteen applications by default; ``FULL=1`` has a thousand of them around the last ten seconds.
"""

from __future__ import annotations

import http.client
import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

import psycopg
import pytest
import time_machine
from flask import Flask
from sqlalchemy import Column, ColumnElement, String, Uuid, cast, func, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from portal.applications.models import Application, Attachment, Participant, Section, State, Submission
from portal.core.db import session, transaction
from tests.factories import applications
from tests.plugins.browser import Site, serving

FULL: Final = bool(os.environ.get("FULL"))
APPLICANTS: Final = 1000 if FULL else 16
LAST: Final = 10.0 if FULL else 4.0  # seconds before closing in which they come
AFTER: Final = 2.0 if FULL else 1.5  # and after it
SKEWS: Final = (timedelta(hours=-1), timedelta(hours=1))


@dataclass(frozen=True)
class Attempt:
    """One applicant's answer, between two readings of the database's clock."""

    application_id: UUID
    before: datetime
    after: datetime
    status: int
    location: str
    page: str


@pytest.fixture
def queue(fresh_app: Flask) -> tuple[list[UUID], str]:
    """Applications of one tender that are ready to be submitted, and the session cookie of their signatory."""
    with fresh_app.app_context(), transaction() as current:
        first = applications.filled(current)
        current.flush()
        waiting = [first.id]
        for place in range(1, APPLICANTS):
            waiting.append(_copy(current, first.id, place))
        for application_id in waiting:
            applications.confirm_all(replace(first, id=application_id))
            current.expire_all()
        uniquifier = first.owners[0].fs_uniquifier
    client = fresh_app.test_client()
    with client.session_transaction() as cookies:
        cookies.update({"_user_id": uniquifier, "_fresh": True, "fs_cc": "set"})
    found = client.get_cookie(fresh_app.config["SESSION_COOKIE_NAME"])
    assert found is not None
    return waiting, f"{found.key}={found.value}"


def _copy(current: Session, application_id: UUID, place: int) -> UUID:
    """Another application with the same participants, sections and documents; keys follow from the first one's."""

    def key(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return cast(func.md5(cast(column, String) + str(place)), Uuid)

    models = (Application, Participant, Section, Attachment)
    copied = {model.__tablename__ for model in models}
    for model in models:
        table = model.__table__
        own = table.c.id if model is Application else table.c.application_id
        chosen = [
            key(column) if isinstance(column.type, Uuid) and _targets(column) <= copied else column
            for column in table.columns
        ]
        statement = insert(table).from_select(list(table.columns.keys()), select(*chosen).where(own == application_id))
        current.execute(statement)
    found = current.scalar(select(key(Application.__table__.c.id)).where(Application.__table__.c.id == application_id))
    assert isinstance(found, UUID)
    # Each is a project of its own: an organisation submits the same one once.
    product = select(Section).where(Section.application_id == found, Section.name == "product")
    row = current.scalars(product).one()
    row.data = {**row.data, "summary": f"{row.data['summary']} ({place})"}
    current.flush()
    return found


def _targets(column: Column[Any]) -> set[str]:
    """The tables that a column refers to; none for a key of its own."""
    return {foreign.column.table.name for foreign in column.foreign_keys}


@pytest.fixture
def wrong_clock_site(fresh_app: Flask, mail_folder: Path, request: pytest.FixtureRequest) -> Iterator[Site]:
    """The portal on a machine whose clock is wrong by the parameter."""
    with (
        time_machine.travel(datetime.now(UTC) + request.param, tick=True),
        serving(fresh_app, mail_folder, workers=False) as site,
    ):
        fresh_app.config["WTF_CSRF_ENABLED"] = False
        yield site


@pytest.mark.parametrize("wrong_clock_site", SKEWS, indirect=True, ids=["slow clock", "fast clock"])
def test_exactly_those_before_the_instant_are_in(
    fresh_app: Flask, queue: tuple[list[UUID], str], wrong_clock_site: Site
) -> None:
    closes, attempts = _run(fresh_app, queue, wrong_clock_site)
    taken = [attempt for attempt in attempts if attempt.status == 303]
    late = [attempt for attempt in attempts if attempt.status == 409]
    assert len(taken) + len(late) == APPLICANTS, {attempt.status for attempt in attempts}
    assert taken, "nobody was in time: the test says nothing"
    assert late, "nobody was late: the test says nothing"
    with fresh_app.app_context():
        received = {row.application_id: row.received_at for row in session().scalars(select(Submission))}
        states = {row.id: row.state for row in session().scalars(select(Application))}
        texts = set(session().scalars(select(Section.application_id).where(Section.name == "product")))
        numbers = list(session().scalars(select(Submission.number)))
    assert set(received) == {attempt.application_id for attempt in taken}
    assert len(set(numbers)) == len(taken)
    for attempt in taken:
        assert attempt.location == f"/applications/{attempt.application_id}/receipt"
        assert attempt.before <= received[attempt.application_id] <= attempt.after
        assert received[attempt.application_id] < closes
    for attempt in late:
        assert attempt.after >= closes, "refused although the answer came before closing"
        assert "the time for it is over" in attempt.page
        assert states[attempt.application_id] == State.DRAFT
        assert attempt.application_id in texts
    print(f"{len(taken)} in, {len(late)} late; first late answer {min(a.after for a in late) - closes} after closing")


def _run(app: Flask, queue: tuple[list[UUID], str], site: Site) -> tuple[datetime, list[Attempt]]:
    """Let everybody submit around the closing instant, which is set when all are ready to run."""
    url = make_url(app.config["SQLALCHEMY_DATABASE_URI"]).set(drivername="postgresql")
    address = url.render_as_string(hide_password=False)
    dice = random.Random(2018)
    waiting, cookie = queue
    delays = [dice.uniform(0, LAST + AFTER) for _ in waiting]
    with psycopg.connect(address, autocommit=True) as connection:
        row = connection.execute(
            "update tender set closes_at = clock_timestamp() + make_interval(secs => %s) returning closes_at", [LAST]
        ).fetchone()
        assert row is not None
        start, local = time.monotonic(), threading.local()

        def clock() -> datetime:
            if not hasattr(local, "connection"):
                local.connection = psycopg.connect(address, autocommit=True)
            found = local.connection.execute("select clock_timestamp()").fetchone()
            assert found is not None
            return found[0]

        def attempt(place: int) -> Attempt:
            application_id = waiting[place]
            time.sleep(max(0.0, delays[place] - (time.monotonic() - start)))
            before = clock()
            answer = _post(site, f"/applications/{application_id}/submit", cookie)
            return Attempt(application_id, before, clock(), *answer)

        with ThreadPoolExecutor(16) as pool:
            attempts = list(pool.map(attempt, sorted(range(len(waiting)), key=delays.__getitem__)))
    return row[0], attempts


def _post(site: Site, path: str, cookie: str) -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(site.url.removeprefix("http://"), timeout=120)
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded", "Accept-Language": "en"}
    connection.request("POST", path, urlencode({"idempotency_key": uuid4(), "acknowledged": "y"}), headers)
    answer = connection.getresponse()
    page = answer.read().decode()
    connection.close()
    return answer.status, answer.headers.get("Location", ""), page
