"""What the database itself refuses, whoever asks; and what the verification finds when the fences are down."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.budget import queries, service
from portal.budget.models import Envelope, Posting
from portal.core.db import uuid7
from tests.factories import budget
from tests.factories import tenders as tenders_factory


@pytest.fixture
def envelope(session: Session) -> Envelope:
    programme = tenders_factory.programme(session, f"P{uuid4().hex[:6]}")
    row = budget.envelope(session, programme.id, amount=100)
    service.reserve(
        session,
        budget.ACTOR,
        key="award",
        programme_id=programme.id,
        track=row.track,
        amounts={2018: Decimal(30)},
        reason="Award",
        document="Minutes",
        subject=("decision_line", uuid4()),
    )
    session.commit()
    session.execute(text("set constraints all immediate"))
    return row


def refused(session: Session, statement: str, **values: Any) -> str:
    """The name of the constraint, or the message of the refusal."""
    with pytest.raises(IntegrityError) as caught:
        at_once(session, statement, **values)
    diagnosis = caught.value.orig.diag  # type: ignore[union-attr]
    return str(diagnosis.constraint_name or diagnosis.message_primary)


def at_once(session: Session, statement: str, **values: Any) -> None:
    """In a savepoint, with the deferred checks at its end."""
    with session.begin_nested():
        session.execute(text(statement), values)
        session.execute(text("set constraints all immediate"))


def new_posting(session: Session) -> UUID:
    key = uuid7()
    session.execute(text("set constraints all deferred"))
    session.execute(
        text(
            "insert into posting (id, key, input_hash, kind, reason, document, author_name)"
            " values (:id, :key, '', 'reserve', 'r', '', 'a')"
        ),
        {"id": key, "key": str(key)},
    )
    return key


@pytest.mark.parametrize(
    "statement",
    [
        "update posting set reason = 'other'",
        "update posting set at = now()",
        "delete from posting",
        "truncate posting cascade",
        "update posting_line set amount = amount * 2",
        "delete from posting_line",
        "truncate posting_line",
    ],
)
def test_history_is_append_only(session: Session, envelope: Envelope, statement: str) -> None:
    assert refused(session, statement).endswith("is append-only")


@pytest.mark.parametrize(
    "statement",
    [
        "update envelope set available = available + 1, appropriation = appropriation - 1",
        "update envelope set year = 2019",
        "delete from envelope",
    ],
)
def test_balances_move_with_postings_only(session: Session, envelope: Envelope, statement: str) -> None:
    assert refused(session, statement) == "balances move with postings only"


def test_envelope_starts_empty(session: Session, envelope: Envelope) -> None:
    statement = (
        "insert into envelope (id, programme_id, track, year, appropriation, available)"
        " values (:id, :programme, 'export', 2019, -5, 5)"
    )
    assert refused(session, statement, id=uuid7(), programme=envelope.programme_id) == "an envelope starts empty"


@pytest.mark.parametrize(
    ("lines", "constraint"),
    [
        ("(:p, 1, :e, 'available', -10)", "ck_envelope_balanced"),
        ("(:p, 1, :e, 'available', -10), (:p, 2, :e, 'reserved', 9)", "ck_envelope_balanced"),
        ("(:p, 1, :e, 'available', -70.01), (:p, 2, :e, 'reserved', 70.01)", "ledger_overdraw"),
        ("(:p, 1, :e, 'reserved', -30.01), (:p, 2, :e, 'available', 30.01)", "ledger_overdraw"),
        ("(:p, 1, :e, 'paid', -1), (:p, 2, :e, 'returned', 1)", "ledger_overdraw"),
        ("(:p, 1, :e, 'available', 10), (:p, 2, :e, 'appropriation', -10.01)", "ck_envelope_balanced"),
        ("(:p, 1, :e, 'pocket', -10), (:p, 2, :e, 'reserved', 10)", "ck_posting_line_account"),
        ("(:p, 1, :e, 'available', 0), (:p, 2, :e, 'reserved', 0)", "ck_posting_line_amount"),
    ],
)
def test_lines_are_balanced_and_keep_the_floor(
    session: Session, envelope: Envelope, lines: str, constraint: str
) -> None:
    statement = f"insert into posting_line (posting_id, line, envelope_id, account, amount) values {lines}"
    assert refused(session, statement, p=new_posting(session), e=envelope.id) == constraint


def test_posting_without_lines_is_refused_at_commit(session: Session, envelope: Envelope) -> None:
    session.execute(text("set constraints all deferred"))
    new_posting(session)
    assert refused(session, "select 1") == "ledger_unbalanced"


def test_old_posting_takes_no_more_lines(session: Session, envelope: Envelope) -> None:
    """In a test everything is one transaction, so the posting is made to look like one of another."""
    posting = session.scalars(select(Posting)).all()[-1]
    without_fences(session, f"update posting set transaction = 1 where id = '{posting.id}'")
    statement = (
        "insert into posting_line (posting_id, line, envelope_id, account, amount)"
        " values (:p, 9, :e, 'available', -1), (:p, 10, :e, 'reserved', 1)"
    )
    assert refused(session, statement, p=posting.id, e=envelope.id) == f"posting {posting.id} is closed"


# Verification


def without_fences(session: Session, *statements: str) -> None:
    """What somebody with the rights of a superuser could do."""
    session.execute(text("set constraints all immediate"))
    tables = ("posting", "posting_line", "envelope", "audit_event")
    for table in tables:
        session.execute(text(f"alter table {table} disable trigger user"))
    for statement in statements:
        session.execute(text(statement))
    for table in tables:
        session.execute(text(f"alter table {table} enable trigger user"))


def test_untouched_ledger_holds(session: Session, envelope: Envelope) -> None:
    assert queries.verify(session) == (2, None)


@pytest.mark.parametrize(
    ("tampering", "place"),
    [
        ("update posting_line set amount = amount * 2 where posting_id = '{award}'", "is not what the audit"),
        ("update posting set reason = 'Other' where id = '{award}'", "is not what the audit trail says of it"),
        ("update posting set at = at - interval '1 day' where id = '{award}'", "is not what the audit trail"),
        ("delete from posting_line where posting_id = '{award}'", "has no lines"),
        ("delete from audit_event where object_id = '{award}'", "has no event in the audit trail"),
    ],
)
def test_tampering_with_a_posting_is_found(session: Session, envelope: Envelope, tampering: str, place: str) -> None:
    award = session.scalars(select(Posting).where(Posting.key == "award")).one()
    without_fences(session, tampering.format(award=award.id))
    count, fault = queries.verify(session)
    assert (count, fault is not None and fault.startswith(f"posting {award.number}: {place}")) == (2, True)


def test_consistent_tampering_is_found(session: Session, envelope: Envelope) -> None:
    """Lines and balances changed together still differ from the audit trail."""
    award = session.scalars(select(Posting).where(Posting.key == "award")).one()
    without_fences(
        session,
        f"update posting_line set amount = amount * 2 where posting_id = '{award.id}'",
        f"update envelope set available = available - 30, reserved = reserved + 30 where id = '{envelope.id}'",
    )
    assert queries.verify(session) == (2, f"posting {award.number}: is not what the audit trail says of it")


def test_missing_posting_is_found(session: Session, envelope: Envelope) -> None:
    award = session.scalars(select(Posting).where(Posting.key == "award")).one()
    number, key = award.number, award.id
    session.expunge_all()
    without_fences(
        session,
        f"delete from posting_line where posting_id = '{key}'",
        f"delete from posting where id = '{key}'",
        "update envelope set available = available + 30, reserved = reserved - 30",
    )
    count, fault = queries.verify(session)
    assert count == 1
    assert fault is not None
    assert fault.startswith(f"posting {number}: is missing, row ")


def test_edited_balance_is_found(session: Session, envelope: Envelope) -> None:
    without_fences(session, "update envelope set available = available - 1, paid = paid + 1")
    assert queries.verify(session) == (
        2,
        f"envelope import_substitution 2018 ({envelope.id}): available holds 69.00, its postings sum to 70.00",
    )


def test_broken_floor_is_found(session: Session, envelope: Envelope) -> None:
    """A posting that the fences would refuse, with an audit event of its own: the replay finds the moment."""
    session.execute(text("alter table envelope drop constraint ck_envelope_floor_available"))
    session.execute(text("alter table posting_line disable trigger move_balance"))
    session.execute(text("set constraints all deferred"))
    posting = service.reserve(
        session,
        budget.ACTOR,
        key="too much",
        programme_id=envelope.programme_id,
        track=envelope.track,
        amounts={2018: Decimal("70.01")},
        reason="Award",
        document="Minutes",
        subject=("decision_line", uuid4()),
    )
    session.commit()
    session.execute(text("set constraints all immediate"))
    session.execute(text("alter table posting_line enable trigger move_balance"))
    assert queries.verify(session) == (
        3,
        f"posting {posting.number}: takes available of envelope {envelope.id} below zero",
    )
