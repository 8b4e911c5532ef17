"""An envelope over time: each point is the replay of the postings before it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.budget import series
from portal.budget.models import Account, Posting, PostingLine
from portal.core import clock
from portal.core.clock import MOSCOW
from portal.web.burn_picture import BOTTOM, LEFT, RIGHT, TOP, burn
from tests.factories import budget
from tests.factories import tenders as tenders_factory

FIRST = datetime(2018, 1, 10, 12, tzinfo=MOSCOW)


def test_points_are_replays(session: Session) -> None:
    programme = tenders_factory.programme(session, f"P{uuid4().hex[:6]}")
    with clock.at(session, FIRST):
        envelope = budget.envelope(session, programme.id, amount=100)
    for day, amount in ((3, 10), (3, 20), (8, 5)):
        with clock.at(session, FIRST + timedelta(days=day)):
            budget.service.adjust(
                session, budget.ACTOR, envelope.id, key=str(uuid4()), change=Decimal(amount), order="1", reason="More"
            )
    life = series.span(session, envelope.id)
    assert life is not None
    assert (life.first, life.last) == (FIRST, FIRST + timedelta(days=8))
    instants = [FIRST + timedelta(days=day) for day in range(-1, 11)]
    found = series.at_instants(session, envelope.id, instants)
    replayed = [
        session.scalar(
            select(func.coalesce(func.sum(PostingLine.amount), 0))
            .join(Posting, Posting.id == PostingLine.posting_id)
            .where(
                Posting.at < instant, PostingLine.account == Account.AVAILABLE, PostingLine.envelope_id == envelope.id
            )
        )
        for instant in instants
    ]
    assert [point.balances[Account.AVAILABLE] for point in found] == replayed
    assert [point.appropriated for point in found] == replayed
    assert replayed[0] == 0
    assert replayed[-1] == 135
    drawn = burn(found)
    assert drawn is not None
    assert [area.account for area in drawn.areas] == [Account.AVAILABLE]


def test_no_postings_no_span(session: Session) -> None:
    programme = tenders_factory.programme(session, f"P{uuid4().hex[:6]}")
    envelope = budget.envelope(session, programme.id)
    assert series.span(session, envelope.id) is None
    assert series.at_instants(session, envelope.id, []) == []
    with pytest.raises(ValueError, match="too many"):
        series.at_instants(session, envelope.id, [FIRST] * 61)
    assert burn([]) is None


@given(st.dates(date(2016, 1, 1), date(2026, 1, 1)), st.integers(0, 4000))
def test_days_rise_from_the_first_to_the_last(first: date, length: int) -> None:
    last = first + timedelta(days=length)
    found = series.days(first, last)
    assert found == sorted(set(found))
    assert found[-1] == last
    assert len(found) <= series.MOST_POINTS
    assert length == 0 or found[0] == first


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), min_size=2, max_size=20))
def test_the_picture_stays_inside(values: list[tuple[int, int]]) -> None:
    points = [
        series.Point(
            FIRST + timedelta(days=at),
            dict.fromkeys(Account, Decimal(0))
            | {
                Account.APPROPRIATION: Decimal(free + paid),
                Account.AVAILABLE: Decimal(free),
                Account.PAID: Decimal(paid),
            },
        )
        for at, (free, paid) in enumerate(values)
    ]
    drawn = burn(points)
    corners = [
        tuple(int(n) for n in corner.split(","))
        for area in (drawn.areas if drawn else ())
        for corner in area.points.split()
    ]
    assert all(LEFT <= x <= RIGHT and TOP <= y <= BOTTOM for x, y in corners)
