"""Pages about limits over both tracks: editing, the notice, the decision on either track, the allocation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.awards import service
from portal.awards.allocation import computing as allocating
from portal.identity.models import Role, User
from portal.identity.policy import Actor
from portal.tenders import service as tenders
from portal.tenders.models import Tender
from tests.awards.test_joint import REGION, drafted, pair
from tests.conftest import form
from tests.factories import identity
from tests.factories import tenders as factory
from tests.web.test_tenders import Inputs, rules_of

SignIn = Callable[[User], FlaskClient]
NAME = "Projects of one region"


@pytest.fixture
def administrator(session: Session, sign_in: SignIn) -> FlaskClient:
    person = identity.user(session, Role.ADMINISTRATOR)
    session.commit()
    return sign_in(person)


def test_they_are_edited_like_the_limits_of_a_track(session: Session, administrator: FlaskClient) -> None:
    draft = factory.tender(session, code="D1")
    session.commit()
    path = f"/staff/tenders/{draft.id}/limits"
    typed = {f"limits-0-{name}": REGION[name] or "" for name in ("code", "field", "value", "least", "most", "unit")}
    typed |= {"limits-0-title-ru": "Проектов одного региона", "limits-0-title-en": NAME}
    data = form(version=draft.version, **typed | {"limits-0-most": "-1"})
    answer = administrator.post(path, data=data)
    assert (answer.status_code, "A bound is not below zero" in answer.text, NAME in answer.text) == (422, True, True)
    answer = administrator.post(path, data=form(version=draft.version, **typed))
    assert answer.status_code == 303
    session.expire_all()
    assert draft.joint_limits == [REGION]
    shown = {name: text.strip() for name, text in Inputs(administrator.get(path).text).values.items()}
    assert typed.items() <= shown.items()
    assert NAME in administrator.get(f"/staff/tenders/{draft.id}").text


def test_frozen_ones_are_read_by_everybody(session: Session, administrator: FlaskClient, client: FlaskClient) -> None:
    imports, _exports = pair(session, [REGION])
    session.commit()
    tender: Tender = imports.tender
    path = f"/staff/tenders/{tender.id}/limits"
    page = administrator.get(path).text
    assert (NAME in page, "<textarea" in page) == (True, False)
    assert administrator.post(path, data=form(version=tender.version)).status_code == 409
    for address in (f"/tenders/{tender.code}", f"/tenders/{tender.code}/rules/export"):
        page = client.get(address).text
        assert all(text in page for text in ("Проектов одного региона", "3 проекта", "каждый регион")), address


def test_one_track_waits_for_the_other_and_says_so(
    session: Session, sign_in: SignIn, count_queries: Callable[[], Any]
) -> None:
    imports, exports = pair(session, [REGION], allotment="best_total")
    run = allocating.start(session, imports.chair, tender_track_id=imports.track.id)
    while allocating.step(session, run.id).done < allocating.PHASES:
        pass
    first = drafted(imports)
    service.sign(session, imports.member, first.id)
    second = drafted(exports)
    session.commit()
    key, other = first.id, second.id

    def page(actor: Actor, address: str) -> str:
        client = sign_in(session.get_one(User, actor.user_id))
        client.get(address)
        with count_queries() as statements:
            answer = client.get(address)
        assert (answer.status_code, len(statements) <= 12) == (200, True), (address, len(statements))
        return answer.text

    here = f"/staff/decisions/tracks/{imports.track.id}"
    there = f"/staff/decisions/tracks/{exports.track.id}"
    text = page(imports.chair, here)
    assert ("All signatures are given" in text, there in text, "Drafted, to be signed" in text) == (True, True, True)
    text = page(exports.member, f"/staff/decisions/{other}/sign")
    assert ("together with that of the other track" in text, "Sign and book" in text) == (True, False)
    for stage in (imports, exports):
        text = page(stage.chair, f"/staff/allocations/tracks/{stage.track.id}")
        assert all(each.application(place).number in text for each in (imports, exports) for place in range(2))
        text = page(stage.chair, f"/staff/scenarios/tracks/{stage.track.id}")
        assert "Scenarios change this track alone" in text
    client = sign_in(session.get_one(User, exports.member.user_id))
    assert client.post(f"/staff/decisions/{other}/sign", data=form(version=1)).status_code == 303
    chair = sign_in(session.get_one(User, imports.chair.user_id))
    assert chair.post(f"/staff/decisions/{key}/publish", data=form()).status_code == 303
    session.expire_all()
    assert None not in (first.published_at, second.published_at)


def test_what_cannot_be_published_leads_to_the_limits(session: Session, administrator: FlaskClient) -> None:
    draft = factory.tender(session, code="D2")
    session.commit()
    actor = identity.actor(session, identity.user(session, Role.ADMINISTRATOR))
    tenders.edit_joint_limits(session, actor, draft.id, content=[REGION], expected_version=draft.version)
    held = rules_of(session, draft)
    content = {**held.content, "allotment": "skipping"}
    tenders.edit_rules(session, actor, held.id, content=content, expected_version=held.version)
    session.commit()
    page = administrator.get(f"/staff/tenders/{draft.id}").text
    assert (f'href="/staff/tenders/{draft.id}/limits"' in page, "the same way of giving out the money" in page) == (
        True,
        True,
    )
