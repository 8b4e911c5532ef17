"""Imports of clusters and members: all faults told, all or nothing, and only what differs."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.clusters import jobs as work
from portal.clusters import service
from portal.clusters.columns import template
from portal.clusters.models import Cluster, ClusterMember, ImportKind, RegisterImport
from portal.core import jobs
from portal.core.db import db, transaction
from portal.core.errors import Problems
from portal.demo.identifiers import demo_inn, demo_kpp, demo_ogrn
from portal.documents.sheets import as_csv, as_xlsx
from portal.identity.models import Organisation, Role
from portal.identity.policy import Actor
from tests.factories import clusters, identity

HEAD = ["Код кластера", "ИНН", "КПП", "ОГРН", "ОКВЭД 2", "Регион", "Название", "Конечный производитель", "Продукция"]


def administrator(session: Session) -> Actor:
    return identity.actor(session, identity.user(session, Role.ADMINISTRATOR))


def member(cluster: str, serial: int, **changes: str) -> list[str]:
    cells = {
        "cluster": cluster,
        "inn": demo_inn("36", serial),
        "kpp": demo_kpp("36"),
        "ogrn": demo_ogrn("36", serial),
        "okved2": "28.14",
        "region": "36",
        "name": f"ООО «Демо-Завод {serial}»",
        "final": "нет",
        "product": "задвижки",
        **changes,
    }
    return list(cells.values())


def start(session: Session, data: bytes, kind: ImportKind = ImportKind.MEMBERS) -> RegisterImport:
    return service.start_import(session, administrator(session), kind=kind, name="table.csv", stream=io.BytesIO(data))


def run(session: Session, row: RegisterImport) -> list[tuple[str, int, int]]:
    """Do the import's steps; the states on the way with done and total."""
    claim = jobs.Claim(uuid4(), 1, 1, "register_import", {}, 1)
    seen = []
    for _ in range(100):
        progress = work.register_import(session, {"import_id": str(row.id)}, claim)
        session.flush()
        seen.append((row.state, row.progress_done, row.progress_total))
        if progress.finished:
            return seen
    raise AssertionError("the import did not end")


def imported(session: Session, rows: list[list[str]], kind: ImportKind = ImportKind.MEMBERS) -> dict[str, Any]:
    row = start(session, as_csv(rows), kind)
    run(session, row)
    return {"state": row.state, **row.report}


def faults(session: Session, rows: list[list[str]], kind: ImportKind = ImportKind.MEMBERS) -> list[tuple[int, str]]:
    report = imported(session, rows, kind)
    assert report["state"] == "failed"
    assert all(set(f["reason"]) == {"ru", "en"} for f in report["faults"])
    return [(f["line"], f["field"]) for f in report["faults"]]


def counts(report: dict[str, Any]) -> tuple[str, int, int, int]:
    return report["state"], report["created"], report["changed"], report["unchanged"]


def total(session: Session, model: type[Any]) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def test_members_are_imported_and_the_bar_tells_the_truth(session: Session) -> None:
    clusters.cluster(session, code="D1")
    row = start(session, as_csv([HEAD, *(member("D1", n) for n in range(work.STEP + 1))]))
    whole = work.STEP + 2
    assert run(session, row) == [
        ("checking", 0, whole),
        ("checking", work.STEP, whole),
        ("applying", work.STEP + 1, whole),
        ("done", whole, whole),
    ]
    assert row.report == {"rows": 501, "created": 501, "changed": 0, "unchanged": 0, "faults": []}
    assert total(session, Organisation) == 501
    found = session.scalars(select(ClusterMember)).all()
    assert {(m.state, m.product, m.final_producer) for m in found} == {("confirmed", "задвижки", False)}


