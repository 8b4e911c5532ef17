"""The pages of conflicts and ties: what they show, what they change, and from whom they keep silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.identity.models import Membership, Organisation, OrgRole, Role, User
from portal.review import conflict_queries, ties
from portal.review.conflict_models import ConflictRow, OrganisationOwner, PersonTie
from portal.review.conflicts import Edge, Kind
from portal.web.conflict_picture import draw
from tests.factories import identity, review

SignIn = Callable[[User], FlaskClient]


@pytest.fixture
def application(session: Session) -> Application:
    return review.admitted(session)


@pytest.fixture
def expert(session: Session) -> User:
    return identity.user(session, Role.REVIEWER, name="Expert Seven")


def typed(firm: Organisation, kind: str = "employment", **more: str) -> dict[str, str]:
    return {"idempotency_key": str(uuid4()), "inn": firm.inn, "kind": kind, **more}


def initiator(session: Session, application: Application) -> Organisation:
    return session.get_one(Organisation, application.initiator_id)


def conflict(session: Session, person: User, application: Application, kind: str = "other") -> ConflictRow:
    values = {"inn": initiator(session, application).inn, "kind": kind}
    ties.declare(session, identity.actor(session, person), user_id=person.id, values=values)
    held = conflict_queries.kept_for(session, person.id, application.id)
    assert held is not None
    session.commit()
    return held


def test_the_own_ties(session: Session, sign_in: SignIn, application: Application, expert: User) -> None:
    firm = initiator(session, application)
    client = sign_in(expert)
    assert "No ties are known" in client.get("/ties").text
    refused = client.post("/ties", data=typed(firm, "ownership", share="a lot", note="kept words"))
    assert refused.status_code == 422
    assert "kept words" in refused.text
    assert client.post("/ties", data=typed(firm)).status_code == 303
    row = session.scalars(select(PersonTie)).one()
    assert firm.name_ru in client.get("/ties").text
    late = client.post(f"/ties/{row.id}/end", data={"idempotency_key": str(uuid4()), "until": "31.12.2099"})
    assert late.status_code == 422
    assert "31.12.2099" in late.text
    ended = client.post(f"/ties/{row.id}/end", data={"idempotency_key": str(uuid4()), "until": "31.12.2017"})
    assert ended.status_code == 303
    other = sign_in(identity.user(session, Role.REVIEWER))
    assert firm.name_ru not in other.get("/ties").text
    again = {"idempotency_key": str(uuid4()), "until": "30.12.2017"}
    assert other.post(f"/ties/{row.id}/end", data=again).status_code == 404


def test_the_officer_decides_on_several_at_once_all_or_none(
    session: Session, sign_in: SignIn, application: Application, expert: User
) -> None:
    people = [expert, identity.user(session, Role.REVIEWER, name="Expert Eight")]
    rows = [conflict(session, person, application) for person in people]
    client = sign_in(identity.user(session, Role.OFFICER))
    page = client.get("/staff/conflicts?lang=en").text
    chosen = [f"{row.id}:{row.version}" for row in rows]
    assert all(f'value="{value}"' in page for value in chosen)

    def post(**fields: Any) -> Any:
        return client.post("/staff/conflicts?lang=en", data={"idempotency_key": str(uuid4()), **fields})

    nothing = post(ruling="waived", reason="Met once.")
    assert (nothing.status_code, "Choose between 1 and 100 conflicts." in nothing.text) == (422, True)
    unsaid = post(chosen=chosen, ruling="waived", reason="")
    assert (unsaid.status_code, unsaid.text.count(" checked")) == (422, 3)
    assert post(chosen=[chosen[0], f"{rows[1].id}:99"], ruling="waived", reason="Met once.").status_code == 409
    session.expire_all()
    assert [row.ruling for row in rows] == [None, None]
    assert post(chosen=chosen, ruling="waived", reason="Met once.").status_code == 303
    session.expire_all()
    assert [(row.ruling, row.reason) for row in rows] == [("waived", "Met once.")] * 2
    reader = sign_in(identity.user(session, Role.AUDITOR))
    session.commit()
    assert 'name="chosen"' not in reader.get("/staff/conflicts").text
    assert reader.post("/staff/conflicts", data={"idempotency_key": str(uuid4())}).status_code in (403, 404)


def test_the_officer_decides_on_a_soft_conflict(
    session: Session, sign_in: SignIn, application: Application, expert: User
) -> None:
    row = conflict(session, expert, application)
    officer = sign_in(identity.user(session, Role.OFFICER))
    listed = officer.get("/staff/conflicts").text
    assert "Expert Seven has declared another tie to" in listed
    assert application.number in listed
    page = officer.get(f"/staff/conflicts/{row.id}").text
    assert "<svg" in page
    assert "Expert Seven" in page
    given = {"idempotency_key": str(uuid4()), "version": str(row.version), "ruling": "waived", "reason": ""}
    assert officer.post(f"/staff/conflicts/{row.id}", data=given).status_code == 422
    given |= {"idempotency_key": str(uuid4()), "reason": "They met once."}
    assert officer.post(f"/staff/conflicts/{row.id}", data=given).status_code == 303
    assert "Nothing waits for a decision" in officer.get("/staff/conflicts").text
    assert "They met once." in officer.get(f"/staff/conflicts/{row.id}").text
    assert officer.get(f"/staff/conflicts/{uuid4()}").status_code == 404


def test_nobody_reads_of_conflicts_who_should_not(
    session: Session, sign_in: SignIn, application: Application, expert: User
) -> None:
    """Not the applicants, not the reviewer's colleagues, not the commission, not an officer of a participant."""
    row = conflict(session, expert, application, "employment")
    owner = session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organisation_id == application.initiator_id)
    ).first()
    tied = identity.user(session, Role.OFFICER)
    session.add(Membership(user_id=tied.id, organisation_id=application.initiator_id, role=OrgRole.VIEWER))
    session.commit()
    assert owner is not None
    for person in (owner, expert, identity.user(session, Role.REVIEWER), identity.user(session, Role.CHAIR)):
        session.commit()
        client = sign_in(person)
        for path in ("", f"/{row.id}", "/people", f"/people/{expert.id}", "/owners"):
            assert client.get(f"/staff/conflicts{path}").status_code in (403, 404)
    assert "Expert Seven" not in sign_in(tied).get("/staff/conflicts?show=all").text
    assert sign_in(tied).get(f"/staff/conflicts/{row.id}").status_code == 403
    assert sign_in(owner).get("/ties").status_code == 404
    assert "Expert Seven" not in sign_in(owner).get(f"/applications/{application.id}/history").text


