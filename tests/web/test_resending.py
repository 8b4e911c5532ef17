"""A form whose session had ended: shown whole, and sent again with one press."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.identity.models import User
from tests.conftest import form
from tests.factories import applications

HERE = {"Origin": "http://localhost"}
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


@pytest.fixture(autouse=True)
def guarded(app: Flask) -> Iterator[None]:
    app.config["WTF_CSRF_ENABLED"] = True
    yield
    app.config["WTF_CSRF_ENABLED"] = False


def hidden(page: str) -> dict[str, str]:
    inside = page.partition("data-resend=")[2].partition("</form>")[0]
    return {name: unescape(value) for name, value in HIDDEN.findall(inside)}


def test_signed_out_and_in_again_the_form_is_sent_as_it_was(
    session: Session, client: FlaskClient, sign_in: Callable[[User], FlaskClient]
) -> None:
    joint = applications.draft(session, partners=0)
    session.commit()
    path = f"/applications/{joint.id}/sections/product"
    typed = form(version=0, name_ru='Кавычки "и" <b>', summary="Строка\nи ещё", csrf_token="of the old session")
    answer = client.post(path, data=typed, headers=HERE)
    assert answer.status_code == 401
    assert f'href="/account/login?next={path}"' in unescape(answer.text).replace("%2F", "/")
    kept = hidden(answer.text)
    assert {name: kept[name] for name in ("name_ru", "summary", "idempotency_key")} == {
        name: typed[name] for name in ("name_ru", "summary", "idempotency_key")
    }
    back = sign_in(joint.owners[0])
    answer = back.post(path, data=kept, headers=HERE)
    assert answer.status_code == 400, "the token is of the session that had ended"
    kept = hidden(answer.text)
    for _ in range(2):
        assert back.post(path, data=kept, headers=HERE).status_code in (302, 303)
    data = joint.dossier.sections[None, "product"].data
    assert data == {"name_ru": 'Кавычки "и" <b>', "summary": "Строка\nи ещё"}


@pytest.mark.parametrize("headers", [{}, {"Origin": "https://elsewhere.example"}, {"Origin": "null"}])
def test_the_form_of_another_site_is_shown_and_not_offered_again(
    session: Session, sign_in: Callable[[User], FlaskClient], headers: dict[str, str]
) -> None:
    joint = applications.draft(session, partners=0)
    session.commit()
    answer = sign_in(joint.owners[0]).post(
        f"/applications/{joint.id}/sections/product", data=form(name_ru="Подброшено"), headers=headers
    )
    assert answer.status_code == 400
    assert "data-resend=" not in answer.text
    assert "Подброшено" in answer.text


def test_passwords_are_not_carried_along(client: FlaskClient) -> None:
    typed = form(password="secret-of-mine", email="a@b.example")
    answer = client.post("/account/login", data=typed, headers=HERE)
    assert "secret-of-mine" not in answer.text
    assert "data-resend=" not in answer.text
