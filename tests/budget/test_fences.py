"""What the database itself refuses, whoever asks; and what the verification finds when the fences are down."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.budget import queries, rules, service
from portal.budget.models import HELD, Envelope, Posting, PostingKind
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


def new_posting(session: Session, kind: str = "reserve", **values: Any) -> UUID:
    key = uuid7()
    session.execute(text("set constraints all deferred"))
    subject = ("decision_line", uuid7()) if kind in HELD else (None, None)
    row = {
        "id": key,
        "key": str(key),
        "input_hash": "",
        "kind": kind,
        "reason": "r",
        "document": "№ 1",
        "author_name": "a",
        "subject_type": subject[0],
        "subject_id": subject[1],
        **values,
    }
    session.execute(
        text(f"insert into posting ({', '.join(row)}) values ({', '.join(f':{name}' for name in row)})"), row
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
        "update envelope_balance set available = available + 1, reserved = reserved - 1",
        "update envelope_balance set at = now()",
        "delete from envelope_balance",
        "truncate envelope_balance",
    ],
)
def test_history_is_append_only(session: Session, envelope: Envelope, statement: str) -> None:
    assert refused(session, statement).endswith("is append-only")


@pytest.mark.parametrize(
    "statement",
    [
        "update envelope set available = available + 1, appropriation = appropriation - 1",
        "update envelope set year = 2019",
        "update envelope set moved_at = null",
        "delete from envelope",
        "insert into envelope_balance select envelope_id, 1, at, 0, 0, 0, 0, 0, 0, 0 from envelope_balance limit 1",
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


@pytest.mark.parametrize(
    ("kind", "lines"),
    [
        ("appropriate", "(:p, 1, :e, 'available', -10), (:p, 2, :e, 'appropriation', 10)"),
        ("adjust", "(:p, 1, :e, 'available', -10), (:p, 2, :e, 'reserved', 10)"),
        ("reserve", "(:p, 1, :e, 'available', -10), (:p, 2, :e, 'committed', 10)"),
        ("pay", "(:p, 1, :e, 'available', -10), (:p, 2, :e, 'paid', 10)"),
        ("reallocate", "(:p, 1, :e, 'appropriation', -10), (:p, 2, :e, 'available', 10)"),
        ("carry_over", "(:p, 1, :e, 'available', -10), (:p, 2, :e, 'carried_over', 10)"),
        ("restore", "(:p, 1, :e, 'appropriation', -10), (:p, 2, :e, 'available', 10)"),
    ],
)
def test_each_kind_moves_its_own_accounts(session: Session, envelope: Envelope, kind: str, lines: str) -> None:
    statement = f"insert into posting_line (posting_id, line, envelope_id, account, amount) values {lines}"
    assert refused(session, statement, p=new_posting(session, kind), e=envelope.id) == "ledger_recipe"


def test_reversal_is_the_opposite_of_what_may_be_reversed(session: Session, envelope: Envelope) -> None:
    given, award = session.scalars(select(Posting).order_by(Posting.number)).all()
    statement = (
        "insert into posting_line (posting_id, line, envelope_id, account, amount)"
        " values (:p, 1, :e, 'available', :a), (:p, 2, :e, :other, -:a)"
    )
    for reverses, other, amount in ((given, "appropriation", -9), (given, "reserved", -10), (award, "reserved", 30)):
        with session.begin_nested() as point:
            key = new_posting(session, "reverse", reverses_id=reverses.id)
            values = {"p": key, "e": envelope.id, "a": Decimal(amount), "other": other}
            assert refused(session, statement, **values) == "ledger_recipe"
            point.rollback()


def test_no_more_is_taken_than_is_held_for_the_subject(session: Session, envelope: Envelope) -> None:
    """The envelope has enough reserved, but for another award."""
    statement = (
        "insert into posting_line (posting_id, line, envelope_id, account, amount)"
        " values (:p, 1, :e, 'committed', 30), (:p, 2, :e, 'reserved', -30)"
    )
    stranger = new_posting(session, "commit")
    assert refused(session, statement, p=stranger, e=envelope.id) == "ledger_not_held"


def test_a_booking_looks_by_index_also_while_the_ledger_is_small(session: Session, envelope: Envelope) -> None:
    """A session keeps its plans: one that reads whole tables would slow each booking by those before it."""

    def scanned() -> int:
        counted = "select sum(seq_scan) from pg_stat_xact_user_tables where relname in ('posting', 'posting_line')"
        return int(session.execute(text(counted)).scalar_one())

    session.execute(text("select from posting where reason = 'counted'"))
    before = scanned()
    for number in range(10):  # a plan is kept after the fifth time
        session.execute(text("set constraints all deferred"))
        service.post(
            session,
            budget.ACTOR,
            key=f"small {number}",
            kind=PostingKind.RESERVE,
            lines=rules.reserve({envelope.id: Decimal(1)}),
            reason="Award",
            document="Minutes",
            subject=("decision_line", uuid4()),
        )
        session.execute(text("set constraints all immediate"))
    assert before > 0
    assert scanned() == before


def test_no_posting_is_dated_before_the_last_one(session: Session, envelope: Envelope) -> None:
    earlier = envelope.moved_at - timedelta(microseconds=1)  # type: ignore[operator]
    statement = (
        "insert into posting_line (posting_id, line, envelope_id, account, amount)"
        " values (:p, 1, :e, 'available', -1), (:p, 2, :e, 'reserved', 1)"
    )
    assert refused(session, statement, p=new_posting(session, at=earlier), e=envelope.id) == "ledger_backdated"


@pytest.mark.parametrize(
    ("kind", "changes", "constraint"),
    [
        ("pay", {"subject_type": None, "subject_id": None}, "ck_posting_held_for"),
        ("pay", {"subject_type": None}, "ck_posting_subject"),
        ("restore", {"document": ""}, "ck_posting_order_number"),
        ("carry_over", {"document": ""}, "ck_posting_order_number"),
        ("gift", {}, "ck_posting_kind"),
    ],
)
def test_posting_says_what_its_kind_needs(
    session: Session, envelope: Envelope, kind: str, changes: dict[str, Any], constraint: str
) -> None:
    with pytest.raises(IntegrityError) as caught, session.begin_nested():
        new_posting(session, kind, **changes)
    assert caught.value.orig.diag.constraint_name == constraint  # type: ignore[union-attr]


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
    tables = ("posting", "posting_line", "envelope", "envelope_balance", "budget_order", "audit_event")
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
        ("update posting set transaction = 1 where id = '{award}'", "is not what the audit trail says of it"),
        ("update posting set input_hash = 'x' where id = '{award}'", "does not have the hash of its input"),
        ("update posting_line set line = line + 7 where posting_id = '{award}'", "its lines are not numbered"),
        (
            "update envelope_balance set paid = paid + 1, reserved = reserved - 1 where number = {number}",
            "reserved of envelope",
        ),
        ("update envelope_balance set at = at - interval '1 s' where number = {number}", "the balance of envelope"),
        ("delete from envelope_balance where number = {number}", "no balance of envelope"),
    ],
)
def test_tampering_with_a_posting_is_found(session: Session, envelope: Envelope, tampering: str, place: str) -> None:
    award = session.scalars(select(Posting).where(Posting.key == "award")).one()
    without_fences(session, tampering.format(award=award.id, number=award.number))
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
        f"delete from envelope_balance where number = {number}",
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


@pytest.mark.parametrize(
    ("tampering", "place"),
    [
        ("update envelope set year = 2019", "is not what the audit trail says of it"),
        ("update envelope set track = 'export'", "is not what the audit trail says of it"),
        ("update envelope set moved_at = moved_at + interval '1 s'", "moved at"),
        ("delete from audit_event where object_type = 'envelope'", "has no event in the audit trail"),
        (
            "insert into envelope_balance select e.id, n.number, n.at, 0, 0, 0, 0, 0, 0, 0"
            " from posting n, envelope e where e.moved_at is null limit 1",
            "a balance is kept after posting",
        ),
        (
            "update envelope_balance set at = at + interval '1 microsecond' where number = {number}",
            "is not dated as it is",
        ),
    ],
)
def test_tampering_with_an_envelope_is_found(session: Session, envelope: Envelope, tampering: str, place: str) -> None:
    budget.envelope(session, envelope.programme_id, year=2030)
    session.commit()
    number = session.scalars(select(Posting.number).where(Posting.key == "award")).one()
    where = "" if "where" in tampering or "envelope_balance" in tampering else " where year = 2018"
    without_fences(session, tampering.format(number=number) + where)
    count, fault = queries.verify(session)
    assert (count, fault is not None and place in fault) == (2, True), fault


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
