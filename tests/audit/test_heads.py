"""Heads of the trail: one a day, signed, and a rewritten trail is found by them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.audit import heads
from portal.audit.models import AuditEvent, AuditHead
from portal.audit.sealing import inner, seal, shown
from portal.audit.service import GENESIS, verify
from portal.core.canonical import digest
from portal.core.clock import at
from tests.audit.test_service import note

NOON = datetime(2018, 9, 10, 12, tzinfo=UTC)


def published(session: Session, rows: int = 2) -> AuditHead:
    for number in range(rows):
        note(session, number=number)
    session.commit()
    with at(session, NOON):
        head = heads.publish(session)
    session.commit()
    assert head is not None
    return head


def test_the_first_head_of_a_day_counts(session: Session) -> None:
    assert heads.publish(session) is None
    first = published(session)
    assert (first.day.isoformat(), first.seq) == ("2018-09-10", 2)
    again = published(session)
    assert again.seq == 2
    with at(session, NOON.replace(day=11)):
        heads.publish(session)
    assert [row.seq for row in heads.published(session)] == [4, 2]
    assert heads.verify(session) == (2, None)


def test_the_database_keeps_them(session: Session) -> None:
    published(session)
    with pytest.raises(IntegrityError, match="append-only"):
        session.execute(text("update audit_head set seq = 1"))


def test_a_trail_written_anew_is_found(session: Session) -> None:
    """Every seal is right again, and so is the chain: only the published head tells."""
    published(session, rows=3)
    session.execute(text("alter table audit_event disable trigger append_only"))
    previous = GENESIS
    for row in session.scalars(select(AuditEvent).order_by(AuditEvent.seq)).all():
        row.changes = {"number": 7}
        row.previous = previous
        row.hash = previous = seal(row, previous)
    session.flush()
    assert verify(session) == (3, None)
    assert heads.verify(session) == (
        1,
        "head of 2018-09-10: row 3 of the trail is not the one that was published",
    )


def test_a_cut_tail_is_found(session: Session) -> None:
    published(session)
    session.execute(text("alter table audit_event disable trigger append_only"))
    session.execute(text("delete from audit_event where seq = 2"))
    assert verify(session) == (1, None)
    assert heads.verify(session) == (1, "head of 2018-09-10: row 2 of the trail is not the one that was published")


@pytest.mark.parametrize(
    "change", ["seq = 1", "hash = repeat('0', 64)", "at = at + interval '1 second'", "day = day - 1"]
)
def test_a_changed_head_is_found(session: Session, change: str) -> None:
    published(session)
    session.execute(text("alter table audit_head disable trigger append_only"))
    session.execute(text(f"update audit_head set {change}"))
    session.expire_all()
    count, fault = heads.verify(session)
    assert (count, fault is not None and fault.endswith("its signature does not hold")) == (1, True)


def test_a_row_is_shown_without_who_acted(session: Session) -> None:
    note(session, number=1)
    session.commit()
    row = session.scalars(select(AuditEvent)).one()
    open_row = shown(row)
    assert row.actor not in str(open_row)
    assert (open_row["changes"], open_row["seq"]) == ({"number": 1}, 1)
    salt = open_row.pop("salt")
    assert digest({**open_row, "changes": digest([salt, open_row["changes"]])}) == inner(row)
    assert salt != row.salt
