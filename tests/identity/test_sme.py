"""Sizes of enterprises by Law 209-FZ, with their reasons."""

from __future__ import annotations

from decimal import Decimal

import pytest

from portal.core.language import render
from portal.identity.sme import Status, status

D = Decimal


@pytest.mark.parametrize(
    ("headcount", "income", "expected"),
    [
        (0, "0", "micro"),
        (15, "120000000", "micro"),
        (16, "120000000", "small"),
        (15, "120000000.01", "small"),
        (100, "800000000", "small"),
        (101, "800000000", "medium"),
        (250, "2000000000", "medium"),
        (251, "1", "none"),
        (1, "2000000000.01", "none"),
        (None, "1", None),
        (1, None, None),
    ],
)
def test_by_headcount_and_income(headcount: int | None, income: str | None, expected: str | None) -> None:
    assert status(headcount, D(income) if income else None).category == expected


@pytest.mark.parametrize(
    ("okved2", "expected"),
    [("13.20", "medium"), ("14.12", "medium"), ("15.11", "medium"), ("28.14", "none"), ("", "none")],
)
def test_light_industry_may_have_a_thousand_people(okved2: str, expected: str) -> None:
    assert status(1000, D(1), okved2).category == expected
    assert status(1001, D(1), okved2).category == "none"


@pytest.mark.parametrize(
    ("state", "large", "expected"),
    [(None, None, "micro"), ("25", "49", "micro"), ("25.01", "0", "none"), ("0", "49.01", "none")],
)
def test_owners(state: str | None, large: str | None, expected: str) -> None:
    found = status(1, D(1), "", D(state) if state else None, D(large) if large else None)
    assert found.category == expected


def said(found: Status) -> str:
    return " ".join(render(reason, "en") for reason in found.reasons)


def test_the_reason_names_value_and_limit() -> None:
    assert said(status(101, D(5))) == (
        "The headcount of 101 is within 250. The income of RUB\u00a05 is within RUB\u00a0120,000,000."
        " The shares of the owners are not given; above 25 or 49 per cent the category is lost."
    )
    assert said(status(251, D(3_000_000_000))) == (
        "The headcount of 251 is above the largest limit, 250."
        " The income of RUB\u00a03,000,000,000 is above the largest limit, RUB\u00a02,000,000,000."
    )
    assert said(status(1, D(1), "", D("25.5"), D(50))) == (
        "The state and non-profit organisations hold 25.5%, more than 25%."
        " Foreign and large companies hold 50%, more than 49%."
    )
    assert said(status(None, D(1))).startswith("Enter the headcount")
