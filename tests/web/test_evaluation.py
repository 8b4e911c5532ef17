"""Pages of the evaluation and of draws: who sees them, what they say, what they must not say, and their queries."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core import clock
from portal.core.clock import now
from portal.identity.models import Role, User
from portal.review import calibrating
from portal.review.calibration_models import ReviewCalibration
from portal.scoring import calibration_checks, checks, drawing
from portal.scoring.drawing import Source
from portal.scoring.evaluation import evaluation
from portal.scoring.models import CalibrationCheck, Score
from portal.tenders.models import Tender, TenderTrack, Track
from portal.tenders.ruleset import ExpertMean, TieRule
from tests.conftest import form
from tests.factories import budget, identity, panels, tenders
from tests.factories.submissions import track_of

SignIn = Callable[[User], FlaskClient]
CALIBRATED = {"eligibility": (), "expert_mean": ExpertMean.CALIBRATED, "tie_rules": (TieRule.DRAW, TieRule.NUMBER)}


def evaluated(session: Session, count: int = 9) -> tuple[Tender, TenderTrack, list[User]]:
    tender = tenders.open_tender(session, rules=CALIBRATED)
    people = panels.reviewers(session)
    panels.panel(session, tender, people, count)
    track = track_of(tender)
    calibrating.ensure(session, track.id)
    panels.scored(session, tender)
    session.commit()
    return tender, track, people


@pytest.mark.parametrize("count", [1, 6])
def test_the_page_costs_a_fixed_number_of_queries(
    session: Session, sign_in: SignIn, count_queries: Any, count: int
) -> None:
    _, track, _ = evaluated(session, count)
    client = sign_in(identity.user(session, Role.AUDITOR))
    session.commit()
    path = f"/staff/evaluation/{track.id}"
    client.get(path)
    with count_queries() as statements:
        answer = client.get(path)
    assert (answer.status_code, len(statements)) == (200, 12)


def test_it_shows_intervals_the_line_and_who_is_severe(session: Session, sign_in: SignIn) -> None:
    _, track, people = evaluated(session)
    years = {2018: 300_000_000, 2019: 300_000_000, 2020: 300_000_000}
    budget.envelopes(session, tenders.programme(session), {Track.IMPORT_SUBSTITUTION: years})
    client = sign_in(identity.user(session, Role.OFFICER))
    session.commit()
    page = client.get(f"/staff/evaluation/{track.id}").text
    assert "The money ends here" in page
    assert "90 % interval" in page
    assert people[panels.SEVERE].full_name in page
    assert "Krippendorff" in page
    assert page.count('class="jp-intervals__range"') >= 18 + 3
    found = evaluation(session, identity.actor(session, identity.user(session, Role.AUDITOR)), track.id)
    assert found.proposals
    for proposal in found.proposals:
        assert f"{proposal.number}: assign another reviewer" in page
    assert page.count(": assign another reviewer") == len(found.proposals)


def test_too_few_reviews_are_said(session: Session, sign_in: SignIn) -> None:
    _, track, _ = evaluated(session, 2)
    client = sign_in(identity.user(session, Role.OFFICER))
    session.commit()
    page = client.get(f"/staff/evaluation/{track.id}").text
    assert "Only 2 applications have reviews; at least 5 are needed." in page
    assert 'class="jp-intervals__range"' not in page


def test_every_picture_has_its_table_as_a_file(session: Session, sign_in: SignIn) -> None:
    _, track, people = evaluated(session)
    client = sign_in(identity.user(session, Role.OFFICER))
    session.commit()
    for table, rows in {"ranking": 10, "criteria": 10, "spread": 19, "severity": 4, "progress": 2}.items():
        answer = client.get(f"/staff/evaluation/{track.id}/{table}.csv")
        assert (answer.status_code, answer.mimetype) == (200, "text/csv")
        assert len(answer.text.strip().splitlines()) == rows
        assert (people[0].full_name in answer.text) == (table in ("spread", "severity"))
    assert client.get(f"/staff/evaluation/{track.id}/other.csv").status_code == 404


def test_the_chair_reads_of_numbers_instead_of_names(session: Session, sign_in: SignIn) -> None:
    _, track, people = evaluated(session)
    client = sign_in(identity.user(session, Role.CHAIR))
    session.commit()
    for path in ("", "/spread.csv", "/severity.csv"):
        page = client.get(f"/staff/evaluation/{track.id}{path}").text
        assert "Reviewer 1" in page
        for person in people:
            assert person.full_name not in page
            assert person.email not in page
            assert str(person.id) not in page


def test_the_calibration_is_run_again_and_compared(session: Session, sign_in: SignIn) -> None:
    """The chair reads where it differs without learning whose severity it is."""
    _, track, people = evaluated(session)
    client, chair = sign_in(identity.user(session, Role.OFFICER)), sign_in(identity.user(session, Role.CHAIR))
    session.commit()
    path = f"/staff/evaluation/{track.id}"
    answer = client.post(f"{path}/check", data=form())
    assert (answer.status_code, answer.location) == (303, f"{path}#method")
    check = session.scalars(select(CalibrationCheck)).one()
    assert "is being computed again" in client.get(path).text
    calibration_checks.compare(session, check.id)
    session.commit()
    assert ": the same digest." in client.get(path).text
    found = session.scalars(select(ReviewCalibration)).one().result
    key = next(iter(found))
    for kind, shown in (("reviewers", people[0].full_name), ("applications", f"{key} · ")):
        who = str(people[0].id) if kind == "reviewers" else min(found[key]["applications"])
        check.first = {"path": [key, kind, who, "value"], "before": "1.2345", "after": "2.3456"}
        session.commit()
        page, told = client.get(path).text, chair.get(path).text
        assert shown in page
        assert "· — ·" not in page
        for text in (page, told):
            assert "it comes out otherwise" in text
            assert "1.2345" in text
        assert people[0].full_name not in told
        assert str(people[0].id) not in told
    for first in (
        {"path": ["reviews"], "before": "a", "after": "b"},
        {"path": [key, "mean"], "before": "1", "after": "2"},
    ):
        check.first = first
        session.commit()
        assert ("one was returned" if first["path"] == ["reviews"] else f"{key} · mean") in client.get(path).text


def test_who_sees_the_evaluation(session: Session, sign_in: SignIn) -> None:
    _, track, _ = evaluated(session, 1)
    seeing = {Role.OFFICER: 200, Role.CHAIR: 200, Role.ADMINISTRATOR: 200, Role.AUDITOR: 200}
    people = {identity.user(session, role): seeing.get(role, 403) for role in Role}
    people[identity.member(session, identity.organisation(session))] = 404
    clients = {sign_in(person): status for person, status in people.items()}
    session.commit()
    for client, status in clients.items():
        for path in ("", "/ranking.csv"):
            assert client.get(f"/staff/evaluation/{track.id}{path}").status_code == status


def test_an_officer_who_still_reviews_in_the_track_waits(session: Session, sign_in: SignIn) -> None:
    _, track, _ = evaluated(session, 1)
    person = identity.user(session, Role.OFFICER, Role.REVIEWER)
    panels.unfinished(session, track.id, person)
    client = sign_in(person)
    session.commit()
    answer = client.get(f"/staff/evaluation/{track.id}")
    assert answer.status_code == 403
    assert "You review in this track" in answer.text


def test_an_officer_of_an_organisation_that_takes_part_is_refused(session: Session, sign_in: SignIn) -> None:
    _, track, _ = evaluated(session, 1)
    person = identity.user(session, Role.OFFICER)
    panels.tie(session, track.id, person)
    client = sign_in(person)
    session.commit()
    assert client.get(f"/staff/evaluation/{track.id}").status_code == 403


def _drawn(session: Session) -> tuple[Tender, TenderTrack]:
    tender, track, _ = evaluated(session, 3)
    tender.closes_at = now(session) - timedelta(minutes=1)
    session.flush()
    actor = identity.actor(session, identity.user(session, Role.OFFICER))
    event = now(session) + timedelta(hours=2)
    source = Source("Тираж № 501", "Draw No. 501", "https://lottery.demo.example/501", event)
    drawing.commit(session, actor, track.id, source=source)
    with clock.at(session, event + timedelta(hours=1)):
        drawing.enter(session, actor, track.id, randomness="17-04-33-21", url="https://lottery.demo.example/501")
    session.commit()
    return tender, track


def test_the_public_page_of_a_draw_says_how_anyone_recomputes_it(
    session: Session, client: FlaskClient, tmp_path: Path
) -> None:
    """The program on the page, run as it stands on the draw's own JSON, prints the order of the page."""
    tender, track = _drawn(session)
    (draw,) = drawing.draws(session, [track.id])
    page = client.get(f"/tenders/{tender.code}/draw", headers={"Accept-Language": "en"})
    assert page.status_code == 200
    table = page.text.index("Order of the draw")
    shown = [page.text.index(f">{number}<", table) for number in draw.order]
    assert shown == sorted(shown)
    data = client.get(f"/tenders/{tender.code}/draw/{track.track}.json")
    kept = tmp_path / "draw.json"
    kept.write_bytes(data.data)
    start = page.text.index("<code>import hashlib") + len("<code>")
    program = page.text[start : page.text.index("</code>", start)]
    program = program.replace("&#34;", '"').replace("&#39;", "'").replace("&quot;", '"')
    address = program.split('urlopen("')[1].split('"')[0]
    printed = subprocess.run(
        [sys.executable, "-c", program.replace(address, kept.as_uri())], capture_output=True, text=True, check=True
    ).stdout
    assert [line.split()[1] for line in printed.splitlines()] == draw.order
    assert len(program.strip().splitlines()) <= 10


