"""The door of every page."""

from __future__ import annotations

import re
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


def test_nul_character_is_refused_at_the_door(client: FlaskClient) -> None:
    assert client.get("/tenders/a%00b").status_code == 404
    assert client.get("/?lang=%00").status_code == 404
    assert client.post("/account/login", data={"email": "a\0b"}).status_code == 422


def test_stamped_assets_are_kept_by_browsers_and_pages_by_nobody(client: FlaskClient) -> None:
    assert client.get("/").headers["Cache-Control"] == "no-store"
    page = client.get("/").get_data(as_text=True)
    script = re.search(r'src="(/static/v-[0-9a-f]{12}/)js/portal\.js"', page)
    assert script
    for path in ("js/portal.js", "vendor/govuk-frontend.js", "css/base.css"):  # what it imports stands beside it
        answer = client.get(script[1] + path)
        assert answer.get_data() == client.get(f"/static/{path}").get_data()
        assert "immutable" in answer.headers["Cache-Control"]
    for path in ("css/base.css", "v-000000000000/css/base.css"):  # of no version, of another one
        answer = client.get(f"/static/{path}")
        assert answer.status_code == 200
        assert "immutable" not in answer.headers["Cache-Control"]
    assert client.get(f"{script[1]}../../app.py").status_code == 404


def test_every_answer_carries_the_strict_policy(client: FlaskClient) -> None:
    for path in ("/", "/nothing-here", "/healthz"):
        headers = client.get(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
        assert headers["X-Content-Type-Options"] == "nosniff"
