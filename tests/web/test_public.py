"""What everyone sees, and what nobody outside may."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.awards.models import AwardAmount, AwardDecision, DecisionLine
from portal.core.clock import now
from portal.core.figures import decimal_of
from portal.identity.models import Role, User
from portal.scoring.models import ScoreRun
from portal.tenders.models import Track
from portal.tenders.ruleset import Bands, Linear, YesNo
from portal.web.public import countdown
from portal.web.scales import picture
from tests.factories import budget, identity, submissions
from tests.factories import tenders as factory

DAY = timedelta(days=1)


def text(client: FlaskClient, path: str, language: str = "en") -> str:
    joiner = "&" if "?" in path else "?"
    answer = client.get(f"{path}{joiner}lang={language}")
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_empty_portal_says_so(client: FlaskClient) -> None:
    page = text(client, "/")
    assert "No tender is open now" in page
    assert "No results yet" in page
    assert "Remaining budget" not in page


def test_home_shows_each_tender_in_its_place(session: Session, client: FlaskClient) -> None:
    at = now(session)
    factory.open_tender(session, code="OPEN-1")
    factory.open_tender(session, code="SOON-1", opens_at=at + DAY)
    factory.closed_tender(session, code="EVAL-1")
    factory.closed_tender(session, code="DONE-1", results_published_at=at)
    factory.tender(session, code="DRAFT-1")
    factory.open_tender(session, code="GONE-1", cancelled_at=at, cancel_reason="Reason")
    session.commit()
    page = text(client, "/")
    places = [page.index(f"Tender {code}") for code in ("OPEN-1", "SOON-1", "EVAL-1", "DONE-1")]
    assert places == sorted(places)
    assert "DRAFT-1" not in page
    assert "GONE-1" not in page
    assert "19 days left" in page
    assert "/tenders/DONE-1/results" in page
    assert "/tenders/OPEN-1/rules/export" in page


def test_home_shows_what_is_left_per_track_and_year(session: Session, client: FlaskClient) -> None:
    programme = factory.programme(session)
    budget.envelopes(
        session,
        programme,
        {
            Track.IMPORT_SUBSTITUTION: {2018: Decimal(600_000_000), 2019: Decimal(2_000_000_000)},
            Track.EXPORT: {2019: Decimal(5_100_000_000)},
        },
    )
    session.commit()
    page = text(client, "/")
    for words in ("RUB\u00a02.6\u00a0bn", "RUB\u00a05.1\u00a0bn", "RUB\u00a0600,000,000.00", "for 2018–2019"):
        assert words in page


def test_tender_page_has_notice_calendar_and_tracks(session: Session, client: FlaskClient) -> None:
    factory.open_tender(session, code="T-1", notice_en="First paragraph.\nSecond <b>one</b>.")
    session.commit()
    page = text(client, "/tenders/T-1")
    for words in (
        "First paragraph.",
        "Second &lt;b&gt;one&lt;/b&gt;.",
        "Formal check of completeness and eligibility",
        "10 working days",
        "up to RUB\u00a0500\u00a0m",
        "up to RUB\u00a0700\u00a0m",
    ):
        assert words in page


@pytest.mark.parametrize("path", ["/tenders/D-1", "/tenders/D-1/rules/export", "/tenders/D-1/rules/export.json"])
def test_drafts_are_unknown_outside(
    session: Session, client: FlaskClient, sign_in: Callable[[User], FlaskClient], path: str
) -> None:
    factory.tender(session, code="D-1")
    member = identity.member(session, identity.organisation(session))
    officer = identity.user(session, Role.OFFICER)
    session.commit()
    assert client.get(path).status_code == 404
    assert sign_in(member).get(path).status_code == 404
    assert sign_in(officer).get(path).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/tenders/none", "/tenders/T-1/rules/none", "/tenders/T-1/results", "/tenders/%00", "/tenders/T-1/rules/%00"],
)
def test_unknown_places(session: Session, client: FlaskClient, path: str) -> None:
    factory.open_tender(session, code="T-1")
    session.commit()
    assert client.get(path).status_code == 404


def test_cancelled_tender_shows_its_reason(session: Session, client: FlaskClient) -> None:
    factory.open_tender(session, code="C-1", cancelled_at=now(session), cancel_reason="No money")
    session.commit()
    page = text(client, "/tenders/C-1")
    assert "No money" in page
    assert "Start an application" not in page


@pytest.mark.parametrize("language", ["ru", "en"])
def test_rules_show_every_code_and_their_digest(session: Session, client: FlaskClient, language: str) -> None:
    tender = factory.open_tender(session, code="T-1")
    row = factory.track_of(tender, Track.EXPORT).rule_set
    content, digest = row.content, row.digest
    session.commit()
    page = text(client, "/tenders/T-1/rules/export", language)
    lists = ("eligibility", "categories", "exclusions", "criteria", "documents", "kpis", "declarations")
    for name in lists:
        for item in content[name]:
            assert item["code"] in page
            words = item["title"] if "title" in item else item["statement"]
            assert words[language].replace("'", "&#39;").replace("&D", "&amp;D") in page
    assert digest in page
    assert page.count("<polyline") == sum(len(item["components"]) for item in content["criteria"])
    answer = client.get("/tenders/T-1/rules/export.json")
    assert hashlib.sha256(answer.data).hexdigest() == digest
    assert "attachment" in answer.headers["Content-Disposition"]


def decided(session: Session, *, published: bool = True) -> tuple[str, list[str]]:
    """A tender with one awarded, one reserve and one declined project; its code, the numbers in this order."""
    tender = factory.closed_tender(session, code="T-1", results_published_at=now(session) if published else None)
    chair, second = identity.user(session, Role.CHAIR), identity.user(session, Role.COMMISSION)
    track = factory.track_of(tender)
    run = ScoreRun(tender_track_id=track.id, kind="track", rules_digest="0" * 64, total=3, done=0)
    session.add(run)
    session.flush()
    decision = AwardDecision(
        tender_track_id=track.id,
        run_id=run.id,
        digest="0" * 64,
        available={},
        drafted_by=chair.id,
        signed_by=second.id,
        signed_at=now(session),
        published_at=now(session) if published else None,
    )
    session.add(decision)
    session.flush()
    keys = submissions.submitted(session, tender, submissions.varied(3))
    numbers = []
    for place, (outcome, key) in enumerate(zip(("award", "reserve", "decline"), keys, strict=True), 1):
        numbers.append(str(session.get_one(Application, key).number))
        line = DecisionLine(
            decision_id=decision.id,
            application_id=key,
            place=place,
            outcome=outcome,
            total=Decimal("80.50") - place,
            reason={"ru": f"Причина {place}", "en": f"Reason {place}"},
        )
        session.add(line)
        session.flush()
        if outcome == "award":
            session.add(AwardAmount(line_id=line.id, year=2018, amount=Decimal(1_500_000)))
    session.commit()
    return tender.code, numbers


def test_results_page_of_a_decided_tender(session: Session, client: FlaskClient) -> None:
    code, (awarded, reserve, declined) = decided(session)
    page = text(client, f"/tenders/{code}/results")
    for words in (awarded, reserve, declined, "RUB\u00a01,500,000.00", "1 project awarded", "Reason 2", "79.5"):
        assert words in page
    assert "Reason 3" not in page
    assert "RUB\u00a01.5\u00a0m" in text(client, "/")


def test_results_stay_secret_until_published(session: Session, client: FlaskClient) -> None:
    code, numbers = decided(session, published=False)
    assert client.get(f"/tenders/{code}/results").status_code == 404
    assert numbers[0] not in text(client, "/")


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (timedelta(0), ""),
        (timedelta(seconds=59), "less than a minute left"),
        (timedelta(minutes=59), "59 minutes left"),
        (timedelta(hours=1), "1 hour left"),
        (timedelta(hours=5, minutes=1), "5 hours 1 minute left"),
        (timedelta(hours=47, minutes=59), "1 day 23 hours left"),
        (timedelta(days=3, hours=4, minutes=30), "3 days 4 hours left"),
        (timedelta(days=2), "2 days left"),
        (timedelta(days=20, hours=23), "20 days left"),
    ],
)
def test_countdown(session: Session, client: FlaskClient, left: timedelta, words: str) -> None:
    at = now(session)
    with client.application.test_request_context("/?lang=en"):
        assert countdown(at + left, at) == words


def test_scales_are_drawn_within_the_picture() -> None:
    def pairs(*values: tuple[str, str]) -> tuple[tuple[Decimal, Decimal], ...]:
        return tuple((decimal_of(value) or Decimal(0), decimal_of(score) or Decimal(0)) for value, score in values)

    drawn = picture(Linear(pairs(("1", "0"), ("2", "5"), ("4", "10"))))
    assert drawn is not None
    assert [(mark.x, mark.y) for mark in drawn.marks] == [(45.9, 88.0), (106.6, 49.0), (228.1, 10.0)]
    steps = picture(Bands(pairs(("5", "10"))))
    assert steps is not None
    assert steps.line == "24.0,88.0 137.0,88.0 137.0,10.0 250.0,10.0"
    assert picture(YesNo(Decimal(10), Decimal(0))) is None


@pytest.mark.parametrize("rows", [1, 3])
def test_pages_send_the_same_number_of_statements(
    session: Session, client: FlaskClient, count_queries: Callable[[], Any], rows: int
) -> None:
    for number in range(rows):
        factory.open_tender(session, code=f"O-{number}")
        factory.closed_tender(session, code=f"C-{number}")
        factory.closed_tender(session, code=f"R-{number}", results_published_at=now(session))
    programme = factory.programme(session)
    budget.envelopes(session, programme, {Track.EXPORT: {2018 + n: Decimal(1000) for n in range(rows)}})
    session.commit()
    counts = {}
    for path in ("/", "/tenders/O-0", "/tenders/O-0/rules/export", "/tenders/R-0/results"):
        with count_queries() as statements:
            assert client.get(path).status_code == 200
        counts[path] = len(statements)
    assert counts == {"/": 5, "/tenders/O-0": 6, "/tenders/O-0/rules/export": 3, "/tenders/R-0/results": 3}
