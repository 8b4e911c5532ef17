"""The inbox, the choice of notices, and the link that stops letters: each person their own, and nothing more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.language import N_
from portal.identity.models import User
from portal.notifications import kinds, preferences, service, tokens
from portal.notifications.kinds import Mail, Topic
from portal.notifications.models import Notice
from portal.notifications.preferences import Choice
from tests.conftest import form
from tests.factories import identity


@pytest.fixture(autouse=True)
def declared() -> Iterator[None]:
    before = dict(kinds._kinds)
    kinds.declare("test_plain", Topic.MESSAGES, N_("Plain"))
    yield
    kinds._kinds.clear()
    kinds._kinds.update(before)


def tell(session: Session, person: User, subject: str = "WORD", path: str | None = "/applications/") -> Notice:
    key = str(uuid4())
    service.tell(
        session,
        [person],
        kind="test_plain",
        key=key,
        subject=N_("Refused: %(reason)s", reason=subject),
        paragraphs=[N_("Reason: %(reason)s", reason=f"{subject} said")],
        portal_path=path,
    )
    session.commit()
    return session.scalars(select(Notice).where(Notice.key == f"{key}:{person.id}")).one()


def test_the_bell_counts_and_the_inbox_shows_own_notices_only(
    session: Session, sign_in: Callable[[User], FlaskClient]
) -> None:
    person, other = identity.user(session), identity.user(session)
    notice, foreign = tell(session, person, "MINE"), tell(session, other, "FOREIGN")
    client = sign_in(person)
    page = client.get("/notifications/").text
    assert "MINE" in page
    assert "FOREIGN" not in page
    assert '<span class="jp-badge">1<' in page
    opened = client.get(f"/notifications/{notice.id}")
    assert (opened.status_code, opened.location) == (302, "/applications/")
    assert client.get(f"/notifications/{foreign.id}").status_code == 404
    session.expire_all()
    assert notice.read_at is not None
    assert foreign.read_at is None
    page = client.get("/notifications/?show=unread").text
    assert "MINE" not in page
    assert "jp-badge" not in page


def test_a_notice_without_an_object_shows_its_text(session: Session, sign_in: Callable[[User], FlaskClient]) -> None:
    person = identity.user(session)
    notice = tell(session, person, "ALONE", path=None)
    assert "ALONE said" in sign_in(person).get(f"/notifications/{notice.id}").text


def test_everything_is_marked_as_read_at_once(session: Session, sign_in: Callable[[User], FlaskClient]) -> None:
    person = identity.user(session)
    tell(session, person)
    tell(session, person)
    client = sign_in(person)
    assert client.post("/notifications/read", data=form()).status_code == 303
    assert "jp-badge" not in client.get("/notifications/").text


@pytest.mark.parametrize("count", [1, 3])
def test_the_inbox_takes_the_same_queries_for_any_number(
    session: Session, sign_in: Callable[[User], FlaskClient], count_queries: Callable[[], Any], count: int
) -> None:
    person = identity.user(session)
    for _ in range(count):
        tell(session, person)
    client = sign_in(person)
    client.get("/notifications/")
    with count_queries() as statements:
        client.get("/notifications/")
    assert len(statements) == 2  # the session's own query, the notices


def test_the_choice_is_kept(session: Session, sign_in: Callable[[User], FlaskClient]) -> None:
    person = identity.user(session)
    client = sign_in(person)
    assert "mail-test_plain" in client.get("/notifications/settings").text
    sent = form(zone="Asia/Omsk", hour="7", **{"mail-test_plain": "digest", "mail-award": "none"})
    assert client.post("/notifications/settings", data=sent).status_code == 303
    assert preferences.of_person(session, person.id) == {"test_plain": Choice(False, Mail.DIGEST)}
    assert preferences.digest_time(session, person.id) == ("Asia/Omsk", 7)
    refused = client.post("/notifications/settings", data=form(zone="Mars", hour="99"))
    assert refused.status_code == 422


def test_staffs_kinds_are_not_shown_to_applicants(session: Session, sign_in: Callable[[User], FlaskClient]) -> None:
    page = sign_in(identity.user(session)).get("/notifications/settings").text
    assert "mail-participant_answered" in page
    assert "mail-review_asked" not in page


def test_the_link_of_a_letter_asks_first_and_then_stops_without_a_sign_in(
    app: Flask, session: Session, client: FlaskClient
) -> None:
    person = identity.user(session, name="Secret Name")
    session.commit()
    url = tokens.stop_path(person.id, "test_plain")
    asked = client.get(url)
    assert asked.status_code == 200
    assert "Secret Name" not in asked.text
    assert person.email not in asked.text
    assert preferences.of_person(session, person.id) == {}
    app.config["WTF_CSRF_ENABLED"] = True  # a mail program sends no token of ours
    try:
        done = client.post(url, data={"List-Unsubscribe": "One-Click"})
    finally:
        app.config["WTF_CSRF_ENABLED"] = False
    assert done.status_code == 200
    assert preferences.of_person(session, person.id) == {"test_plain": Choice(True, Mail.NONE)}
    assert client.get("/notifications/").status_code == 302
    assert client.post("/notifications/stop/nonsense").status_code == 404
