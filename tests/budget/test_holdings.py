"""What is held for an award: every movement, each of its exits, and never more than is held."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.budget import queries, service
from portal.budget.ledger import Overdrawn
from portal.budget.models import Account, Envelope, Posting
from portal.core import clock
from portal.core.errors import Conflict, Problems
from portal.core.language import render
from portal.tenders.models import Programme, Track
from tests.factories import budget
from tests.factories import tenders as tenders_factory

IS = Track.IMPORT_SUBSTITUTION
Subject = tuple[str, UUID]


def figures(session: Session, programme: Programme) -> list[tuple[int, int, int, int, int]]:
    """Available, reserved, committed, paid, returned of each year."""
    return [
        (int(e.available), int(e.reserved), int(e.committed), int(e.paid), int(e.returned))
        for e in queries.by_programme(session, budget.ACTOR, programme.id)
    ]


class Award:
    """An award of 40 in 2018 and 70 in 2019, beside another one that holds more than it."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.programme = tenders_factory.programme(session, f"P{uuid4().hex[:6]}")
        self.envelopes = budget.envelopes(session, self.programme, {IS: {2018: 200, 2019: 200}})
        self.subject: Subject = ("decision_line", uuid4())
        self.other: Subject = ("decision_line", uuid4())
        self.do(service.reserve, {2018: 40, 2019: 70})
        for verb in (service.reserve, service.commit, service.pay):
            self.do(verb, {2018: 60, 2019: 60}, subject=self.other)

    def do(
        self,
        verb: Callable[..., Posting],
        amounts: dict[int, int | str],
        *,
        key: str = "",
        subject: Subject | None = None,
        **changes: object,
    ) -> Posting:
        values = {
            "key": key or uuid4().hex,
            "programme_id": self.programme.id,
            "track": IS,
            "amounts": {year: Decimal(amount) for year, amount in amounts.items()},
            "reason": "Agreement",
            "document": "№ 7",
            "subject": subject or self.subject,
        }
        return verb(self.session, budget.ACTOR, **{**values, **changes})

    def held(self) -> list[tuple[int, int, int, int, int]]:
        return figures(self.session, self.programme)


@pytest.fixture
def award(session: Session) -> Award:
    return Award(session)


def test_an_award_goes_its_way(session: Session, award: Award) -> None:
    posting = award.do(service.commit, {2018: 40, 2019: 60})
    assert (posting.kind, posting.subject_id, posting.document) == ("commit", award.subject[1], "№ 7")
    assert award.held() == [(100, 0, 40, 60, 0), (70, 10, 60, 60, 0)]
    award.do(service.pay, {2018: 30})
    award.do(service.pay, {2018: 10})
    assert award.held() == [(100, 0, 0, 100, 0), (70, 10, 60, 60, 0)]
    award.do(service.give_back, {2018: 15})
    award.do(service.release, {2019: 10})
    award.do(service.release, {2019: 20}, source=Account.COMMITTED)
    assert award.held() == [(100, 0, 0, 85, 15), (100, 0, 40, 60, 0)]
    assert queries.held_by_year(session, award.subject) == {
        2018: {Account.RESERVED: 0, Account.COMMITTED: 0, Account.PAID: 25, Account.RETURNED: 15},
        2019: {Account.RESERVED: 0, Account.COMMITTED: 40, Account.PAID: 0, Account.RETURNED: 0},
    }
    session.commit()
    assert queries.verify(session)[1] is None
    told = session.scalars(select(AuditEvent).where(AuditEvent.object_id == str(posting.id))).one()
    assert (told.tag, told.changes["kind"], len(told.changes["lines"])) == ("budget:posting:post", "commit", 4)


RESERVED = Account.RESERVED
MOVES = [
    (service.commit, {}, "not_reserved", "RUB\u00a041 is asked of 2018, but RUB\u00a040 is reserved for this."),
    (service.release, {"source": RESERVED}, "not_reserved", ""),
    (service.pay, {}, "not_committed", "RUB\u00a041 is asked of 2018, but RUB\u00a00 is committed to this"),
    (service.release, {"source": Account.COMMITTED}, "not_committed", ""),
    (service.give_back, {}, "not_paid", "RUB\u00a041 is asked of 2018, but RUB\u00a00 was paid for this"),
]


@pytest.mark.parametrize(("verb", "options", "code", "said"), MOVES)
def test_never_more_than_is_held_for_the_award(
    award: Award, verb: Callable[..., Posting], options: dict[str, object], code: str, said: str
) -> None:
    """The other award holds enough in every account; it is not touched."""
    before = award.held()
    with pytest.raises(Problems) as caught:
        award.do(verb, {2018: 41, 2019: 71}, **options)
    assert [(p.field, p.code) for p in caught.value.problems] == [("amounts.2018", code), ("amounts.2019", code)]
    assert render(caught.value.problems[0].message, "en").startswith(said)
    assert award.held() == before


@pytest.mark.parametrize(("verb", "options", "code", "said"), MOVES)
def test_each_year_needs_its_envelope(
    award: Award, verb: Callable[..., Posting], options: dict[str, object], code: str, said: str
) -> None:
    with pytest.raises(Problems) as caught:
        award.do(verb, {2018: 1, 2021: 1}, **options)
    assert [(p.field, p.code) for p in caught.value.problems] == [("amounts.2021", "no_envelope")]


def test_repeated_the_first_posting_and_other_content_a_conflict(award: Award) -> None:
    """Also when nothing is left of what the first one moved."""
    steps: list[tuple[Callable[..., Posting], dict[str, object]]] = [
        (service.commit, {}),
        (service.pay, {}),
        (service.give_back, {}),
    ]
    for verb, options in steps:
        first = award.do(verb, {2018: 40}, key=f"k:{verb.__name__}", **options)
        after = award.held()
        assert award.do(verb, {2018: 40}, key=f"k:{verb.__name__}", **options).id == first.id
        with pytest.raises(Conflict, match="other content"):
            award.do(verb, {2018: 40}, key=f"k:{verb.__name__}", reason="Other", **options)
        assert award.held() == after


def test_returned_money_is_not_available(award: Award) -> None:
    for verb in (service.commit, service.pay, service.give_back):
        award.do(verb, {2018: 40})
    assert award.held()[0] == (100, 0, 0, 60, 40)
    with pytest.raises(Overdrawn):
        award.do(service.reserve, {2018: 101})


def test_what_is_held_is_not_reversed_by_hand(session: Session, award: Award) -> None:
    posting = award.do(service.commit, {2018: 40})
    with pytest.raises(Conflict, match="belongs to an award"):
        service.reverse(session, budget.ACTOR, posting.id, key="r", reason="Error")


def test_a_clock_that_steps_back_does_not_turn_the_order(session: Session, award: Award) -> None:

    envelope: Envelope = award.envelopes[IS, 2018]
    session.refresh(envelope)
    assert envelope.moved_at is not None
    with clock.at(session, envelope.moved_at - timedelta(hours=1)):
        posting = award.do(service.commit, {2018: 40})
    assert posting.at == envelope.moved_at
