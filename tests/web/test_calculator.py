"""The subsidy calculator: for anyone, by address alone, with everything that can be wrong in it."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from tests.factories import tenders


@pytest.fixture
def visitor(app: Flask) -> FlaskClient:
    return app.test_client()


def text(answer: object) -> str:
    plain = unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.text)))  # type: ignore[attr-defined]
    return plain.replace("\u00a0", " ")


@pytest.mark.parametrize("language", ["ru", "en"])
def test_a_visitor_computes_and_the_address_is_the_computation(
    visitor: FlaskClient, session: Session, language: str
) -> None:
    tender = tenders.open_tender(session)
    session.commit()
    events = session.scalar(select(func.count()).select_from(AuditEvent))
    rules = f"{tender.code}:import_substitution"
    # Base 1 000: documentation counts 200 of 400; 800 eligible, half of it is 400; own 30 of at least 15 % allow 200.
    url = (
        f"/calculator/?lang={language}&rules={rules}&costs-CC-01-sum=400,00&costs-CC-04-sum=600"
        "&financing-own-sum=30&financing-subsidy-sum=250"
    )
    answer = visitor.get(url)
    assert answer.status_code == 200
    page = text(answer)
    wanted = ("800,00 ₽", "400,00 ₽", "200,00 ₽", "50,00 ₽")
    for amount in wanted:
        assert (amount if language == "ru" else f"RUB {amount[:-5]}.00") in page
    link = re.search(r'href="(http[^"]+costs-CC-01-sum[^"]+)"', answer.text)
    assert link is not None
    again = visitor.get(unescape(link[1]) + f"&lang={language}")
    assert [part in text(again) for part in ("800", "250")] == [True, True]
    assert session.scalar(select(func.count()).select_from(AuditEvent)) == events


def test_what_cannot_be_read_is_told_beside_its_cell(visitor: FlaskClient) -> None:
    answer = visitor.get("/calculator/?lang=en&rules=:export&costs-CC-01-sum=five&costs-CC-04-sum=-&costs-CC-03-sum=10")
    assert answer.status_code == 200
    assert 'href="#costs-CC-01-sum"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 2
    assert "RUB 10.00" in text(answer)


def test_the_empty_form_shows_no_result_and_the_official_rules(visitor: FlaskClient) -> None:
    page = visitor.get("/calculator/?lang=en")
    assert page.status_code == 200
    assert 'id="result"' not in page.text
    assert 'value=":export"' in page.text
    assert 'aria-current="page"' in page.text


def test_rules_that_nobody_may_see_or_that_do_not_exist(visitor: FlaskClient, session: Session) -> None:
    draft = tenders.tender(session)
    session.commit()
    assert draft.published_at is None
    for rules in (f"{draft.code}:export", "none:export", ":other", "x", "%00:export"):
        assert visitor.get(f"/calculator/?rules={rules}").status_code == 404, rules
    assert draft.code not in visitor.get("/calculator/").text


def test_long_and_odd_texts_are_no_error(visitor: FlaskClient) -> None:
    for odd in ("9" * 5000, "<script>alert(1)</script>", "%00", "9999999999999999.99", "1e5"):
        answer = visitor.get("/calculator/", query_string={"rules": ":export", "costs-CC-04-sum": odd})
        assert answer.status_code == 200
        assert "<script>alert" not in answer.text
