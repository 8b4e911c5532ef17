"""The pages of decisions, from the draft to the published list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import State
from portal.awards import service
from portal.awards.models import AwardDecision
from portal.budget import queries as budget
from portal.budget.models import Posting
from portal.identity.models import Membership, OrgRole, Role, User
from portal.identity.policy import Actor
from tests.conftest import form
from tests.factories import awards, identity, submissions, tenders
from tests.factories.awards import Stage

SignIn = Callable[[User], FlaskClient]


@pytest.fixture
def stage(session: Session) -> Stage:
    made = awards.stage(session, [{2018: 60, 2019: 10}, {2018: 50}, {2018: 1}], {2018: 100, 2019: 50}, declined=[2])
    session.commit()
    return made


@pytest.fixture
def client_of(session: Session, sign_in: SignIn) -> Callable[[Actor], FlaskClient]:
    return lambda actor: sign_in(session.get_one(User, actor.user_id))


ClientOf = Callable[[Actor], FlaskClient]


def track_url(stage: Stage) -> str:
    return f"/staff/decisions/tracks/{stage.track.id}"


def decision_of(session: Session) -> AwardDecision:
    session.expire_all()
    return session.scalars(select(AwardDecision).order_by(AwardDecision.created_at.desc()).limit(1)).one()


def test_from_draft_to_publication(session: Session, stage: Stage, client_of: ClientOf) -> None:
    chair, member, officer = client_of(stage.chair), client_of(stage.member), client_of(stage.officer)
    track = track_url(stage)
    assert "Draft the list" in chair.get(track).text
    assert "Draft the list" not in member.get(track).text
    answer = chair.post(f"{track}/draft", data=form())
    assert (answer.status_code, answer.location) == (303, track)
    decision = decision_of(session)
    drafted = chair.get(track).text
    assert "Drafted, to be signed" in drafted
    assert "In 2018 it asks for RUB\u00a050, but RUB\u00a040 is left: reserve list." in drafted
    assert "You drafted this list" in drafted
    assert "Check and sign" not in drafted
    sign = f"/staff/decisions/{decision.id}/sign"
    page = member.get(sign)
    assert "Sign and book" in page.text
    sent = form(version="1")
    assert (member.post(sign, data=sent).status_code, member.post(sign, data=sent).status_code) == (303, 302)
    assert budget.available(session, stage.tender.programme_id, stage.track.track) == {2018: 40, 2019: 40}
    assert "Publish the results" in officer.get(track).text
    assert "Publish the results" not in member.get(track).text
    version = decision_of(session).version
    published = officer.post(f"/staff/decisions/{decision.id}/publish", data=form(version=version))
    assert published.status_code == 303
    assert "Published" in officer.get(track).text
    assert officer.post(f"/staff/decisions/{decision.id}/publish", data=form(version=version)).status_code == 409


def test_refusals_say_why_and_write_nothing(session: Session, stage: Stage, client_of: ClientOf) -> None:
    chair, member = client_of(stage.chair), client_of(stage.member)
    chair.post(f"{track_url(stage)}/draft", data=form())
    again = chair.post(f"{track_url(stage)}/draft", data=form())
    assert (again.status_code, "There is a list for this track already" in again.text) == (409, True)
    decision = decision_of(session)
    sign = f"/staff/decisions/{decision.id}/sign"
    own = chair.post(sign, data=form(version="1"))
    assert (own.status_code, "You drafted this list" in own.text) == (403, True)
    stale = member.post(sign, data=form(version="7"))
    assert (stale.status_code, "Somebody else changed this" in stale.text) == (409, True)
    organisation = stage.application(0).initiator_id
    session.add(Membership(user_id=stage.member.user_id, organisation_id=organisation, role=OrgRole.VIEWER))
    session.commit()
    page = member.get(sign).text
    assert "Nobody decides on a project of an organisation they belong to" in page
    assert "Sign and book" not in page
    assert member.post(sign, data=form(version="1")).status_code == 403
    assert session.scalars(select(Posting).where(Posting.kind == "reserve")).all() == []
    assert decision_of(session).signed_at is None
    assert chair.post(f"/staff/decisions/{decision.id}/discard", data=form(version="1")).status_code == 303
    assert "Draft the list" in chair.get(track_url(stage)).text
    assert member.get(sign).status_code == 200


def test_problems_of_a_draft_are_listed(session: Session, stage: Stage, client_of: ClientOf) -> None:
    stage.application(0).state = "submitted"
    stage.application(1).state = "submitted"
    session.commit()
    answer = client_of(stage.chair).post(f"{track_url(stage)}/draft", data=form())
    assert answer.status_code == 422
    assert answer.text.count("the formal check is not finished") == 2
    assert all(f'href="/staff/applications/{stage.application(at).id}/check"' in answer.text for at in (0, 1))


def test_problems_of_a_draft_lead_to_the_run_that_is_missing(session: Session, client_of: ClientOf) -> None:
    tender = tenders.closed_tender(session)
    submissions.submitted(session, tender, submissions.varied(1), state=State.EXPERTISE)
    chair, place = awards.person(session, Role.CHAIR), submissions.track_of(tender, awards.IS).id
    session.commit()
    answer = client_of(chair).post(f"/staff/decisions/tracks/{place}/draft", data=form())
    assert (answer.status_code, '<li><a href="/staff/scoring">' in answer.text) == (422, True)


def test_pages_by_role(session: Session, sign_in: SignIn, stage: Stage) -> None:
    decision = service.draft(session, stage.chair, stage.track.id)
    people = {role.value: identity.user(session, role) for role in Role}
    people["member"] = identity.member(session, identity.organisation(session))
    session.commit()
    reading = ["/staff/decisions", track_url(stage)]
    actions = [f"{track_url(stage)}/draft", *(f"/staff/decisions/{decision.id}/{v}" for v in ("discard", "publish"))]
    seen: dict[str, Any] = {}
    for name, person in people.items():
        client = sign_in(person)
        seen[name] = (
            {client.get(url).status_code for url in reading},
            [client.post(url, data=form(version="99")).status_code for url in actions],
            client.get(f"/staff/decisions/{decision.id}/sign").status_code,
        )
    assert seen == {
        "administrator": ({200}, [403, 403, 403], 403),
        "officer": ({200}, [409, 409, 409], 403),
        "chair": ({200}, [409, 409, 409], 200),
        "commission": ({200}, [403, 403, 403], 200),
        "auditor": ({200}, [403, 403, 403], 403),
        "director": ({200}, [403, 403, 403], 200),
        "finance": ({200}, [403, 403, 403], 200),
        "reviewer": ({403}, [403, 403, 403], 403),
        "member": ({404}, [404, 404, 404], 404),
    }


@pytest.mark.parametrize(
    ("rules", "numbers"),
    [({}, [2, 6, 10]), ({"allotment": "partial", "tie_rules": ["draw", "number"]}, [2, 7, 12])],
)
def test_number_of_queries_does_not_grow(
    session: Session,
    client_of: ClientOf,
    count_queries: Callable[[], Any],
    rules: dict[str, Any],
    numbers: list[int],
) -> None:
    """The list, the track and the signature; the last project fits in part."""

    def counted(lines: int) -> list[int]:
        stage = awards.stage(session, [*[{2018: 1}] * lines, {2018: 120}], {2018: 100})
        awards.ruled(stage, **rules)
        decision = service.draft(session, stage.chair, stage.track.id)
        session.commit()
        client = client_of(stage.member)
        client.get("/staff/decisions")  # the session's CSRF token is made and stored once
        found = []
        for url in ("/staff/decisions", track_url(stage), f"/staff/decisions/{decision.id}/sign"):
            with count_queries() as statements:
                assert client.get(url).status_code == 200
            found.append(len(statements))
        return found

    assert counted(1) == counted(3) == numbers
