"""Writing and checking the audit trail.

:func:`record` collects events during the transaction; just before its commit they are chained and inserted
under one advisory lock, so that the chain is serial and the lock is held for the shortest time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Protocol
from uuid import UUID
from weakref import WeakKeyDictionary

from sqlalchemy import event, select
from sqlalchemy.orm import Session, SessionTransaction

from portal.audit import row_seals
from portal.audit.models import AuditEvent
from portal.audit.sealing import new_salt, seal

GENESIS: Final = "0" * 64
_PENDING: Final = "portal.audit.pending"
_MARKS: Final = "portal.audit.savepoints"
_CHAIN_LOCK: Final = 0x4A50_0001
# By the driver, as it is: while the chain is locked, everybody else who commits waits.
_HEAD: Final = (
    "select seq, hash, at, nullif(current_setting('portal.seal_batch', true), '') as batch from audit_head(%s)"
)
_WRITE: Final = (
    "insert into audit_event"
    " (seq, at, previous, hash, salt, batch, rows, actor, actor_name, tag, object_type, object_id, changes)"
    " values (%(seq)s, %(at)s, %(previous)s, %(hash)s, %(salt)s, %(batch)s, %(rows)s, %(actor)s, %(actor_name)s,"
    " %(tag)s, %(object_type)s, %(object_id)s, %(changes)s::jsonb)"
)
_UNTOLD: Final = {
    "actor": "system:audit",
    "actor_name": "audit",
    "tag": "audit:rows:seal",
    "object_type": "row_seal",
    "changes": {},
}
"""The event of a transaction that has written sealed rows and tells of nothing."""


class Author(Protocol):
    """Whoever acts: a signed-in person, the system, or a visitor."""

    @property
    def audit_id(self) -> str: ...

    @property
    def audit_name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """The first place where the chain does not hold."""

    seq: int
    what: str


def record(
    session: Session,
    actor: Author,
    tag: str,
    object_type: str,
    object_id: UUID | str,
    changes: Mapping[str, Any],
) -> None:
    """Note one change in the present transaction. ``tag`` is ``room:thing:verb``; ``changes`` is small and plain."""
    session.connection()  # begins the transaction, so that its rollback forgets the event
    session.info.setdefault(_PENDING, []).append(
        {
            "actor": actor.audit_id,
            "actor_name": actor.audit_name,
            "tag": tag,
            "object_type": object_type,
            "object_id": str(object_id),
            "changes": plain(changes),
        }
    )


def pending(session: Session) -> Sequence[Mapping[str, Any]]:
    """The events of the present transaction so far, oldest first: ``actor``, ``actor_name``, ``tag``, ..."""
    return tuple(session.info.get(_PENDING, ()))


def plain(value: Any) -> Any:
    """The value as JSON without floats: decimals, dates, keys and enums become strings."""
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | UUID):
        return str(value)
    if value is None or isinstance(value, str | bool | int):
        return value
    raise TypeError(f"{type(value).__name__} does not belong into the audit trail")


@event.listens_for(Session, "before_commit")
def _chain(session: Session) -> None:
    if session.in_nested_transaction():
        return  # the end of a savepoint: the chain's lock must come last, or two transactions wait in a circle
    if not session.in_transaction():
        return
    session.flush()
    pending = session.info.pop(_PENDING, None) or []
    if not pending and not row_seals.waiting(session):
        return
    connection = session.connection()
    seq, previous, at, found = connection.exec_driver_sql(_HEAD, (_CHAIN_LOCK,)).one()
    seq, previous = (seq, previous) if seq else (0, GENESIS)
    batch = UUID(found) if found else None
    rows = None if batch is None else row_seals.close(session, batch)
    pending = pending or [{**_UNTOLD, "object_id": str(batch)}]
    written = []
    for content in pending:
        seq += 1
        row = {"seq": seq, "at": at, "previous": previous, "salt": new_salt(), "batch": batch, "rows": rows, **content}
        previous = seal(AuditEvent(**row), previous)
        written.append({**row, "hash": previous, "changes": json.dumps(row["changes"])})
        batch = rows = None
    connection.exec_driver_sql(_WRITE, written if len(written) > 1 else written[0])


@event.listens_for(Session, "after_transaction_create")
def _mark(session: Session, begun: SessionTransaction) -> None:
    if begun.nested:
        marks = session.info.setdefault(_MARKS, WeakKeyDictionary())
        marks[begun] = len(session.info.get(_PENDING, ()))


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous: SessionTransaction) -> None:
    """A savepoint takes back what was noted since it began, and nothing else; a transaction takes back all."""
    if previous.nested:
        del session.info.get(_PENDING, [])[session.info.get(_MARKS, {}).get(previous, 0) :]
    elif previous.parent is None:
        session.info.pop(_PENDING, None)


def verify(session: Session) -> tuple[int, Fault | None]:
    """Recompute the chain from the first row. Returns how many rows were read and the first fault, if any.

    A cut tail leaves a chain that holds; it is found by comparing with a head kept elsewhere
    (receipts carry it).
    """
    expected, previous, count = 1, GENESIS, 0
    for row in _rows(session):
        count += 1
        if row.seq != expected:
            return count, Fault(row.seq, f"row {expected} is missing")
        if row.salt is None and (row.rows is not None or row.batch is not None):
            return count, Fault(row.seq, "content does not match its hash")
        if row.previous != previous:
            return count, Fault(row.seq, "does not continue the row before")
        if seal(row, previous) != row.hash:
            return count, Fault(row.seq, "content does not match its hash")
        expected, previous = expected + 1, row.hash
    return count, None


def _rows(session: Session) -> Iterator[AuditEvent]:
    statement = select(AuditEvent).order_by(AuditEvent.seq).execution_options(yield_per=1000)
    yield from session.scalars(statement)


def head(session: Session) -> tuple[int, str]:
    """Number and hash of the newest row; (0, zeros) for an empty trail."""
    row = session.execute(
        select(AuditEvent.seq, AuditEvent.hash).order_by(AuditEvent.seq.desc()).limit(1)
    ).one_or_none()
    return (row.seq, row.hash) if row else (0, GENESIS)
