"""Public draws of lots: commitment before, randomness once and after, an order that anyone recomputes."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications.models import State
from portal.audit.models import AuditEvent
from portal.core import clock
from portal.core.clock import now
from portal.core.db import transaction
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.core.language import render
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.scoring import drawing, lots, queries
from portal.scoring.draw_models import DrawOutcome
from portal.scoring.drawing import Source
from portal.scoring.ranking import rank
from portal.tenders.models import Tender, TenderTrack
from portal.tenders.ruleset import TieRule, from_json, to_json
from tests.awards.test_race import all_at_once
from tests.factories import identity, panels, tenders
from tests.factories.packages import package, rules
from tests.factories.submissions import submitted, track_of
from tests.scoring.test_ranking import entry

TIES = (TieRule.DRAW, TieRule.NUMBER)
URL = "https://lottery.demo.example/501"


def officer(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.OFFICER))


def closed(session: Session, count: int = 3, **changes: object) -> tuple[Tender, TenderTrack]:
    """A tender whose intake is over, with equal applications and a draw among its tie rules."""
    tender = tenders.open_tender(session, rules={"tie_rules": TIES, **changes})
    submitted(session, tender, [package() for _ in range(count)], state=State.EXPERTISE)
    tender.closes_at = now(session) - timedelta(minutes=1)
    session.flush()
    return tender, track_of(tender)


def source(session: Session, hours: int = 2) -> Source:
    return Source("Тираж № 501", "Draw No. 501", URL, now(session) + timedelta(hours=hours))


def later(session: Session, hours: int = 3):  # type: ignore[no-untyped-def]
    return clock.at(session, now(session) + timedelta(hours=hours))


def drawn(session: Session, actor: Actor, track: TenderTrack, randomness: str = "17-04-33") -> None:
    drawing.commit(session, actor, track.id, source=source(session))
    with later(session):
        drawing.enter(session, actor, track.id, randomness=randomness, url=URL)


def test_a_draw_is_committed_to_then_entered_and_orders_equal_totals(session: Session) -> None:
    tender, track = closed(session)
    actor = officer(session)
    row = drawing.commit(session, actor, track.id, source=source(session))
    (draw,) = drawing.draws(session, [track.id])
    assert row.numbers == sorted(row.numbers)
    assert len(row.numbers) == 3
    assert lots.commitment_digest(draw.committed) == row.digest
    with later(session):
        drawing.enter(session, actor, track.id, randomness="  17-04-33 ", url=URL)
    (draw,) = drawing.draws(session, [track.id])
    assert draw.outcome is not None
    assert draw.outcome.randomness == "17-04-33"
    by_hand = sorted(row.numbers, key=lambda each: hmac.new(b"17-04-33", each.encode(), hashlib.sha256).digest())
    assert draw.order == by_hand
    panels.scored(session, tender)
    run = queries.latest_run(session, track.id)
    assert run is not None
    places = queries.ranking(session, run).places
    assert [place.entry.number for place in places] == by_hand
    session.commit()
    events = session.scalars(select(AuditEvent.tag).where(AuditEvent.object_id == str(track.id))).all()
    assert {"scoring:draw:commit", "scoring:draw:enter"} <= set(events)


def test_a_draw_decides_only_where_the_rules_before_it_do_not() -> None:
    drawn_rules = from_json({**to_json(rules()), "tie_rules": ["subsidy_per_hpj", "draw", "number"]})
    first, second, third = entry(1, lot="b"), entry(2, lot="a"), entry(3, hpj=20, lot="c")
    assert [each.entry.number[-1] for each in rank([first, second, third], drawn_rules)] == ["3", "2", "1"]
    reason = rank([first, second, third], drawn_rules)[2].tie_reason
    assert reason is not None
    assert render(reason, "en") == "Same total as JP-2018-IS-0002, placed below it: the public draw of lots."
    outside = replace(second, lot="")
    assert [each.entry.number[-1] for each in rank([outside, first], drawn_rules)] == ["1", "2"]


@given(st.text(min_size=4, max_size=20), st.sets(st.text(min_size=1, max_size=20), min_size=2, max_size=8))
def test_the_order_is_that_of_the_numbers_whatever_order_they_are_given_in(randomness: str, numbers: set[str]) -> None:
    given_numbers = sorted(numbers)
    assert lots.order(randomness, given_numbers) == lots.order(randomness, given_numbers[::-1])
    assert sorted(lots.order(randomness, given_numbers)) == given_numbers


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"ru": " "}, "source_ru"),
        ({"en": "x" * 500}, "source_en"),
        ({"url": "lottery"}, "url"),
        ({"at": None}, "draws_at"),
    ],
)
def test_a_commitment_names_its_event(session: Session, changes: dict[str, object], field: str) -> None:
    _, track = closed(session)
    with pytest.raises(Problems) as caught:
        drawing.commit(session, officer(session), track.id, source=replace(source(session), **changes))  # type: ignore[arg-type]
    assert [problem.field for problem in caught.value.problems] == [field]


def test_an_event_must_be_an_hour_ahead_and_two_must_draw(session: Session) -> None:
    _, track = closed(session, count=1)
    with pytest.raises(Problems) as caught:
        drawing.commit(session, officer(session), track.id, source=source(session, hours=0))
    assert [problem.code for problem in caught.value.problems] == ["too_soon", "too_few"]


def test_no_draw_without_the_rule_or_while_intake_is_open(session: Session) -> None:
    _, plain = closed(session, tie_rules=(TieRule.NUMBER,))
    open_tender = tenders.open_tender(session, rules={"tie_rules": TIES})
    for track in (plain, track_of(open_tender)):
        with pytest.raises(Conflict):
            drawing.commit(session, officer(session), track.id, source=source(session))


def test_nothing_is_entered_before_the_event_or_without_a_commitment_or_twice(session: Session) -> None:
    _, track = closed(session)
    actor = officer(session)
    with pytest.raises(Conflict):
        drawing.enter(session, actor, track.id, randomness="1234", url=URL)
    drawing.commit(session, actor, track.id, source=source(session))
    with pytest.raises(Conflict):
        drawing.enter(session, actor, track.id, randomness="1234", url=URL)
    with later(session):
        with pytest.raises(Problems) as caught:
            drawing.enter(session, actor, track.id, randomness="1", url="x", note="n" * 500)
        assert [problem.field for problem in caught.value.problems] == ["randomness", "url", "note"]
        drawing.enter(session, actor, track.id, randomness="1234", url=URL)
        with pytest.raises(Conflict):
            drawing.enter(session, actor, track.id, randomness="5678", url=URL)


def test_another_commitment_only_before_the_event_of_the_last(session: Session) -> None:
    _, track = closed(session)
    actor = officer(session)
    drawing.commit(session, actor, track.id, source=source(session))
    assert drawing.commit(session, actor, track.id, source=source(session, hours=4)).round == 2
    with later(session, 5), pytest.raises(Conflict):
        drawing.commit(session, actor, track.id, source=source(session))


def test_the_database_refuses_what_the_verbs_refuse(session: Session) -> None:
    _, track = closed(session)
    actor = officer(session)
    row = drawing.commit(session, actor, track.id, source=source(session))
    values = {"commitment": row.id, "track": track.id, "person": actor.user_id}
    outcome = text(
        "insert into draw_outcome (commitment_id, tender_track_id, randomness, url, note, entered_by)"
        " values (:commitment, :track, '1234', 'https://x', '', :person)"
    )
    again = text(
        "insert into draw_commitment (id, tender_track_id, round, numbers, source_ru, source_en, url, draws_at, digest,"
        " committed_by) select gen_random_uuid(), tender_track_id, round + 1, numbers, source_ru, source_en, url,"
        " portal_now() + interval '9 hours', digest, committed_by from draw_commitment where id = :commitment"
    )
    with pytest.raises(IntegrityError), session.begin_nested():
        session.execute(outcome, values)
    with later(session):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(again, values)
        session.execute(outcome, values)
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(outcome, values)
    for statement in ("update draw_outcome set randomness = '5678'", "delete from draw_commitment"):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(statement))
    assert session.scalar(select(func.count()).select_from(DrawOutcome)) == 1


@pytest.mark.parametrize("role", [Role.REVIEWER, Role.CHAIR, Role.ADMINISTRATOR, Role.AUDITOR, Role.COMMISSION])
def test_only_an_officer_holds_a_draw(session: Session, role: Role) -> None:
    _, track = closed(session)
    actor = identity.actor(session, identity.user(session, role))
    with pytest.raises(Refused):
        drawing.commit(session, actor, track.id, source=source(session))
    with pytest.raises(Refused):
        drawing.enter(session, actor, track.id, randomness="1234", url=URL)


def test_an_applicant_knows_of_no_verbs(session: Session) -> None:
    _, track = closed(session)
    applicant = identity.actor(session, identity.member(session, identity.organisation(session)))
    with pytest.raises(NotFound):
        drawing.commit(session, applicant, track.id, source=source(session))


def test_of_outcomes_entered_at_once_one_counts(fresh_app: Flask) -> None:
    """Four officers with connections of their own."""
    with fresh_app.app_context(), transaction() as session, clock.at(session, now(session) - timedelta(hours=3)):
        _, track = closed(session)
        drawing.commit(session, officer(session), track.id, source=source(session))
        key, actors = track.id, [officer(session) for _ in range(4)]

    def work(session: Session, number: int) -> object:
        return drawing.enter(session, actors[number], key, randomness=f"0000{number}", url=URL)

    assert sorted(all_at_once(fresh_app, 4, work)) == ["Conflict", "Conflict", "Conflict", "done"]
