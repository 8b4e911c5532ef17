"""The one session and its connections."""

from __future__ import annotations

from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from portal.core.db import after_commit, beside, copy_in, copy_text, db, session, transaction, uuid7


def test_connection_closed_by_the_server_is_not_handed_out(fresh_app: Flask) -> None:
    with fresh_app.app_context():
        first = session().scalar(text("select pg_backend_pid()"))
        db.session.remove()
        with db.engine.connect() as other, other.begin():
            pass
        db.engine.dispose()
        session().scalar(text("select 1"))
        mine = session().scalar(text("select pg_backend_pid()"))
        session().rollback()
        assert mine != first
        killer = db.engine.raw_connection()
        killer.cursor().execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )
        killer.close()
        db.session.remove()
        assert [session().scalar(text("select 1")) for _ in range(3)] == [1, 1, 1]


def test_effects_run_after_the_commit_and_once_per_key(fresh_app: Flask) -> None:
    seen: list[str] = []
    with fresh_app.app_context():
        with transaction() as current:
            after_commit(current, "a", lambda: seen.append("first"))
            after_commit(current, "a", lambda: seen.append("again"))
            assert seen == []
        assert seen == ["first"]


def test_effects_of_a_rolled_back_transaction_are_forgotten(fresh_app: Flask) -> None:
    seen: list[str] = []
    with fresh_app.app_context():
        with pytest.raises(RuntimeError), transaction() as current:
            current.execute(text("select 1"))
            after_commit(current, "a", lambda: seen.append("never"))
            raise RuntimeError
        with transaction() as current:
            current.execute(text("select 1"))
        assert seen == []


def test_work_beside_is_done_in_order_and_in_the_same_transaction(fresh_app: Flask) -> None:
    with fresh_app.app_context(), transaction() as current:
        current.execute(text("create temporary table note (number int) on commit drop"))
        with beside(current) as begin:
            for number in range(5):
                begin(lambda connection, number=number: connection.execute(text(f"insert into note values ({number})")))  # type: ignore[misc]
            found = begin(lambda connection: connection.scalars(text("select number from note order by ctid")).all())
            assert found.result() == [0, 1, 2, 3, 4]


def test_an_error_of_work_beside_is_raised(fresh_app: Flask) -> None:
    with fresh_app.app_context():
        with pytest.raises(ProgrammingError), transaction() as current, beside(current) as begin:
            begin(lambda connection: connection.execute(text("insert into nowhere values (1)")))
        with transaction() as current:
            assert current.scalar(text("select 1")) == 1


def test_rows_are_copied_as_they_are(fresh_app: Flask) -> None:
    key, texts = uuid7(), ["", "\\N", "\\.", 'back\\slash \\t "quoted"', "tab\tline\nreturn\r", "ёлка — ₽ 🌲"]
    rows = [(key, number, said, Decimal("1.50"), number == 0, None) for number, said in enumerate(texts)]
    with fresh_app.app_context(), transaction() as current:
        columns = "key uuid, number int, said text, points numeric, first boolean, nothing text"
        current.execute(text(f"create temporary table note ({columns}) on commit drop"))
        names = ("key", "number", "said", "points", "first", "nothing")
        copy_in(current.connection(), "note", names, copy_text(rows))
        copy_in(current.connection(), "note", names, copy_text([]))
        assert [tuple(row) for row in current.execute(text("select * from note order by number"))] == rows