def test_importing_again_changes_only_what_changed(session: Session) -> None:
    clusters.cluster(session, code="D1")
    rows = [HEAD, *(member("D1", n) for n in range(3))]
    assert counts(imported(session, rows)) == ("done", 3, 0, 0)
    session.commit()
    before = total(session, AuditEvent)
    assert counts(imported(session, rows)) == ("done", 0, 0, 3)
    session.commit()
    # Two events tell of the upload; nothing was changed, so nothing more is told.
    assert total(session, AuditEvent) == before + 2
    rows[2] = member("D1", 1, name="ООО «Демо-Новое имя»", final="да")
    rows[3] = member("D1", 3)
    assert counts(imported(session, rows)) == ("done", 1, 1, 1)
    assert total(session, ClusterMember) == 4
    changed = session.scalars(select(Organisation).where(Organisation.inn == demo_inn("36", 1))).one()
    assert (changed.name_ru, changed.version) == ("ООО «Демо-Новое имя»", 2)
    session.commit()
    event = session.scalars(select(AuditEvent).order_by(AuditEvent.seq.desc()).limit(1)).one()
    assert event.tag == "clusters:register:import"
    assert [(r["line"], r["created"]) for r in event.changes["rows"]] == [(3, False), (4, True)]
    assert event.changes["rows"][0]["changes"]["final_producer"] == [False, True]


def test_a_column_that_is_missing_stays_as_it_is(session: Session) -> None:
    clusters.cluster(session, code="D1")
    imported(session, [HEAD, member("D1", 1, product="насосы")])
    assert counts(imported(session, [HEAD[:-1], member("D1", 1)[:-1]])) == ("done", 0, 0, 1)
    assert session.scalars(select(ClusterMember.product)).one() == "насосы"


def test_a_request_and_a_refusal_become_confirmed(session: Session) -> None:
    cluster = clusters.cluster(session, code="D1")
    for serial, state in ((1, "requested"), (2, "refused"), (3, "left")):
        fields = {"inn": demo_inn("36", serial), "ogrn": demo_ogrn("36", serial)}
        organisation = identity.organisation(session, name=f"ООО «Демо-Завод {serial}»", **fields)
        clusters.membership(session, cluster, organisation, state, product="задвижки")
    assert counts(imported(session, [HEAD, *(member("D1", n) for n in (1, 2, 3))])) == ("done", 0, 3, 0)
    found = session.execute(select(ClusterMember.state, ClusterMember.reason)).all()
    assert {tuple(row) for row in found} == {("confirmed", None)}


def test_every_bad_row_is_told_and_nothing_is_imported(session: Session) -> None:
    clusters.cluster(session, code="D1")
    rows = [
        HEAD,
        member("D1", 1),
        member("D1", 2, inn="3699900021", region="99"),
        [],
        member("D1", 1),
        member("NONE", 3),
        member("D1", 4, kpp="", okved2="99999", name=""),
        member("D2", 1, name="Другое имя"),
    ]
    assert faults(session, rows) == [
        (3, "inn"),
        (3, "region"),
        (5, "cluster"),
        (6, "cluster"),
        (7, "kpp"),
        (7, "okved2"),
        (7, "name_ru"),
        (8, "inn"),
        (8, "cluster"),
    ]
    assert total(session, Organisation) == total(session, ClusterMember) == 0


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            [["x"]],
            [(1, ""), *((1, key) for key in ("cluster", "inn", "kpp", "ogrn", "okved2", "region", "name_ru")), (0, "")],
        ),
        ([HEAD], [(0, "")]),
        ([[*HEAD, "ИНН"], member("D1", 1)], [(1, "inn")]),
        ([[*HEAD, "Сектор"], member("D1", 1)], [(1, "")]),
        ([HEAD, [*member("D1", 1), "too", "much"]], [(2, "")]),
        ([[], [], HEAD, member("D1", 1, inn="")], [(4, "inn")]),
    ],
)
def test_faults_of_the_header(session: Session, rows: list[list[str]], expected: list[tuple[int, str]]) -> None:
    clusters.cluster(session, code="D1")
    assert faults(session, rows) == expected


def test_an_unreadable_table_is_a_fault_of_the_file(session: Session) -> None:
    row = start(session, b'a;b\n"never closed')
    assert run(session, row) == [("failed", 0, 0)]
    assert [(f["line"], f["field"]) for f in row.report["faults"]] == [(0, "")]


def test_what_is_no_table_is_refused_at_once(session: Session) -> None:
    with pytest.raises(Problems) as caught:
        start(session, b"%PDF-1.7\n%%EOF")
    assert [(p.field, p.code) for p in caught.value.problems] == [("file", "wrong_type")]
    assert total(session, RegisterImport) == 0


