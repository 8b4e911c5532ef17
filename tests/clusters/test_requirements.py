"""Requirements CL-01 to CL-13: each at its limit, by the edition of the day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from portal.clusters.cooperation import Level, YearFigures
from portal.clusters.requirements import REQUIRED_PAPERS, Case, check, edition_on, editions
from portal.core.language import both

OLD, TENDER, NOW = date(2016, 7, 1), date(2018, 8, 31), date(2024, 1, 1)
YEAR = YearFigures(
    year=2017,
    members=12,
    output=Decimal(1000),
    exports=Decimal(10),
    jobs=100,
    hp_jobs=50,
    hp_share=Decimal("50.0000"),
    productivity=Decimal("1000000.0000"),
    level=Level(Decimal(20), Decimal(100), Decimal("20.0000"), 11, frozenset()),
)
GOOD = Case(
    industrial=10,
    final_producers=1,
    members=12,
    regions=1,
    remote=0,
    remote_alone=0,
    without_contract=0,
    special=0,
    starting=0,
    infrastructure={"education": 1, "technology": 2, "finance": 1},
    papers=frozenset(REQUIRED_PAPERS),
    in_register=True,
    registered_on=date(2016, 6, 15),
    valid_until=None,
    has_map=True,
    year=YEAR,
    regional_productivity=Decimal(1_000_000),
)


def verdicts(case: Case, day: date = TENDER) -> dict[str, str]:
    return {row.code: row.verdict.value for row in check(case, edition_on(day))}


def year(**changes: Any) -> dict[str, Any]:
    return {"year": replace(YEAR, **changes)}


def test_a_cluster_at_every_limit_conforms() -> None:
    assert verdicts(GOOD) == {
        **{f"CL-{number:02}": "met" for number in range(1, 14)},
        "CL-11": "note",
        "CL-12": "note",
    }


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("CL-01", {"industrial": 9}),
        ("CL-02", {"final_producers": 0}),
        ("CL-03", {"regions": 0}),
        ("CL-04", {"remote": 1, "remote_alone": 1}),
        ("CL-05", year(level=replace(YEAR.level, percent=Decimal("19.9999")))),
        ("CL-06", {"without_contract": 1}),
        ("CL-07", year(hp_share=Decimal("49.9999"))),
        ("CL-08", year(productivity=Decimal("999999.9900"))),
        ("CL-09", {"infrastructure": {"education": 1, "technology": 1, "finance": 1}}),
        ("CL-10", {"papers": frozenset(REQUIRED_PAPERS[1:])}),
        ("CL-13", {"in_register": False}),
        ("CL-13", {"registered_on": None}),
    ],
)
def test_just_below_a_limit_exactly_that_requirement_fails(code: str, changes: dict[str, Any]) -> None:
    found = verdicts(replace(GOOD, **changes))
    assert {name for name, verdict in found.items() if verdict == "not_met"} == {code}


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("CL-05", {"year": None}),
        ("CL-05", {"has_map": False}),
        ("CL-06", {"has_map": False}),
        ("CL-07", {"year": None}),
        ("CL-08", {"regional_productivity": None}),
        ("CL-08", year(productivity=None)),
    ],
)
def test_what_the_data_cannot_answer_is_said_so(code: str, changes: dict[str, Any]) -> None:
    row = next(row for row in check(replace(GOOD, **changes), edition_on(TENDER)) if row.code == code)
    assert row.verdict == "unknown"
    assert row.advice is not None


def test_editions_change_the_limits() -> None:
    linked = replace(GOOD, remote=2, remote_alone=0)
    assert (verdicts(linked, OLD)["CL-04"], verdicts(linked, TENDER)["CL-04"]) == ("not_met", "met")
    relieved = replace(GOOD, special=4, **year(level=replace(YEAR.level, percent=Decimal("10.0000"))))
    assert (verdicts(relieved, TENDER)["CL-05"], verdicts(relieved, NOW)["CL-05"]) == ("not_met", "met")
    assert verdicts(replace(relieved, special=3), NOW)["CL-05"] == "not_met"
    assert verdicts(replace(GOOD, starting=3), NOW)["CL-11"] == "met"
    assert verdicts(replace(GOOD, starting=4), NOW)["CL-11"] == "not_met"


def test_the_edition_of_a_day_and_its_source() -> None:
    days = [row.since for row in editions()]
    assert days == sorted(days)
    assert edition_on(date(2018, 8, 1)).since == date(2015, 7, 31)
    assert edition_on(date(2018, 8, 2)).since == date(2018, 8, 2)
    assert edition_on(date(2000, 1, 1)) is editions()[0]
    assert all(set(row.act) == {"ru", "en"} for row in editions())


def test_everything_is_said_in_both_languages() -> None:
    empty = replace(GOOD, year=None, has_map=False, regional_productivity=None, registered_on=None, papers=frozenset())
    for case in (
        GOOD,
        empty,
        replace(GOOD, year=replace(YEAR, level=replace(YEAR.level, unknown=frozenset({UUID(int=1)})))),
    ):
        for row in check(case, edition_on(NOW)):
            for message in (row.title, row.value, row.limit, row.advice):
                if message is not None:
                    said = both(message)
                    assert said["ru"]
                    assert "%(" not in said["ru"] + said["en"]