def test_an_officer_commits_and_sees_what_is_wrong_with_it(session: Session, sign_in: SignIn) -> None:
    tender, track, _ = evaluated(session, 2)
    tender.closes_at = now(session) - timedelta(minutes=1)
    client = sign_in(identity.user(session, Role.OFFICER))
    session.commit()
    path = f"/staff/draws/{track.id}"
    assert "Publish the commitment" in client.get(path).text
    wrong = client.post(f"{path}/commit", data=form(source_en="Draw No. 501", draws_at="soon"))
    assert wrong.status_code == 422
    assert "Draw No. 501" in wrong.text
    right = {
        "source_ru": "Тираж № 501",
        "source_en": "Draw No. 501",
        "url": "https://lottery.demo.example/501",
        "draws_at": f"{now(session) + timedelta(days=9):%d.%m.%Y %H:%M}",
    }
    assert client.post(f"{path}/commit", data=form(**right)).status_code == 303
    assert client.post(f"{path}/enter", data=form(randomness="1234", url="https://x.example")).status_code == 409
    assert "Commit anew before the event" in client.get(path).text


def test_a_tender_without_draws_has_no_public_page_of_them(session: Session, client: FlaskClient) -> None:
    tender = tenders.open_tender(session)
    session.commit()
    assert client.get(f"/tenders/{tender.code}/draw").status_code == 404
    assert client.get(f"/tenders/{tender.code}/draw/export.json").status_code == 404


