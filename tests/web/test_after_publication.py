"""The pages after publication: refusal, proposal, correction, appeal; who gets in, and what is shown to whom."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.awards import amending, jobs, service
from portal.awards.commission.appeal_models import Appeal
from portal.awards.models import Award, AwardDecision
from portal.awards.reserve_models import ReserveProposal
from portal.core.jobs import Claim, Task
from portal.identity.models import Membership, OrgRole, Role, User
from portal.identity.policy import Actor
from tests.awards.test_later_limits import ONE_EACH, of_track, refuse, returned
from tests.conftest import form
from tests.factories import awards, identity
from tests.factories.awards import Stage

SignIn = Callable[[User], FlaskClient]
ClientOf = Callable[[Actor], FlaskClient]
CANARY = "CANARY-APPEAL-83b1"


@pytest.fixture
def stage(session: Session) -> Stage:
    """An award of 60, a reserve list of 50 and 30; signed and published."""
    made = awards.stage(session, [{2018: 60}, {2018: 50}, {2018: 30}], {2018: 100})
    decision = service.draft(session, made.chair, made.track.id)
    service.sign(session, made.member, decision.id)
    service.publish(session, made.officer, decision.id)
    session.commit()
    return made


@pytest.fixture
def client_of(session: Session, sign_in: SignIn) -> ClientOf:
    return lambda actor: sign_in(session.get_one(User, actor.user_id))


def person_of(stage: Stage, place: int, role: OrgRole = OrgRole.OWNER) -> User:
    person = identity.user(stage.session)
    organisation = stage.application(place).initiator_id
    stage.session.add(Membership(user_id=person.id, organisation_id=organisation, role=role))
    stage.session.commit()
    return person


def test_a_refusal_and_the_decision_that_follows(
    session: Session, stage: Stage, sign_in: SignIn, client_of: ClientOf
) -> None:
    owner = sign_in(person_of(stage, 0))
    application = f"/applications/{stage.applications[0]}"
    assert "Refuse the subsidy" in owner.get(application).text
    page = f"{application}/award/refuse"
    assert "RUB\u00a060" in owner.get(page).text
    assert owner.post(page, data=form(reason=" ")).status_code == 422
    assert owner.post(page, data=form(reason="No co-financing")).status_code == 303
    assert owner.post(page, data=form(reason="Again")).status_code == 409
    assert owner.get(page).status_code == 404
    assert "The initiator has refused the subsidy" in owner.get(application).text
    for task in session.scalars(select(Task).where(Task.kind == "propose_reserve")).all():
        jobs.propose_reserve(session, task.payload, Claim(task.id, task.number, 1, task.kind, task.payload, 1))
    session.commit()
    chair = client_of(stage.chair)
    track = f"/staff/decisions/tracks/{stage.track.id}"
    assert "2 projects are next" in chair.get(track).text
    assert "projects are next" not in client_of(stage.member).get(track).text
    proposal = session.scalars(select(ReserveProposal)).one()
    url = f"/staff/decisions/reserve/{proposal.id}"
    assert url in chair.get("/staff/decisions").text
    assert url not in client_of(stage.member).get("/staff/decisions").text
    assert "Reserve lists that can move up" in chair.get("/staff").text
    assert (stage.application(1).number or "?") in chair.get(url).text
    assert chair.post(f"{url}/draft", data=form(grounds="")).status_code == 422
    assert chair.post(f"{url}/dismiss", data=form(reason="")).status_code == 422
    assert "Refused by the initiator" in chair.get(track).text
    assert chair.post(f"{url}/draft", data=form(grounds="Money has returned")).status_code == 303
    assert chair.post(f"{url}/dismiss", data=form(reason="Late")).status_code == 409
    assert "Decision No. 2" in chair.get(track).text
    session.expire_all()
    old = session.scalars(select(AwardDecision).where(AwardDecision.number == 1)).one()
    assert "A later decision follows this one" in chair.get(f"/staff/decisions/{old.id}").text
    new = session.scalars(select(AwardDecision).where(AwardDecision.number == 2)).one()
    assert "Money has returned" in client_of(stage.member).get(f"/staff/decisions/{new.id}/sign").text
    service.sign(session, stage.member, new.id)
    service.publish(session, stage.officer, new.id)
    session.commit()
    own = sign_in(person_of(stage, 1)).get(f"/applications/{stage.applications[1]}").text
    assert "The published result was changed: decision No. 2 of" in own
    assert f"/tenders/{stage.tender.code}/results#chain-{stage.track.track}" in own
    assert "The published result was changed" not in owner.get(application).text
    public = sign_in(person_of(stage, 1)).get(f"/tenders/{stage.tender.code}/results").text
    assert "Refused by the initiator" in public
    assert "Money has returned" in public
    for said in ("What it decided", "Changed by decision No. 2"):
        assert said in public


def test_a_correction_keeps_what_was_typed(session: Session, stage: Stage, client_of: ClientOf) -> None:
    officer = client_of(stage.officer)
    page = f"/staff/decisions/tracks/{stage.track.id}/correct"
    assert "Reserve list" in officer.get(page).text
    typed: dict[str, Any] = {"application": stage.applications[1], "outcome": "award", "grounds": "Ruling"}
    bad = officer.post(page, data=form(**typed, **{"amount-2018": "forty"}))
    assert (bad.status_code, "forty" in bad.text, "Ruling" in bad.text) == (422, True, True)
    assert officer.post(page, data=form(grounds="Ruling")).status_code == 422
    none = officer.post(page, data=form(**typed))
    assert "An award has an amount in at least one year." in none.text
    assert officer.post(page, data=form(**typed, **{"amount-2018": "40"})).status_code == 303
    again = officer.post(page, data=form(**typed, **{"amount-2018": "35"}))
    assert (again.status_code, "before it is published" in again.text) == (409, True)


def test_an_appeal_is_read_by_its_side_and_the_fund(session: Session, stage: Stage, sign_in: SignIn) -> None:
    owner = sign_in(person_of(stage, 1))
    overview = f"/applications/{stage.applications[1]}"
    page = f"{overview}/appeal"
    first = owner.get(overview).text
    assert "Appeal against the decision" in first
    assert "0.11 points were lacking to the last project that was supported (90.01)." in first
    winner = sign_in(person_of(stage, 0)).get(f"/applications/{stage.applications[0]}").text
    assert "What would have moved it above the line" not in winner
    assert owner.post(page, data=form(text="")).status_code == 422
    assert owner.post(page, data=form(text=CANARY)).status_code == 303
    assert "What became of your appeal" in owner.get(overview).text
    assert CANARY in owner.get(page).text
    assert owner.post(page, data=form(text="Again")).status_code == 409
    assert sign_in(person_of(stage, 1, OrgRole.VIEWER)).get(page).status_code == 403
    assert sign_in(person_of(stage, 2)).get(page).status_code == 404
    session.expire_all()
    row = session.scalars(select(Appeal)).one()
    url = f"/staff/appeals/{row.id}"
    people = {role.value: identity.user(session, role) for role in Role}
    people["applicant"] = identity.member(session, identity.organisation(session))
    session.commit()
    for name, person in people.items():
        client = sign_in(person)
        reads = name not in ("reviewer", "applicant")
        assert (CANARY in client.get(url).text) == reads, name
        assert (client.get("/staff/appeals").status_code == 200) == reads, name
    director = sign_in(people["director"])
    assert director.post(f"{url}/examine", data=form(version=1, reason="Yes")).status_code == 422
    assert director.post(f"{url}/examine", data=form(version=1, verdict="admit", reason="")).status_code == 422
    assert director.post(f"{url}/examine", data=form(version=1, verdict="admit", reason="In time")).status_code == 303
    stale = director.post(f"{url}/decide", data=form(version=1, verdict="uphold", reason="Right"))
    assert stale.status_code == 409
    own = sign_in(session.get_one(User, stage.chair.user_id))
    assert "Somebody else decides on this appeal" in own.get(url).text
    assert own.post(f"{url}/decide", data=form(version=2, verdict="uphold", reason="Right")).status_code == 403
    assert director.post(f"{url}/decide", data=form(version=2, verdict="uphold", reason="Right")).status_code == 303
    assert "Upheld" in owner.get(page).text
    assert "Correct the published result" in sign_in(people["officer"]).get(url).text


def test_an_upheld_appeal_leads_to_the_correction_it_requires(session: Session, stage: Stage, sign_in: SignIn) -> None:
    sign_in(person_of(stage, 1)).post(f"/applications/{stage.applications[1]}/appeal", data=form(text="Wrong points"))
    officer = sign_in(session.get_one(User, stage.officer.user_id))
    row = session.scalars(select(Appeal)).one()
    url, correct = f"/staff/appeals/{row.id}", f"/staff/decisions/tracks/{stage.track.id}/correct"
    assert officer.get(f"{correct}?appeal={row.id}").status_code == 404
    officer.post(f"{url}/examine", data=form(version=1, verdict="admit", reason="In time"))
    ruled = officer.post(f"{url}/decide", data=form(version=2, verdict="uphold", reason="CR-07 was counted wrongly"))
    assert (ruled.status_code, ruled.location) == (303, f"{correct}?appeal={row.id}")
    shown = officer.get(ruled.location).text
    assert f'<option value="{stage.applications[1]}" selected>' in shown
    assert 'value="50"' in shown
    assert "CR-07 was counted wrongly" in shown
    assert f"appeal={row.id}" in officer.get(url).text
    other = awards.stage(session, [{2018: 60}], {2018: 100})
    session.commit()
    assert officer.get(f"/staff/decisions/tracks/{other.track.id}/correct?appeal={row.id}").status_code == 404
    typed = {"application": str(stage.applications[1]), "outcome": "award", "grounds": "Ruling", "amount-2018": "40.00"}
    assert officer.post(ruled.location, data=form(**typed)).status_code == 303
    assert "The correction is drafted" in officer.get(f"/staff/decisions/tracks/{stage.track.id}").text


@pytest.mark.parametrize(
    ("place", "outcome", "amounts"),
    [(0, Award.AWARD, {2018: 60}), (1, Award.AWARD, {2018: 50}), (2, Award.RESERVE, {})],
)
def test_what_an_upheld_appeal_asks_for_at_first_sight(
    session: Session, place: int, outcome: Award, amounts: dict[int, int]
) -> None:
    made = awards.stage(session, [{2018: 60}, {2018: 50}, {2018: 30}], {2018: 100}, declined=[2])
    decision = service.draft(session, made.chair, made.track.id)
    service.sign(session, made.member, decision.id)
    service.publish(session, made.officer, decision.id)
    line = amending.in_force(session, made.track.id)[made.applications[place]]
    change = amending.better(session, line)
    assert (change.application_id, change.outcome, change.amounts) == (made.applications[place], outcome, amounts)


@pytest.mark.parametrize("number", [1, 3])
def test_what_an_applicant_reads_of_a_decided_application_asks_seldom(
    session: Session, sign_in: SignIn, count_queries: Callable[[], Any], number: int
) -> None:
    made = awards.stage(session, [{2018: 1}] * number, {2018: 100})
    decision = service.draft(session, made.chair, made.track.id)
    service.sign(session, made.member, decision.id)
    service.publish(session, made.officer, decision.id)
    client = sign_in(person_of(made, 0))
    client.post(f"/applications/{made.applications[0]}/appeal", data=form(text="Wrong points"))
    asked = {}
    client.get("/")  # takes what the appeal said
    for path in ("", "/appeal"):
        with count_queries() as statements:
            asked[path] = client.get(f"/applications/{made.applications[0]}{path}").status_code, len(statements)
    assert asked == {"": (200, 12), "/appeal": (200, 5)}


def test_the_list_of_appeals_asks_a_fixed_number_of_times(
    session: Session, sign_in: SignIn, count_queries: Callable[[], Any]
) -> None:
    reader = identity.user(session, Role.AUDITOR)

    def counted(number: int) -> int:
        made = awards.stage(session, [{2018: 1}] * number, {2018: 100})
        decision = service.draft(session, made.chair, made.track.id)
        service.sign(session, made.member, decision.id)
        service.publish(session, made.officer, decision.id)
        for place in range(number):
            sign_in(person_of(made, place)).post(
                f"/applications/{made.applications[place]}/appeal", data=form(text="Wrong points")
            )
        with count_queries() as statements:
            page = sign_in(reader).get("/staff/appeals").text
        assert page.count("/staff/appeals/") >= number
        return len(statements)

    assert counted(1) == counted(3) <= 9


def test_the_day_of_an_instant_is_that_of_moscow(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "en"}):
        shown = app.jinja_env.filters["date"]
        assert (shown(datetime(2018, 9, 30, 22, 0, tzinfo=UTC)), shown(date(2018, 9, 30))) == (
            "1 Oct 2018",
            "30 Sep 2018",
        )


def test_what_later_decisions_do_to_limits_is_shown_before_they_are_signed(
    session: Session, client_of: ClientOf
) -> None:
    """Two awards of the regions 36 and 77, a reserve list of 36 and 50, and a project of each region at most."""
    made = of_track(session, [ONE_EACH], [36, 77, 36, 50])
    refuse(made, 1)
    (proposal,) = returned(made)
    session.commit()
    officer, member = client_of(made.officer), client_of(made.member)
    page = officer.get(f"/staff/decisions/reserve/{proposal.id}").text
    assert all(words in page for words in ("Passed over by a limit", "allows no more than 1; with this decision: 2."))
    place = f"/staff/decisions/tracks/{made.track.id}"
    typed: dict[str, Any] = {"application": made.applications[2], "outcome": "award", "grounds": "Ruling"}
    refused = officer.post(f"{place}/correct", data=form(**typed, **{"amount-2018": "30"}))
    assert (refused.status_code, 'href="#beyond"' in refused.text, "with this decision: 2." in refused.text) == (
        422,
        True,
        True,
    )
    typed["beyond"] = "By the ruling"
    assert officer.post(f"{place}/correct", data=form(**typed, **{"amount-2018": "30"})).status_code == 303
    session.expire_all()
    decision = session.scalars(select(AwardDecision).where(AwardDecision.number == 2)).one()
    for address in (place, f"/staff/decisions/{decision.id}/sign", f"/staff/decisions/{decision.id}"):
        shown = member.get(address).text
        assert all(words in shown for words in ("Broken by it", "By the ruling"))
    service.sign(session, made.member, decision.id)
    service.publish(session, made.officer, decision.id)
    session.commit()
    public = officer.get(f"/tenders/{made.tender.code}/results").text
    assert "Why it gives way: By the ruling" in public