def test_the_officer_keeps_the_ties_of_people(
    session: Session, sign_in: SignIn, application: Application, expert: User
) -> None:
    firm = initiator(session, application)
    officer = sign_in(identity.user(session, Role.OFFICER))
    place = f"/staff/conflicts/people/{expert.id}"
    assert "Expert Seven" in officer.get("/staff/conflicts/people").text
    assert officer.post(place, data=typed(firm)).status_code == 422
    assert officer.post(place, data=typed(firm, source="Register extract")).status_code == 303
    assert "Register extract" in officer.get(place).text
    row = session.scalars(select(PersonTie)).one()
    late = {"idempotency_key": str(uuid4()), "until": "31.12.2099"}
    assert officer.post(f"{place}/ties/{row.id}/end", data=late).status_code == 422
    over = {"idempotency_key": str(uuid4()), "until": "31.12.2017"}
    assert officer.post(f"{place}/ties/{row.id}/end", data=over).status_code == 303
    wrong = {"idempotency_key": str(uuid4()), "reason": "Another person"}
    assert officer.post(f"{place}/ties/{row.id}/strike", data=wrong).status_code == 303
    assert "Another person" in officer.get(place).text
    again = {"idempotency_key": str(uuid4()), "reason": "Another person"}
    assert officer.post(f"{place}/ties/{row.id}/strike", data=again).status_code == 409
    stranger = identity.user(session)
    session.commit()
    assert officer.get(f"/staff/conflicts/people/{stranger.id}").status_code == 404


