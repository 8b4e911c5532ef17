"""Balances as of any instant equal a replay of the postings.

``FULL=1 python -m pytest -q tests/budget/test_as_of.py``: 1,000 instants over 1,000 postings, otherwise a hundred.
"""

from __future__ import annotations

import os
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.budget import queries, rules
from portal.budget.ledger import post
from portal.budget.models import Account, Posting, PostingKind, PostingLine
from portal.core import clock
from portal.tenders.models import Track
from tests.factories import budget
from tests.factories import tenders as tenders_factory

COUNT = 1000 if os.environ.get("FULL") else 100
START = datetime(2018, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=900)


def booked(session: Session) -> UUID:
    """``COUNT`` postings at random instants of three years; two of them share an instant now and then."""
    dice = random.Random(5)
    programme = tenders_factory.programme(session, f"P{uuid4().hex[:6]}")
    envelopes = [budget.envelope(session, programme.id, Track.EXPORT, year).id for year in (2018, 2019, 2020)]
    instants = sorted(START + SPAN * dice.random() for _ in range(COUNT))
    for number, instant in enumerate(instants):
        at = instants[number - 1] if number and dice.random() < 0.05 else instant
        amounts = {key: Decimal(dice.randint(1, 10**6)) / 100 for key in dice.sample(envelopes, dice.randint(1, 3))}
        appropriate = number < 20 or dice.random() < 0.5
        with clock.at(session, at):
            post(
                session,
                budget.ACTOR,
                key=f"as of {number}",
                kind=PostingKind.APPROPRIATE if appropriate else PostingKind.ADJUST,
                lines=rules.appropriate(amounts) if appropriate else rules.adjust(amounts),
                reason="r",
                document="№ 1",
            )
    session.flush()
    return programme.id


def test_any_instant_is_the_replay(session: Session) -> None:
    programme_id = booked(session)
    lines = session.execute(
        select(Posting.at, PostingLine.envelope_id, PostingLine.account, PostingLine.amount)
        .join(PostingLine, PostingLine.posting_id == Posting.id)
        .order_by(Posting.number)
    ).all()
    known = sorted({at for at, *_ in lines})
    dice = random.Random(6)
    for _ in range(COUNT):
        instant = dice.choice(known) if dice.random() < 0.2 else START + SPAN * dice.random()
        including = dice.random() < 0.5
        replayed: dict[UUID, dict[Account, Decimal]] = defaultdict(lambda: dict.fromkeys(Account, Decimal("0.00")))
        for at, envelope_id, account, amount in lines:
            if at < instant or (including and at == instant):
                replayed[envelope_id][Account(account)] += amount
        found = queries.as_of(session, budget.ACTOR, programme_id, instant, including=including)
        assert {row.id: row.balances for row in found} == {row.id: replayed[row.id] for row in found}
        assert len(found) == 3
