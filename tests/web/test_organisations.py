"""The pages of organisations, as their people and as strangers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.identity.models import Invitation, Membership, Organisation, OrgRole, Role, User
from portal.notifications.models import Letter
from tests.conftest import form
from tests.factories import identity
from tests.identity.test_organisations import values

SignIn = Callable[[User], FlaskClient]


def test_register_and_look(session: Session, sign_in: SignIn) -> None:
    person = identity.user(session)
    session.commit()
    client = sign_in(person)
    assert "You act for no organisation yet" in client.get("/organisations/?lang=en").text
    assert client.get("/organisations/new").status_code == 200
    answer = client.post("/organisations/new", data=form(**values(headcount="10", income="1 000 000,50")))
    assert answer.status_code == 303
    shown = client.get(answer.location + "?lang=en")
    assert "Demo LLC" in shown.text
    assert "Micro-enterprise" in shown.text
    assert "RUB\u00a01,000,000.50" in shown.text
    assert "Invite a colleague" in shown.text
    assert "What comes next: join a cluster" in shown.text
    assert 'href="/clusters/"' in shown.text
    assert "Demo LLC" in client.get("/organisations/?lang=en").text
    again = client.post("/organisations/new?lang=en", data=form(**values()))
    assert again.status_code == 422
    assert "is registered already. Ask one of its owners" in again.text


def test_register_keeps_what_was_typed(session: Session, sign_in: SignIn) -> None:
    person = identity.user(session)
    session.commit()
    typed = values(inn="36999", kpp="", income="a lot of <b>money</b>", region="00")
    answer = sign_in(person).post("/organisations/new?lang=en", data=form(**typed))
    assert answer.status_code == 422
    assert 'value="36999"' in answer.text
    assert "a lot of &lt;b&gt;money&lt;/b&gt;" in answer.text
    for field in ("inn", "kpp", "income", "region"):
        assert f'href="#{field}"' in answer.text
    assert session.scalar(select(func.count()).select_from(Organisation)) == 0


def test_edit_with_a_stale_version(session: Session, sign_in: SignIn) -> None:
    organisation = identity.organisation(session)
    owner = identity.member(session, organisation)
    session.commit()
    client = sign_in(owner)
    url = f"/organisations/{organisation.id}/edit"
    page = client.get(url)
    assert page.status_code == 200
    assert 'name="version" value="1"' in page.text
    new = values(kpp=organisation.kpp or "", ogrn=organisation.ogrn, name_en="Renamed works")
    assert client.post(url, data=form(**new, version="1")).status_code == 303
    stale = client.post(url + "?lang=en", data=form(**new, version="1"))
    assert stale.status_code == 409
    assert "Renamed works" in stale.text
    wrong = client.post(url + "?lang=en", data=form(**{**new, "okved2": "x"}, version="2"))
    assert wrong.status_code == 422


@pytest.mark.parametrize(
    ("role", "sees", "edits", "decides"),
    [
        (OrgRole.OWNER, 200, 200, True),
        (OrgRole.SIGNATORY, 200, 200, False),
        (OrgRole.EDITOR, 200, 200, False),
        (OrgRole.VIEWER, 200, 403, False),
        (None, 404, 404, False),
    ],
)
def test_who_sees_what(
    session: Session, sign_in: SignIn, role: OrgRole | None, sees: int, edits: int, decides: bool
) -> None:
    organisation = identity.organisation(session)
    identity.member(session, organisation)
    person = identity.member(session, organisation, role) if role else identity.user(session)
    session.commit()
    client = sign_in(person)
    shown = client.get(f"/organisations/{organisation.id}?lang=en")
    assert shown.status_code == sees
    assert client.get(f"/organisations/{organisation.id}/edit").status_code == edits
    assert ("Invite a colleague" in shown.text) is decides
    data = form(email="x@demo.example", role="viewer")
    invited = client.post(f"/organisations/{organisation.id}/invite", data=data).status_code
    assert invited == (303 if decides else 404 if role is None else 403)


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.OFFICER, 200), (Role.AUDITOR, 200), (Role.ADMINISTRATOR, 200), (Role.REVIEWER, 404)],
)
def test_what_the_fund_sees(session: Session, sign_in: SignIn, role: Role, status: int) -> None:
    organisation = identity.organisation(session)
    staff = identity.user(session, role)
    session.commit()
    client = sign_in(staff)
    assert client.get(f"/organisations/{organisation.id}").status_code == status
    edits = client.get(f"/organisations/{organisation.id}/edit").status_code
    assert edits == (403 if status == 200 else 404)


def test_invitation_from_letter_to_membership(session: Session, sign_in: SignIn) -> None:
    organisation = identity.organisation(session)
    owner = identity.member(session, organisation)
    guest = identity.user(session)
    other = identity.user(session)
    session.commit()
    invite = f"/organisations/{organisation.id}/invite"
    wrong = sign_in(owner).post(invite + "?lang=en", data=form(email="nobody", role="editor"))
    assert wrong.status_code == 422
    assert "Enter an e-mail address" in wrong.text
    answer = sign_in(owner).post(invite, data=form(email=guest.email, role="editor"))
    assert answer.status_code == 303
    letter = session.scalars(select(Letter).where(Letter.recipient == guest.email)).one()
    found = re.search(r"http://localhost:8000(/organisations/invitations/\S+)", letter.text)
    assert found is not None
    link = found.group(1)
    anonymous = sign_in(owner).get("/organisations/invitations/made-up")
    assert anonymous.status_code == 404
    assert sign_in(other).get(link).status_code == 403
    assert organisation.name_en not in sign_in(other).get(link + "?lang=en").text
    assert sign_in(other).post(link, data=form()).status_code == 403
    client = sign_in(guest)
    assert "You are invited" in client.get("/organisations/?lang=en").text
    assert client.get("/start").location == "/organisations/"
    assert client.get(link).status_code == 200
    body = form()
    assert client.post(link, data=body).location == f"/organisations/{organisation.id}"
    assert client.get(f"/organisations/{organisation.id}").status_code == 200
    assert client.post(link, data=form()).status_code == 409
    assert client.get(link).location == f"/organisations/{organisation.id}"
    assert session.scalar(select(func.count()).select_from(Membership)) == 2


def test_accept_without_the_link(session: Session, sign_in: SignIn) -> None:
    organisation = identity.organisation(session)
    owner, guest, other = identity.member(session, organisation), identity.user(session), identity.user(session)
    session.commit()
    sign_in(owner).post(f"/organisations/{organisation.id}/invite", data=form(email=guest.email, role="viewer"))
    invitation = session.scalars(select(Invitation)).one()
    url = f"/organisations/invitations/{invitation.id}"
    assert sign_in(other).post(url + "/accept", data=form()).status_code == 404
    assert sign_in(owner).post(url + "/resend", data=form()).status_code == 303
    assert sign_in(guest).post(url + "/resend", data=form()).status_code == 404
    assert sign_in(guest).post(url + "/accept", data=form()).status_code == 303
    assert sign_in(owner).post(url + "/withdraw", data=form()).status_code == 409


def test_roles_and_removal(session: Session, sign_in: SignIn) -> None:
    organisation = identity.organisation(session)
    owner = identity.member(session, organisation)
    viewer = identity.member(session, organisation, OrgRole.VIEWER)
    session.commit()
    base = f"/organisations/{organisation.id}"
    people, theirs = sign_in(owner), sign_in(viewer)
    changed = people.post(f"{base}/people/{viewer.id}/role", data=form(role="editor"))
    assert changed.status_code == 303
    assert theirs.get(f"{base}/edit").status_code == 200
    assert theirs.post(f"{base}/people/{owner.id}/role", data=form(role="viewer")).status_code == 403
    assert theirs.get(f"{base}/people/{owner.id}/remove").status_code == 403
    last = people.post(f"{base}/people/{owner.id}/remove?lang=en", data=form())
    assert last.status_code == 403
    assert "This is the only owner" in last.text
    assert people.get(f"{base}/people/{viewer.id}/remove").status_code == 200
    assert people.post(f"{base}/people/{viewer.id}/remove", data=form()).status_code == 303
    assert theirs.get(base).status_code == 404
    assert people.get(f"{base}/people/{uuid4()}/remove").status_code == 404


@pytest.mark.parametrize("rows", [1, 3])
def test_query_counts(session: Session, sign_in: SignIn, count_queries: Any, rows: int) -> None:
    organisation = identity.organisation(session)
    owner = identity.member(session, organisation)
    for number in range(rows):
        identity.member(session, organisation, OrgRole.VIEWER)
        mine = identity.organisation(session)
        session.add(Membership(user_id=owner.id, organisation_id=mine.id, role=OrgRole.EDITOR))
        session.add(
            Invitation(
                organisation_id=organisation.id,
                email=f"guest{number}@demo.example",
                role="viewer",
                token_hash=uuid4().hex,
                invited_by=owner.id,
                expires_at=owner.confirmed_at,
            )
        )
    session.commit()
    client, url = sign_in(owner), f"/organisations/{organisation.id}"
    client.get("/account/")  # the first page writes the form token into the session
    with count_queries() as listed:
        assert client.get("/organisations/").status_code == 200
    with count_queries() as shown:
        assert client.get(url).status_code == 200
    assert (len(listed), len(shown)) == (3, 6)


@pytest.mark.parametrize("locale", ["ru", "en"])
def test_both_languages(session: Session, sign_in: SignIn, locale: str) -> None:
    organisation = identity.organisation(session)
    owner = identity.member(session, organisation)
    session.commit()
    client = sign_in(owner)
    for path in ("", "new", str(organisation.id), f"{organisation.id}/edit"):
        answer = client.get(f"/organisations/{path}?lang={locale}")
        assert answer.status_code == 200
        assert f'lang="{locale}"' in answer.text


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_size_that_the_figures_contradict_is_flagged(session: Session, sign_in: SignIn, language: str) -> None:
    organisation = identity.organisation(session, sme="none", headcount=15, income=120_000_000, state_share=25)
    owner = identity.member(session, organisation)
    session.commit()
    client, url = sign_in(owner), f"/organisations/{organisation.id}?lang={language}"
    words = {"ru": "В профиле указано: Не относится", "en": "The profile says: Not a small"}[language]
    assert words in client.get(url).text
    organisation.sme = "micro"
    session.commit()
    agreed = client.get(url).text
    assert words not in agreed
    assert {"ru": "По Закону № 209-ФЗ: Микро", "en": "By Law 209-FZ: Micro"}[language] in agreed
    organisation.state_share = 26
    session.commit()
    assert "26" in client.get(url).text
    assert {"ru": "В профиле указано: Микро", "en": "The profile says: Micro"}[language] in client.get(url).text
