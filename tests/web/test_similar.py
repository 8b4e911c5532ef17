"""The officer's pages of similar projects: of one application, all of them, and two side by side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.identity.models import Role, User
from portal.review.models import SimilarPair
from tests.conftest import form
from tests.factories import identity, tenders
from tests.review.test_similar import filed
from tests.review.test_similarity import ENZYMES, project, strangers
from tests.web.test_applications import text

SignIn = Callable[[User], FlaskClient]


def signed_in(session: Session, sign_in: SignIn, role: Role = Role.OFFICER) -> FlaskClient:
    person = identity.user(session, role)
    session.commit()
    return sign_in(person)


def pair_of(session: Session) -> tuple[SimilarPair, list[UUID]]:
    keys = filed(session, tenders.open_tender(session), project(), strangers(project()))
    return session.scalars(select(SimilarPair)).one(), keys


def test_an_application_shows_what_it_is_like_and_why(session: Session, sign_in: SignIn) -> None:
    pair, keys = pair_of(session)
    client = signed_in(session, sign_in)
    page = client.get(f"/staff/applications/{keys[0]}/similar")
    said = text(page)
    assert page.status_code == 200
    for words in ("The texts agree by 100%", "The same OKPD 2 code: 28.92.61.110", "the same initiator", "Not decided"):
        assert words in said
    assert f"/staff/similar/{pair.id}" in page.text
    assert "Similar projects 1" in text(client.get(f"/staff/applications/{keys[0]}"))


def test_nothing_alike_is_said_with_how_many_were_compared(session: Session, sign_in: SignIn) -> None:
    keys = filed(session, tenders.open_tender(session), project(), strangers(project(ENZYMES, "P08")))
    client = signed_in(session, sign_in)
    assert "Compared with" in text(client.get(f"/staff/applications/{keys[1]}/similar"))
    assert "Nothing waits for a decision" in text(client.get("/staff/similar"))


@pytest.mark.parametrize("language", ["ru", "en"])
def test_two_projects_stand_side_by_side(session: Session, sign_in: SignIn, language: str) -> None:
    pair, _keys = pair_of(session)
    page = text(signed_in(session, sign_in).get(f"/staff/similar/{pair.id}?lang={language}"))
    for words in {"en": ("agrees", "Costs by category", "INN 7700000000"), "ru": ("совпадает", "Затраты по статьям")}[
        language
    ]:
        assert words in page


def test_the_officer_decides_by_form(session: Session, sign_in: SignIn) -> None:
    pair, keys = pair_of(session)
    client = signed_in(session, sign_in)
    address = f"/staff/similar/{pair.id}"
    answer = client.post(address, data=form(version=1, verdict="double_funding", note=""))
    assert answer.status_code == 422
    assert "Say in a sentence what this rests on." in text(answer)
    assert 'value="double_funding" checked' in answer.text
    answer = client.post(address, data=form(version=1, verdict="double_funding", note="The same line is paid twice"))
    assert (answer.status_code, answer.location) == (303, address)
    page = text(client.get(address))
    assert "The same line is paid twice" in page
    assert "Double funding suspected" in page
    assert "The same line is paid twice" in text(client.get(f"/staff/applications/{keys[1]}/similar"))
    assert "Nothing waits for a decision" in text(client.get("/staff/similar"))
    assert "Double funding suspected" in text(client.get("/staff/similar?show=all"))
    assert client.post(address, data=form(version=1, verdict="no_concern", note="")).status_code == 409


def test_the_list_takes_the_same_statements_for_any_number(
    session: Session, sign_in: SignIn, count_queries: Callable[[], Any]
) -> None:
    client = signed_in(session, sign_in)
    tender = tenders.open_tender(session)
    taken = []
    for number in (2, 1):
        filed(session, tender, *(strangers(project()) for _ in range(number)))
        session.commit()
        client.get("/staff/similar")
        with count_queries() as statements:
            page = client.get("/staff/similar")
        assert page.status_code == 200
        assert page.text.count("<tbody") == 1
        taken.append(len(statements))
    assert page.text.count('role="rowheader"') == 3
    assert taken == [2, 2]


def test_who_opens_what(session: Session, sign_in: SignIn) -> None:
    pair, keys = pair_of(session)
    paths = (f"/staff/similar/{pair.id}", "/staff/similar", f"/staff/applications/{keys[0]}/similar")
    wanted = {Role.OFFICER: 200, Role.CHAIR: 200, Role.AUDITOR: 200, Role.ADMINISTRATOR: 200, Role.REVIEWER: 404}
    for role, status in wanted.items():
        client = signed_in(session, sign_in, role)
        assert [client.get(path).status_code for path in paths] == [status] * 3, role
        if role is not Role.OFFICER:
            answer = client.post(paths[0], data=form(version=1, verdict="no_concern", note=""))
            assert answer.status_code in (403, 404)
    officer = signed_in(session, sign_in)
    assert officer.get(f"/staff/similar/{uuid4()}").status_code == 404
