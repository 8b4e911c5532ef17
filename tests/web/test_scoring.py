"""Pages of scoring: who may see them, what they say, and how many queries they cost."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.applications.models import Application, State, Submission
from portal.core.canonical import canonical_json, digest
from portal.identity.models import Role, User
from portal.scoring import checks, service
from portal.scoring.models import RunCheck, Score, ScoreRun
from portal.scoring.queries import explained, latest_run
from portal.scoring.sheets import digest_of
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.web.score_paper import paper_data
from tests.conftest import form
from tests.factories import identity, panels, review, tenders
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
        (f"/staff/scoring/runs/{run.id}/manifest", 4),
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


def test_without_a_total_there_is_no_place_and_the_page_says_how_many_are_missing(
    session: Session, sign_in: SignIn
) -> None:
    """Tie rules order equal totals; none of them may put one project without a total above another."""
    tender = tenders.open_tender(session)
    keys = submitted(session, tender, varied(3), state=State.EXPERTISE)
    numbers = [session.get_one(Application, key).number for key in keys]
    people = panels.reviewers(session)
    panels.review(session, keys[1], dict.fromkeys(people, Decimal(7)))
    panels.review(session, keys[2], dict.fromkeys(people, Decimal(6)))
    session.execute(
        text("update assignment set state = 'assigned', submitted_at = null where application_id = :id"),
        {"id": keys[2]},
    )
    client = sign_in(identity.user(session, Role.OFFICER))
    panels.scored(session, tender)
    run = latest_run(session, track_of(tender).id)
    assert run is not None
    path = f"/staff/scoring/runs/{run.id}"
    session.commit()
    page = client.get(path).text
    assert rows(page) == [("1", numbers[1]), ("—", numbers[0]), ("—", numbers[2])]
    assert "2 applications of 3 have no place yet" in page


def test_a_run_that_has_ended_says_so_by_itself(session: Session, sign_in: SignIn) -> None:
    """What the open page asks for every two seconds ends with a box that hides what was true while it ran."""
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(1))
    client = sign_in(identity.user(session, Role.OFFICER))
    track_id = track_of(tender).id
    session.commit()
    address = client.post(f"/staff/scoring/tracks/{track_id}/run", data=form()).location
    page = client.get(address).text
    assert 'class="jp-progress-box" ' in page
    assert re.search(r'class="[^"]*jp-while-running">You may leave', page)
    assert re.search(r'<div class="jp-when-stopped">\s*<form', page)
    run_id = UUID(address.rpartition("/")[2])
    session.execute(text("update score_run set done = total where id = :id"), {"id": run_id})
    session.commit()
    assert "hx-get" in client.get(address, headers={"HX-Request": "true"}).text  # all counted, but not sealed yet
    while not service.step(session, run_id).finished:
        pass
    session.commit()
    partial = client.get(address, headers={"HX-Request": "true"}).text
    assert "jp-progress-box--done" in partial
    assert "hx-get" not in partial
    assert "Show the result" in partial


def rows(page: str) -> list[tuple[str, str]]:
    """Place and number of each row of a ranking's page."""
    found = re.findall(r'scope="row"[^>]*><span>(\d+|—)</span>.*?submissions/[^"]+">([^<]+)<', page, re.DOTALL)
    return [(place, number) for place, number in found]


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


def test_the_manifest_can_be_verified_at_home(session: Session, sign_in: SignIn) -> None:
    _, run = scored(session, 3)
    client = sign_in(identity.user(session, Role.AUDITOR))
    session.commit()
    answer = client.get(f"/staff/scoring/runs/{run.id}/manifest.json")
    document = answer.get_json()
    assert answer.data == canonical_json(document)
    assert digest(document["manifest"]) == document["digest"]
    scores = document["scores"]
    assert digest([[each["number"], each["score"]] for each in scores]) == run.output_digest
    assert digest([[each["number"], each["inputs"]] for each in scores]) == document["manifest"]["inputs"]
    for each in scores:
        reviews = sorted(review["sha256"] for review in each["reviews"])
        assert digest([each["submission"], reviews]) == each["inputs"]


