"""The officer's pages: the list and its filters, one application, the check, the reviewers; who sees what."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.documents.models import StoredFile
from portal.identity.models import Membership, OrgRole, Role, User
from portal.review.models import Assignment, FormalCheck
from portal.tenders.models import Track
from tests.conftest import form
from tests.factories import applications as projects
from tests.factories import identity, review, submissions, tenders
from tests.factories.packages import package

SignIn = Callable[[User], FlaskClient]
BASE = "/staff/applications"


@pytest.fixture
def officer(session: Session, sign_in: SignIn) -> FlaskClient:
    person = identity.user(session, Role.OFFICER)
    session.commit()
    return sign_in(person)


def answers(session: Session, application_id: UUID, **fields: Any) -> dict[str, Any]:
    """The body of a check whose items are all met."""
    case = review.case_of(session, application_id)
    given = review.findings(case).answers
    body = {f"ok-{key}": "yes" for key in given} | {f"note-{key}": "seen" for key in given}
    return form(submission_id=str(case.submission.id), **body, **fields)


def test_list_shows_what_was_submitted(session: Session, officer: FlaskClient) -> None:
    draft = projects.draft(session)
    draft.application.title_en = "CANARY of a draft"
    tender = tenders.open_tender(session)
    submissions.submitted(session, tender, [package()])
    session.commit()
    page = officer.get(f"{BASE}/")
    assert page.status_code == 200
    assert f"{tender.code}-IS-00001" in page.text
    assert "CANARY" not in page.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("track=export", {"P10"}),
        ("track=nonsense", {"P01", "P10"}),
        ("state=expertise", {"P01"}),
        ("state=awarded", set()),
        ("q=Automated", {"P01"}),
        ("q=automated", {"P01"}),
        ("q=%25", set()),
        ("q=_", set()),
        ("tender=00000000-0000-0000-0000-000000000000", set()),
        ("tender=x&cluster=y&cursor=%ff", {"P01", "P10"}),
    ],
)
def test_filters(session: Session, officer: FlaskClient, query: str, found: set[str]) -> None:
    tender = tenders.open_tender(session)
    first, second = package(), package("export")
    first["project"]["name_en"], second["project"]["name_en"] = "Automated P01", "Vans P10"
    submissions.submitted(session, tender, [first], state=State.EXPERTISE)
    submissions.submitted(session, tender, [second], track=Track.EXPORT)
    session.commit()
    page = officer.get(f"{BASE}/?lang=en&{query}")
    assert page.status_code == 200
    assert {name for name in ("P01", "P10") if name in page.text} == found


def test_number_prefix_and_paging(session: Session, officer: FlaskClient) -> None:
    tender = tenders.open_tender(session)
    submissions.submitted(session, tender, submissions.varied(30))
    session.commit()
    first = officer.get(f"{BASE}/?q={tender.code.lower()}-is-000")
    assert (first.text.count("<tr "), 'rel="next"' in first.text) == (26, True)
    onward = first.text.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    second = officer.get(onward)
    assert (second.text.count("<tr "), 'rel="prev"' in second.text) == (6, True)


def test_list_takes_the_same_statements_for_any_number(
    session: Session, officer: FlaskClient, count_queries: Any
) -> None:
    tender = tenders.open_tender(session)
    taken = []
    for more in (1, 60):
        submissions.submitted(session, tender, submissions.varied(more))
        session.commit()
        officer.get(f"{BASE}/")
        with count_queries() as statements:
            assert officer.get(f"{BASE}/").status_code == 200
        taken.append(len(statements))
    assert taken[0] == taken[1] <= 6


@pytest.mark.parametrize("view", ["", "/check", "/reviews", "/score", "/history"])
def test_pages_of_an_application(session: Session, officer: FlaskClient, count_queries: Any, view: str) -> None:
    application = review.admitted(session)
    for row in review.assigned(session, application, 3):
        review.reviewed(session, row)
    session.commit()
    title, key = application.title_en, application.id
    officer.get(f"{BASE}/{key}{view}")  # the first page of a session writes its token
    session.expunge_all()
    with count_queries() as statements:
        page = officer.get(f"{BASE}/{key}{view}")
    assert page.status_code == 200
    assert title in page.text
    assert len(statements) <= 12


def test_check_is_saved_and_decided(session: Session, officer: FlaskClient) -> None:
    key = review.waiting(session)
    session.commit()
    saved = officer.post(f"{BASE}/{key}/check", data=answers(session, key, save="y", comment="So far so good"))
    assert saved.status_code == 303
    assert "So far so good" in officer.get(f"{BASE}/{key}/check").text
    refused = officer.post(f"{BASE}/{key}/check", data=answers(session, key, version=1))
    assert (refused.status_code, "Choose the outcome" in refused.text) == (422, True)
    stale = officer.post(f"{BASE}/{key}/check", data=answers(session, key, outcome="admitted", comment="typed"))
    assert (stale.status_code, "typed" in stale.text) == (409, True)
    done = officer.post(f"{BASE}/{key}/check", data=answers(session, key, version=1, outcome="admitted"))
    assert (done.status_code, done.location) == (303, f"{BASE}/{key}/reviews")
    assert session.get_one(Application, key).state == State.EXPERTISE
    assert session.scalars(select(FormalCheck.outcome)).all() == ["admitted"]


def test_problems_keep_what_was_typed(session: Session, officer: FlaskClient) -> None:
    key = review.waiting(session)
    session.commit()
    body = answers(session, key, outcome="refused", comment="")
    body["note-DOC-02"] = "KEPT NOTE"
    page = officer.post(f"{BASE}/{key}/check", data=body)
    assert page.status_code == 422
    assert 'href="#reasons"' in page.text
    assert 'href="#comment"' in page.text
    assert "KEPT NOTE" in page.text
    assert session.get_one(Application, key).state == State.SUBMITTED


def test_reviewers_are_assigned_and_revoked(session: Session, officer: FlaskClient) -> None:
    application = review.admitted(session)
    people = [identity.user(session, Role.REVIEWER) for _ in range(2)]
    session.commit()
    url = f"{BASE}/{application.id}/reviews"
    few = officer.post(url, data=form(reviewers=[str(people[0].id)]))
    assert (few.status_code, 'href="#reviewers"' in few.text) == (422, True)
    done = officer.post(url, data=form(reviewers=[str(person.id) for person in people]))
    assert done.status_code == 303
    rows = session.scalars(select(Assignment).order_by(Assignment.id)).all()
    assert [row.reviewer_id for row in rows] == [person.id for person in people]
    assert officer.post(f"{url}/{rows[0].id}/revoke", data=form()).status_code == 303
    assert officer.post(f"{url}/{uuid4()}/revoke", data=form()).status_code == 404
    assert officer.post(url, data=form(reviewers=["x"])).status_code == 404


def test_another_review_and_lateness_are_flagged(session: Session, officer: FlaskClient) -> None:
    application = review.admitted(session)
    rows = review.assigned(session, application)
    review.reviewed(session, rows[0], "9", "CANARY of the first review, long enough.")
    review.reviewed(session, rows[1], "4")
    session.commit()
    page = officer.get(f"{BASE}/{application.id}/reviews?lang=en")
    assert "another review is needed" in page.text
    assert "CANARY of the first review" in page.text


def test_frozen_documents_are_downloads(session: Session, officer: FlaskClient) -> None:
    joint, sent = projects.submitted(session)
    file_id = sent.snapshot["documents"][0]["file_id"]
    other = StoredFile(key=uuid4().hex, name="x.pdf", content_type="application/pdf", size=1, sha256="0" * 64)
    session.add(other)
    session.commit()
    got = officer.get(f"{BASE}/{joint.id}/documents/{file_id}")
    assert got.status_code == 200
    assert io.BytesIO(got.data).read(5) == b"%PDF-"
    assert got.headers["Content-Disposition"].startswith("attachment")
    assert officer.get(f"{BASE}/{joint.id}/documents/{other.id}").status_code == 404


VIEWS = ("/", "/{id}", "/{id}/check", "/{id}/reviews", "/{id}/score", "/{id}/history")
READERS = (
    Role.OFFICER,
    Role.CHAIR,
    Role.COMMISSION,
    Role.DIRECTOR,
    Role.FINANCE,
    Role.ADMINISTRATOR,
    Role.AUDITOR,
)


def test_who_opens_what(session: Session, sign_in: SignIn) -> None:
    application = review.admitted(session)
    for row in review.assigned(session, application):
        review.reviewed(session, row, text="CANARY of a review, long enough to count.")
    people = {role: identity.user(session, role) for role in Role}
    applicant = session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.organisation_id == application.initiator_id)
    ).one()
    stranger = identity.member(session, identity.organisation(session))
    tied = identity.user(session, Role.OFFICER)
    session.add(Membership(user_id=tied.id, organisation_id=application.initiator_id, role=OrgRole.VIEWER))
    session.commit()
    table = {person: (role in READERS) for role, person in people.items()} | {applicant: False, stranger: False}
    for person, may in table.items():
        client = sign_in(person)
        for view in VIEWS:
            page = client.get(BASE + view.format(id=application.id))
            assert (page.status_code == 200) is may, (person.email, view, page.status_code)
            assert "CANARY" not in page.text or (may and view == "/{id}/reviews")
            if not may:
                assert application.title_en not in page.text
    for role, person in people.items():
        client = sign_in(person)
        for path in ("check", "reviews", f"reviews/{uuid4()}/revoke"):
            answer = client.post(f"{BASE}/{application.id}/{path}", data=form(submission_id=str(uuid4())))
            assert (answer.status_code in (403, 404)) is (role is not Role.OFFICER) or path.endswith("revoke")
    client = sign_in(tied)
    for view in ("/{id}/reviews", "/{id}/history"):
        page = client.get(BASE + view.format(id=application.id))
        assert (page.status_code, "CANARY" in page.text) == (403, False)
    anonymous = client.application.test_client().get(f"{BASE}/")
    assert anonymous.status_code == 302
