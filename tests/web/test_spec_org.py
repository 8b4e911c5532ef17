"""The specialised organisation's desk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.identity.models import OrgRole, User
from tests.conftest import form
from tests.factories import clusters, identity

SignIn = Callable[[User], FlaskClient]


def test_requests_are_confirmed_and_refused(session: Session, sign_in: SignIn) -> None:
    spec_org = identity.organisation(session)
    cluster = clusters.cluster(session, spec_org=spec_org)
    first = clusters.membership(session, cluster, identity.organisation(session, name="Demo First"), "requested")
    second = clusters.membership(session, cluster, identity.organisation(session, name="Demo Second"), "requested")
    client = sign_in(identity.member(session, spec_org))
    session.commit()
    page = client.get("/spec-org/").text
    assert "Demo First" in page
    assert "Demo Second" in page
    assert client.post(f"/spec-org/{first.id}/confirm", data=form()).status_code == 303
    assert client.post(f"/spec-org/{first.id}/confirm", data=form()).status_code == 409
    empty = client.post(f"/spec-org/{second.id}/refuse", data=form(reason=" "))
    assert empty.status_code == 422
    assert 'href="#reason"' in empty.text
    assert client.post(f"/spec-org/{second.id}/refuse", data=form(reason="No contracts")).status_code == 303
    assert client.get(f"/spec-org/{second.id}/refuse").status_code == 409
    session.expire_all()
    assert (first.state, second.state, second.reason) == ("confirmed", "refused", "No contracts")
    assert "Demo First" not in client.get("/spec-org/").text


@pytest.mark.parametrize(("role", "first"), [(OrgRole.OWNER, "/spec-org/"), (OrgRole.VIEWER, "/applications/")])
def test_its_people_start_at_the_desk(session: Session, sign_in: SignIn, role: OrgRole, first: str) -> None:
    spec_org = identity.organisation(session)
    clusters.cluster(session, spec_org=spec_org)
    client = sign_in(identity.member(session, spec_org, role))
    session.commit()
    assert client.get("/start").location == first


def test_requests_of_other_clusters_are_not_shown(session: Session, sign_in: SignIn) -> None:
    other = clusters.cluster(session, spec_org=identity.organisation(session))
    waiting = identity.organisation(session, name="Demo Secret")
    row = clusters.membership(session, other, waiting, "requested")
    client = sign_in(identity.member(session, identity.organisation(session)))
    session.commit()
    assert "Demo Secret" not in client.get("/spec-org/").text
    assert client.post(f"/spec-org/{row.id}/confirm", data=form()).status_code == 404
    assert client.post(f"/spec-org/{row.id}/refuse", data=form(reason="x")).status_code == 404
    session.expire_all()
    assert row.state == "requested"


@pytest.mark.parametrize("rows", [1, 3])
def test_the_number_of_queries_does_not_grow(session: Session, sign_in: SignIn, count_queries: Any, rows: int) -> None:
    spec_org = identity.organisation(session)
    for _ in range(rows):
        cluster = clusters.cluster(session, spec_org=spec_org)
        for _ in range(rows):
            clusters.membership(session, cluster, identity.organisation(session), "requested")
    client = sign_in(identity.member(session, spec_org))
    session.commit()
    client.get("/spec-org/")
    with count_queries() as statements:
        assert client.get("/spec-org/").status_code == 200
    assert len(statements) == 8
