"""Whatever is changed in the database behind its triggers is found by ``flask portal verify``, with its place.

The tables and columns are those of the schema: a new one is sealed, recomputed, or named here with the reason why not.
By default one column of each table is changed, with ``FULL=1`` every one, in three parts:
``FULL=1 pytest -s -k "changed_column and part0"`` takes two minutes beside loading the demo.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from typing import Final

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from portal.audit import heads, row_seals
from portal.audit.row_seals import SEALED
from portal.core.db import Base, db
from portal.core.db import session as current_session
from portal.verification import verify

pytestmark = pytest.mark.slow

FULL: Final = bool(os.environ.get("FULL"))
PARTS: Final = 3 if FULL else 1

RECOMPUTED: Final = {
    "audit_event": "each row is sealed by the next one",
    "audit_head": "each is signed",
    "envelope": "follows from its event and its postings",
    "envelope_balance": "follows from the postings",
    "posting": "stands in its event, digest and hash of the input",
    "posting_line": "stands in the event of its posting",
}
"""Tables that are not sealed because what they say is computed again."""

EXEMPT_TABLES: Final = {
    **dict.fromkeys(
        ("alembic_version", "form_key", "task", "user_session", "upload", "upload_part", "presence", "treasury_work"),
        "of the machine: it decides nothing",
    ),
    **dict.fromkeys(
        ("letter", "notice", "notice_preference", "digest_time", "calendar_feed", "tender_follow", "alarm_crossing"),
        "what people are told, not what is true",
    ),
    **dict.fromkeys(("row_seal", "row_layout"), "bound by batch in the audit trail, see the tests of their own"),
    **dict.fromkeys(
        ("measurement", "dry_run", "dry_run_line", "run_check", "calibration_check", "statement_export"),
        "can be computed again at any time",
    ),
    "blind_copy": "made again from the frozen files at any time; what an officer let through is an event",
    **dict.fromkeys(
        ("section", "attachment", "application_export", "part_grant", "prospect", "review_note"),
        "drafts: what was submitted is frozen in the submission",
    ),
    **dict.fromkeys(
        ("user_account", "role_grant", "membership", "invitation", "organisation", "programme", "budget_alarm"),
        "change all the time; each change is an event, decisions rest on the frozen submissions",
    ),
    **dict.fromkeys(
        (
            "board_contact",
            "board_post",
            "cluster",
            "cluster_document",
            "cluster_member",
            "cluster_profile",
            "cluster_programme",
            "cluster_year",
            "infrastructure_object",
            "member_year",
            "register_import",
            "roadmap",
            "roadmap_action",
            "supply",
        ),
        "the register: what a project took from it is frozen in the submission",
    ),
    **dict.fromkeys(
        (
            "application_message",
            "application_thread",
            "correction_request",
            "formal_check",
            "review_inquiry",
            "fit_letter",
            "participant",
            "review_remark",
            "tender_answer",
            "tender_question",
        ),
        "the correspondence around a decision; its events are in the trail",
    ),
    **dict.fromkeys(
        (
            "assignment_plan",
            "assignment_plan_line",
            "conflict",
            "organisation_owner",
            "person_tie",
            "project_trace",
            "reviewer_absence",
            "reviewer_profile",
            "similar_pair",
        ),
        "how reviewers are found; what they gave is sealed",
    ),
    **dict.fromkeys(
        ("allocation_run", "scenario", "scenario_citation", "rank_acceptability"),
        "can be computed again; what was found, and an adoption, is an event",
    ),
    **dict.fromkeys(
        ("seal", "seal_key", "seal_opening"),
        "a changed key or wrap opens nothing; what is opened is compared with the digest of the submission",
    ),
    "secret_ballot": "each seal would tell what the last voter chose; the closed item of the agenda has the counts",
    "stored_file": "the digest of each file stands in the package that names it",
}

EXEMPT_COLUMNS: Final = {
    "application": {
        "title_ru": "a copy of the package",
        "title_en": "a copy of the package",
        "requested_total": "a copy of the package",
        "correction_due": "moves before the decision",
        "content_sha256": "a copy of the package",
        "version": "counts saves",
    },
    "assignment": {"draft": "not handed in", "draft_saved_at": "not handed in", "version": "counts saves"},
    "score_run": {"done": "progress", "task_id": "of the machine"},
    "tender_track": {"last_number": "a counter; the numbers are unique"},
}

CHANGES: Final = {
    "bool": "not coalesce({0}, false)",
    "int2": "coalesce({0}, 0) + 5000",
    "int4": "coalesce({0}, 0) + 5000",
    "int8": "coalesce({0}, 0) + 5000",
    "numeric": "coalesce({0}, 0) + 1",
    "text": "coalesce({0}, '') || '~'",
    "varchar": "coalesce({0}, '') || '~'",
    "uuid": "gen_random_uuid()",
    "date": "coalesce({0}, '2018-01-01') + 1",
    "timestamptz": "coalesce({0}, '2018-01-01') + interval '1 microsecond'",
    "jsonb": "jsonb_build_array({0})",
    "json": "({0}::text || ' ')::json",
    "bytea": "coalesce({0}, '') || '~'::bytea",
}
"""Type -> the smallest change of a value."""

INVENTED: Final = {
    "bool": "false",
    "int2": "1",
    "int4": "1",
    "int8": "1",
    "numeric": "1",
    "text": "'~'",
    "varchar": "'~'",
    "uuid": "gen_random_uuid()",
    "date": "date '2018-01-01'",
    "timestamptz": "timestamptz '2018-01-01'",
    "jsonb": "'{}'::jsonb",
    "bytea": "'~'::bytea",
}
"""Type -> a value, for a row of a table of which the demo has none."""


def test_every_table_is_accounted_for() -> None:
    known = {*SEALED, *RECOMPUTED, *EXEMPT_TABLES}
    assert {table.name for table in Base.metadata.tables.values()} - known == set(), (
        "seal the new table (a migration like proof_seals, and portal/audit/row_seals.py), or say here why not"
    )
    assert not set(SEALED) & {*RECOMPUTED, *EXEMPT_TABLES}


@pytest.fixture
def live(demo_app: Flask) -> Iterator[Session]:
    """The demo with its fences down, for one transaction that is undone."""
    with demo_app.app_context():
        held = current_session()
        heads.publish(held)
        held.execute(text("set local session_replication_role = replica"))
        _fill(held)
        yield held
        held.rollback()
        db.session.remove()


def _fill(session: Session) -> None:
    """A row in every sealed table, sealed by its trigger, with the trail told of it."""
    columns = _columns(session, every=True)
    for table in SEALED:
        if session.execute(text(f"select 1 from {table} limit 1")).first() is not None:
            continue
        _without_checks(session, table)
        session.execute(text(f"alter table {table} enable always trigger seal_new"))
        given = {column: INVENTED[kind] for place, column, kind in columns if place == table}
        names = ", ".join(f'"{column}"' for column in given)
        session.execute(text(f"insert into {table} ({names}) select {', '.join(given.values())}"))
    session.dispatch.before_commit(session)


def _without_checks(session: Session, table: str) -> None:
    for (name,) in session.execute(
        text("select conname from pg_constraint where conrelid = cast(:table as regclass) and contype = 'c'"),
        {"table": table},
    ).all():
        session.execute(text(f'alter table {table} drop constraint "{name}"'))


def first_fault(session: Session) -> str | None:
    session.expire_all()
    return next((fault for _what, _count, fault in verify(session) if fault is not None), None)


def test_the_demo_holds(live: Session) -> None:
    assert first_fault(live) is None


def _columns(session: Session, *, every: bool = False) -> list[tuple[str, str, str]]:
    """Table, column and type of everything that must not change unseen; ``every``: of what may, too."""
    rows = session.execute(
        text(
            "select table_name, column_name, udt_name from information_schema.columns"
            " where table_schema = 'public' and table_name = any(:tables) order by table_name, column_name"
        ),
        {"tables": [*SEALED, *RECOMPUTED]},
    )
    return [tuple(row) for row in rows if every or row[1] not in EXEMPT_COLUMNS.get(row[0], {})]


@pytest.mark.parametrize("part", range(PARTS), ids=lambda part: f"part{part}")
def test_each_changed_column_is_found_with_its_table_and_row(live: Session, part: int) -> None:
    by_table: dict[str, list[tuple[str, str]]] = {}
    for table, column, kind in _columns(live):
        by_table.setdefault(table, []).append((column, kind))
    assert set(by_table) == {*SEALED, *RECOMPUTED}
    chance = random.Random(20261126)
    unseen, count = [], 0
    for table in sorted(by_table)[part::PARTS]:
        columns = by_table[table]
        whole = chance.choice(columns)
        for column, kind in columns if FULL else [whole]:
            fault, keys = _tamper(live, table, column, kind, whole=FULL and column == whole[0])
            count += 1
            if fault is None or not _names(fault, table, keys):
                unseen.append((table, column, fault, keys))
    assert unseen == []
    print(f"{count} columns of {len(sorted(by_table)[part::PARTS])} tables were changed and found")


def _tamper(session: Session, table: str, column: str, kind: str, *, whole: bool) -> tuple[str | None, set[str]]:
    """The fault that is found after one value of one row was changed, and the key of the row before and after."""
    with session.begin_nested() as savepoint:
        _without_checks(session, table)
        value = CHANGES[kind].format(f'{table}."{column}"')
        rows = f"{table} where current" if column == "current" else table
        middle = f"select ctid, {_key(rows, table)} as key from {rows} order by ctid"
        chosen = f"{middle} offset (select count(*) / 2 from {rows}) limit 1"
        keys = session.execute(
            text(
                f'update {table} set "{column}" = {value} from ({chosen}) as chosen where {table}.ctid = chosen.ctid'
                f" returning chosen.key, {_key(table, table)}"
            )
        ).one()
        fault = _found(session, table, whole)
        savepoint.rollback()
    return fault, set(keys)


def _key(rows: str, table: str) -> str:
    """The key of a row as faults name it; nothing for a table that is not sealed."""
    names = [f"{rows.split()[0]}.{name}" for name in SEALED.get(table, ())]
    return f"concat_ws('/', {', '.join(names)})" if names else "''"


def _found(session: Session, table: str, whole: bool) -> str | None:
    """By the whole of the verification, or by all seals of rows, or (not ``FULL``) by what looks at this table."""
    if whole or table not in SEALED or (table == "score" and not FULL):
        return first_fault(session)
    if FULL:
        fault = row_seals.verify(session)[1]
    else:
        session.execute(text("set local timezone = 'UTC'"))
        fault = row_seals.compare(session, table)[1]
    return fault and f"rows: {fault}"


def _names(fault: str, table: str, keys: set[str]) -> bool:
    """Whether a fault tells where to look."""
    if table in SEALED:
        return any(fault.startswith(f"rows: {table} {key}: ") for key in keys)
    place = {
        "audit_event": "audit trail: row ",
        "audit_head": "audit trail: head of ",
        "envelope": "envelope ",
        "envelope_balance": "",
        "posting": "posting ",
        "posting_line": "posting ",
    }[table]
    return place in fault


def test_a_row_that_is_gone_is_found_in_every_sealed_table(live: Session) -> None:
    live.execute(text("set local timezone = 'UTC'"))
    for table in SEALED:
        with live.begin_nested() as savepoint:
            middle = f"select ctid from {table} order by ctid offset (select count(*) / 2 from {table}) limit 1"
            gone = text(f"delete from {table} where ctid = ({middle}) returning {_key(table, table)}")
            key = live.execute(gone).scalar_one()
            assert row_seals.compare(live, table)[1] == f"{table} {key}: is missing"
            savepoint.rollback()


@pytest.mark.parametrize("table", ["score", "mark", "award_amount"])
def test_a_deleted_row_and_an_added_one_are_found(live: Session, table: str) -> None:
    with live.begin_nested() as savepoint:
        live.execute(text(f"delete from {table} where ctid = (select ctid from {table} limit 1)"))
        fault = first_fault(live)
        assert fault is not None
        assert fault.startswith(f"rows: {table} ")
        assert fault.endswith("is missing")
        savepoint.rollback()
    with live.begin_nested() as savepoint:
        key = "year" if table == "award_amount" else "id"
        value = "2099" if table == "award_amount" else "gen_random_uuid()"
        live.execute(text(f"create temporary table copied on commit drop as select * from {table} limit 1"))
        live.execute(text(f"update copied set {key} = {value}"))
        if table == "score":
            live.execute(text("update copied set current = false, run_id = gen_random_uuid()"))
        if table == "mark":
            live.execute(text("update copied set aspect = 'other'"))
        live.execute(text(f"insert into {table} select * from copied"))
        fault = first_fault(live)
        assert fault is not None
        assert fault.startswith(f"rows: {table} ")
        assert fault.endswith("was never sealed")
        savepoint.rollback()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ("update row_seal set digest = repeat('0', 64) where place = 'mark'", "seals of row "),
        ("update row_seal set key = 'other' where place = 'score'", "seals of row "),
        ("update row_seal set batch = gen_random_uuid() where place = 'score'", "seals of row "),
        ("delete from row_seal where place = 'award_decision'", "seals of row "),
        ("update row_layout set covers = covers[2:] where place = 'mark'", "rows: mark "),
        ("update row_layout set form = 'jsonb' where form = 'text'", "rows: score "),
        ("update score set sheet = replace(sheet::text, '0.', '1.')::json where not current", "rows: score "),
        ("update score set current = false where id = (select id from score where current limit 1)", "rows: score "),
    ],
)
def test_changed_seals_are_found(live: Session, change: str, place: str) -> None:
    live.execute(text(change))
    fault = first_fault(live)
    assert fault is not None
    assert place in fault


def test_a_row_and_its_seal_changed_together_are_found(live: Session) -> None:
    """With the digest computed right, the batch is not the one that the trail tells of."""
    live.execute(text("update mark set score = 10 where id = (select id from mark limit 1)"))
    live.execute(
        text(
            "update row_seal set digest = encode(sha256(convert_to(to_jsonb(m)::text, 'UTF8')), 'hex')"
            " from mark m where place = 'mark' and key = m.id::text and score = 10"
        )
    )
    fault = first_fault(live)
    assert fault is not None
    assert "seals of row " in fault


def test_a_changed_bundle_is_found(live: Session) -> None:
    live.execute(text("update stored_file set sha256 = repeat('0', 64) where name = 'results-2016.zip'"))
    assert first_fault(live) == "results bundle results-2016.zip: its file is not the one that was made"
