"""Agreements and their money: every verb with each of its exits, and what the ledger holds afterwards."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.agreements import payments as money
from portal.agreements import queries, rules, service
from portal.agreements.models import Agreement, AgreementState
from portal.budget import queries as budget
from portal.budget.models import Account, Posting
from portal.core.clock import today
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.identity.models import Membership, OrgRole
from portal.notifications.models import Notice
from tests.factories import agreements, identity
from tests.factories.agreements import SIGNED_ON, Agreed

FIRST, SECOND, NEXT = date(2018, 12, 20), date(2018, 12, 25), date(2019, 6, 30)
SCHEDULE = [(FIRST, 60), (SECOND, 40), (NEXT, 50)]


@pytest.fixture
def agreed(session: Session) -> Agreed:
    """An award of 100 roubles in 2018 and 60 in 2019; its envelopes had twice as much."""
    return agreements.awarded(session, [{2018: 100, 2019: 60}])


@pytest.fixture
def signed(agreed: Agreed) -> Agreement:
    return agreements.signed(agreed, SCHEDULE)


def balances(agreed: Agreed) -> dict[int, dict[str, Decimal]]:
    """Year -> account -> roubles, without empty ones and what was given."""
    agreed.session.expire_all()
    found = budget.by_programme(agreed.session, agreed.officer, agreed.stage.tender.programme_id)
    return {
        row.year: {a.value: held for a, held in row.balances.items() if held and a is not Account.APPROPRIATION}
        for row in found
    }


def codes(caught: pytest.ExceptionInfo[Problems]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in caught.value.problems]


def fault(agreed: Agreed) -> str | None:
    """What is wrong with the ledger."""
    agreed.session.commit()
    return budget.verify(agreed.session)[1]


# Draft


def test_draft_proposes_the_whole_award(session: Session, agreed: Agreed) -> None:
    row = service.start(session, agreed.officer, agreed.lines[0])
    view = queries.view(session, agreed.officer, row.id)
    assert rules.by_year((t.year, t.planned) for t in view.agreement.tranches) == {2018: 100, 2019: 60}
    assert [due.due_on for due in view.agreement.dues] == [
        date(2018, 7, 20),
        date(2019, 1, 20),
        date(2019, 7, 20),
        date(2020, 1, 20),
    ]
    assert [(item.title, item.target) for item in view.agreement.results] == [
        ("Новые высокопроизводительные рабочие места", "10")
    ]
    assert balances(agreed)[2018] == {"available": 100, "reserved": 100}
    with pytest.raises(Conflict, match="agreement for this award already"):
        service.start(session, agreed.officer, agreed.lines[0])
    service.discard(session, agreed.officer, row.id)
    assert service.start(session, agreed.officer, agreed.lines[0]).id != row.id
    with pytest.raises(NotFound):
        service.start(session, agreed.officer, uuid4())


def test_only_officers_draft_and_nobody_for_their_own(session: Session, agreed: Agreed) -> None:
    for actor in (agreed.director, agreed.finance, identity.actor(session, agreed.recipient())):
        with pytest.raises((Refused, NotFound)):
            service.start(session, actor, agreed.lines[0])
    organisation = agreed.stage.application(0).initiator_id
    session.add(Membership(user_id=agreed.officer.user_id, organisation_id=organisation, role=OrgRole.VIEWER))
    session.flush()
    with pytest.raises(Refused, match="You belong to"):
        service.start(session, agreed.officer, agreed.lines[0])


def test_award_that_is_not_booked_gets_none(session: Session, agreed: Agreed) -> None:
    agreed.stage.application(0).state = "declined"
    session.flush()
    with pytest.raises(Conflict, match="award that is booked"):
        service.start(session, agreed.officer, agreed.lines[0])


WRONG_SCHEDULES = [
    ([(FIRST, 60), (SECOND, 41)], [("tranches.1.amount", "above_award")]),
    ([(date(2020, 1, 1), 1)], [("tranches.0.planned_on", "no_money")]),
    ([(FIRST, 0)], [("tranches.0.amount", "not_positive")]),
    ([(FIRST, Decimal("0.001"))], [("tranches.0.amount", "too_many_decimals")]),
]


def test_wrong_schedules(session: Session, agreed: Agreed) -> None:
    row = service.start(session, agreed.officer, agreed.lines[0])
    for tranches, wrong in WRONG_SCHEDULES:
        with pytest.raises(Problems) as caught:
            service.save(session, agreed.officer, row.id, draft=agreements.written(tranches))
        assert codes(caught) == wrong


def test_stale_draft(session: Session, agreed: Agreed) -> None:
    row = service.start(session, agreed.officer, agreed.lines[0])
    service.save(session, agreed.officer, row.id, draft=agreements.written(SCHEDULE), expected_version=1)
    with pytest.raises(Stale):
        service.save(session, agreed.officer, row.id, draft=agreements.written(SCHEDULE), expected_version=1)


# Signature


def test_signing_commits_and_frees_the_rest(session: Session, agreed: Agreed, signed: Agreement) -> None:
    assert (signed.state, signed.number, signed.signed_by) == (AgreementState.SIGNED, "1", agreed.director.user_id)
    assert balances(agreed) == {
        2018: {"available": 100, "committed": 100},
        2019: {"available": 70, "committed": 50},
    }
    documents = {row.document for row in queries.postings(session, agreed.officer, signed.line_id)[:2]}
    assert documents == {"Соглашение № 1 от 03.12.2018"}
    assert fault(agreed) is None
    with pytest.raises(Conflict):
        service.sign(session, agreed.director, signed.id, number="2", signed_on=SIGNED_ON)
    with pytest.raises(Conflict):
        service.save(session, agreed.officer, signed.id, draft=agreements.written(SCHEDULE))
    with pytest.raises(Conflict):
        service.discard(session, agreed.officer, signed.id)


def test_the_drafter_and_the_recipient_do_not_sign(session: Session, agreed: Agreed) -> None:
    row = service.start(session, agreed.officer, agreed.lines[0])
    service.save(session, agreed.officer, row.id, draft=agreements.written(SCHEDULE))
    with pytest.raises(Refused):
        service.sign(session, agreed.officer, row.id, number="1", signed_on=SIGNED_ON)
    row.drafted_by = agreed.director.user_id
    session.flush()
    with pytest.raises(Refused, match="You drafted this agreement"):
        service.sign(session, agreed.director, row.id, number="1", signed_on=SIGNED_ON)
    row.drafted_by = agreed.officer.user_id
    organisation = agreed.stage.application(0).initiator_id
    session.add(Membership(user_id=agreed.director.user_id, organisation_id=organisation, role=OrgRole.VIEWER))
    session.flush()
    with pytest.raises(Refused, match="You belong to"):
        service.sign(session, agreed.director, row.id, number="1", signed_on=SIGNED_ON)


def test_signing_asks_for_a_complete_paper(session: Session, agreed: Agreed) -> None:
    row = service.start(session, agreed.officer, agreed.lines[0])
    service.save(session, agreed.officer, row.id, draft=rules.Draft())
    tomorrow = today(session) + timedelta(days=1)
    with pytest.raises(Problems) as caught:
        service.sign(session, agreed.director, row.id, number=" ", signed_on=tomorrow)
    assert [problem.code for problem in caught.value.problems] == [
        "required",
        "future",
        "no_tranches",
        "no_results",
        "no_signatories",
    ]
    assert balances(agreed)[2018] == {"available": 100, "reserved": 100}


def test_numbers_are_unique(session: Session) -> None:
    agreed = agreements.awarded(session, [{2018: 100}, {2018: 100}])
    agreements.signed(agreed, [(FIRST, 10)])
    with pytest.raises(Problems) as caught:
        agreements.signed(agreed, [(FIRST, 10)], place=1)
    assert codes(caught) == [("number", "taken")]


def test_signing_waits_for_publication(session: Session, agreed: Agreed) -> None:
    session.execute(text("update award_decision set published_at = null"))
    with pytest.raises(Conflict, match="after the decision is published"):
        agreements.signed(agreed, SCHEDULE)


# Payment


def test_a_tranche_is_paid_once(session: Session, agreed: Agreed, signed: Agreement) -> None:
    first, _second, third = agreements.tranches(session, signed)
    paid = money.pay(session, agreed.finance, first.id, document="No. 7", paid_on=FIRST)
    assert (paid.state, paid.payment_document) == ("paid", "No. 7")
    assert money.pay(session, agreed.finance, first.id, document="No. 7", paid_on=FIRST).id == first.id
    with pytest.raises(Conflict, match="paid already"):
        money.pay(session, agreed.finance, first.id, document="No. 8", paid_on=FIRST)
    money.pay(session, agreed.finance, third.id, document="No. 9", paid_on=NEXT)
    assert balances(agreed) == {
        2018: {"available": 100, "committed": 40, "paid": 60},
        2019: {"available": 70, "paid": 50},
    }
    assert fault(agreed) is None


WRONG_PAYMENTS = [
    ("", FIRST, [("document", "required")]),
    ("x" * 501, FIRST, [("document", "too_long")]),
    ("No. 7", date(2099, 1, 1), [("paid_on", "future")]),
    ("No. 7", date(2018, 12, 2), [("paid_on", "too_early")]),
]


def test_wrong_payments(session: Session, agreed: Agreed, signed: Agreement) -> None:
    first = agreements.tranches(session, signed)[0]
    for document, day, wrong in WRONG_PAYMENTS:
        with pytest.raises(Problems) as caught:
            money.pay(session, agreed.finance, first.id, document=document, paid_on=day)
        assert codes(caught) == wrong
    assert balances(agreed)[2018] == {"available": 100, "committed": 100}


def test_nothing_is_paid_before_the_signature(session: Session, agreed: Agreed) -> None:
    row = service.start(session, agreed.officer, agreed.lines[0])
    first = agreements.tranches(session, row)[0]
    with pytest.raises(Conflict):
        money.pay(session, agreed.finance, first.id, document="No. 7", paid_on=FIRST)


# Smaller, ended


def test_shrinking_frees_what_is_not_needed(session: Session, agreed: Agreed, signed: Agreement) -> None:
    first, second, third = agreements.tranches(session, signed)
    money.pay(session, agreed.finance, first.id, document="No. 7", paid_on=FIRST)
    with pytest.raises(Problems) as caught:
        money.shrink(
            session, agreed.finance, signed.id, amounts={first.id: Decimal(1)}, document="No. 2", reason="Less"
        )
    assert codes(caught) == [(f"amounts.{first.id}", "above_open")]
    amounts = {second.id: Decimal(15), third.id: Decimal(0)}
    money.shrink(session, agreed.finance, signed.id, amounts=amounts, document="No. 2", reason="Cheaper machines")
    assert [row.state for row in agreements.tranches(session, signed)] == ["paid", "open", "cancelled"]
    assert balances(agreed) == {
        2018: {"available": 125, "committed": 15, "paid": 60},
        2019: {"available": 120},
    }
    with pytest.raises(Problems) as caught:
        money.shrink(session, agreed.finance, signed.id, amounts=amounts, document="No. 3", reason="Again")
    assert codes(caught) == [(f"amounts.{third.id}", "above_open")] or codes(caught) == [("", "unchanged")]
    with pytest.raises(Conflict, match="was cancelled"):
        money.pay(session, agreed.finance, third.id, document="No. 9", paid_on=NEXT)
    assert fault(agreed) is None


def test_the_end_frees_what_is_not_paid(session: Session, agreed: Agreed, signed: Agreement) -> None:
    first = agreements.tranches(session, signed)[0]
    money.pay(session, agreed.finance, first.id, document="No. 7", paid_on=FIRST)
    ended = money.end(session, agreed.finance, signed.id, document="No. 5", reason="The project stopped")
    assert (ended.state, ended.end_document) == (AgreementState.ENDED, "No. 5")
    assert balances(agreed) == {2018: {"available": 140, "paid": 60}, 2019: {"available": 120}}
    with pytest.raises(Conflict):
        money.end(session, agreed.finance, signed.id, document="No. 5", reason="Again")
    recovery = demand(session, agreed, signed, 60)
    money.receive(session, agreed.finance, recovery, amount=Decimal(60), received_on=NEXT, document="No. 8")
    assert balances(agreed)[2018] == {"available": 140, "returned": 60}


def test_a_fulfilled_agreement_ends_without_a_posting(session: Session, agreed: Agreed, signed: Agreement) -> None:
    for tranche in agreements.tranches(session, signed):
        money.pay(session, agreed.finance, tranche.id, document=f"No. {tranche.place}", paid_on=NEXT)
    before = session.scalar(select(func.count()).select_from(Posting))
    money.end(session, agreed.finance, signed.id, document="Act", reason="Fulfilled")
    assert session.scalar(select(func.count()).select_from(Posting)) == before


# Asked back


def demand(session: Session, agreed: Agreed, row: Agreement, amount: int) -> object:
    first = agreements.tranches(session, row)[0]
    return money.demand(
        session,
        agreed.finance,
        first.id,
        amount=Decimal(amount),
        demanded_on=FIRST + timedelta(days=30),
        document="No. 11",
        reason="Results missed",
    ).id


def test_money_comes_back_in_parts(session: Session, agreed: Agreed, signed: Agreement) -> None:
    first = agreements.tranches(session, signed)[0]
    with pytest.raises(Conflict, match="Only what was paid"):
        demand(session, agreed, signed, 10)
    money.pay(session, agreed.finance, first.id, document="No. 7", paid_on=FIRST)
    recovery = demand(session, agreed, signed, 45)
    assert balances(agreed)[2018] == {"available": 100, "committed": 40, "paid": 60}
    with pytest.raises(Problems) as caught:
        demand(session, agreed, signed, 16)
    assert codes(caught) == [("amount", "above_paid")]
    money.receive(session, agreed.finance, recovery, amount=Decimal(20), received_on=NEXT, document="No. 1")
    with pytest.raises(Problems) as caught:
        money.receive(session, agreed.finance, recovery, amount=Decimal(26), received_on=NEXT, document="No. 2")
    assert codes(caught) == [("amount", "above_asked")]
    money.receive(session, agreed.finance, recovery, amount=Decimal(25), received_on=NEXT, document="No. 2")
    assert balances(agreed)[2018] == {"available": 100, "committed": 40, "paid": 15, "returned": 45}
    view = queries.view(session, agreed.officer, signed.id)
    assert (view.demanded, view.returned, view.recoveries[0].due_on) == (45, 45, date(2019, 2, 18))
    assert fault(agreed) is None


def test_who_keeps_the_money(session: Session, agreed: Agreed, signed: Agreement) -> None:
    first = agreements.tranches(session, signed)[0]
    for actor in (agreed.officer, agreed.director, identity.actor(session, agreed.recipient())):
        with pytest.raises((Refused, NotFound)):
            money.pay(session, actor, first.id, document="No. 7", paid_on=FIRST)
        with pytest.raises((Refused, NotFound)):
            money.end(session, actor, signed.id, document="No. 7", reason="No")


def test_reports_are_noted_once(session: Session, agreed: Agreed, signed: Agreement) -> None:
    due = queries.view(session, agreed.officer, signed.id).agreement.dues[0]
    money.note_due(session, agreed.officer, due.id, received_on=NEXT)
    with pytest.raises(Conflict):
        money.note_due(session, agreed.officer, due.id, received_on=NEXT)


def test_the_recipient_is_told(session: Session, agreed: Agreed) -> None:
    person = agreed.recipient()
    row = agreements.signed(agreed, SCHEDULE)
    first = agreements.tranches(session, row)[0]
    money.pay(session, agreed.finance, first.id, document="No. 7", paid_on=FIRST)
    demand(session, agreed, row, 10)
    kinds = session.scalars(select(Notice.kind).where(Notice.user_id == person.id).order_by(Notice.id)).all()
    assert [kind for kind in kinds if kind != "award"] == ["agreement", "agreement", "recovery"]


# What the database refuses


FORBIDDEN = [
    "update tranche set planned = planned + 1",
    "update tranche set planned_on = planned_on + 1",
    "update tranche set released = -1",
    "delete from tranche",
    "delete from agreement",
    "update agreement set number = '9'",
    "update agreement set state = 'draft', number = null, signed_on = null, signed_at = null, signed_by = null",
    "insert into agreement_result (id, agreement_id, place, title, target, due_on)"
    " select gen_random_uuid(), id, 9, 'x', 'x', now() from agreement",
    "insert into recovery (id, tranche_id, amount, demanded_on, due_on, document, reason, demanded_by)"
    " select gen_random_uuid(), t.id, 1, now(), now(), 'x', 'x', a.drafted_by from tranche t"
    " join agreement a on a.id = t.agreement_id",
]


def test_the_database_keeps_what_was_signed(session: Session, signed: Agreement) -> None:
    session.flush()
    for statement in FORBIDDEN:
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(statement))


def test_the_database_keeps_tranches_within_the_award(session: Session, agreed: Agreed) -> None:
    row = service.start(session, agreed.officer, agreed.lines[0])
    session.flush()
    with pytest.raises(IntegrityError, match="above its award"), session.begin_nested():
        session.execute(text("set constraints all immediate"))
        session.execute(text("update tranche set planned = 1000 where agreement_id = :key"), {"key": row.id})


# Reading


def test_who_reads(session: Session, agreed: Agreed, signed: Agreement) -> None:
    application_id = agreed.stage.applications[0]
    recipient = identity.actor(session, agreed.recipient())
    stranger = identity.actor(session, identity.user(session))
    assert queries.of_application(session, recipient, application_id).agreement.id == signed.id
    with pytest.raises(NotFound):
        queries.of_application(session, stranger, application_id)


def test_a_draft_is_not_shown_to_the_recipient(session: Session, agreed: Agreed) -> None:
    service.start(session, agreed.officer, agreed.lines[0])
    recipient = identity.actor(session, agreed.recipient())
    with pytest.raises(NotFound):
        queries.of_application(session, recipient, agreed.stage.applications[0])
    assert queries.on_application(session, recipient, agreed.stage.applications[0]) == (False, False)


def test_forecast_by_month(session: Session, agreed: Agreed, signed: Agreement) -> None:
    first = agreements.tranches(session, signed)[0]
    money.pay(session, agreed.finance, first.id, document="No. 7", paid_on=FIRST)
    programme = agreed.stage.tender.programme_id
    found = queries.forecast(session, agreed.officer, programme, date(2019, 1, 1))
    assert [(m.year, m.month, m.paid, m.planned, m.overdue) for m in found] == [
        (2018, 12, 60, 0, 40),
        (2019, 6, 0, 50, 0),
    ]
    with pytest.raises((Refused, NotFound)):
        queries.forecast(session, identity.actor(session, identity.user(session)), programme, date(2019, 1, 1))


# Arithmetic


@given(
    st.dictionaries(st.integers(2018, 2022), st.decimals(1, 10**9, places=2), min_size=1, max_size=3),
    st.dates(date(2017, 1, 1), date(2023, 1, 1)),
)
def test_a_proposal_is_the_award_to_the_kopeck(awarded: dict[int, Decimal], day: date) -> None:
    found = rules.propose(awarded, day)
    assert rules.by_year((planned.year, amount) for planned, amount in found) == dict(sorted(awarded.items()))
    assert rules.rest(awarded, awarded) == {}
