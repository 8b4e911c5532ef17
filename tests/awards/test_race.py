"""Fifty approvals at once against envelopes with room for ten, on real connections.

``python -m pytest -q -n 0 tests/awards/test_race.py``
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.audit.service import verify as verify_trail
from portal.awards import service
from portal.awards.commission import sitting
from portal.awards.models import AwardDecision, DecisionLine
from portal.budget import queries as budget
from portal.budget.ledger import Overdrawn
from portal.budget.models import Posting
from portal.core.db import db, transaction
from portal.core.errors import Conflict, PortalError
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.tenders.ruleset import Ballot
from tests.awards.test_joint import REGION, drafted, pair
from tests.factories import awards, commission

AT_ONCE = 50
ROOM = 10


def all_at_once(app: Flask, count: int, work: Callable[[Session, int], object]) -> list[str]:
    """Run ``work`` in as many threads, each with a connection and a transaction of its own; their answers."""
    answers = [""] * count
    barrier = threading.Barrier(count)

    def run(number: int) -> None:
        with app.app_context():
            try:
                db.session.connection()
                barrier.wait(30)
                with transaction() as session:
                    work(session, number)
                answers[number] = "done"
            except PortalError as error:
                answers[number] = type(error).__name__
            except BaseException as error:
                answers[number] = repr(error)
            finally:
                db.session.remove()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.fixture
def wide_app(fresh_app: Flask) -> Flask:
    """The portal with a connection for each of the fifty."""
    with fresh_app.app_context():
        url = db.engine.url
        db.engine.dispose()
        db.engines[None] = create_engine(url, pool_size=AT_ONCE + 5, max_overflow=0)
    return fresh_app


def prepared(app: Flask, years: dict[int, int]) -> tuple[Actor, list[UUID], UUID, str]:
    """Fifty award lines of 100 roubles a year, and envelopes with room for ten."""
    with app.app_context(), transaction() as session:
        requests = [dict.fromkeys(years, 100)] * AT_ONCE
        stage = awards.stage(session, requests, years)
        lines = awards.signed(stage, requests)
        return stage.member, lines, stage.tender.programme_id, stage.track.track


@pytest.mark.slow
@pytest.mark.parametrize("years", [{2018: 1000}, {2018: 1000, 2019: 1050, 2020: 5000}])
def test_fifty_approvals_room_for_ten(wide_app: Flask, years: dict[int, int]) -> None:
    actor, lines, programme_id, track = prepared(wide_app, years)
    answers = all_at_once(wide_app, AT_ONCE, lambda session, number: service.approve(session, actor, lines[number]))
    assert Counter(answers) == {"done": ROOM, Overdrawn.__name__: AT_ONCE - ROOM}
    with wide_app.app_context():
        session = db.session()
        assert session.scalar(select(func.count()).where(Posting.kind == "reserve")) == ROOM
        assert session.scalar(select(func.count()).where(DecisionLine.approved_at.is_not(None))) == ROOM
        assert session.scalar(select(func.count()).where(Application.state == State.AWARDED)) == ROOM
        assert budget.available(session, programme_id, track) == {
            year: Decimal(amount - ROOM * 100) for year, amount in years.items()
        }
        assert budget.verify(session) == (ROOM + len(years), None)
        assert verify_trail(session)[1] is None


@pytest.mark.slow
def test_one_line_fifty_times_is_booked_once(wide_app: Flask) -> None:
    actor, lines, programme_id, track = prepared(wide_app, {2018: 1000})
    answers = all_at_once(wide_app, AT_ONCE, lambda session, number: service.approve(session, actor, lines[0]))
    assert Counter(answers) == {"done": AT_ONCE}
    with wide_app.app_context():
        assert budget.available(db.session(), programme_id, track) == {2018: 900}
        assert budget.verify(db.session()) == (2, None)


@pytest.mark.slow
def test_a_decision_is_signed_once(wide_app: Flask) -> None:
    with wide_app.app_context(), transaction() as session:
        stage = awards.stage(session, [{2018: 60}, {2018: 40}], {2018: 100})
        decision = service.draft(session, stage.chair, stage.track.id).id
        signer = stage.member
    answers = all_at_once(wide_app, 10, lambda session, number: service.sign(session, signer, decision))
    assert Counter(answers) == {"done": 1, Conflict.__name__: 9}
    with wide_app.app_context():
        assert budget.verify(db.session()) == (3, None)


@pytest.mark.slow
def test_two_last_signatures_book_once(wide_app: Flask) -> None:
    """Three offices, three people each: nine at once give three signatures, and the last of them books."""
    with wide_app.app_context(), transaction() as session:
        stage = commission.stage(session, [{2018: 400_000_000}])
        decision = commission.adopted(stage, service.draft(session, stage.officer, stage.track.id)).id
        people = [awards.person(session, role) for role in (Role.DIRECTOR, Role.CHAIR, Role.FINANCE) for _ in range(3)]
    answers = all_at_once(wide_app, 9, lambda session, number: service.sign(session, people[number], decision))
    assert Counter(answers) == {"done": 3, Conflict.__name__: 6}
    with wide_app.app_context():
        assert db.session.scalar(select(func.count()).where(Posting.kind == "reserve")) == 1
        assert budget.verify(db.session()) == (2, None)


@pytest.mark.slow
@pytest.mark.parametrize("ballot", list(Ballot))
def test_votes_at_once_are_counted_once_each(wide_app: Flask, ballot: Ballot) -> None:
    """Six members vote twice each at the same time."""
    with wide_app.app_context(), transaction() as session:
        stage = commission.stage(session, [{2018: 1}], ballot=ballot)
        held = commission.sitting_of(stage, 5)
        item = held.item(service.draft(session, stage.officer, stage.track.id)).id
        sitting.open_item(session, stage.officer, item)
        people, secretary = held.everybody, stage.officer
    answers = all_at_once(
        wide_app, 12, lambda session, number: sitting.vote(session, people[number % 6], item, choice="yes")
    )
    assert Counter(answers) == {"done": 6, Conflict.__name__: 6}
    with wide_app.app_context(), transaction() as session:
        closed = sitting.close_item(session, secretary, item)
        assert (closed.state, closed.present, closed.yes) == ("adopted", 6, 6)


def test_the_last_signatures_on_both_tracks_at_once_take_effect_together(wide_app: Flask) -> None:
    """Lists within limits over both tracks: whoever comes second lets both take effect, once."""
    with wide_app.app_context(), transaction() as session:
        sides = pair(session, [REGION])
        decisions = [drafted(side).id for side in sides]
        signers = [side.member for side in sides]
        tracks = [side.track.id for side in sides]
    answers = all_at_once(wide_app, 2, lambda session, at: service.sign(session, signers[at], decisions[at]))
    assert answers == ["done", "done"]
    with wide_app.app_context():
        signed = db.session.execute(
            select(AwardDecision.signed_by).where(AwardDecision.tender_track_id.in_(tracks)).order_by(AwardDecision.id)
        )
        assert list(signed.scalars()) == [signer.user_id for signer in signers]
        booked = select(func.count()).select_from(Posting).where(Posting.key.like("award:%"))
        assert db.session.scalar(booked) == 3
