"""Agreements on real connections: two at once sign, pay, release, ask back, receive, book and move money.

One round by default; ``FULL=1`` for twenty.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.agreements import payments, treasury
from portal.agreements import service as agreements
from portal.agreements.models import Agreement, AgreementState, Recovery, Tranche
from portal.audit import row_seals
from portal.audit.service import verify as verify_trail
from portal.awards import amending, service
from portal.awards.amendment_checks import Change
from portal.awards.models import Award, AwardDecision, DecisionKind, DecisionLine
from portal.budget import orders
from portal.budget import queries as budget
from portal.budget.models import Account, Envelope, Posting, PostingKind, PostingLine
from portal.core.db import db, transaction
from portal.core.money import ZERO
from portal.identity.models import Organisation, Role
from portal.identity.policy import Actor
from tests.awards.test_race import all_at_once
from tests.conftest import TestServices, environment, make_app
from tests.factories import agreements as made
from tests.factories import awards
from tests.factories.agreements import SIGNED_ON, Agreed

pytestmark = pytest.mark.slow

ROUNDS = 20 if os.environ.get("FULL") else 1
DAY = date(2018, 12, 20)
TESTS = 5
"""That take signed agreements."""
DONE, CONFLICT, PROBLEMS = "done", "Conflict", "Problems"


@dataclass
class Field:
    """Signed agreements of one tranche of 60 in 2018, drafts of such, and who deals with them.

    Each test takes as many as it needs; ``at``: how many were taken.
    """

    app: Flask
    director: Actor
    finance: Actor
    other: Actor
    drafts: list[UUID]
    rows: list[UUID]
    tranches: list[UUID]
    envelopes: dict[int, UUID]
    at: int = 0

    def take(self) -> range:
        """The places of agreements for the rounds of one test."""
        self.at += ROUNDS
        return range(self.at - ROUNDS, self.at)

    def race(self, *work: Callable[[Session], object]) -> list[str]:
        """All at once, each on a connection of its own: how each ended."""
        return all_at_once(self.app, len(work), lambda session, place: work[place](session))

    def tranche(self, place: int) -> Tranche:
        return db.session().get_one(Tranche, self.tranches[place], populate_existing=True)


@pytest.fixture(scope="module")
def field(
    services: TestServices, worker_name: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Field]:
    """On a database of this file alone: its tests take other agreements of it."""
    url = services.copy(f"{worker_name}_agreements")
    store = (tmp_path_factory.mktemp("agreements") / "files").as_uri()
    app = make_app({**environment(services, url, redis_url), "FILES_URL": store})
    with app.app_context(), transaction() as session:
        count = TESTS * ROUNDS
        asked = [{2018: 100}] * (count + 2 * ROUNDS)
        agreed = made.awarded(session, asked, {2018: 100 * len(asked), 2019: 1})
        rows = [made.signed(agreed, [(DAY, 60)], place=at, number=str(at + 1)) for at in range(count)]
        drafts = [draft(agreed, count + at) for at in range(2 * ROUNDS)]
        session.flush()
        held = Field(
            app,
            agreed.director,
            agreed.finance,
            awards.person(session, Role.FINANCE),
            [row.id for row in drafts],
            [row.id for row in rows],
            [made.tranches(session, row)[0].id for row in rows],
            {envelope.year: envelope.id for envelope in agreed.stage.envelopes.values()},
        )
    yield held
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def draft(agreed: Agreed, place: int) -> Agreement:
    row = agreements.start(agreed.session, agreed.officer, agreed.lines[place])
    return agreements.save(agreed.session, agreed.officer, row.id, draft=made.written([(DAY, 60)]))


@pytest.fixture(autouse=True)
def _sound(field: Field) -> Iterator[None]:
    """Afterwards trail, ledger and seals hold, and each line has committed and paid what its tranches say."""
    yield
    with field.app.app_context():
        session = db.session()
        assert verify_trail(session)[1] is None
        assert budget.verify(session)[1] is None
        assert row_seals.verify(session)[1] is None
        assert treasury.verify(session)[1] is None
        for row, tranche in session.execute(
            select(Agreement, Tranche)
            .join(Tranche, Tranche.agreement_id == Agreement.id)
            .where(Agreement.state.in_((AgreementState.SIGNED, AgreementState.ENDED)))
        ):
            held = {account: booked(session, row.line_id, account) for account in Account}
            paid = tranche.amount if tranche.paid_on else ZERO
            back = held[Account.RETURNED]
            assert held[Account.PAID] == paid - back
            assert held[Account.COMMITTED] == tranche.amount - paid
            assert not (row.state == AgreementState.ENDED and held[Account.COMMITTED])


def booked(session: Session, line_id: UUID, account: Account) -> Decimal:
    """What an account holds for a line, roubles."""
    return (
        session.scalar(
            select(func.coalesce(func.sum(PostingLine.amount), ZERO))
            .join(Posting, Posting.id == PostingLine.posting_id)
            .where(Posting.subject_id == line_id, PostingLine.account == account)
        )
        or ZERO
    )


def postings(field: Field, kind: PostingKind) -> int:
    with field.app.app_context():
        return db.session.scalar(select(func.count()).where(Posting.kind == kind)) or 0


def pay(field: Field, place: int, document: str = "1", actor: Actor | None = None) -> Callable[[Session], object]:
    return lambda session: payments.pay(
        session, actor or field.finance, field.tranches[place], document=document, paid_on=DAY
    )


def end(field: Field, place: int) -> Callable[[Session], object]:
    return lambda session: payments.end(session, field.finance, field.rows[place], document="1", reason="Demo")


def shrink(field: Field, place: int, to: int = 0) -> Callable[[Session], object]:
    return lambda session: payments.shrink(
        session,
        field.finance,
        field.rows[place],
        amounts={field.tranches[place]: Decimal(to)},
        document="1",
        reason="Demo",
    )


def demand(field: Field, place: int) -> Callable[[Session], object]:
    return lambda session: payments.demand(
        session,
        field.finance,
        field.tranches[place],
        amount=Decimal(60),
        demanded_on=DAY,
        document="1",
        reason="Demo",
    )


def sign(field: Field, place: int, number: str) -> Callable[[Session], object]:
    return lambda session: agreements.sign(
        session, field.director, field.drafts[place], number=number, signed_on=SIGNED_ON
    )


def test_an_agreement_is_signed_once(field: Field) -> None:
    before = postings(field, PostingKind.COMMIT)
    for at in range(ROUNDS):
        ends = field.race(*(sign(field, at, f"new-{at}-{place}") for place in range(4)))
        assert Counter(ends) == {DONE: 1, CONFLICT: 3}
    assert postings(field, PostingKind.COMMIT) == before + ROUNDS


def test_a_tranche_is_paid_once(field: Field) -> None:
    """By the same paper everybody is told that it is paid; by others, one is."""
    before = postings(field, PostingKind.PAY)
    for at in field.take():
        papers = ("1", "1", "1", "2", "3")
        ends = field.race(*(pay(field, at, paper) for paper in papers))
        with field.app.app_context():
            won = field.tranche(at).payment_document
        assert ends == [DONE if paper == won else CONFLICT for paper in papers]
    assert postings(field, PostingKind.PAY) == before + ROUNDS


def test_what_is_paid_is_not_freed(field: Field) -> None:
    """Paid, made smaller, cancelled or ended at once: one of the two, never both."""
    for at in field.take():
        ends = field.race(pay(field, at), shrink(field, at), shrink(field, at, 59), end(field, at))
        with field.app.app_context():
            tranche = field.tranche(at)
            assert (tranche.paid_on is not None) is (ends[0] == DONE)
            assert ends[0] != DONE or tranche.amount > 0
            assert set(ends) <= {DONE, CONFLICT, PROBLEMS}
            assert tranche.released + tranche.amount == 60


def test_no_more_is_asked_back_than_was_paid(field: Field) -> None:
    before = postings(field, PostingKind.RETURN)
    for at in field.take():
        assert field.race(pay(field, at)) == [DONE]
        assert Counter(field.race(*[demand(field, at)] * 3)) == {DONE: 1, PROBLEMS: 2}
        with field.app.app_context():
            found = select(Recovery.id).where(Recovery.tranche_id == field.tranches[at])
            recovery = db.session.scalars(found).one()

        def receive(session: Session, key: UUID = recovery) -> object:
            return payments.receive(session, field.finance, key, amount=Decimal(40), received_on=DAY, document="2")

        assert Counter(field.race(*[receive] * 3, end(field, at))) == {DONE: 2, PROBLEMS: 2}
    assert postings(field, PostingKind.RETURN) == before + ROUNDS


def test_paying_and_moving_money_between_years_do_not_wait_in_a_circle(field: Field) -> None:
    """An order takes what a smaller agreement frees, both ways between the years, while others are paid."""
    with field.app.app_context(), transaction() as session:
        one, other = awards.person(session, Role.FINANCE), awards.person(session, Role.ADMINISTRATOR)
    for at in field.take():
        with field.app.app_context(), transaction() as session:
            there, back = field.envelopes[2018], field.envelopes[2019]
            free = session.get_one(Envelope, there).available
            # What is free now goes, so that the race is for what the smaller agreement frees.
            orders.sign(session, other, order(session, one, there, back, free))
            row = order(session, one, back, there, Decimal(60))
            orders.sign(session, other, row)
            keys = [order(session, one, there, back, Decimal(60)), order(session, one, back, there, Decimal(1))]
            orders.sign(session, other, order(session, one, there, back, Decimal(60)))
        work = [shrink(field, at), pay(field, at)]
        work += [lambda session, key=key: orders.sign(session, other, key) for key in keys]
        ends = field.race(*work)
        assert (ends[0] == DONE) != (ends[1] == DONE)
        assert ends[2] == DONE or ends[2] == "Overdrawn"
        assert ends[3] == DONE
        with field.app.app_context():
            held = db.session.scalars(select(Envelope)).all()
            assert min(envelope.available for envelope in held) >= 0


def order(session: Session, actor: Actor, source: UUID, target: UUID, amount: Decimal) -> UUID:
    row = orders.draft(
        session,
        actor,
        kind=PostingKind.REALLOCATE,
        source_id=source,
        target_id=target,
        amount=amount,
        order="1",
        reason="Demo",
    )
    return row.id


def test_a_payment_by_hand_and_by_the_treasury_is_one(field: Field) -> None:
    before, taken = postings(field, PostingKind.PAY), field.take()
    with field.app.app_context(), transaction() as session:
        keys = {}
        for at in taken:
            agreement = session.get_one(Agreement, field.rows[at])
            inn = session.get_one(Organisation, agreement.organisation_id).inn
            table = f"Дата;Номер платёжного поручения;ИНН получателя;Сумма, руб.\n20.12.2018;{at + 7};{inn};60\n"
            row = treasury.upload(session, field.finance, name="december.csv", data=table.encode())
            keys[at] = row.id
    for at in taken:
        work = [pay(field, at, str(at + 7)), pay(field, at, "other")]
        actors = (field.finance, field.other)
        work += [lambda session, actor=actor, key=keys[at]: treasury.book(session, actor, key) for actor in actors]
        ends = field.race(*work)
        assert set(ends) <= {DONE, CONFLICT}
        assert ends[2:] == [DONE, DONE]
    assert postings(field, PostingKind.PAY) == before + ROUNDS


def test_an_agreement_and_a_correction_of_its_award_exclude_each_other(field: Field) -> None:
    """What is reserved is bound by the agreement or freed by the later decision."""
    with field.app.app_context(), transaction() as session:
        line = session.get_one(Agreement, field.drafts[-1]).line_id
        found = amending.in_force(session, agreement_track(session, line))
        key = next(each for each in found.values() if each.id == line).application_id
        chair, member = awards.person(session, Role.CHAIR), awards.person(session, Role.COMMISSION)
        decision = amending.amend(
            session,
            chair,
            agreement_track(session, line),
            kind=DecisionKind.CORRECTION,
            changes=[Change(key, Award.DECLINE, {})],
            grounds="Demo",
        ).id
    ends = field.race(sign(field, -1, "new"), lambda session: service.sign(session, member, decision))
    assert Counter(ends) == {DONE: 1, CONFLICT: 1} or Counter(ends) == {DONE: 1, PROBLEMS: 1}


def agreement_track(session: Session, line_id: UUID) -> UUID:
    found = select(AwardDecision.tender_track_id).join(DecisionLine).where(DecisionLine.id == line_id)
    return session.scalars(found).one()
