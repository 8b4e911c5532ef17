"""The pages of meetings, from the plan to the signed minutes on paper, and what they do not show."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.awards import service
from portal.awards.commission import minutes, sitting
from portal.awards.commission.models import AgendaItem, Meeting, MemberVote
from portal.core.idempotency import FormKey, body_hash
from portal.identity.models import Role, User
from portal.identity.policy import Actor
from portal.tenders.ruleset import Ballot
from tests.conftest import form
from tests.factories import commission, identity
from tests.factories.awards import Stage

SignIn = Callable[[User], FlaskClient]
ClientOf = Callable[[Actor], FlaskClient]
WORDS = "CANARY-AGENDA-41d7"


@pytest.fixture
def stage(session: Session) -> Stage:
    made = commission.stage(session, [{2018: 100}])
    session.commit()
    return made


@pytest.fixture
def client_of(session: Session, sign_in: SignIn) -> ClientOf:
    return lambda actor: sign_in(session.get_one(User, actor.user_id))


def test_from_the_plan_to_the_paper(session: Session, stage: Stage, client_of: ClientOf) -> None:
    decision = service.draft(session, stage.officer, stage.track.id)
    session.commit()
    officer, chair, member = client_of(stage.officer), client_of(stage.chair), client_of(stage.member)
    assert "Plan a meeting" in officer.get("/staff/meetings").text
    typed = {
        "tender": stage.tender.id,
        "starts_at": "10.09.2030 11:00",
        "chair": stage.chair.user_id,
        "secretary": stage.officer.user_id,
        "members": stage.member.user_id,
    }
    refused = officer.post("/staff/meetings/new", data=form(**typed))
    assert refused.status_code == 422
    assert "where the commission meets" in refused.text
    assert "10.09.2030 11:00" in refused.text
    answer = officer.post("/staff/meetings/new", data=form(**typed, place="Demo Hall"))
    assert answer.status_code == 303
    url = answer.location
    assert officer.post(f"{url}/items", data=form(question="")).status_code == 422
    assert officer.post(f"{url}/items", data=form(question=f"decision:{decision.id}")).status_code == 303
    assert officer.post(f"{url}/open", data=form()).status_code == 303
    assert officer.post(f"{url}/open", data=form()).status_code == 409
    for person in (stage.chair, stage.member):
        assert officer.post(f"{url}/members/{person.user_id}", data=form(present="yes")).status_code == 303
    session.expire_all()
    item = session.scalars(select(Meeting)).one()
    key = meeting_item(session, item)
    assert officer.post(f"/staff/meetings/items/{key}/open", data=form()).status_code == 303
    assert "Vote" in member.get(url).text
    assert 'href="#item-1"' in member.get(url).text
    assert member.post(f"/staff/meetings/items/{key}/vote", data=form(choice="")).status_code == 422
    for client in (chair, member):
        assert client.post(f"/staff/meetings/items/{key}/vote", data=form(choice="yes")).status_code == 303
    assert officer.post(f"/staff/meetings/items/{key}/close", data=form()).status_code == 303
    assert "Who voted how" in officer.get(url).text
    assert "Adopted, to be signed" in officer.get(f"{url}/money").text
    assert "Money as the commission decides" in officer.get(url).text
    assert officer.post(f"{url}/close", data=form()).status_code == 303
    assert "Money as the commission decides" not in officer.get(url).text, "balances of today say nothing of then"
    assert officer.post(f"{url}/minutes", data=form()).status_code == 303
    session.expire_all()
    row = minutes.of_meeting(session, item.id)
    assert row is not None
    digest = row.digest
    for client in (officer, chair):
        assert client.post(f"{url}/minutes/sign", data=form(digest=digest)).status_code == 303
    assert member.post(f"{url}/minutes/sign", data=form(digest=digest)).status_code == 403
    assert officer.get(f"{url}/minutes.pdf").data.startswith(b"%PDF")
    document = zipfile.ZipFile(io.BytesIO(officer.get(f"{url}/minutes.docx").data)).read("word/document.xml").decode()
    assert all(words in document for words in ("Demo Hall", digest, stage.application(0).number or "?"))


def meeting_item(session: Session, meeting: Meeting) -> Any:
    return session.scalars(select(AgendaItem.id).where(AgendaItem.meeting_id == meeting.id)).one()


def test_the_form_of_a_vote_does_not_give_it_away(session: Session, client_of: ClientOf) -> None:
    """The kept hash of the body is the same for every choice; the second one is the same vote sent twice."""
    stage = commission.stage(session, [{2018: 1}], ballot=Ballot.CLOSED)
    held = commission.sitting_of(stage)
    item = held.item(service.draft(session, stage.officer, stage.track.id))
    sitting.open_item(session, stage.officer, item.id)
    session.commit()
    first = form(choice="yes")
    url = f"/staff/meetings/items/{item.id}/vote"
    client = client_of(held.chair)
    assert client.post(url, data=first).status_code == 303
    session.expire_all()
    kept = session.get_one(FormKey, first["idempotency_key"]).body_hash
    assert client.post(url, data={**first, "choice": "no"}).status_code == 302
    second = {**form(choice="no")}
    assert client_of(held.members[0]).post(url, data=second).status_code == 303
    page = client_of(stage.officer).get(f"/staff/meetings/{held.meeting.id}").text
    assert "2 have voted." in page
    assert "Who voted how" not in page
    assert session.scalars(select(MemberVote)).all() == []
    assert kept == body_hash([(name, value) for name, value in first.items() if name not in ("choice", "csrf_token")])


def test_nobody_else_sees_the_agenda(session: Session, stage: Stage, sign_in: SignIn, client_of: ClientOf) -> None:
    held = commission.sitting_of(stage)
    held.item(title=WORDS)
    people = {role.value: identity.user(session, role) for role in Role}
    people["applicant"] = identity.member(session, identity.organisation(session))
    session.commit()
    url = f"/staff/meetings/{held.meeting.id}"
    for name, person in people.items():
        client = sign_in(person)
        shown = WORDS in client.get(url).text
        assert shown == (name not in ("commission", "reviewer", "applicant")), name
        listed = client.get("/staff/meetings")
        assert (f"/{held.meeting.id}" in listed.text) == shown, name
        assert (client.get(f"{url}/money").status_code == 200) == shown, name
    assert WORDS in client_of(held.members[0]).get(url).text


def test_queries_do_not_grow(session: Session, sign_in: SignIn, count_queries: Callable[[], Any]) -> None:
    def counted(number: int) -> list[int]:
        stage = commission.stage(session, [{2018: 1}])
        held = commission.sitting_of(stage, number)
        for _ in range(number):
            item = held.vote(held.item(), "yes", *["yes"] * number)
        assert item.state == "adopted"
        session.commit()
        client = sign_in(session.get_one(User, stage.officer.user_id))
        found = []
        for url in ("/staff/meetings", f"/staff/meetings/{held.meeting.id}"):
            with count_queries() as statements:
                assert client.get(url).status_code == 200
            found.append(len(statements))
        return found

    few = counted(1)
    assert counted(3) == few
    assert few == [2, 10]


@pytest.mark.parametrize("ballot", list(Ballot))
def test_a_meeting_takes_few_queries_in_every_state(
    session: Session, client_of: ClientOf, count_queries: Callable[[], Any], ballot: Ballot
) -> None:
    stage = commission.stage(session, [{2018: 1}, {2018: 1}], ballot=ballot)
    held = commission.sitting_of(stage)
    item = held.item(service.draft(session, stage.officer, stage.track.id))
    held.item()
    session.commit()
    url = f"/staff/meetings/{held.meeting.id}"
    readers = [client_of(person) for person in (stage.officer, stage.chair, held.members[0])]
    for client in readers:
        client.get("/?lang=en")  # opens the session

    def counted(shown: str) -> list[int]:
        session.commit()
        found = []
        for client in readers:
            with count_queries() as statements:
                assert shown in client.get(url).text
            found.append(len(statements))
        return found

    assert counted("Award list") == [10, 10, 9]
    sitting.open_item(session, stage.officer, item.id)
    sitting.vote(session, stage.chair, item.id, choice="yes")
    sitting.declare(session, held.members[1], item.id, reason="My brother works there")
    assert counted("1 have voted.") == [10, 10, 9]
    sitting.vote(session, held.members[0], item.id, choice="yes")
    sitting.close_item(session, stage.officer, item.id)
    assert counted("Do not take part") == [10, 10, 9]
    sitting.close_meeting(session, stage.officer, held.meeting.id)
    assert counted("The minutes are not written yet") == [7, 7, 7]
    written = minutes.write(session, stage.officer, held.meeting.id)
    minutes.sign(session, stage.officer, held.meeting.id, seen=written.digest)
    assert counted("Secretary: signed by") == [8, 8, 8]
