"""Reading and booking the treasury's tables in the background: large, killed and begun anew, at the same time.

``FULL=1``: ten thousand payments.
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Iterator
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.agreements import jobs as agreement_jobs
from portal.agreements import payments as agreement_payments
from portal.agreements import treasury, treasury_work
from portal.agreements.reconciliation import Match
from portal.agreements.treasury_models import TreasuryPayment, TreasuryStatement, TreasuryWork, WorkState
from portal.audit import row_seals
from portal.budget import queries as budget
from portal.budget.models import Posting
from portal.core.errors import Problems, Refused
from portal.core.jobs import Claim, Progress, Task
from portal.core.language import N_, both
from portal.identity.models import Organisation, Role, RoleGrant
from tests.agreements.test_treasury import HEAD
from tests.factories import agreements, awards
from tests.factories.agreements import Agreed

COUNT, AGREEMENTS = (10_000, 60) if os.environ.get("FULL") else (50, 2)
"""Payments of a large table, and agreements whose tranches they are: each of :data:`TRANCHES`."""
TRANCHES = 15
OPEN = AGREEMENTS * TRANCHES
DAY = date(2018, 12, 20)


class Office:
    """Signed agreements with tranches of a rouble, and tables in which they are paid."""

    def __init__(self, session: Session, count: int = 1) -> None:
        self.session = session
        self.agreed: Agreed = agreements.awarded(session, [{2018: TRANCHES}] * count)
        schedule = [(DAY + timedelta(days=place % 10), 1) for place in range(TRANCHES)]
        rows = [agreements.signed(self.agreed, schedule, place=at, number=str(at + 7)) for at in range(count)]
        self.inns = [session.get_one(Organisation, row.organisation_id).inn for row in rows]

    def table(self, matching: int, count: int) -> bytes:
        """``matching`` payments of tranches, the rest of somebody unknown."""
        payees = [self.inns[at // TRANCHES] for at in range(matching)] + ["7707083893"] * (count - matching)
        lines = [[f"{DAY:%d.%m.%Y}", str(at), inn, "1", "", ""] for at, inn in enumerate(payees)]
        return "\n".join(";".join(line) for line in [HEAD, *lines]).encode()

    def read(self, data: bytes, name: str = "december.csv") -> TreasuryWork:
        row = treasury_work.start_reading(self.session, self.agreed.finance, name=name, stream=io.BytesIO(data))
        self.session.commit()
        return row

    def book(self, statement_id: UUID) -> TreasuryWork:
        row = treasury_work.start_booking(self.session, self.agreed.finance, statement_id)
        self.session.commit()
        return row

    def steps(self, row: TreasuryWork) -> Iterator[Progress]:
        """Each step as the worker does it: its transaction, then the next."""
        task = self.session.scalars(select(Task).where(Task.key == f"{treasury_work.KIND}:{row.id}")).one()
        claim = Claim(task.id, task.number, 1, task.kind, task.payload, 1)
        while True:
            found = agreement_jobs.work_for_treasury(self.session, task.payload, claim)
            self.session.commit()
            yield found
            if found.finished:
                return

    def done(self, row: TreasuryWork) -> TreasuryWork:
        for _ in self.steps(row):
            pass
        self.session.refresh(row)
        return row

    def count(self, match: Match) -> int:
        return self.session.scalar(select(func.count()).where(TreasuryPayment.match == match)) or 0

    def paid(self) -> int:
        return self.session.scalar(select(func.count()).where(Posting.kind == "pay")) or 0


@pytest.fixture
def office(session: Session) -> Office:
    return Office(session)


def test_a_large_table_is_read_and_booked_once_though_killed(session: Session) -> None:
    """Every step is undone once, as when its worker is killed before the commit, and done again."""
    office = Office(session, AGREEMENTS)
    clock = time.monotonic()
    row = office.read(office.table(OPEN, COUNT))
    shown = []
    for kind in ("read", "book"):
        while session.get_one(TreasuryWork, row.id).running:
            with session.begin_nested() as killed:
                treasury_work.step(session, row.id)
                session.flush()
                killed.rollback()
            session.expire_all()
            treasury_work.step(session, row.id)
            session.commit()
            shown.append((kind, row.progress_done, row.progress_total))
        assert row.state == WorkState.DONE
        assert row.statement_id is not None
        if kind == "read":
            assert (office.count(Match.MATCHED), office.count(Match.UNMATCHED)) == (OPEN, COUNT - OPEN)
            assert office.paid() == 0
            print(f"{COUNT} payments read in {time.monotonic() - clock:.1f} s")
            clock = time.monotonic()
            row = office.book(row.statement_id)
    assert ("read", 0, COUNT) in shown
    assert ("book", treasury.AT_ONCE, OPEN) in shown
    assert (office.count(Match.BOOKED), office.paid()) == (OPEN, OPEN)
    assert row.report == {"booked": OPEN, "refused": 0}
    print(f"{OPEN} payments booked in {time.monotonic() - clock:.1f} s")
    assert treasury.verify(session) == (COUNT, None)
    assert budget.verify(session)[1] is None
    assert row_seals.verify(session)[1] is None
    # The same table again tells of nothing new, and books nothing.
    again = office.done(office.read(office.table(OPEN, COUNT)))
    statement = session.get_one(TreasuryStatement, again.statement_id)
    assert statement.known == COUNT
    booked = office.done(office.book(statement.id))
    assert (booked.report, office.paid()) == ({"booked": 0, "refused": 0}, OPEN)


def test_a_wrong_table_keeps_nothing(session: Session, office: Office) -> None:
    row = office.done(office.read(b"\n".join([";".join(HEAD).encode(), b"32.12.2018;1;1;1;;"])))
    assert (row.state, row.statement_id) == (WorkState.FAILED, None)
    assert len(row.report["faults"]) == 2
    assert session.scalar(select(func.count()).select_from(TreasuryPayment)) == 0
    with pytest.raises(Problems):
        treasury_work.start_reading(session, office.agreed.finance, name="x.pdf", stream=io.BytesIO(b"%PDF-1.4"))


def test_one_booking_of_a_table_goes_at_a_time(session: Session, office: Office) -> None:
    statement_id = office.done(office.read(office.table(2, 3))).statement_id
    assert statement_id is not None
    row = office.book(statement_id)
    assert office.book(statement_id).id == row.id
    office.done(row)
    assert office.book(statement_id).id != row.id
    assert office.paid() == 2


def test_what_was_paid_otherwise_meanwhile_is_told(session: Session, office: Office) -> None:
    statement_id = office.done(office.read(office.table(2, 2))).statement_id
    assert statement_id is not None
    row = office.book(statement_id)
    steps = office.steps(row)
    next(steps)
    first = session.scalars(treasury.payments_of(statement_id).order_by(TreasuryPayment.line)).first()
    assert first is not None
    agreement_payments.pay(session, office.agreed.finance, first.tranche_id, document="other", paid_on=DAY)
    session.commit()
    for _ in steps:
        pass
    session.refresh(row)
    assert row.report == {"booked": 1, "refused": 1}
    assert (first.match, first.said) == (Match.DIFFERING, both(N_("This tranche was paid already.")))


def test_rights_are_those_of_the_moment(session: Session, office: Office) -> None:
    row = office.read(office.table(1, 1))
    person = awards.person(session, Role.OFFICER)
    with pytest.raises(Refused):
        treasury_work.start_reading(session, person, name="december.csv", stream=io.BytesIO(b"x"))
    with pytest.raises(Refused):
        treasury_work.start_booking(session, person, row.id)
    for grant in session.scalars(select(RoleGrant).where(RoleGrant.user_id == row.started_by)):
        session.delete(grant)
    session.commit()
    assert office.done(row).state == WorkState.FAILED
    assert session.scalar(select(func.count()).select_from(TreasuryPayment)) == 0
