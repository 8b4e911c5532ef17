"""Pages of the public register and of joining."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.identity.models import OrgRole, Role, User
from tests.conftest import form
from tests.factories import clusters, identity

SignIn = Callable[[User], FlaskClient]


def test_the_register_is_public_and_can_be_searched(session: Session, client: FlaskClient) -> None:
    clusters.cluster(session, name_ru="Кластер «Ёлка»", name_en="Fir cluster", regions=["36", "77"])
    clusters.cluster(session, name_ru="Другой", name_en="Another one", regions=["16"])
    session.commit()
    everything = client.get("/clusters/?lang=en").text
    assert "Fir cluster" in everything
    assert "Another one" in everything
    for query, found in (
        ("q=ёлка", True),
        ("q=fir", True),
        ("region=77", True),
        ("region=16", False),
        ("q=%25", False),
    ):
        assert ("Fir cluster" in client.get(f"/clusters/?lang=en&{query}").text) is found
    assert client.get("/clusters/?region=zz&q=" + "x" * 1500).status_code == 200


def test_a_cluster_shows_its_confirmed_members_only(session: Session, client: FlaskClient) -> None:
    cluster = clusters.cluster(session, name_en="Valves")
    clusters.membership(session, cluster, identity.organisation(session, name="Demo Confirmed"))
    clusters.membership(session, cluster, identity.organisation(session, name="Demo Waiting"), "requested")
    clusters.membership(session, cluster, identity.organisation(session, name="Demo Refused"), "refused")
    session.commit()
    page = client.get(f"/clusters/{cluster.id}?lang=en").text
    assert "Demo Confirmed" in page
    assert "Demo Waiting" not in page
    assert "Demo Refused" not in page
    assert "CL-01" in client.get(f"/clusters/{cluster.id}/figures?lang=en").text


def test_what_stands_in_a_name_stays_text(session: Session, client: FlaskClient) -> None:
    cluster = clusters.cluster(session, name_en="<script>alert(1)</script>")
    session.commit()
    assert "<script>alert" not in client.get(f"/clusters/{cluster.id}?lang=en").text


def test_unknown_clusters_are_not_found(client: FlaskClient) -> None:
    assert client.get("/clusters/00000000-0000-7000-8000-000000000000").status_code == 404
    assert client.get("/clusters/1").status_code == 404


def test_long_lists_of_members_are_read_in_pages(session: Session, client: FlaskClient) -> None:
    cluster = clusters.cluster(session)
    for number in range(101):
        organisation = identity.organisation(session, name=f"Demo member {number:03}")
        clusters.membership(session, cluster, organisation, final_producer=number == 0)
    session.commit()
    first = client.get(f"/clusters/{cluster.id}?lang=en").text
    assert first.index("Demo member 000") < first.index("Demo member 100")
    assert "Demo member 001" not in first
    cursor = first.split("cursor=")[1].split('"')[0].split("&")[0]
    assert "Demo member 001" in client.get(f"/clusters/{cluster.id}?lang=en&cursor={cursor}").text


def test_asking_and_leaving(session: Session, sign_in: SignIn) -> None:
    cluster = clusters.cluster(session, spec_org=identity.organisation(session))
    organisation = identity.organisation(session, name="Demo Newcomer")
    client = sign_in(identity.member(session, organisation))
    session.commit()
    assert "Demo Newcomer" in client.get(f"/clusters/{cluster.id}/join").text
    empty = client.post(f"/clusters/{cluster.id}/join", data=form(organisation_id=str(organisation.id)))
    assert empty.status_code == 422
    assert 'href="#product"' in empty.text
    body = form(organisation_id=str(organisation.id), product="ball valves", final_producer="y")
    answer = client.post(f"/clusters/{cluster.id}/join", data=body)
    assert (answer.status_code, answer.location) == (303, f"/clusters/{cluster.id}")
    assert client.post(f"/clusters/{cluster.id}/join", data=body).status_code == 302
    page = client.get(answer.location).text
    assert "Awaits confirmation" in page
    leave = page.split('/leave"')[0].rsplit('href="', 1)[1] + "/leave"
    assert client.get(leave).status_code == 200
    assert client.post(leave, data=form()).status_code == 303
    assert client.post(leave, data=form()).status_code == 409


@pytest.mark.parametrize("choice", ["", "not-a-key", "00000000-0000-7000-8000-000000000000"])
def test_an_organisation_of_others_cannot_be_chosen(session: Session, sign_in: SignIn, choice: str) -> None:
    cluster = clusters.cluster(session, spec_org=identity.organisation(session))
    client = sign_in(identity.member(session, identity.organisation(session)))
    session.commit()
    answer = client.post(f"/clusters/{cluster.id}/join", data=form(organisation_id=choice, product="x"))
    assert answer.status_code == 422


def test_who_may_open_what(session: Session, client: FlaskClient, sign_in: SignIn) -> None:
    spec_org, organisation = identity.organisation(session), identity.organisation(session)
    cluster = clusters.cluster(session, spec_org=spec_org)
    row = clusters.membership(session, cluster, organisation, "requested")
    join, leave = f"/clusters/{cluster.id}/join", f"/clusters/memberships/{row.id}/leave"
    refuse = f"/spec-org/{row.id}/refuse"
    people: dict[str, Any] = {
        "owner": identity.member(session, organisation),
        "viewer": identity.member(session, organisation, OrgRole.VIEWER),
        "spec": identity.member(session, spec_org),
        "spec viewer": identity.member(session, spec_org, OrgRole.VIEWER),
        "stranger": identity.member(session, identity.organisation(session)),
        "new": identity.user(session),
        "administrator": identity.user(session, Role.ADMINISTRATOR),
    }
    session.commit()
    found = {
        name: tuple(sign_in(person).get(path).status_code for path in (join, leave, refuse, "/spec-org/"))
        for name, person in people.items()
    }
    assert found == {
        "owner": (200, 200, 404, 200),
        "viewer": (403, 403, 403, 403),
        "spec": (200, 404, 200, 200),
        "spec viewer": (403, 403, 403, 403),
        "stranger": (200, 404, 404, 200),
        "new": (403, 403, 403, 403),
        "administrator": (403, 403, 403, 403),
    }
    assert [client.get(path).status_code for path in (join, leave, refuse, "/spec-org/")] == [302] * 4


@pytest.mark.parametrize("rows", [1, 3])
def test_the_number_of_queries_does_not_grow(session: Session, sign_in: SignIn, count_queries: Any, rows: int) -> None:
    spec_org, organisation = identity.organisation(session), identity.organisation(session)
    person = identity.member(session, organisation)
    for _ in range(rows):
        cluster = clusters.cluster(session, spec_org=spec_org)
        for _ in range(rows):
            clusters.membership(session, cluster, identity.organisation(session))
        clusters.membership(session, cluster, organisation)
    session.commit()
    client, counted = sign_in(person), []
    for path in ("/clusters/", f"/clusters/{cluster.id}", f"/clusters/{cluster.id}/join"):
        client.get(path)
        with count_queries() as statements:
            assert client.get(path).status_code == 200
        counted.append(len(statements))
    assert counted == [8, 10, 3]
