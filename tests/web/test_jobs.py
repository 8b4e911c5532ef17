"""The administrator's page of background work."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.core.jobs import Task
from portal.identity.models import Role, User
from tests.conftest import form
from tests.factories import identity

SignIn = Callable[[User], FlaskClient]


def parked(session: Session) -> Task:
    row = Task(
        kind="send_letter",
        lane="mail",
        payload={},
        attempts=5,
        last_error="OSError: no",
        parked_at=func.clock_timestamp(),
    )
    session.add(row)
    session.flush()
    return row


@pytest.mark.parametrize("count", [1, 3])
def test_list_costs_three_queries(session: Session, sign_in: SignIn, count_queries: Any, count: int) -> None:
    for _ in range(count):
        parked(session)
    client = sign_in(identity.user(session, Role.ADMINISTRATOR))
    session.commit()
    client.get("/staff/jobs")  # the session's CSRF token is made and stored once
    with count_queries() as statements:
        answer = client.get("/staff/jobs?state=parked")
    assert (answer.status_code, len(statements)) == (200, 3)
    assert answer.text.count("OSError: no") == count


def test_parked_task_is_retried_and_noted(session: Session, sign_in: SignIn) -> None:
    task = parked(session)
    client = sign_in(identity.user(session, Role.ADMINISTRATOR))
    session.commit()
    assert client.post(f"/staff/jobs/{task.id}/retry", data=form()).status_code == 303
    session.expire_all()
    assert session.scalar(select(Task.parked_at).where(Task.id == task.id)) is None
    assert client.post(f"/staff/jobs/{task.id}/retry", data=form()).status_code == 409


def test_what_waits_for_a_day_says_so(session: Session, sign_in: SignIn) -> None:
    row = parked(session)
    row.attempts, row.parked_at, row.last_error = 0, None, None
    row.run_after = datetime(2099, 5, 4, 9, tzinfo=UTC)
    session.flush()
    client = sign_in(identity.user(session, Role.ADMINISTRATOR))
    session.commit()
    assert "not before 4 May 2099, 12:00" in client.get("/staff/jobs?state=waiting").text.replace("\u00a0", " ")


def test_others_find_nothing(session: Session, sign_in: SignIn) -> None:
    task = parked(session)
    officer, applicant = identity.user(session, Role.OFFICER), identity.user(session)
    session.commit()
    assert sign_in(officer).get("/staff/jobs").status_code == 403
    assert sign_in(applicant).get("/staff/jobs").status_code == 404
    assert sign_in(applicant).post(f"/staff/jobs/{task.id}/retry", data=form()).status_code == 404
    assert sign_in(applicant).post(f"/staff/jobs/{uuid4()}/retry", data=form()).status_code == 404
