"""Pages of the board, and of those who are asked into a project from outside the cluster."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.partners.prospect_models import Prospect
from portal.clusters.board_models import BoardPost
from portal.core.clock import today
from portal.identity.models import OrgRole, Role, User
from tests.clusters.test_board import Stage, post, stage
from tests.conftest import form
from tests.factories import applications, identity

__all__ = ["stage"]

SignIn = Callable[[User], FlaskClient]


def test_a_need_is_posted_read_and_answered(session: Session, stage: Stage, sign_in: SignIn) -> None:
    mine = sign_in(identity.member(session, stage.organisation, OrgRole.EDITOR))
    other = sign_in(identity.member(session, stage.neighbour, OrgRole.EDITOR))
    session.commit()
    assert mine.get("/board/new").status_code == 200
    fields = {
        "place": f"{stage.organisation.id}:{stage.cluster.id}",
        "side": "need",
        "kind": "supply",
        "title": "Castings wanted",
        "text": "About 120 t",
        "okpd2": "24.51",
        "visibility": "members",
        "valid_until": (today(session) + timedelta(days=9)).isoformat(),
    }
    assert mine.post("/board/new", data=form(**{**fields, "okpd2": ""})).status_code == 422
    assert mine.post("/board/new", data=form(**{**fields, "place": "x"})).status_code == 422
    answer = mine.post("/board/new", data=form(**fields))
    assert answer.status_code == 303
    page = other.get(answer.location + "?lang=en").text
    assert "About 120 t" in page
    body = form(organisation_id=str(stage.neighbour.id), message="")
    assert other.post(f"{answer.location}/contact", data=body).status_code == 422
    body = form(organisation_id=str(stage.neighbour.id), message="We cast")
    assert other.post(f"{answer.location}/contact", data=body).status_code == 303
    assert "We cast" in mine.get(answer.location).text
    assert "We cast" not in other.get(answer.location).text
    renewed = form(valid_until=(today(session) + timedelta(days=20)).isoformat())
    assert mine.post(f"{answer.location}/renew", data=renewed).status_code == 303
    assert mine.post(f"{answer.location}/renew", data=form(valid_until="x")).status_code == 422
    assert other.post(f"{answer.location}/renew", data=form()).status_code == 404
    assert mine.post(f"{answer.location}/close", data=form()).status_code == 303
    assert "Castings wanted" not in other.get("/board/?lang=en").text
    assert "Castings wanted" in mine.get("/board/?lang=en&mine=1").text


def test_outside_the_clusters_a_teaser_is_seen(
    session: Session, stage: Stage, client: FlaskClient, sign_in: SignIn
) -> None:
    stage.organisation.name_ru = stage.organisation.name_en = "Demo Hidden Works"
    row = post(session, stage, visibility="public", text="SECRET-TERMS", volume="SECRET-VOLUME")
    inside = sign_in(identity.member(session, stage.neighbour, OrgRole.VIEWER))
    readers = {
        "anonymous": client,
        "stranger": sign_in(identity.member(session, identity.organisation(session))),
        "reviewer": sign_in(identity.user(session, Role.REVIEWER)),
    }
    session.commit()
    for name, reader in readers.items():
        for path in ("/board/?lang=en", f"/board/{row.id}?lang=en", f"/board/?lang=en&cluster_id={stage.cluster.id}"):
            page = reader.get(path).text
            assert "Castings wanted" in page, name
            for secret in ("SECRET-TERMS", "SECRET-VOLUME", "Demo Hidden Works"):
                assert secret not in page, (name, path)
    whole = inside.get(f"/board/{row.id}?lang=en").text
    assert all(secret in whole for secret in ("SECRET-TERMS", "SECRET-VOLUME", "Demo Hidden Works"))


def test_a_post_is_taken_off(session: Session, stage: Stage, client: FlaskClient, sign_in: SignIn) -> None:
    row = post(session, stage, visibility="public")
    officer = sign_in(identity.user(session, Role.OFFICER))
    mine = sign_in(identity.member(session, stage.organisation))
    session.commit()
    assert mine.post(f"/board/{row.id}/remove", data=form(reason="x")).status_code == 403
    assert officer.get(f"/board/{row.id}/remove").status_code == 200
    assert officer.post(f"/board/{row.id}/remove", data=form(reason=" ")).status_code == 422
    assert officer.post(f"/board/{row.id}/remove", data=form(reason="Advertising")).status_code == 303
    assert officer.get(f"/board/{row.id}/remove").status_code == 409
    assert client.get(f"/board/{row.id}").status_code == 404
    assert "Advertising" in mine.get(f"/board/{row.id}").text
    session.expire_all()
    assert session.scalars(select(BoardPost.state)).one() == "removed"


@pytest.mark.parametrize("rows", [1, 3])
def test_the_number_of_queries_does_not_grow(
    session: Session, stage: Stage, client: FlaskClient, count_queries: Any, rows: int
) -> None:
    for _ in range(rows):
        row = post(session, stage, visibility="public")
    session.commit()
    counted = []
    for path in ("/board/", f"/board/{row.id}"):
        with count_queries() as statements:
            assert client.get(path).status_code == 200
        counted.append(len(statements))
    assert counted == [3, 3]


def test_filters_that_are_none_and_cursors_of_others_do_no_harm(client: FlaskClient) -> None:
    for query in ("side=x&kind=y&region=zz&okpd2=%25&q=%25", "cluster_id=1", "cursor=xyz", "mine=1"):
        assert client.get(f"/board/?{query}").status_code == 200
    assert client.get("/board/?cluster_id=00000000-0000-7000-8000-000000000000").status_code == 404


def test_a_supplier_from_outside_is_asked_and_sees_what_to_do(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session, partners=0)
    joint.application.title_ru = joint.application.title_en = "SECRET-TITLE"
    supplier = identity.organisation(session)
    boss = sign_in(identity.user(session, email="boss@supplier.example"))
    owner = sign_in(identity.member(session, supplier))
    initiator = sign_in(identity.member(session, joint.organisations[0]))
    session.commit()
    page = f"/applications/{joint.id}/prospects"
    assert initiator.get(f"{page}?inn={supplier.inn}").status_code == 200
    assert initiator.post(page, data=form(inn="1", email="x")).status_code == 422
    body = form(inn=supplier.inn, email="boss@supplier.example", note="Seals")
    assert initiator.post(page, data=body).status_code == 303
    assert supplier.inn in initiator.get(page).text
    assert "Enter the organisation" in boss.get("/prospects/?lang=en").text
    mine = owner.get("/prospects/?lang=en").text
    assert f"/clusters/{joint.cluster.id}/join" in mine
    assert "SECRET-TITLE" not in mine
    assert owner.get(page).status_code == 404
    row = session.scalars(select(Prospect)).one()
    assert initiator.post(f"{page}/{row.id}/withdraw", data=form()).status_code == 303
    assert supplier.inn not in owner.get("/prospects/?lang=en").text
