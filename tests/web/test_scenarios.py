"""Pages of the what-if room: what they show and ask, what they cost, and who never sees them."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.awards.allocation.problem import PROJECTS, Limit
from portal.awards.scenarios import service, simulating
from portal.awards.scenarios.changes import Changes
from portal.awards.scenarios.models import Scenario
from portal.clusters.models import Cluster
from portal.core.jobs import Task
from portal.identity.models import Organisation, Role, User
from portal.identity.policy import Actor
from portal.scoring.queries import rules_of
from portal.web import scenario_picture
from tests.conftest import form
from tests.factories import awards, identity, panels, scenarios
from tests.factories.awards import Stage

SignIn = Callable[[User], FlaskClient]
CANARY = "CANARY-SCENARIO-41d7"


@pytest.fixture
def stage(session: Session) -> Stage:
    held = scenarios.stage(session, [{2018: 60}, {2018: 60}, {2018: 10}], {2018: 100})
    session.commit()
    return held


@pytest.fixture
def client_of(session: Session, sign_in: SignIn) -> Callable[[Actor], FlaskClient]:
    return lambda actor: sign_in(session.get_one(User, actor.user_id))


ClientOf = Callable[[Actor], FlaskClient]


def turned(stage: Stage) -> dict[str, str]:
    """What the form would send for ten points from the first criterion to the second."""
    rules = rules_of(stage.session, stage.track.id)
    weights = {each.code: each.weight for each in rules.criteria}
    first, second = list(weights)[:2]
    weights |= {first: weights[first] - 10, second: weights[second] + 10}
    typed = {f"weights-{code}": str(weight) for code, weight in weights.items()}
    typed |= {f"available-{year}": "100" if year == 2018 else "0" for year in rules.years}
    return typed | {"threshold": str(rules.threshold)}


def made(stage: Stage, name: str = CANARY, *, shared: bool = True) -> Scenario:
    weights = {
        name.removeprefix("weights-"): Decimal(text)
        for name, text in turned(stage).items()
        if name.startswith("weights-")
    }
    held = service.create(stage.session, stage.member, stage.track.id, name=name, changes=Changes(weights=weights))
    if shared:
        service.share(stage.session, stage.member, held.id)
    stage.session.commit()
    return held


def room(stage: Stage) -> str:
    return f"/staff/scenarios/tracks/{stage.track.id}"


def test_from_the_form_to_the_addendum(session: Session, stage: Stage, client_of: ClientOf) -> None:
    member, chair = client_of(stage.member), client_of(stage.chair)
    typed = turned(stage) | {"name": "Efficiency first"}
    empty = member.get(room(stage))
    assert "No scenario yet" in empty.text
    assert "Weights" in member.get(f"{room(stage)}/new").text
    looked = member.post(f"{room(stage)}/new", data=form(**typed, do="try"))
    assert looked.status_code == 200
    assert "Computed, not saved" in looked.text
    assert stage.application(1).number in looked.text
    assert session.scalar(select(func.count()).select_from(Scenario)) == 0
    answer = member.post(f"{room(stage)}/new", data=form(**typed, do="save"))
    assert answer.status_code == 303
    url = answer.location
    shown = member.get(url).text
    assert "Enters" in shown
    assert "Leaves" in shown
    assert "Only you see it" in shown
    assert chair.get(url).status_code == 404
    held = session.scalars(select(Scenario)).one()
    assert member.post(f"{url}/share", data=form(shared="y", version=held.version)).status_code == 303
    words = "The first criterion decides; the rules stay as they are."
    refused = chair.post(f"{url}/adopt", data=form(words="No", version="2"))
    assert (refused.status_code, "Say in 20 to" in refused.text) == (422, True)
    session.refresh(held)
    assert chair.get(f"{url}/addendum.pdf").status_code == 404
    assert chair.post(f"{url}/adopt", data=form(words=words, version=held.version)).status_code == 303
    assert words in chair.get(url).text
    paper = chair.get(f"{url}/addendum.pdf")
    assert (paper.status_code, paper.mimetype, paper.data[:5]) == (200, "application/pdf", b"%PDF-")
    assert "addendum-1.pdf" in paper.headers["Content-Disposition"]
    assert chair.get(f"{url}/addendum.pdf").data == paper.data
    assert "Addendum 1" in chair.get(room(stage)).text
    assert chair.post(f"/staff/decisions/tracks/{stage.track.id}/draft", data=form()).status_code == 303
    decision = chair.get(f"/staff/decisions/tracks/{stage.track.id}").text
    assert "Addenda that it cites" in decision
    assert words in decision
    assert f"{url}/addendum.pdf" in decision
    assert member.post(f"{url}/rename", data=form(name="New")).status_code == 409
    copied = member.post(f"{url}/copy", data=form(name="Second"))
    assert member.post(f"{copied.location}/discard", data=form()).location == room(stage)


def test_the_form_keeps_what_was_typed_and_says_where(stage: Stage, client_of: ClientOf, session: Session) -> None:
    client = client_of(stage.chair)
    number = stage.application(0).number or ""
    typed = turned(stage) | {
        "name": "",
        "threshold": "a lot",
        "score-0-number": number,
        "score-0-criterion": "CR-01",
        "score-0-points": "11",
        "score-0-reason": "Kept as it was typed",
    }
    answer = client.post(f"{room(stage)}/new", data=form(**typed))
    assert answer.status_code == 422
    for kept in ("a lot", "Kept as it was typed", 'href="#threshold"'):
        assert kept in answer.text
    typed["threshold"] = "60"
    answer = client.post(f"{room(stage)}/new", data=form(**typed))
    assert 'href="#score-0-points"' in answer.text
    assert 'href="#name"' in answer.text
    typed["weights-CR-01"] = "1"
    answer = client.post(f"{room(stage)}/new", data=form(**typed, do="try"))
    assert (answer.status_code, "they must give 100" in answer.text) == (422, True)
    assert session.scalar(select(func.count()).select_from(Scenario)) == 0


def test_policy_and_limits_are_typed_and_told(stage: Stage, client_of: ClientOf, session: Session) -> None:
    client = client_of(stage.chair)
    typed = turned(stage) | {"name": "One of each", "policy": "skipping"}
    typed |= {"limits-1-group": "organisation:*", "limits-1-unit": "projects", "limits-1-most": "one"}
    answer = client.post(f"{room(stage)}/new", data=form(**typed))
    assert (answer.status_code, 'href="#limits-1-most"' in answer.text) == (422, True)
    typed |= {"limits-1-most": "", "limits-1-least": "1"}
    answer = client.post(f"{room(stage)}/new", data=form(**typed))
    assert (answer.status_code, 'href="#limits-1-least"' in answer.text) == (422, True)
    typed |= {"limits-1-most": "1", "limits-1-least": ""}
    answer = client.post(f"{room(stage)}/new", data=form(**typed))
    assert answer.status_code == 303
    page = client.get(answer.location).text
    assert "Rank order, passing over what does not fit" in page
    assert "each organisation: number of projects at most 1" in page
    assert 'value="organisation:*" selected' in client.get(f"{answer.location}/edit").text


def test_changing_a_stale_page_is_refused(stage: Stage, client_of: ClientOf, session: Session) -> None:
    held = made(stage)
    client, url = client_of(stage.member), f"/staff/scenarios/{held.id}/edit"
    assert 'value="10"' in client.get(url).text
    answer = client.post(url, data=form(**turned(stage), version="99"))
    assert (answer.status_code, "Somebody else changed" in answer.text) == (409, True)
    answer = client.post(url, data=form(**(turned(stage) | {"threshold": "61"}), version=held.version))
    assert answer.status_code == 303
    session.expire_all()
    assert held.changes["threshold"] == "61"
    assert client_of(stage.chair).get(url).status_code == 403


def test_side_by_side_and_as_a_file(stage: Stage, client_of: ClientOf) -> None:
    first, second = made(stage, "First"), made(stage, "Second", shared=False)
    client = client_of(stage.chair)
    page = client.get(f"{room(stage)}?with={first.id}&with={second.id}").text
    assert "First" in page
    assert "Second" not in page
    table = client.get(f"{room(stage)}/comparison.csv?with={first.id}").text
    assert "First: place" in table
    assert (stage.application(1).number or "") in table


def test_fifty_places_at_a_time(stage: Stage, client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario_picture, "PLACES", 2)
    held, client = made(stage), client_of(stage.chair)
    last = stage.application(2).number or ""
    for url in (room(stage), f"/staff/scenarios/{held.id}"):
        first = client.get(url).text
        assert ("Lower places" in first, "Higher places" in first, last in first) == (True, False, False)
        second = client.get(f"{url}?from=3").text
        assert ("Lower places" in second, "Higher places" in second, last in second) == (False, True, True)


def test_how_sure_the_order_is(
    stage: Stage, client_of: ClientOf, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, client = made(stage), client_of(stage.officer)
    for reach in ("3", "all", "nonsense"):
        page = client.get(f"{room(stage)}/acceptability?reach={reach}&scenario={held.id}")
        assert page.status_code == 200
        assert "Probability of each place" in page.text
        assert "jp-heat-10" in page.text or "jp-heat-9" in page.text
    table = client.get(f"{room(stage)}/acceptability.csv?reach=all").text
    assert "Central weight CR-01" in table
    monkeypatch.setattr(simulating, "AT_ONCE", 1)
    assert "Not simulated yet" in client.get(f"{room(stage)}/acceptability?reach=10").text
    assert client.get(f"{room(stage)}/acceptability.csv?reach=10").status_code == 404
    assert client.post(f"{room(stage)}/acceptability?reach=10", data=form()).status_code == 303
    assert session.scalar(select(func.count()).where(Task.kind == simulating.KIND)) == 1


def test_before_a_run_there_is_nothing_to_try(session: Session, client_of: ClientOf) -> None:
    held = awards.stage(session, [{2018: 1}], {2018: 1})
    session.query(awards.Score).delete()
    session.query(awards.ScoreRun).delete()
    session.commit()
    client = client_of(held.chair)
    assert "Nothing to try yet" in client.get(room(held)).text
    assert client.get(f"{room(held)}/new").status_code == 409
    assert client.get(f"{room(held)}/comparison.csv").status_code == 404
    assert client.get(f"{room(held)}/acceptability").status_code == 404


def test_everything_wrong_is_told_at_once(stage: Stage, client_of: ClientOf) -> None:
    first, *_ = (name for name in turned(stage) if name.startswith("weights-"))
    client = client_of(stage.chair)

    def told(**typed: str) -> list[str]:
        page = client.post(f"{room(stage)}/new", data=form(**turned(stage) | typed, name="One", do="try")).text
        return re.findall(r'<li><a href="#([^"]*)"', page)

    assert told(**{"available-2018": "-4", first: "55", "limits-0-group": "sme:sme"}) == [
        "available-2018",
        "weights",
        "limits-0-unit",
        "limits-0-most",
    ]
    assert told(**{first: "x", "limits-0-group": "sme:sme", "limits-0-most": "y"}) == [first, "limits-0-most"]


def test_clusters_and_organisations_are_limited_by_name(
    session: Session, stage: Stage, client_of: ClientOf, count_queries: Any
) -> None:
    application = session.scalars(select(Application).limit(1)).one()
    firm = session.get_one(Organisation, application.initiator_id)
    cluster = session.get_one(Cluster, application.cluster_id)
    client = client_of(stage.chair)
    page = client.get(f"{room(stage)}/new").text
    assert f">{firm.name_en} · {firm.inn}</option>" in page
    assert f">{cluster.name_en} · {cluster.code}</option>" in page
    limit = Limit("L1", "organisation", firm.inn, None, Decimal(1), PROJECTS)
    held = service.create(session, stage.chair, stage.track.id, name="One", changes=Changes(limits=(limit,)))
    session.commit()
    url = f"/staff/scenarios/{held.id}"
    with count_queries() as statements:
        shown = client.get(url).text
    assert (f"({firm.name_en})" in shown, len(statements)) == (True, 10)


def test_number_of_queries_does_not_grow(session: Session, client_of: ClientOf, count_queries: Any) -> None:
    def counted(lines: int) -> list[int]:
        held = scenarios.stage(session, [{2018: 1}] * lines, {2018: 100})
        keys = [made(held, f"Scenario {place}").id for place in range(lines)]
        client, numbers = client_of(held.chair), []
        for url in (room(held), f"/staff/scenarios/{keys[0]}", f"{room(held)}/new", f"{room(held)}/acceptability"):
            client.get(url)
            with count_queries() as statements:
                assert client.get(url).status_code == 200
            numbers.append(len(statements))
        return numbers

    assert counted(1) == counted(3) == [10, 9, 9, 8]


LEAKING = ("", "/new", "/comparison.csv", "/acceptability", "/acceptability.csv")


@pytest.mark.parametrize("who", ["administrator", "reviewer", "director", "finance", "applicant", "tied", "barred"])
def test_it_leaks_to_nobody(session: Session, stage: Stage, sign_in: SignIn, who: str) -> None:
    held = made(stage)
    if who == "applicant":
        person = identity.user(session)
        panels.tie(session, stage.track.id, person)
    else:
        person = identity.user(session, Role.CHAIR if who in ("tied", "barred") else Role(who))
    if who == "tied":
        panels.tie(session, stage.track.id, person)
    if who == "barred":
        scenarios.barred(stage, identity.actor(session, person))
    session.commit()
    client = sign_in(person)
    for url in (
        *(room(stage) + tail for tail in LEAKING),
        f"/staff/scenarios/{held.id}",
        f"/staff/scenarios/{held.id}/edit",
        f"/staff/scenarios/{held.id}/addendum.pdf",
    ):
        answer = client.get(url)
        assert answer.status_code in (403, 404), url
        assert CANARY not in answer.text
    for verb in ("copy", "rename", "share", "refresh", "discard", "adopt"):
        answer = client.post(f"/staff/scenarios/{held.id}/{verb}", data=form(name="x", words="x" * 30))
        assert answer.status_code in (403, 404), verb
        assert CANARY not in answer.text


def test_what_is_private_shows_nowhere(session: Session, stage: Stage, sign_in: SignIn, client_of: ClientOf) -> None:
    held = made(stage, shared=False)
    auditor = identity.user(session, Role.AUDITOR)
    session.commit()
    for client in (client_of(stage.chair), client_of(stage.officer), sign_in(auditor)):
        for url in (room(stage), f"{room(stage)}?with={held.id}", f"{room(stage)}/comparison.csv?with={held.id}"):
            answer = client.get(url)
            assert (answer.status_code, CANARY in answer.text) == (200, False)
        assert client.get(f"{room(stage)}/acceptability?scenario={held.id}").status_code == 404
        assert client.get(f"/staff/scenarios/{held.id}").status_code == 404