def test_owners_are_entered_and_struck_out(session: Session, sign_in: SignIn, application: Application) -> None:
    officer = sign_in(identity.user(session, Role.OFFICER))
    firm, parent = initiator(session, application), identity.organisation(session)
    session.commit()
    given = {"idempotency_key": str(uuid4()), "owner_inn": parent.inn, "owned_inn": firm.inn, "share": "60"}
    assert officer.post("/staff/conflicts/owners", data=given).status_code == 422
    given |= {"idempotency_key": str(uuid4()), "source": "Register extract"}
    assert officer.post("/staff/conflicts/owners", data=given).status_code == 303
    assert parent.name_ru in officer.get("/staff/conflicts/owners").text
    row = session.scalars(select(OrganisationOwner)).one()
    wrong = {"idempotency_key": str(uuid4()), "reason": "Sold"}
    assert officer.post(f"/staff/conflicts/owners/{row.id}/strike", data=wrong).status_code == 303
    assert "Struck out" in officer.get("/staff/conflicts/owners").text


def test_conflicts_stand_where_reviewers_are_assigned(
    session: Session, sign_in: SignIn, application: Application, expert: User
) -> None:
    conflict(session, expert, application, "employment")
    officer = sign_in(identity.user(session, Role.OFFICER))
    page = officer.get(f"/staff/applications/{application.id}/reviews").text
    assert "Expert Seven works for" in page
    box = page[: page.index(f'value="{expert.id}"') + 200]
    assert "disabled" in box[-200:]
    chair = sign_in(identity.user(session, Role.CHAIR))
    assert "works for" not in chair.get(f"/staff/applications/{application.id}/reviews").text


def test_the_reviewer_reads_what_the_portal_found_and_declares_later(
    session: Session, sign_in: SignIn, application: Application
) -> None:
    row = review.assigned(session, application)[0]
    person = session.get_one(User, row.reviewer_id)
    conflict(session, person, application)
    client = sign_in(person)
    place = f"/reviews/{row.id}"
    assert "has declared another tie to" in client.get(f"{place}/declaration").text
    review.reviewed(session, row)
    session.commit()
    assert "Declare a conflict of interest" in client.get(f"{place}/review").text
    given: dict[str, Any] = {"idempotency_key": str(uuid4()), "version": str(row.version), "explanation": ""}
    assert client.post(f"{place}/declaration", data=given).status_code == 422
    given |= {"idempotency_key": str(uuid4()), "explanation": "An offer of the initiator."}
    assert client.post(f"{place}/declaration", data=given).status_code == 303
    session.refresh(row)
    assert (row.state, row.conflict) == ("conflict", "An offer of the initiator.")
    assert client.get(place).status_code == 404


def test_lists_take_a_fixed_number_of_queries(
    session: Session, sign_in: SignIn, application: Application, count_queries: Callable[[], Any]
) -> None:
    officer = sign_in(identity.user(session, Role.OFFICER))
    session.commit()
    counted = []
    for _round in range(2):
        for _person in range(1 if not counted else 2):
            conflict(session, identity.user(session, Role.REVIEWER), application)
        sizes = []
        for path in ("/staff/conflicts?show=all", "/staff/conflicts/people", "/staff/conflicts/owners"):
            officer.get(path)
            with count_queries() as statements:
                officer.get(path)
            sizes.append(len(statements))
        counted.append(sizes)
    assert counted[0] == counted[1]


def test_the_picture_draws_shared_steps_once() -> None:
    def edge(kind: Kind, left: str, right: str) -> Edge:
        return Edge(kind, {"ru": left, "en": left}, {"ru": right, "en": right})

    first = (edge(Kind.EMPLOYMENT, "P", "A"), edge(Kind.SUPPLIES, "A", "B"), edge(Kind.INITIATOR, "B", "JP-1"))
    second = (edge(Kind.EMPLOYMENT, "P", "A"), edge(Kind.PARTNERS, "A", "C"), edge(Kind.PARTICIPANT, "C", "JP-1"))
    picture = draw([first, second], "en")
    assert [box.words for box in sorted(picture.boxes, key=lambda box: (box.x, box.y))] == ["P", "A", "B", "C", "JP-1"]
    assert [arrow.number for arrow in picture.arrows] == [1, 2, 3, 4, 5]
    boxes = [(box.x, box.y) for box in picture.boxes]
    assert len(set(boxes)) == len(boxes)
    assert all(box.x + 150 <= picture.width and box.y + 48 <= picture.height for box in picture.boxes)
