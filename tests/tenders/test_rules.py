"""The life of a tender as arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from portal.core.errors import Problem
from portal.core.language import render
from portal.tenders import rules, wording
from portal.tenders.checks import CHECKS
from portal.tenders.models import Track
from portal.tenders.rulebook import load_rulebook
from portal.tenders.rules import TenderStatus
from portal.tenders.ruleset import Need, TieRule
from portal.tenders.values import ProgrammeValues, TenderValues

wall = datetime.fromisoformat
MOSCOW = ZoneInfo("Europe/Moscow")
OPENS = datetime(2018, 8, 1, 9, tzinfo=MOSCOW)
CLOSES = datetime(2018, 8, 31, 18, tzinfo=MOSCOW)
NOTICE = datetime(2018, 7, 20, 12, tzinfo=MOSCOW)


@dataclass
class Instants:
    published_at: datetime | None = NOTICE
    opens_at: datetime | None = OPENS
    closes_at: datetime | None = CLOSES
    results_published_at: datetime | None = None
    cancelled_at: datetime | None = None
    title_ru: str = "Отбор"
    title_en: str = "Tender"
    notice_ru: str = "Извещение"
    notice_en: str = "Notice"


@pytest.mark.parametrize(
    ("instants", "now", "expected"),
    [
        (Instants(published_at=None), OPENS, TenderStatus.DRAFT),
        (Instants(published_at=None, opens_at=None, closes_at=None), OPENS, TenderStatus.DRAFT),
        (Instants(), datetime(2018, 8, 1, 5, 59, 59, tzinfo=UTC), TenderStatus.ANNOUNCED),
        (Instants(), OPENS, TenderStatus.OPEN),
        (Instants(), datetime(2018, 8, 31, 14, 59, 59, 999999, tzinfo=UTC), TenderStatus.OPEN),
        (Instants(), CLOSES, TenderStatus.CLOSED),
        (Instants(results_published_at=CLOSES), CLOSES, TenderStatus.DECIDED),
        (Instants(cancelled_at=OPENS), CLOSES, TenderStatus.CANCELLED),
        (Instants(published_at=None, cancelled_at=OPENS), CLOSES, TenderStatus.CANCELLED),
    ],
)
def test_status_follows_from_the_instants(instants: Instants, now: datetime, expected: TenderStatus) -> None:
    assert rules.status(instants, now) is expected


@pytest.mark.parametrize(
    ("track", "year", "years", "costs_from"),
    [
        (Track.IMPORT_SUBSTITUTION, 2018, (2018, 2019, 2020), date(2015, 1, 1)),
        (Track.EXPORT, 2018, (2019, 2020, 2021), date(2015, 1, 1)),
        (Track.IMPORT_SUBSTITUTION, 2026, (2026, 2027, 2028), date(2023, 1, 1)),
    ],
)
def test_official_rules_move_with_the_year(track: Track, year: int, years: tuple[int, ...], costs_from: date) -> None:
    found = rules.official_rules(track, year)
    assert (found.years, found.costs_from, found.version) == (years, costs_from, f"{year}.1")


def test_wall_clock_to_instant() -> None:
    assert rules.instant(wall("2018-08-31T18:00"), MOSCOW) == datetime(2018, 8, 31, 15, tzinfo=UTC)
    assert rules.instant(wall("2011-03-27T02:30"), MOSCOW) is None


def test_publication_needs_texts_and_dates() -> None:
    bare = Instants(opens_at=None, closes_at=None, title_en=" ", notice_ru="", notice_en="")
    assert codes(rules.publication_problems(bare, OPENS)) == [
        ("title_en", "required"),
        ("notice_ru", "required"),
        ("notice_en", "required"),
        ("opens", "required"),
        ("closes", "required"),
    ]
    assert codes(rules.publication_problems(Instants(), CLOSES)) == [("closes", "past")]
    assert rules.publication_problems(Instants(), OPENS) == []


def test_unusual_dates_warn() -> None:
    official = load_rulebook("import_substitution")
    assert rules.publication_warnings(Instants(), 2018, [official], NOTICE, MOSCOW) == []
    short = Instants(closes_at=datetime(2018, 8, 25, 18, tzinfo=MOSCOW))
    late = datetime(2018, 7, 31, 12, tzinfo=MOSCOW)
    found = rules.publication_warnings(short, 2025, [official], late, MOSCOW)
    assert [render(message, "en") for message in found] == [
        "Between the notice and the opening there are 1 working days, fewer than 5.",
        "Intake lasts 24 calendar days, fewer than 30.",
        "Intake closes on a day off.",
        "The years of a rule set end before the year of the tender.",
    ]


def test_every_problem_of_a_form_at_once() -> None:
    values = TenderValues(
        code="конкурс 1",
        year=18,
        title_ru="т" * 301,
        notice_en="n" * 20_001,
        opens=wall("2018-08-31T18:00"),
        closes=wall("2018-08-31T18:00"),
    )
    assert codes(values.problems()) == [
        ("code", "format"),
        ("year", "out_of_range"),
        ("title_ru", "too_long"),
        ("notice_en", "too_long"),
        ("closes", "before_opening"),
    ]
    lost = TenderValues(code="A", year=2018, zone="Europe/Atlantis")
    assert codes(lost.problems()) == [("title_ru", "required"), ("zone", "unknown")]
    skipped = TenderValues(code="A", year=2018, title_en="T", opens=wall("2011-03-27T02:30"))
    assert codes(skipped.problems()) == [("opens", "skipped")]


def test_every_check_and_choice_has_its_words() -> None:
    assert set(wording.CHECK_NAMES) == set(CHECKS)
    assert set(wording.PARAMETERS) == {name for needed in CHECKS.values() for name in needed}
    assert (set(wording.TIES), set(wording.NEEDS)) == (set(TieRule), set(Need))
    for track in Track:
        official = load_rulebook(track)
        limits = {rule.check: wording.limit(rule, official) for rule in official.eligibility}
        share, cap = limits["subsidy_share"], limits["project_cap"]
        assert share is not None
        assert render(share, "en") == "at most 50% of eligible costs"
        assert cap is not None
        assert render(cap, "en").startswith("at most RUB")
        assert len(wording.gates(official)) == 3


def test_programme_problems() -> None:
    assert codes(ProgrammeValues("", " ", "x" * 301).problems()) == [
        ("code", "format"),
        ("name_ru", "required"),
        ("name_en", "too_long"),
    ]


def codes(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in problems]
