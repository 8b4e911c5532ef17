"""Autosave at the level of its requests: what the script of a section's page may get to hear."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.drafts.saving import mark_of
from portal.applications.models import Presence
from portal.applications.partners import participation
from portal.core.clock import at, now
from portal.identity.models import Membership, OrgRole, User
from tests.factories import applications, identity

SignIn = Callable[[User], FlaskClient]
Counting = Callable[[], AbstractContextManager[list[str]]]
EMPTY = mark_of("")


def fields_of(joint: applications.Joint, section: str = "product", place: int | None = None) -> str:
    part = "" if place is None else f"/participants/{joint.parts[place].id}"
    return f"/applications/{joint.id}{part}/sections/{section}/fields"


def wish(person: User, version: int = 0, **texts: str) -> dict[str, Any]:
    return {
        "person": str(person.id),
        "version": version,
        "changes": {key: {"value": text, "base": EMPTY} for key, text in texts.items()},
    }


@pytest.fixture
def joint(session: Session) -> applications.Joint:
    made = applications.draft(session)
    session.commit()
    return made


def test_a_field_is_saved_and_the_answer_says_when(joint: applications.Joint, sign_in: SignIn) -> None:
    owner = joint.owners[0]
    answer = sign_in(owner).post(fields_of(joint), json=wish(owner, name_ru="Проект", okpd2="чепуха"))
    body = answer.get_json()
    assert answer.status_code == 200
    assert body["marks"] == {"name_ru": mark_of("Проект"), "okpd2": mark_of("чепуха")}
    assert body["saved"].startswith("Draft saved at ")
    assert body["errors"]["name_ru"] == ""
    assert "OKPD" in body["errors"]["okpd2"], "kept as typed, with its message"
    assert joint.dossier.sections[None, "product"].data == {"name_ru": "Проект", "okpd2": "чепуха"}


def test_others_fields_come_along_when_the_page_is_behind(joint: applications.Joint, sign_in: SignIn) -> None:
    owner = joint.owners[0]
    client = sign_in(owner)
    assert "fields" not in client.post(fields_of(joint), json=wish(owner, name_ru="Проект")).get_json()
    body = client.post(fields_of(joint), json=wish(owner, 0, name_en="Project")).get_json()
    assert body["fields"]["name_ru"] == {"value": "Проект", "mark": mark_of("Проект")}
    assert "fields" not in client.post(fields_of(joint), json=wish(owner, body["version"])).get_json()


def test_a_clash_says_whose_text_it_is(session: Session, joint: applications.Joint, sign_in: SignIn) -> None:
    owner = joint.owners[0]
    other = identity.member(session, joint.organisations[0], OrgRole.EDITOR)
    session.commit()
    sign_in(other).post(fields_of(joint), json=wish(other, summary="Theirs"))
    body = sign_in(owner).post(fields_of(joint), json=wish(owner, summary="Mine", name_en="Fine")).get_json()
    [clash] = body["clashes"]
    assert (clash["key"], clash["theirs"], clash["mark"]) == ("summary", "Theirs", mark_of("Theirs"))
    assert clash["said"].startswith(f"{other.full_name}, ")
    assert body["marks"] == {"name_en": mark_of("Fine")}


def test_who_is_there_is_told_to_writers_of_the_part_only(
    session: Session, joint: applications.Joint, sign_in: SignIn
) -> None:
    owner, partner = joint.owners
    other = identity.member(session, joint.organisations[0], OrgRole.EDITOR)
    viewer = identity.member(session, joint.organisations[0], OrgRole.VIEWER)
    session.commit()

    def others(person: User, url: str) -> str:
        answer = sign_in(person).post(url, json=wish(person))
        return answer.get_json()["others"] if answer.status_code == 200 else str(answer.status_code)

    assert others(other, fields_of(joint)) == ""
    assert others(owner, fields_of(joint)).startswith(f"Also in this section now: {other.full_name} (")
    assert others(owner, fields_of(joint, "market")) == ""
    assert others(partner, fields_of(joint)) == "403"
    assert others(viewer, fields_of(joint)) == "403"
    assert others(partner, fields_of(joint, "costs", 1)) == ""
    assert others(owner, fields_of(joint, "costs", 1)) == "403"
    session.delete(session.get(Membership, _membership(session, other)))
    session.commit()
    assert others(owner, fields_of(joint)) == "", "who left the organisation is not in its section"


def _membership(session: Session, person: User) -> Any:
    return session.scalars(select(Membership.id).where(Membership.user_id == person.id)).one()


def test_presence_ends_after_a_minute(session: Session, joint: applications.Joint, sign_in: SignIn) -> None:
    owner = joint.owners[0]
    other = identity.member(session, joint.organisations[0], OrgRole.EDITOR)
    session.commit()
    instant = now(session)
    with at(session, instant):
        sign_in(other).post(fields_of(joint), json=wish(other))
    for seconds, seen in ((50, True), (61, False)):
        with at(session, instant + timedelta(seconds=seconds)):
            answer = sign_in(owner).post(fields_of(joint), json=wish(owner))
        assert bool(answer.get_json()["others"]) is seen, seconds
    with at(session, instant + timedelta(hours=2)):
        sign_in(owner).post(fields_of(joint), json=wish(owner))
    assert list(session.scalars(select(Presence.user_id))) == [owner.id]


def test_another_person_in_the_same_browser_saves_nothing(
    session: Session, joint: applications.Joint, sign_in: SignIn
) -> None:
    other = identity.member(session, joint.organisations[0], OrgRole.EDITOR)
    session.commit()
    answer = sign_in(other).post(fields_of(joint), json=wish(joint.owners[0], name_ru="Чужое"))
    assert (answer.status_code, answer.get_json()["code"]) == (409, "another_person")
    assert (None, "product") not in joint.dossier.sections


def test_signed_out_is_said_as_json(joint: applications.Joint, client: FlaskClient) -> None:
    answer = client.post(fields_of(joint), json=wish(joint.owners[0], name_ru="x"))
    assert (answer.status_code, answer.mimetype) == (401, "application/problem+json")
    assert answer.get_json()["code"] == "signed_out"
    answer = client.get(fields_of(joint), headers={"Accept": "application/json"})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "signed_out")


def test_a_foreign_token_is_expired_and_the_state_brings_a_new_one(
    app: Flask, joint: applications.Joint, sign_in: SignIn
) -> None:
    owner = joint.owners[0]
    client = sign_in(owner)
    app.config["WTF_CSRF_ENABLED"] = True
    try:
        body, headers = wish(owner, name_ru="Проект"), {"X-CSRFToken": "of another session"}
        answer = client.post(fields_of(joint), json=body, headers=headers)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "expired")
        state = client.get(fields_of(joint), headers={"Accept": "application/json"}).get_json()
        assert state["person"] == str(owner.id)
        answer = client.post(fields_of(joint), json=body, headers={"X-CSRFToken": state["csrf"]})
        assert answer.status_code == 200
    finally:
        app.config["WTF_CSRF_ENABLED"] = False


def test_a_submitted_draft_is_closed_with_its_reason(session: Session, sign_in: SignIn) -> None:
    joint, _ = applications.submitted(session)
    session.commit()
    owner = joint.owners[0]
    for body in (wish(owner, name_ru="x"), wish(owner)):
        answer = sign_in(owner).post(fields_of(joint), json=body)
        assert (answer.status_code, answer.get_json()["code"]) == (409, "conflict")
        assert "has been submitted" in answer.get_json()["title"]
    state = sign_in(owner).get(fields_of(joint)).get_json()
    assert "has been submitted" in state["closed"]


def test_strangers_and_those_who_left_learn_nothing(
    session: Session, joint: applications.Joint, sign_in: SignIn
) -> None:
    stranger = applications.draft(session).owners[0]
    second = joint.parts[1]
    gone, owner = joint.owners[1], joint.owners[0]
    url = fields_of(joint, "costs", 1)
    participation.remove(session, joint.actor(), participant_id=second.id)
    session.commit()
    for person, where in ((stranger, fields_of(joint)), (gone, url), (gone, fields_of(joint)), (owner, url)):
        for answer in (
            sign_in(person).post(where, json=wish(person, name_ru="x")),
            sign_in(person).post(where, json=wish(person)),
            sign_in(person).post(where, data="no json"),
            sign_in(person).get(where),
        ):
            assert answer.status_code == 404
            assert "Проект" not in answer.text


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"person": "x", "version": 0, "changes": {}},
        {"version": -1, "changes": {}},
        {"version": 0, "changes": []},
        {"version": 0, "changes": {"name_ru": "x"}},
        {"version": 0, "changes": {"name_ru": {"value": 1, "base": ""}}},
        {"version": 0, "changes": {"name_ru": {"value": "x", "base": "", "sent": ["x"] * 11}}},
        {"version": 0, "changes": {f"k{place}": {"value": "", "base": ""} for place in range(3001)}},
    ],
)
def test_what_cannot_be_read_is_refused(joint: applications.Joint, sign_in: SignIn, body: dict[str, Any]) -> None:
    owner = joint.owners[0]
    answer = sign_in(owner).post(fields_of(joint), json={"person": str(owner.id), **body} if body else body)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "problems")


def test_too_much_at_once_is_refused(joint: applications.Joint, sign_in: SignIn) -> None:
    owner = joint.owners[0]
    answer = sign_in(owner).post(fields_of(joint), json=wish(owner, summary="x" * (4 * 1024 * 1024)))
    assert answer.status_code == 422
    assert "more text than can be saved at once" in answer.get_json()["title"]


def test_hostile_texts_are_kept_as_text(joint: applications.Joint, sign_in: SignIn) -> None:
    owner = joint.owners[0]
    hostile = "\x00 \ud800 <script>alert(1)</script> \u202e"
    body = sign_in(owner).post(fields_of(joint), json=wish(owner, summary=hostile)).get_json()
    kept = joint.dossier.sections[None, "product"].data["summary"]
    assert kept == "\ufffd ? <script>alert(1)</script> \u202e"
    assert body["marks"]["summary"] == mark_of(kept)


def test_a_beat_asks_little_of_the_database(
    joint: applications.Joint, sign_in: SignIn, count_queries: Counting
) -> None:
    owner = joint.owners[0]
    client = sign_in(owner)
    client.post(fields_of(joint), json=wish(owner, name_ru="Проект"))
    url, body = fields_of(joint), wish(owner, 1)
    with count_queries() as statements:
        assert client.post(url, json=body).status_code == 200
    assert len(statements) == 8
