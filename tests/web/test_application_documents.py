"""Uploading and fetching documents by the pages."""

from __future__ import annotations

import io
from collections.abc import Callable
from urllib.parse import quote

from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Attachment
from portal.identity.models import OrgRole, User
from tests.conftest import form
from tests.factories import applications, identity

SignIn = Callable[[User], FlaskClient]


def files(*names: str, content: bytes = applications.PDF) -> list[tuple[io.BytesIO, str]]:
    return [(io.BytesIO(content), name) for name in names]


def test_several_files_at_once_all_or_none(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session)
    session.commit()
    client, here = sign_in(joint.owners[0]), f"/applications/{joint.id}/documents"
    assert f'href="/applications/{joint.id}/confirm#letter"' in client.get(here).text, "where to ask for the letter"
    answer = client.post(here, data=form(code="DOC-02", file=files("План.pdf", "Приложение.pdf")))
    assert (answer.status_code, answer.location) == (303, f"{here}#DOC-02")
    client.set_cookie("portal_language", "ru")
    shown = client.get(here).text
    assert ("Прикреплён" in shown, "Назначена" in shown) == (True, False)
    client.set_cookie("portal_language", "en")
    mixed = [*files("fine.pdf"), *files("bad.pdf", content=b"MZ\x90\x00 not a document" * 20)]
    answer = client.post(here, data=form(code="DOC-07", file=mixed))
    assert answer.status_code == 422
    assert "bad.pdf" in answer.text
    session.expire_all()
    assert sorted(item.code for item in session.scalars(select(Attachment))) == ["DOC-02", "DOC-02"]


def test_refusals_of_an_upload(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session)
    viewer = identity.member(session, joint.organisations[0], OrgRole.VIEWER)
    session.commit()
    here = f"/applications/{joint.id}/documents"
    own = f"/applications/{joint.id}/participants/{joint.parts[1].id}/documents"
    client = sign_in(joint.owners[0])
    assert client.post(here, data=form(code="DOC-02")).status_code == 422
    assert client.post(here, data=form(code="DOC-02", file=files(*(f"{n}.pdf" for n in range(11))))).status_code == 422
    assert client.post(here, data=form(code="DOC-99", file=files("a.pdf"))).status_code == 404
    assert client.post(here, data=form(code="DOC-02", issued_on="never", file=files("a.pdf"))).status_code == 422
    assert client.post(own, data=form(code="DOC-12", file=files("a.pdf"))).status_code == 403
    assert sign_in(viewer).post(here, data=form(code="DOC-02", file=files("a.pdf"))).status_code == 403
    assert sign_in(joint.owners[1]).post(own, data=form(code="DOC-12", file=files("a.pdf"))).status_code == 303


def test_a_download_is_never_run_by_the_browser(session: Session, sign_in: SignIn) -> None:
    joint = applications.draft(session)
    session.commit()
    client, here = sign_in(joint.owners[0]), f"/applications/{joint.id}/documents"
    name = 'Бизнес-план "итог".pdf'
    client.post(here, data=form(code="DOC-02", file=files(name)))
    row = session.scalars(select(Attachment)).one()
    answer = client.get(f"/applications/{joint.id}/attachments/{row.id}")
    assert answer.data == applications.PDF
    headers = answer.headers
    assert headers["Content-Disposition"].startswith("attachment;")
    assert quote("Бизнес-план", safe="") in headers["Content-Disposition"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["Cache-Control"] == "private, no-store"


def test_files_of_others_are_not_there(session: Session, sign_in: SignIn) -> None:
    joint, other = applications.filled(session), applications.filled(session)
    row, foreign = joint.dossier.attachments[0], other.dossier.attachments[0]
    session.commit()
    client = sign_in(joint.owners[1])
    assert client.get(f"/applications/{joint.id}/attachments/{row.id}").status_code == 200
    assert client.get(f"/applications/{joint.id}/attachments/{foreign.id}").status_code == 404
    assert client.get(f"/applications/{other.id}/attachments/{foreign.id}").status_code == 404
    assert client.post(f"/applications/{joint.id}/attachments/{row.id}/remove", data=form()).status_code == 403


def test_removing_and_dating(session: Session, sign_in: SignIn) -> None:
    joint = applications.filled(session)
    row = next(item for item in joint.dossier.attachments if item.code == "DOC-12")
    session.commit()
    client, base = sign_in(joint.owners[0]), f"/applications/{joint.id}/attachments/{row.id}"
    wrong = client.post(f"{base}/date", data=form(**{f"issued_on-{row.id}": "32.13.2018"}))
    assert wrong.status_code == 422
    assert client.post(f"{base}/date", data=form(**{f"issued_on-{row.id}": "02.10.2018"})).status_code == 303
    session.expire_all()
    dates = {item.id: str(item.issued_on) for item in joint.dossier.attachments}
    assert dates[row.id] == "2018-10-02"
    assert client.post(f"{base}/remove", data=form()).status_code == 303
    assert client.post(f"{base}/remove", data=form()).status_code == 404