def test_an_auditor_runs_again_and_compares(session: Session, sign_in: SignIn) -> None:
    _, run = scored(session, 2)
    client = sign_in(identity.user(session, Role.AUDITOR))
    session.commit()
    answer = client.post(f"/staff/scoring/runs/{run.id}/checks", data=form())
    assert answer.status_code == 303
    assert "every score computed anew" in client.get(answer.location).text
    assert "<html" not in client.get(answer.location, headers={"HX-Request": "true"}).text
    check = session.scalars(select(RunCheck)).one()
    while not checks.step_check(session, check.id).finished:
        pass
    session.commit()
    assert "All 2 scores came out the same" in client.get(answer.location).text
    assert "the same digest" in client.get(f"/staff/scoring/runs/{run.id}/manifest").text


def test_a_difference_is_shown_with_both_values(session: Session, sign_in: SignIn) -> None:
    _, run = scored(session, 2)
    score = session.scalars(select(Score)).first()
    assert score is not None
    score.sheet = {**score.sheet, "objective_total": "99"}
    score.digest = digest_of(score.sheet)
    client = sign_in(identity.user(session, Role.AUDITOR))
    check = checks.start_check(session, identity.actor(session, identity.user(session, Role.AUDITOR)), run.id)
    while not checks.step_check(session, check.id).finished:
        pass
    session.commit()
    page = client.get(f"/staff/scoring/runs/{run.id}/checks/{check.id}").text
    assert "The result differs" in page
    assert "objective_total" in page
    assert '<code class="jp-code">99</code>' in page


def test_a_run_without_a_manifest_is_not_compared(session: Session, sign_in: SignIn) -> None:
    tender = tenders.open_tender(session)
    submitted(session, tender, varied(1))
    officer = identity.user(session, Role.OFFICER)
    run = service.start_run(session, identity.actor(session, officer), track_of(tender).id)
    client = sign_in(officer)
    session.commit()
    assert client.get(f"/staff/scoring/runs/{run.id}/manifest").status_code == 404
    answer = client.post(f"/staff/scoring/runs/{run.id}/checks", data=form())
    assert answer.status_code == 303


def test_the_score_on_paper_in_both_languages(session: Session, sign_in: SignIn) -> None:
    scored(session, 1)
    submission_id = session.scalars(select(Submission.id)).one()
    client = sign_in(identity.user(session, Role.COMMISSION))
    session.commit()
    path = f"/staff/scoring/submissions/{submission_id}/score.pdf"
    english, russian = client.get(f"{path}?lang=en"), client.get(f"{path}?lang=ru")
    assert english.data.startswith(b"%PDF-")
    assert english.mimetype == "application/pdf"
    assert "-score.pdf" in english.headers["Content-Disposition"]
    assert english.data != russian.data
    client.get("/?lang=en")
    assert client.get(f"{path}?lang=en").data == english.data


def test_what_would_have_moved_it_is_on_the_page_and_on_paper(app: Flask, session: Session, sign_in: SignIn) -> None:
    application = review.admitted(session)
    for assignment in review.assigned(session, application):
        review.reviewed(session, assignment, "5")
    submission_id = application.submission_id
    assert submission_id is not None
    rules = session.scalars(
        select(RuleSetVersion).join(TenderTrack).where(TenderTrack.id == application.tender_track_id)
    ).one()
    session.execute(text("alter table rule_set disable trigger user"))
    rules.content = {**rules.content, "threshold": "79"}
    session.flush()
    service.score_submission(session, submission_id)
    client = sign_in(identity.user(session, Role.CHAIR))
    session.commit()
    page = client.get(f"/staff/scoring/submissions/{submission_id}").text
    assert "What would have moved it above the line" in page
    assert "points were lacking to the threshold (79)" in page
    with app.test_request_context("/?lang=en"):
        found = explained(session, submission_id)
        assert found is not None
        (above,) = paper_data(found)["above"]
    assert above["rows"]
    rules.content = {**rules.content, "threshold": "100"}
    session.flush()
    service.score_submission(session, submission_id)
    session.commit()
    assert "Nothing alone would have been enough." in client.get(f"/staff/scoring/submissions/{submission_id}").text
