"""The page of the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.audit.service import record
from portal.identity.models import Role, User
from portal.identity.policy import system_actor
from tests.factories import identity

SignIn = Callable[[User], FlaskClient]


@pytest.mark.parametrize("count", [1, 3])
def test_list_costs_two_queries(session: Session, sign_in: SignIn, count_queries: Any, count: int) -> None:
    client = sign_in(identity.user(session, Role.AUDITOR))
    for number in range(count):
        record(session, system_actor("test"), "core:thing:change", "thing", uuid4(), {"canary": f"canary{number}"})
    session.commit()
    client.get("/staff/audit")  # the session's CSRF token is made and stored once
    with count_queries() as statements:
        answer = client.get("/staff/audit?tag=core:thing")
    assert (answer.status_code, len(statements), answer.text.count('<dd class="jp-code">canary')) == (200, 2, count)


def test_filters_narrow_and_odd_cursors_show_the_first_page(session: Session, sign_in: SignIn) -> None:
    client = sign_in(identity.user(session, Role.ADMINISTRATOR))
    one, other = uuid4(), uuid4()
    record(session, system_actor("test"), "core:thing:change", "thing", one, {"canary": "canary-one"})
    record(session, system_actor("test"), "core:thing:change", "thing", other, {"canary": "canary-two"})
    session.commit()
    answer = client.get(f"/staff/audit?object={one}")
    assert "canary-one" in answer.text
    assert "canary-two" not in answer.text
    assert client.get("/staff/audit?cursor=nonsense").status_code == 200


def test_others_may_not_read_it(session: Session, sign_in: SignIn) -> None:
    officer, applicant = identity.user(session, Role.OFFICER), identity.user(session)
    session.commit()
    assert sign_in(officer).get("/staff/audit").status_code == 403
    assert sign_in(applicant).get("/staff/audit").status_code == 404
