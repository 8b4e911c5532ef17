"""The pages of an offer: the chair sends it, the initiator reads and answers it, nobody else sees it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.awards import service
from portal.awards.models import AwardDecision
from portal.awards.offers import agenda
from portal.awards.offers import service as offers
from portal.awards.offers.models import AwardOffer
from portal.identity.models import Membership, OrgRole, User
from portal.identity.policy import Actor
from portal.identity.queries import load_actor
from tests.conftest import form
from tests.factories import awards, identity
from tests.factories.awards import Stage, ruled

SignIn = Callable[[User], FlaskClient]
ROUBLES = "RUB\u00a0"


@pytest.fixture
def stage(session: Session) -> Stage:
    """The second fits only in part: 40 of 50."""
    made = awards.stage(session, [{2018: 60}, {2018: 50}, {2018: 30}], {2018: 100})
    ruled(made, allotment="partial")
    service.draft(session, made.chair, made.track.id)
    session.commit()
    return made


def person_of(stage: Stage, place: int, role: OrgRole = OrgRole.OWNER) -> User:
    person = identity.user(stage.session)
    organisation = stage.application(place).initiator_id
    stage.session.add(Membership(user_id=person.id, organisation_id=organisation, role=role))
    stage.session.commit()
    return person


def test_from_the_draft_to_the_answer(session: Session, stage: Stage, sign_in: SignIn) -> None:
    def client_of(actor: Actor) -> FlaskClient:
        return sign_in(session.get_one(User, actor.user_id))

    chair, member = client_of(stage.chair), client_of(stage.member)
    owner, editor = sign_in(person_of(stage, 1)), sign_in(person_of(stage, 1, OrgRole.EDITOR))
    other = sign_in(person_of(stage, 0))
    decision = session.scalars(select(AwardDecision)).one().id
    track = f"/staff/decisions/tracks/{stage.track.id}"
    application = f"/applications/{stage.applications[1]}"
    page = f"{application}/offer"
    assert owner.get(page).status_code == 404
    assert "Send the offers" in chair.get(track).text
    shown = member.get(track).text
    assert "Not asked yet" in shown
    assert "Send the offers" not in shown
    assert "Check and sign" not in shown
    assert member.post(f"/staff/decisions/{decision}/offers", data=form()).status_code == 403
    assert chair.post(f"/staff/decisions/{decision}/offers", data=form(version="99")).status_code == 409
    assert chair.post(f"/staff/decisions/{decision}/offers", data=form()).status_code == 303
    assert chair.post(f"/staff/decisions/{decision}/offers", data=form()).status_code == 409
    assert "Waits for the answer" in chair.get(track).text
    refused = member.post(f"/staff/decisions/{decision}/sign", data=form())
    assert (refused.status_code, "Wait for the answer" in refused.text) == (409, True)
    assert "A part of the subsidy is offered: an answer is needed" in editor.get(application).text
    assert page not in editor.get(application).text
    assert "the initiator has to answer the offer" in editor.get(application).text
    assert "You need not do anything" not in editor.get(application).text
    assert editor.get(page).status_code == 403
    assert other.get(page).status_code == 404
    assert chair.get(page).status_code == 404
    shown = owner.get(page).text
    assert page in owner.get(application).text
    assert page in owner.get("/applications/").text
    assert page not in editor.get("/applications/").text + other.get("/applications/").text
    for amount in ("50", "40", "10"):
        assert f"{ROUBLES}{amount}" in shown
    assert "MSK" in shown
    offer = str(session.scalars(select(AwardOffer.id)).one())
    for fields, said in (
        ({}, "Choose yes or no"),
        ({"answer": "no", "reason": " "}, "Give the reason"),
    ):
        refused = owner.post(page, data=form(offer=offer, **fields))
        assert (refused.status_code, said in refused.text) == (422, True)
    assert owner.post(page, data=form(offer="nonsense", answer="yes")).status_code == 404
    with owner.session_transaction() as cookies:
        cookies["fs_paa"] = cookies["fs_paa"] - 3600
    refused = owner.post(page, data=form(offer=offer, answer="no", reason="Only the whole"))
    assert refused.status_code == 422
    assert "Enter your password again" in refused.text
    assert "Only the whole" in refused.text
    with owner.session_transaction() as cookies:
        cookies["fs_paa"] = cookies["fs_paa"] + 3600
    assert owner.post(page, data=form(offer=offer, answer="no", reason="Only the whole")).status_code == 303
    again = owner.post(page, data=form(offer=offer, answer="yes"))
    assert (again.status_code, "answered already" in again.text) == (409, True)
    answered = owner.get(page).text
    assert ("You have not agreed to the part" in answered, "When it was answered" in answered) == (True, True)
    assert "decides on a list without it" in owner.get(application).text
    assert page in owner.get(application).text
    assert page not in owner.get("/applications/").text
    history = owner.get(f"{application}/history").text
    assert "A part of the subsidy offered" in history
    assert "Offer of a part of the subsidy answered" in history
    shown = chair.get(track).text
    assert "Only the whole" in shown
    assert member.post(f"/staff/decisions/{decision}/redraft", data=form()).status_code == 403
    assert chair.post(f"/staff/decisions/{decision}/redraft", data=form(version="99")).status_code == 409
    assert chair.post(f"/staff/decisions/{decision}/redraft", data=form()).status_code == 303
    assert chair.post(f"/staff/decisions/{decision}/redraft", data=form()).status_code == 409
    assert "did not agree: reserve list" in chair.get(track).text
    assert "Check and sign" in member.get(track).text


def test_the_last_instant_is_in_the_calendar_of_whoever_may_answer(session: Session, stage: Stage) -> None:
    decision = session.scalars(select(AwardDecision)).one()
    (offer,) = offers.send(session, stage.chair, decision.id)
    people = [(1, OrgRole.OWNER), (1, OrgRole.EDITOR), (0, OrgRole.OWNER)]
    read = [load_actor(session, person_of(stage, place, role)) for place, role in people]
    found = [agenda.due(session, actor, offer.sent_at) for actor in read]
    assert [[event.at for event in events] for events in found] == [[offer.due_at], [], []]
    offers.withdraw_all(session, stage.chair, decision)
    assert agenda.due(session, read[0], offer.sent_at) == []


def test_what_the_rules_say_of_parts_is_public(stage: Stage, client: FlaskClient) -> None:
    ruled(stage, allotment="partial", offer_days=7, smallest_part="60")
    stage.session.commit()
    shown = client.get(f"/tenders/{stage.tender.code}/rules/{stage.track.track}?lang=en").text
    assert "60 % of what was asked for each year, and has 7 working days to agree" in shown.replace("\u00a0", " ")
