"""The audit trail: in the same transaction as the change, chained, and tampering is found."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from decimal import Decimal
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.audit.service import GENESIS, head, plain, record, verify
from portal.core.db import db, transaction
from portal.core.db import session as current_session
from portal.identity.policy import system_actor

ACTOR = system_actor("test")


def note(session: Session, **changes: object) -> None:
    record(session, ACTOR, "core:thing:change", "thing", uuid4(), changes)


def test_empty_trail_holds(session: Session) -> None:
    assert verify(session) == (0, None)
    assert head(session) == (0, GENESIS)


def test_events_of_a_transaction_are_chained_in_order(session: Session) -> None:
    note(session, a=1)
    note(session, a=2)
    session.commit()
    rows = session.scalars(select(AuditEvent).order_by(AuditEvent.seq)).all()
    assert [(row.seq, row.changes) for row in rows] == [(1, {"a": 1}), (2, {"a": 2})]
    assert rows[0].previous == GENESIS
    assert rows[1].previous == rows[0].hash
    assert verify(session) == (2, None)
    assert head(session) == (2, rows[1].hash)


def test_rolled_back_change_leaves_no_event(session: Session) -> None:
    note(session, a=1)
    session.rollback()
    session.commit()
    assert verify(session) == (0, None)


def test_event_keeps_who_what_and_the_clocks_instant(session: Session) -> None:
    note(session, amount=Decimal("10.50"), at=datetime(2018, 9, 10, tzinfo=UTC), nested={"x": [1, None]})
    session.commit()
    row = session.scalars(select(AuditEvent)).one()
    assert (row.actor, row.actor_name, row.tag, row.object_type) == (
        "system:test",
        "test",
        "core:thing:change",
        "thing",
    )
    assert row.changes == {"amount": "10.50", "at": "2018-09-10T00:00:00+00:00", "nested": {"x": [1, None]}}


def test_floats_do_not_belong_into_the_trail() -> None:
    with pytest.raises(TypeError):
        plain({"amount": 1.5})


@pytest.mark.parametrize(
    "tampering",
    [
        "update audit_event set seq = seq where seq = 1",
        "delete from audit_event where seq = 1",
        "truncate audit_event",
    ],
)
def test_database_refuses_to_rewrite_history(session: Session, tampering: str) -> None:
    note(session, a=1)
    session.commit()
    with pytest.raises(IntegrityError, match="append-only"):
        session.execute(text(tampering))
    session.rollback()


@pytest.mark.parametrize(
    ("tampering", "place", "what"),
    [
        ("update audit_event set changes = '{\"a\": 9}' where seq = 2", 2, "content does not match its hash"),
        ("update audit_event set actor = 'user:other' where seq = 2", 2, "content does not match its hash"),
        ("delete from audit_event where seq = 2", 3, "row 2 is missing"),
        ("update audit_event set previous = repeat('1', 64) where seq = 3", 3, "does not continue the row before"),
    ],
)
def test_tampering_behind_the_triggers_is_found(session: Session, tampering: str, place: int, what: str) -> None:
    for number in range(3):
        note(session, a=number)
    session.commit()
    session.execute(text("alter table audit_event disable trigger append_only"))
    session.execute(text(tampering))
    session.expire_all()
    fault = verify(session)[1]
    assert fault is not None
    assert (fault.seq, fault.what) == (place, what)


def test_concurrent_writers_make_one_chain(fresh_app: Flask) -> None:
    def write() -> None:
        with fresh_app.app_context():
            for number in range(10):
                with transaction() as session:
                    note(session, number=number)
            db.session.remove()

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with fresh_app.app_context():
        assert current_session().scalar(select(func.count()).select_from(AuditEvent)) == 80
        assert verify(current_session()) == (80, None)


def test_a_statement_that_touches_no_sealed_row_needs_no_event(fresh_app: Flask) -> None:
    with fresh_app.app_context():
        with transaction() as current:
            current.execute(text("delete from mark"))
            current.execute(text("insert into mark select * from mark"))
        with transaction() as current:
            assert current.scalar(select(func.count()).select_from(AuditEvent)) == 0
