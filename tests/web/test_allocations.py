"""The page of a track's allocation: who may compute it, what it says of proof, and what it reads."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.awards.allocation import computing as allocating
from portal.awards.allocation.models import AllocationRun, RunState
from portal.identity.models import User
from portal.identity.policy import Actor
from tests.conftest import form
from tests.factories import awards, identity
from tests.factories.awards import Stage

SignIn = Callable[[User], FlaskClient]
ClientOf = Callable[[Actor], FlaskClient]


@pytest.fixture
def client_of(session: Session, sign_in: SignIn) -> ClientOf:
    return lambda actor: sign_in(session.get_one(User, actor.user_id))


def made(session: Session, count: int = 3) -> Stage:
    """Requests of 30, 40, 50 for 75: the first two get money, the third would fit only without them."""
    stage = awards.stage(session, [{2018: 30 + 10 * place} for place in range(count)], {2018: 75})
    session.commit()
    return stage


def computed(stage: Stage) -> AllocationRun:
    run = allocating.start(stage.session, stage.chair, tender_track_id=stage.track.id)
    while allocating.step(stage.session, run.id).done < allocating.PHASES:
        pass
    stage.session.commit()
    return run


def address(stage: Stage) -> str:
    return f"/staff/allocations/tracks/{stage.track.id}"


def runs(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(AllocationRun)) or 0


def test_it_is_asked_for_and_then_says_why_each_is_in_or_out(session: Session, client_of: ClientOf) -> None:
    stage = made(session)
    chair = client_of(stage.chair)
    assert "No allocation is computed yet" in chair.get(address(stage)).text
    answer = chair.post(address(stage), data=form())
    assert (answer.status_code, answer.location, runs(session)) == (303, address(stage), 1)
    assert "Looking for the allocation" in chair.get(address(stage)).text
    computed(stage)
    page = chair.get(address(stage)).text
    assert all(
        f'/submissions/{stage.application(place).submission_id}">{stage.application(place).number}</a>' in page
        for place in range(3)
    )
    assert "In 2018 it asks for RUB\u00a050, but RUB\u00a05 is left" in page


def test_who_only_reads_is_not_offered_it_and_is_refused(session: Session, client_of: ClientOf) -> None:
    stage = made(session)
    member = client_of(stage.member)
    assert "Compute the allocation" in client_of(stage.chair).get(address(stage)).text
    assert "Compute the allocation" not in member.get(address(stage)).text
    assert (member.post(address(stage), data=form()).status_code, runs(session)) == (403, 0)


def test_an_applicant_and_a_stranger_see_nothing(session: Session, client: FlaskClient, sign_in: SignIn) -> None:
    stage = made(session)
    computed(stage)
    assert client.get(address(stage)).status_code == 302
    applicant = sign_in(identity.user(session))
    session.commit()
    assert stage.application(0).number not in applicant.get(address(stage), follow_redirects=True).text
    assert applicant.get(address(stage)).status_code == 404


def test_a_proven_result_says_that_nothing_is_better(session: Session, client_of: ClientOf) -> None:
    stage = made(session)
    computed(stage)
    page = client_of(stage.chair).get(address(stage)).text
    assert "no allocation has more points" in page
    assert "the best possible" not in page


@pytest.mark.parametrize("reproducible", [True, False])
def test_an_unproven_one_says_how_much_more_there_may_be(
    session: Session, client_of: ClientOf, reproducible: bool
) -> None:
    stage = made(session)
    done = computed(stage)
    result = done.result | {"proven": False, "bound": "171.25", "gap": "0.012345"}
    session.add(
        AllocationRun(
            tender_track_id=stage.track.id,
            created_by=done.created_by,
            candidates=3,
            problem_digest=done.problem_digest,
            digest="0" * 64,
            result=result,
            gap=Decimal("0.012345"),
            reproducible=reproducible,
            state=RunState.DONE,
            done_at=done.done_at,
        )
    )
    session.commit()
    page = client_of(stage.chair).get(address(stage)).text
    assert "the best possible: at most 171.25 points" in page
    assert "no allocation has more points" not in page
    assert ("The clock ended the search" in page) is not reproducible


def test_what_is_open_is_named_and_nothing_is_started(session: Session, client_of: ClientOf) -> None:
    stage = made(session)
    stage.application(0).state = "submitted"
    session.commit()
    answer = client_of(stage.chair).post(address(stage), data=form())
    assert (answer.status_code, runs(session)) == (422, 0)
    assert "Nothing can be allocated now" in answer.text


@pytest.mark.parametrize("count", [1, 3])
def test_number_of_queries(session: Session, client_of: ClientOf, count_queries: Callable[[], Any], count: int) -> None:
    stage = made(session, count)
    computed(stage)
    chair = client_of(stage.chair)
    path = address(stage)
    chair.get(path)
    with count_queries() as statements:
        page = chair.get(path).text
    assert len(statements) == 8
    assert all(stage.application(place).number in page for place in range(count))
