"""Orders on the demo's budget: what was left of 2016 went to 2017, and one order waits for its second signature."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.budget import orders
from portal.budget.models import BudgetOrder, Envelope, PostingKind
from portal.core.clock import now
from portal.core.db import session as current_session
from portal.demo.moments import moment, moscow
from portal.demo.people import People
from portal.demo.programme import EXPORTS, IMPORTS, MILLION
from portal.tenders.models import Track


def carry_over(people: People, programme_id: UUID) -> None:
    """What the awards of 2016 have left goes to 2017; the director signs the day after."""
    with moment(moscow(2016, 12, 27, 12)) as session:
        source = _envelope(session, programme_id, IMPORTS, 2016)
        drafted = _draft(
            people,
            session,
            PostingKind.CARRY_OVER,
            source,
            _envelope(session, programme_id, IMPORTS, 2017),
            source.available,
            "ДЕМО-9 от 27.12.2016",
            "Демо: остаток 2016 года нужен проектам 2017 года",
        )
    with moment(moscow(2016, 12, 28, 11)) as session:
        orders.sign(session, people.actor(session, "director"), drafted.id)


def propose(people: People, programme_id: UUID) -> None:
    """A reallocation between two years of the export track, which nobody has signed yet."""
    instant = now(current_session()) - timedelta(hours=2)
    with moment(instant) as session:
        _draft(
            people,
            session,
            PostingKind.REALLOCATE,
            _envelope(session, programme_id, EXPORTS, 2020),
            _envelope(session, programme_id, EXPORTS, 2021),
            25 * MILLION,
            f"ДЕМО-41 от {instant:%d.%m.%Y}",
            "Демо: запуск двух экспортных линий перенесён на 2021 год",
        )


def _draft(
    people: People,
    session: Session,
    kind: PostingKind,
    source: Envelope,
    target: Envelope,
    amount: Decimal,
    number: str,
    reason: str,
) -> BudgetOrder:
    return orders.draft(
        session,
        people.actor(session, "finance"),
        kind=kind,
        source_id=source.id,
        target_id=target.id,
        amount=amount,
        order=number,
        reason=reason,
    )


def _envelope(session: Session, programme_id: UUID, track: Track, year: int) -> Envelope:
    return session.scalars(
        select(Envelope).where(Envelope.programme_id == programme_id, Envelope.track == track, Envelope.year == year)
    ).one()
