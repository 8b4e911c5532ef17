"""Acting for one of several organisations: a filter and a default, never a right."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.identity.models import Membership, OrgRole, User
from tests.conftest import form
from tests.factories import applications

SignIn = Callable[[User], FlaskClient]


def text(response: Any) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.text)))


def test_a_person_of_two_organisations_switches_between_them(session: Session, sign_in: SignIn) -> None:
    first, second = applications.draft(session, partners=0), applications.draft(session, partners=0)
    person = first.owners[0]
    session.add(Membership(user_id=person.id, organisation_id=second.organisations[0].id, role=OrgRole.VIEWER))
    for joint, name in ((first, "Demo first project"), (second, "Demo second project")):
        joint.application.title_en = name
    session.commit()
    client = sign_in(person)
    both = text(client.get("/applications/?lang=en"))
    assert "Demo first project" in both
    assert "Demo second project" in both
    assert client.post("/acting/", data=form(organisation=second.organisations[0].id)).status_code == 303
    one = text(client.get("/applications/?lang=en"))
    assert "Demo first project" not in one
    assert "Demo second project" in one
    assert "Shown for" in one
    # Rights stay as they are: reading the other is allowed, writing for the chosen one is not.
    assert client.get(f"/applications/{first.id}").status_code == 200
    refused = client.post(f"/applications/{second.id}/sections/product", data=form(version=0, name_en="x"))
    assert refused.status_code == 403
    stranger = applications.draft(session)
    session.commit()
    assert client.post("/acting/", data=form(organisation=stranger.organisations[0].id)).status_code == 404
    assert client.post("/acting/", data=form(organisation="")).status_code == 303
    assert "Demo first project" in text(client.get("/applications/?lang=en"))


def test_the_header_says_for_whom_one_acts(session: Session, sign_in: SignIn) -> None:
    first, second = applications.draft(session, partners=0), applications.draft(session, partners=0)
    person = first.owners[0]
    session.add(Membership(user_id=person.id, organisation_id=second.organisations[0].id, role=OrgRole.VIEWER))
    session.commit()
    client = sign_in(person)

    def header() -> str:
        found = re.search(r'jp-user__name">([^<]*)<', client.get("/calculator/?lang=en").text)
        assert found is not None
        return unescape(found[1])

    assert header() == "All my organisations"
    client.post("/acting/", data=form(organisation=second.organisations[0].id))
    assert header() == second.organisations[0].name_en


def test_nobody_is_asked_to_choose_between_one(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session)
    session.commit()
    assert "Act for another organisation" not in text(sign_in(joint.owners[0]).get("/applications/?lang=en"))
