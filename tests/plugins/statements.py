"""Statements of tests stay prepared: PostgreSQL reads and plans each once in a worker, not once in a test.

Psycopg forgets what it has prepared with every ROLLBACK, because a table may have been taken back with it. Here each
request and each test ends with one, while the tables stay; planning anew is more than half of what the tests' server
does. A table that does change (``alter table ... disable trigger``) makes PostgreSQL plan anew by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg._preparing import PrepareManager
from psycopg.pq import ExecStatus, TransactionStatus
from psycopg.pq.abc import PGresult
from sqlalchemy import event
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine import Connection
from sqlalchemy.pool import Pool


class KeptStatements(PrepareManager):
    """What is prepared on a connection outlives a ROLLBACK, but not a DROP."""

    def _should_discard(self, prep: Any, results: Sequence[PGresult], *rest: Any) -> bool:
        rolled_back = any((result.command_status or b"").startswith(b"ROLLBACK") for result in results)
        return False if rolled_back else super()._should_discard(prep, results, *rest)


@event.listens_for(Pool, "connect")
def _keep(connection: Any, record: Any) -> None:
    if isinstance(connection, psycopg.Connection):
        connection._prepared = KeptStatements()
        # PostgreSQL would plan each anew for its first five runs, in case a plan for the values at hand is better.
        connection.pgconn.exec_(b"set plan_cache_mode = force_generic_plan")
        connection.prepare_threshold = 0
        connection.prepared_max = 2000


class ShortSavepoints(PGDialect_psycopg):
    """Savepoints without compiling and without a cursor: the tests' requests begin and end with them."""

    supports_statement_cache = True

    def do_savepoint(self, connection: Connection, name: str) -> None:
        if not _said(connection, f"SAVEPOINT {name}"):
            super().do_savepoint(connection, name)

    def do_rollback_to_savepoint(self, connection: Connection, name: str) -> None:
        # PostgreSQL keeps a savepoint that it has gone back to: a thousand requests would stand in each other.
        if not _said(connection, f"ROLLBACK TO SAVEPOINT {name}; RELEASE SAVEPOINT {name}"):
            super().do_rollback_to_savepoint(connection, name)

    def do_release_savepoint(self, connection: Connection, name: str) -> None:
        if not _said(connection, f"RELEASE SAVEPOINT {name}"):
            super().do_release_savepoint(connection, name)


def _said(connection: Connection, statement: str) -> bool:
    """Whether PostgreSQL has done it; where not, the usual way does it or says why not."""
    driver: Any = connection.connection.dbapi_connection
    with driver.lock:
        if driver.pgconn.transaction_status == TransactionStatus.IDLE:
            return False
        return bool(driver.pgconn.exec_(statement.encode()).status == ExecStatus.COMMAND_OK)


registry.register("postgresql.psycopg", __name__, "ShortSavepoints")
