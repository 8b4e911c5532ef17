"""The engine of reminders: each stage reaches each person once, a missed stage is not caught up."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core import jobs
from portal.core.clock import now
from portal.core.jobs import Task
from portal.core.language import N_
from portal.notifications import kinds, reminders
from portal.notifications.kinds import Topic
from portal.notifications.models import Notice
from portal.notifications.reminders import Reminder, stage
from tests.factories import identity

DUE = datetime(2026, 6, 30, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (timedelta(days=8), None),
        (timedelta(days=7), 7),
        (timedelta(days=3, seconds=1), 7),
        (timedelta(days=3), 3),
        (timedelta(days=1), 1),
        (timedelta(seconds=1), 1),
        (timedelta(0), None),
        (timedelta(days=-1), None),
    ],
)
def test_stages(left: timedelta, expected: int | None) -> None:
    assert stage(DUE, DUE - left, (7, 3, 1)) == expected


@given(st.integers(-10 * 86400, 20 * 86400), st.integers(0, 86400 * 5))
def test_stages_only_come_nearer(seconds: int, later: int) -> None:
    first = stage(DUE, DUE - timedelta(seconds=seconds), (7, 3, 1))
    second = stage(DUE, DUE - timedelta(seconds=seconds - later), (7, 3, 1))
    if first is not None and second is not None:
        assert second <= first


@pytest.fixture
def sources() -> Iterator[None]:
    before, declared = dict(reminders._sources), dict(kinds._kinds)
    reminders._sources.clear()
    kinds.declare("test_due", Topic.DEADLINES, N_("Due"), important=True)
    yield
    reminders._sources.clear()
    reminders._sources.update(before)
    kinds._kinds.clear()
    kinds._kinds.update(declared)


def test_each_stage_once_however_often_it_runs(session: Session, sources: None) -> None:
    person, thing = identity.user(session), uuid4()
    due = now(session) + timedelta(days=2)
    done = False

    @reminders.source("test")
    def find(session: Session, at: datetime) -> Iterator[Reminder]:
        step = stage(due, at, (7, 3, 1))
        if step is None or done:
            return
        yield Reminder(
            f"test_due:{thing}:{due.isoformat()}:{step}",
            "test_due",
            [person],
            N_("Yes"),
            [],
            (N_("Open"), "/"),
            ("thing", thing),
        )

    at = now(session)
    assert reminders.run(session, at) == 1
    assert reminders.run(session, at) == 0
    assert reminders.run(session, at + timedelta(days=1, hours=1)) == 1
    done = True
    assert reminders.run(session, at + timedelta(days=1, hours=2)) == 0
    assert session.scalar(select(func.count()).where(Notice.user_id == person.id)) == 2


def test_regular_tasks_are_written_once_in_their_stretch(session: Session) -> None:
    first = jobs.schedule(session)
    assert first >= 2
    assert jobs.schedule(session) <= 1  # a stretch may just have begun
    kinds_written = set(session.scalars(select(Task.kind).where(Task.key.startswith("every:"))))
    assert {"remind", "daily_digests"} <= kinds_written
