"""The door of every page."""

from __future__ import annotations

from collections.abc import Callable

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.identity.models import User
from tests.factories import identity


def test_home_is_open(client: FlaskClient) -> None:
    assert client.get("/").status_code == 200


def test_signed_in_person_is_known(session: Session, sign_in: Callable[[User], FlaskClient]) -> None:
    person = identity.user(session)
    session.commit()
    assert sign_in(person).get("/").status_code == 200
