"""Pages of scoring: who may see them, what they say, and how many queries they cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Submission
from portal.identity.models import Role, User
from portal.scoring import service
from portal.scoring.models import ScoreRun
from portal.tenders.models import Tender
from tests.conftest import form
from tests.factories import identity, tenders
from tests.factories.submissions import submitted, track_of, varied

SignIn = Callable[[User], FlaskClient]


def scored(session: Session, count: int) -> tuple[Tender, ScoreRun]:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(count))
    officer = identity.actor(session, identity.user(session, Role.OFFICER))
    run = service.start_run(session, officer, track_of(tender).id)
    while not service.step(session, run.id).finished:
        pass
    session.commit()
    return tender, run


@pytest.mark.parametrize("count", [1, 3])
def test_pages_cost_a_fixed_number_of_queries(
    session: Session, sign_in: SignIn, count_queries: Any, count: int
) -> None:
    _, run = scored(session, count)
    submission_id = session.scalars(select(Submission.id)).first()
    client = sign_in(identity.user(session, Role.CHAIR))
    session.commit()
    for path, queries in (
        ("/staff/scoring", 3),
        (f"/staff/scoring/runs/{run.id}", 5),
        (f"/staff/scoring/submissions/{submission_id}", 2),
    ):
        client.get(path)  # the session's CSRF token is made and stored once
        with count_queries() as statements:
            answer = client.get(path)
        assert (path, answer.status_code, len(statements)) == (path, 200, queries)


def test_officer_starts_a_run_and_watches_it(session: Session, sign_in: SignIn) -> None:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(1))
    client = sign_in(identity.user(session, Role.OFFICER))
    track_id = track_of(tender).id
    session.commit()
    answer = client.post(f"/staff/scoring/tracks/{track_id}/run", data=form())
    assert answer.status_code == 303
    page = client.get(answer.location)
    assert page.status_code == 200
    assert "0" in page.text
    partial = client.get(answer.location, headers={"HX-Request": "true"})
    assert "<html" not in partial.text


def test_empty_track_is_said_on_the_list(session: Session, sign_in: SignIn) -> None:
    tender = tenders.open_tender(session)
    client = sign_in(identity.user(session, Role.OFFICER))
    track_id = track_of(tender).id
    session.commit()
    answer = client.post(f"/staff/scoring/tracks/{track_id}/run", data=form(), follow_redirects=True)
    assert "There is no submitted application on this track yet." in answer.text


@pytest.mark.parametrize(
    ("role", "status"),
    [(Role.OFFICER, 303), (Role.CHAIR, 303), (Role.ADMINISTRATOR, 303), (Role.REVIEWER, 403), (Role.AUDITOR, 403)],
)
def test_roles_that_start_a_run(session: Session, sign_in: SignIn, role: Role, status: int) -> None:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(1))
    client = sign_in(identity.user(session, role))
    track_id = track_of(tender).id
    session.commit()
    assert client.post(f"/staff/scoring/tracks/{track_id}/run", data=form()).status_code == status


def test_applicant_finds_no_scores(session: Session, sign_in: SignIn) -> None:
    _, run = scored(session, 1)
    client = sign_in(identity.member(session, identity.organisation(session)))
    session.commit()
    assert client.get("/staff/scoring").status_code == 404
    assert client.get(f"/staff/scoring/runs/{run.id}").status_code == 404