@pytest.mark.parametrize("locale", ["ru", "en"])
@pytest.mark.parametrize("write", [as_csv, as_xlsx])
def test_the_templates_can_be_imported_as_they_are(session: Session, locale: str, write: Any) -> None:
    for kind in (ImportKind.CLUSTERS, ImportKind.MEMBERS):
        row = start(session, write(template(kind, locale)), kind)
        run(session, row)
        assert counts({"state": row.state, **row.report}) == ("done", 1, 0, 0)
    found = session.scalars(select(Cluster)).one()
    assert (found.code, found.regions, found.registered_on is not None) == ("DEMO-1", ["36", "48"], True)


def test_clusters_are_imported_with_their_specialised_organisation(session: Session) -> None:
    spec_org = identity.organisation(session)
    head = ["Cluster code", "Name in Russian", "Regions", "INN of the specialised organisation"]
    table = [head, ["D1", "Кластер", "36", spec_org.inn], ["D2", "Кластер", "16; 77", ""]]
    assert counts(imported(session, table, ImportKind.CLUSTERS)) == ("done", 2, 0, 0)
    table[2][1] = "Кластер два"
    assert counts(imported(session, table, ImportKind.CLUSTERS)) == ("done", 0, 1, 1)
    found = session.scalars(select(Cluster).order_by(Cluster.code)).all()
    assert [(c.code, c.name_ru, c.regions, c.spec_org_id) for c in found] == [
        ("D1", "Кластер", ["36"], spec_org.id),
        ("D2", "Кластер два", ["16", "77"], None),
    ]
    table[1][3] = demo_inn("36", 77)
    assert faults(session, table, ImportKind.CLUSTERS) == [(2, "spec_inn")]


def test_an_ended_import_does_nothing_again(session: Session) -> None:
    clusters.cluster(session, code="D1")
    row = start(session, as_csv([HEAD, member("D1", 1)]))
    run(session, row)
    ended = row.ended_at
    assert len(run(session, row)) == 1
    assert row.ended_at == ended


WORKER = """
from tests.conftest import make_app
import os
app = make_app({})
with app.app_context():
    from portal.core import jobs
    print("ready", flush=True)
    jobs.drain("work")
"""


@pytest.mark.slow
def test_a_worker_killed_while_writing_leaves_nothing_and_the_next_one_finishes(
    fresh_app: Flask, tmp_path: Any
) -> None:
    files = fresh_app.extensions["portal"].files_url
    with fresh_app.app_context():
        with transaction() as session:
            clusters.cluster(session, code="D1")
            import_id = start(session, as_csv([HEAD, *(member("D1", n) for n in range(1200))])).id
        # The last organisation is held back by another transaction: the worker waits for it in mid-writing.
        blocker = db.engine.connect()
        held = blocker.begin()
        blocker.execute(_organisation(1199))
        worker = _worker(fresh_app, files)
        _wait_until_blocked(fresh_app)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        with transaction() as session:
            assert total(session, Organisation) == total(session, ClusterMember) == 0
            assert _state(session, import_id) == ("applying", 1200, 1201)
        held.rollback()
        blocker.close()
        with transaction() as session:
            session.execute(text("update task set run_after = clock_timestamp()"))
        jobs.drain("work")
        with transaction() as session:
            assert _state(session, import_id) == ("done", 1201, 1201)
            assert total(session, Organisation) == total(session, ClusterMember) == 1200


def _organisation(serial: int) -> Any:
    columns = ("inn", "kpp", "ogrn", "okved2", "region", "name_ru")
    cells = member("D1", serial)[1:7]
    row = {**dict(zip(columns, cells, strict=True)), "name_en": "", "id": uuid4()}
    return Organisation.__table__.insert().values(**row, sme="none", version=1)  # type: ignore[attr-defined]


def _worker(app: Flask, files: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **app.config["TEST_ENVIRONMENT"], "FILES_URL": files}
    return subprocess.Popen([sys.executable, "-c", WORKER], env=environment, stdout=subprocess.PIPE)


def _wait_until_blocked(app: Flask) -> None:
    waiting = text(
        "select count(*) from pg_stat_activity where datname = current_database()"
        " and wait_event_type = 'Lock' and query ilike 'insert into organisation%'"
    )
    until = time.monotonic() + 30
    while time.monotonic() < until:
        with db.engine.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.05)
    raise AssertionError("the worker did not reach the writing")


def _state(session: Session, key: UUID) -> tuple[str, int, int]:
    row = session.get_one(RegisterImport, key, populate_existing=True)
    return row.state, row.progress_done, row.progress_total