def test_calibrated_values_count_where_the_rules_say_so_and_the_sheet_explains_them(
    session: Session, sign_in: SignIn
) -> None:
    evaluated(session)
    score = session.scalars(select(Score).where(Score.current).order_by(Score.id)).first()
    assert score is not None
    line = next(each for each in score.sheet["lines"] if each["code"] == "CR-10")
    (value,) = score.calibrated.values()
    assert Decimal(line["points"]) == Decimal(value)
    assert line["why"]["said"] == "calibrated"
    assert Decimal(line["why"]["raw"]) != Decimal(value)
    person = identity.user(session, Role.OFFICER)
    check = checks.start_check(session, identity.actor(session, person), score.run_id)
    while not checks.step_check(session, check.id).finished:
        pass
    assert (check.first, check.differing) == (None, {})
    kept = dict(score.calibrated)
    score.calibrated = dict.fromkeys(kept, "9.9999")
    session.flush()
    again = checks.start_check(session, identity.actor(session, person), score.run_id)
    while not checks.step_check(session, again.id).finished:
        pass
    assert again.first is not None
    assert (again.first["place"], again.first["before"], again.first["after"]) == ("calibration", "9.9999", value)
    score.calibrated = kept
    client = sign_in(person)
    session.commit()
    page = client.get(f"/staff/scoring/submissions/{score.submission_id}").text
    assert "with the reviewers&#39; severity taken out it is" in page
