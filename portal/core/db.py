"""The database: one session, one base class, one commit.

:func:`transaction` is the only place of the program that commits. Effects that must follow a commit
(kicking the workers) are registered with :func:`after_commit` and are forgotten on rollback.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from select import POLLIN, poll
from typing import Any, ClassVar, Final, TypeVar, cast
from uuid import UUID

import psycopg
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ColumnElement, Connection, DateTime, Engine, MetaData, Uuid, any_, event, func, literal, orm
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.pool import ConnectionPoolEntry, Pool
from uuid_utils.compat import uuid7 as _uuid7

_NAMES: Final = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Base of all tables. Constraints are named, so that a violation can be told apart by its name."""

    registry: ClassVar[orm.registry] = orm.registry(
        metadata=MetaData(naming_convention=_NAMES),
        type_annotation_map={
            datetime: DateTime(timezone=True),
            dict[str, Any]: JSONB,
            list[Any]: JSONB,
            list[str]: JSONB,
        },
    )


db = SQLAlchemy(model_class=Base)


@event.listens_for(Pool, "checkout")
def _still_there(connection: Any, record: ConnectionPoolEntry, proxy: Any) -> None:
    """Do not hand out a connection that the server has closed.

    A server that stops says so: the idle connection's socket becomes readable. Looking at the socket finds it
    without the round trips of ``pool_pre_ping``, which cost a quarter of the time of a page.
    """
    if not isinstance(connection, psycopg.Connection):
        return
    if not connection.closed:
        socket = poll()
        socket.register(connection.fileno(), POLLIN)
        if not socket.poll(0):
            return
    raise DisconnectionError("the server has closed this connection")


def uuid7() -> UUID:
    """A new key: UUIDv7, so that keys sort by the time they were made."""
    return _uuid7()


def session() -> Session:
    """The session of the present request or job."""
    return cast(Session, db.session())


class Keyed:
    """Mixin: a UUIDv7 key made in Python."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-10)


class Stamped:
    """Mixin: when the row was made, by the database's clock."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.portal_now(), sort_order=90)


def read_only(current: Session) -> None:
    """Let a request that only reads do so without a transaction, until :func:`transaction` or a rollback ends it.

    Under READ COMMITTED each statement sees the database anew anyway; without BEGIN and ROLLBACK a page saves two
    round trips. Does nothing in a transaction that has begun, or on a connection that somebody else holds.
    """
    if not current.in_transaction() and isinstance(current.get_bind(), Engine):
        current.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        current.info[READ_ONLY] = True


def end_read_only(current: Session) -> None:
    """The request is going to write after all: what follows is one transaction."""
    if current.info.get(READ_ONLY):
        current.rollback()


_TURN: Final = 0.0001  # seconds
AFTER_COMMIT: Final = "portal.after_commit"
READ_ONLY: Final = "portal.read_only"


def after_commit(session: Session, key: str, effect: Callable[[], None]) -> None:
    """Run ``effect`` once after the present transaction commits; the same ``key`` is kept only once."""
    session.info.setdefault(AFTER_COMMIT, {}).setdefault(key, effect)


@contextmanager
def transaction() -> Iterator[Session]:
    """Do the work of one verb: commit on success, roll back on any exception, then run the effects.

    Effects run after the commit and must not fail it: what they do is repeated by the scheduler.
    """
    current = session()
    end_read_only(current)
    try:
        yield current
        commit(current)
    except BaseException:
        current.rollback()
        raise


def commit(current: Session) -> None:
    """Commit and run the effects. Called by :func:`transaction`, and where a library ends its own request."""
    effects = current.info.get(AFTER_COMMIT, {})
    current.commit()
    current.info.pop(AFTER_COMMIT, None)
    for effect in effects.values():
        effect()


def among(column: ColumnElement[UUID] | orm.InstrumentedAttribute[UUID], keys: Iterable[UUID]) -> ColumnElement[bool]:
    """Whether the column is one of many keys: as one array, where ``in_`` would write out a thousand parameters."""
    return column == any_(literal(list(keys), ARRAY(Uuid)))


def copy_text(rows: Iterable[Sequence[object]]) -> bytes:
    """Rows as COPY reads them: None, and what :class:`str` writes as PostgreSQL reads it; JSON is given as text."""
    lines = ["\t".join([_written(value) for value in row]) for row in rows]
    return "\n".join([*lines, ""]).encode()


def _written(value: object) -> str:
    if value is None:
        return "\\N"
    if not isinstance(value, str):
        return str(value)
    # One after the other: nearly always there is nothing to replace, and looking for one character is fast.
    escaped = value.replace("\\", "\\\\")
    return escaped.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")


def copy_in(connection: Connection, table: str, columns: Sequence[str], text: bytes) -> None:
    """Insert the rows that :func:`copy_text` wrote, in the present transaction. ``table`` and ``columns``: our own
    names, never input.
    """
    cursor = connection.connection.cursor()
    with cursor.copy(f"copy {table} ({', '.join(columns)}) from stdin") as copy:
        copy.write(text)


_T = TypeVar("_T")


class Beside:
    """Takes pieces of work for the thread of :func:`beside`."""

    def __init__(self, thread: ThreadPoolExecutor, connection: Connection) -> None:
        self._thread = thread
        self._connection = connection
        self._going: list[Future[Any]] = []

    def __call__(self, work: Callable[[Connection], _T]) -> Future[_T]:
        """Have a piece of work done after those of before; its result is there when the future says so."""
        if len(self._going) > 1:
            self._going.pop(0).result()
        future = self._thread.submit(work, self._connection)
        self._going.append(future)
        return future

    def end(self) -> None:
        """Raise the error of a piece of work that nobody has asked for yet."""
        for work in self._going:
            work.result()


@contextmanager
def beside(current: Session) -> Iterator[Beside]:
    """Let the database work while Python does, in the present transaction: on what is there already, or on what
    Python needs next.

    Yields a function that takes a piece of work; the pieces are done one after the other by a thread, and nobody else
    may use the session inside the ``with``. At most one piece waits. An error of a piece is raised by a later call or
    at the end.
    """
    connection = current.connection()
    # The thread wants the interpreter for microseconds, but often; if it had to wait the usual five milliseconds each
    # time, the database would have nothing to do in them.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(_TURN)
    try:
        with ThreadPoolExecutor(1, "beside") as thread:
            begin = Beside(thread, connection)
            yield begin
        begin.end()
    finally:
        sys.setswitchinterval(interval)


@event.listens_for(Session, "after_rollback")
def _forget(session: Session) -> None:
    session.info.pop(AFTER_COMMIT, None)
    session.info.pop(READ_ONLY, None)
