"""The page of one application, its history, corrections and versions on both sides, its PDF and archive."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.following import corrections
from portal.applications.following.corrections import Wish
from portal.applications.models import Export
from portal.applications.papers import exports
from portal.core.clock import at, now
from portal.core.jobs import Claim
from portal.identity.models import Role, User
from portal.web.export_jobs import make_export
from tests.applications.test_corrections import change, give_back
from tests.conftest import form
from tests.factories import applications as projects
from tests.factories import identity, review
from tests.factories.applications import Joint

SignIn = Callable[[User], FlaskClient]


@pytest.fixture
def joint(session: Session) -> Joint:
    found = projects.submitted(session)[0]
    session.commit()
    return found


def claim(row: Export) -> Claim:
    return Claim(uuid4(), 1, 1, exports.MAKE, {"export_id": str(row.id)}, 1)


def test_the_page_says_where_it_is_and_what_is_asked_of_each(session: Session, sign_in: SignIn) -> None:
    draft = projects.filled(session)
    session.commit()
    page = sign_in(draft.owners[1]).get(f"/applications/{draft.id}").text
    assert "Where the application is" in page
    assert 'aria-current="step"' in page
    assert "Read and sign" in page
    assert "Document attached" in page
    asks = page[page.index('id="asks"') : page.index("</section>", page.index('id="asks"'))]
    assert "Demo Works" in asks
    projects.confirm_all(draft)
    session.commit()
    owner, partner = (sign_in(person).get(f"/applications/{draft.id}").text for person in draft.owners)
    assert "Submit the application" in owner
    assert 'id="asks"' not in partner


def test_applicants_history_hides_the_funds_people_and_what_is_not_published(
    session: Session, joint: Joint, sign_in: SignIn
) -> None:
    officer = identity.user(session, Role.OFFICER, name="Secret Officer")
    reviewer = identity.user(session, Role.REVIEWER, name="Secret Reviewer")
    application = review.admitted(session, joint.id, officer)
    review.assigned(session, application, people=[reviewer, identity.user(session, Role.REVIEWER)])
    session.commit()
    page = sign_in(joint.owners[0]).get(f"/applications/{joint.id}/history").text
    assert "Application submitted" in page
    assert "Formal check passed" in page
    assert "The fund" in page
    for hidden in ("Secret Officer", "Secret Reviewer", "Reviewer assigned", "applications:", "review:"):
        assert hidden not in page
    staff = sign_in(officer).get(f"/staff/applications/{joint.id}/history").text
    assert "Secret Officer" in staff
    assert "Reviewer assigned" in staff
    assert "review:assignment" not in staff
    assert "Change recorded" not in staff


def test_a_request_is_shown_at_its_place_and_answered_on_the_checklist(
    session: Session, joint: Joint, sign_in: SignIn
) -> None:
    give_back(session, joint, Wish("project.summary", "Say who buys it."))
    session.commit()
    client = sign_in(joint.owners[0])
    section = client.get(f"/applications/{joint.id}/sections/product").text
    assert "Say who buys it." in section
    assert 'href="#summary"' in section
    assert section.count("Say who buys it.") == 2  # in the list on top, and at the field
    assert "Say who buys it." not in client.get(f"/applications/{joint.id}/sections/plan").text
    page = client.get(f"/applications/{joint.id}/corrections").text
    assert "Say who buys it." in page
    row = corrections.requests_of(session, joint.id)[0]
    url = f"/applications/{joint.id}/corrections/{row.id}"
    assert client.post(url, data=form(answer="explained", explanation="")).status_code == 422
    assert client.post(url, data=form(answer="explained", explanation="All do.")).status_code == 303
    assert "All do." in client.get(f"/applications/{joint.id}/corrections").text
    partner = sign_in(joint.owners[1])
    assert partner.post(url, data=form(answer="explained", explanation="no")).status_code == 403
    assert sign_in(identity.user(session)).get(f"/applications/{joint.id}/corrections").status_code == 404


def test_the_officer_asks_at_places_and_saves_them_before_returning(
    session: Session, joint: Joint, sign_in: SignIn
) -> None:
    officer = identity.user(session, Role.OFFICER)
    session.commit()
    client = sign_in(officer)
    url = f"/staff/applications/{joint.id}/check"
    case = review.case_of(session, joint.id)
    typed = {"request-0": "project.summary", "request-0-note": "Longer, please.", "request-1": "", "request-1-note": ""}
    saved = client.post(url, data=form(submission_id=str(case.submission.id), more="y", **typed))
    assert (saved.status_code, saved.location.endswith("#requests")) == (303, True)
    page = client.get(url).text
    assert "Longer, please." in page
    assert 'value="project.summary" selected' in page
    sent = form(submission_id=str(case.submission.id), outcome="returned", version="1", **typed)
    assert client.post(url, data=sent).status_code == 303
    session.expire_all()
    assert [row.field for row in corrections.requests_of(session, joint.id)] == ["project.summary"]
    assert "Longer, please." in client.get(f"/staff/applications/{joint.id}/versions").text


def test_versions_are_listed_and_compared(session: Session, joint: Joint, sign_in: SignIn) -> None:
    give_back(session, joint, Wish("project.summary", "Longer."))
    session.commit()
    change(joint, "product", summary="CANARY-NEW", product_name="Pump X")
    session.commit()
    client = sign_in(joint.owners[0])
    assert "Version 1" in client.get(f"/applications/{joint.id}/versions").text
    page = client.get(f"/applications/{joint.id}/versions/compare?from=1&to=draft").text
    assert "CANARY-NEW" in page
    assert "Asked for" in page
    assert "Not asked for" in page
    officer = identity.user(session, Role.OFFICER)
    session.commit()
    staff = sign_in(officer)
    for url in (f"/applications/{joint.id}", f"/staff/applications/{joint.id}"):
        answer = staff.get(f"{url}/versions/compare?from=1&to=draft")
        assert answer.status_code == 404
        assert "CANARY-NEW" not in answer.text
    assert staff.get(f"/staff/applications/{joint.id}/versions/compare?from=1&to=1").status_code == 200
    assert client.get(f"/applications/{joint.id}/versions/compare?from=1&to=9").status_code == 404


@pytest.mark.parametrize("language", ["ru", "en"])
def test_the_paper_of_a_version_and_of_the_draft(
    session: Session, joint: Joint, sign_in: SignIn, language: str
) -> None:
    client = sign_in(joint.owners[0])
    for version in ("1", "draft"):
        answer = client.get(f"/applications/{joint.id}/application.pdf?version={version}&lang={language}")
        assert answer.status_code == 200
        assert answer.data.startswith(b"%PDF")
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    officer = identity.user(session, Role.OFFICER)
    session.commit()
    staff = sign_in(officer)
    assert staff.get(f"/applications/{joint.id}/application.pdf?version=1").status_code == 200
    for wrong in ("draft", "2", "x"):
        assert staff.get(f"/applications/{joint.id}/application.pdf?version={wrong}").status_code == 404


def test_the_archive_holds_everything_with_its_digests(
    app: Flask, session: Session, joint: Joint, sign_in: SignIn
) -> None:
    client = sign_in(joint.owners[0])
    asked = client.post(f"/applications/{joint.id}/exports", data=form(version="1"))
    assert asked.status_code == 303
    row = session.scalars(select(Export)).one()
    assert "Waiting to start" in client.get(asked.location).text
    assert client.get(f"{asked.location}/file").status_code == 409
    make_export(session, {"export_id": str(row.id)}, claim(row))
    make_export(session, {"export_id": str(row.id)}, claim(row))
    session.commit()
    assert "Download" in client.get(asked.location, headers={"HX-Request": "true"}).text
    answer = client.get(f"{asked.location}/file")
    assert hashlib.sha256(answer.data).hexdigest() == row.sha256
    archive = zipfile.ZipFile(io.BytesIO(answer.data))
    sums = dict(reversed(line.split("  ")) for line in archive.read("SHA256SUMS.txt").decode().splitlines())  # type: ignore[misc]
    assert set(sums) == set(archive.namelist()) - {"SHA256SUMS.txt"}
    for name, digest in sums.items():
        assert hashlib.sha256(archive.read(name)).hexdigest() == digest
        assert not name.startswith("/")
        assert ".." not in name
    package = json.loads(archive.read("application.json"))
    assert len(package["participants"]) == 2
    assert archive.read("application.pdf").startswith(b"%PDF")
    assert len([name for name in sums if name.startswith("documents/")]) == 5
    other = sign_in(joint.owners[1])
    assert other.get(f"{asked.location}/file").status_code == 404
    with at(session, now(session) + exports.KEPT + timedelta(hours=1)):
        exports.clean(session, {}, claim(row))
    session.commit()
    assert session.scalars(select(Export)).all() == []
    assert client.get(f"{asked.location}/file").status_code == 404


def test_the_fund_takes_home_what_it_received_and_never_a_draft(
    session: Session, joint: Joint, sign_in: SignIn
) -> None:
    officer = identity.user(session, Role.OFFICER)
    session.commit()
    staff = sign_in(officer)
    assert staff.post(f"/applications/{joint.id}/exports", data=form(version="1")).status_code == 303
    assert staff.post(f"/applications/{joint.id}/exports", data=form(version="draft")).status_code == 404
    stranger = identity.user(session)
    session.commit()
    assert sign_in(stranger).post(f"/applications/{joint.id}/exports", data=form(version="1")).status_code == 404
