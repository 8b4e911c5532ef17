"""The administrator's register and its imports."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.clusters.models import Cluster, RegisterImport
from portal.core.jobs import Task
from portal.documents import tables
from portal.identity.models import Role, User
from tests.clusters import test_import
from tests.conftest import form
from tests.factories import clusters, identity

SignIn = Callable[[User], FlaskClient]
CLUSTER = {"code": "D1", "name_ru": "Демо-кластер", "name_en": "Demo cluster", "regions": "36"}


@pytest.fixture
def client(session: Session, sign_in: SignIn) -> FlaskClient:
    person = identity.user(session, Role.ADMINISTRATOR)
    session.commit()
    return sign_in(person)


def upload(client: FlaskClient, data: bytes, name: str = "members.csv", kind: str = "members") -> Any:
    body = form(kind=kind, file=(io.BytesIO(data), name))
    return client.post("/register/import", data=body, content_type="multipart/form-data")


def finish(session: Session) -> RegisterImport:
    row = session.scalars(select(RegisterImport).order_by(RegisterImport.id.desc()).limit(1)).one()
    test_import.run(session, row)
    session.commit()
    return row


def test_a_cluster_is_entered_and_changed(session: Session, client: FlaskClient) -> None:
    assert client.get("/register/new").status_code == 200
    wrong = client.post("/register/new", data=form(**{**CLUSTER, "regions": "99", "code": ""}))
    assert wrong.status_code == 422
    assert 'href="#code"' in wrong.text
    assert 'href="#regions"' in wrong.text
    assert 'value="Demo cluster"' in wrong.text
    assert client.post("/register/new", data=form(**CLUSTER)).status_code == 303
    row = session.scalars(select(Cluster)).one()
    assert "Demo cluster" in client.get(f"/register/{row.id}").text
    body = form(**{**CLUSTER, "name_en": "Renamed"}, version="1")
    assert client.post(f"/register/{row.id}", data=body).status_code == 303
    stale = client.post(f"/register/{row.id}", data=form(**{**CLUSTER, "name_en": "Mine"}, version="1"))
    assert stale.status_code == 409
    assert "Mine" in stale.text
    session.expire_all()
    assert (row.name_en, row.version) == ("Renamed", 2)
    assert client.get("/register/00000000-0000-7000-8000-000000000000").status_code == 404


def test_an_import_from_upload_to_report(session: Session, client: FlaskClient) -> None:
    clusters.cluster(session, code="D1")
    session.commit()
    table = [test_import.HEAD, test_import.member("D1", 1)]
    answer = upload(client, test_import.as_xlsx(table), "members.xlsx")
    assert answer.status_code == 303
    assert session.scalars(select(Task.kind)).one() == "register_import"
    waiting = client.get(answer.location).text
    assert "hx-get" in waiting
    assert client.get(f"{answer.location}/progress").status_code == 200
    row = finish(session)
    assert row.state == "done"
    done = client.get(answer.location).text
    assert "hx-trigger" not in done
    assert "hx-trigger" not in client.get(f"{answer.location}/progress").text
    assert "members.xlsx" in client.get("/register/").text


def test_the_faults_can_be_downloaded_and_are_no_formulas(session: Session, client: FlaskClient) -> None:
    clusters.cluster(session, code="D1")
    session.commit()
    table = [test_import.HEAD, test_import.member("D1", 1, inn="=HYPERLINK(1)")]
    answer = upload(client, b"\xef\xbb\xbf" + "\r\n".join(";".join(row) for row in table).encode())
    assert finish(session).state == "failed"
    report = client.get(f"{answer.location}?lang=en").text
    assert "=HYPERLINK(1)" in report
    download = client.get(f"{answer.location}/faults.csv?lang=en")
    assert download.headers["Content-Disposition"].startswith("attachment;")
    rows = tables.rows(download.data, "faults.csv")
    assert rows[0] == ["Line", "Column", "What stands there", "Reason"]
    assert rows[1][:3] == ["2", "INN", "'=HYPERLINK(1)"]
    assert tables.rows(client.get(f"{answer.location}/faults.xlsx").data, "f.xlsx")[1][2] == "=HYPERLINK(1)"
    assert client.get(f"{answer.location}/faults.exe").status_code == 404


def test_a_stopped_import_says_so(session: Session, client: FlaskClient) -> None:
    answer = upload(client, b"a;b")
    task = session.scalars(select(Task)).one()
    task.last_error, task.parked_at = "broken", task.created_at
    session.commit()
    assert "Nothing was changed" in client.get(f"{answer.location}?lang=en").text
    assert "hx-trigger" not in client.get(f"{answer.location}/progress").text


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "empty.csv"),
        (b"%PDF-1.7\n%%EOF", "members.csv"),
        (b"PK\x03\x04broken", "members.xlsx"),
        (b"a;b\x00", "members.csv"),
        (b"a;b\n" * 6_000_000, "members.csv"),
    ],
    ids=["empty", "pdf", "broken", "binary", "too large"],
)
def test_malformed_uploads_are_refused_on_the_field(client: FlaskClient, data: bytes, name: str) -> None:
    answer = upload(client, data, name)
    assert answer.status_code == 422
    assert 'href="#file"' in answer.text


def test_an_upload_without_file_or_kind_is_refused(client: FlaskClient) -> None:
    answer = client.post("/register/import", data=form(), content_type="multipart/form-data")
    assert answer.status_code == 422
    assert upload(client, b"a;b", kind="people").status_code == 422


@pytest.mark.parametrize("kind", ["clusters", "members"])
@pytest.mark.parametrize("extension", ["csv", "xlsx"])
def test_templates(client: FlaskClient, kind: str, extension: str) -> None:
    answer = client.get(f"/register/template/{kind}.{extension}?lang=en")
    assert answer.status_code == 200
    assert tables.rows(answer.data, "t")[0][0] == "Cluster code"
    assert client.get(f"/register/template/people.{extension}").status_code == 404
    assert client.get(f"/register/template/{kind}.pdf").status_code == 404


def test_who_may_open_the_register(session: Session, sign_in: SignIn, client: FlaskClient) -> None:
    clusters.cluster(session)
    upload(client, b"a;b")
    row = session.scalars(select(RegisterImport)).one()
    paths = ["/register/", "/register/new", "/register/import", f"/register/import/{row.id}"]
    for role in Role:
        reader = sign_in(identity.user(session, role))
        session.commit()
        expected = 200 if role is Role.ADMINISTRATOR else 403
        assert {reader.get(path).status_code for path in paths} == {expected}
    member = sign_in(identity.member(session, identity.organisation(session)))
    session.commit()
    assert {member.get(path).status_code for path in paths} == {404}


@pytest.mark.parametrize("rows", [1, 3])
def test_the_number_of_queries_does_not_grow(
    session: Session, client: FlaskClient, count_queries: Any, rows: int
) -> None:
    for _ in range(rows):
        cluster = clusters.cluster(session, spec_org=identity.organisation(session))
        clusters.membership(session, cluster, identity.organisation(session))
        answer = upload(client, b"a;b")
    session.commit()
    counted = []
    for path in ("/register/", f"/register/{cluster.id}", answer.location):
        client.get(path)
        with count_queries() as statements:
            assert client.get(path).status_code == 200
        counted.append(len(statements))
    assert counted == [3, 2, 3]
