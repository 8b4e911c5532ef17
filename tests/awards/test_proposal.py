"""The award list: strict rank order, whole projects, never more than a year's limit."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.applications.figures.facts import facts
from portal.awards.models import Award
from portal.awards.proposal import Line, propose
from portal.core.errors import Problems
from portal.core.language import N_, render
from portal.demo.projects import PROJECTS, SUBSIDY_PERCENT
from portal.scoring.engine import score
from portal.scoring.ranking import Entry, Ranked, rank
from tests.factories.packages import marks, package, rules

D = Decimal


def ranked(*requests: dict[int, int], recommended: bool | None = True) -> list[Ranked]:
    return [
        Ranked(
            place,
            Entry(
                application_id=f"id-{place}",
                number=f"JP-2018-IS-{place:04}",
                total=D(90 - place),
                amounts={year: D(amount) for year, amount in request.items()},
                hpj=10,
                registered_at=datetime(2018, 8, 1, tzinfo=UTC),
                recommended=recommended,
            ),
            None,
        )
        for place, request in enumerate(requests, start=1)
    ]


def money(**years: int) -> dict[int, Decimal]:
    return {int(year[1:]): D(amount) for year, amount in years.items()}


def told(lines: list[Line]) -> list[tuple[str, str]]:
    return [(line.outcome.value, render(line.reason, "en")) for line in lines]


def test_awards_in_rank_order_until_one_does_not_fit() -> None:
    lines = propose(ranked({2018: 60, 2019: 10}, {2018: 50, 2019: 10}, {2018: 1, 2019: 1}), money(y2018=100, y2019=100))
    assert told(lines) == [
        ("award", "Place 1: the whole request fits into the budget of every year."),
        (
            "reserve",
            "In 2018 it asks for RUB\u00a050, but RUB\u00a040 is left: reserve list.",
        ),
        ("reserve", "After JP-2018-IS-0002, which did not fit into the budget: reserve list."),
    ]
    assert [line.amounts for line in lines] == [{2018: D(60), 2019: D(10)}, {}, {}]


def test_the_last_kopeck_fits() -> None:
    lines = propose(ranked({2018: 60}, {2018: 40}), money(y2018=100))
    assert [line.outcome for line in lines] == [Award.AWARD, Award.AWARD]


def test_a_later_year_refuses_too_and_is_named() -> None:
    lines = propose(ranked({2018: 10, 2020: 5}), money(y2018=100, y2020=4))
    assert told(lines) == [("reserve", "In 2020 it asks for RUB\u00a05, but RUB\u00a04 is left: reserve list.")]


def test_a_year_without_an_envelope_has_no_money() -> None:
    assert propose(ranked({2021: 1}), money(y2018=100))[0].outcome is Award.RESERVE


def test_not_recommended_is_declined_with_its_reasons_and_blocks_nobody() -> None:
    refused = ranked({2018: 500}, recommended=False)[0].entry
    first = Entry(
        **{name: getattr(refused, name) for name in refused.__dataclass_fields__ if name != "gate_reasons"},
        gate_reasons=(N_("First."), N_("Second.")),
    )
    good = Ranked(2, ranked({}, {2018: 100})[1].entry, None)
    lines = propose([Ranked(1, first, None), good], money(y2018=100))
    assert told(lines)[0] == ("decline", "First. Second.")
    assert lines[1].outcome is Award.AWARD


def test_open_scores_are_all_named() -> None:
    with pytest.raises(Problems) as caught:
        propose(ranked({2018: 1}, {2018: 1}, recommended=None), money(y2018=100))
    assert [(problem.field, problem.code) for problem in caught.value.problems] == [
        ("application.JP-2018-IS-0001", "not_scored"),
        ("application.JP-2018-IS-0002", "not_scored"),
    ]


def test_the_rows_of_the_demonstration_leave_a_reserve_list_in_2018() -> None:
    entries = []
    for row, project in PROJECTS.items():
        if project.track != "import_substitution":
            continue
        content, used = package(row=row), rules()
        found = facts(content, used)
        total = score(content, found, used, (marks("8"), marks("7")), on=date(2018, 9, 1))
        entries.append(
            Entry(
                application_id=row,
                number=row,
                total=total.total,
                amounts={int(year): amount for year, amount in found.subsidy_by_year.items()},
                hpj=found.hpj,
                registered_at=datetime(2018, 8, 1, tzinfo=UTC),
                recommended=total.recommended,
            )
        )
    envelope = {2018: D(600_000_000), 2019: D(1_000_000_000), 2020: D(1_000_000_000)}
    lines = propose(rank(entries, rules()), envelope)
    assert [(line.application_id, line.outcome.value) for line in lines] == [
        ("P06", "award"),
        ("P01", "award"),
        ("P05", "award"),
        ("P02", "award"),
        ("P04", "award"),
        ("P03", "reserve"),
        ("P07", "reserve"),
        ("P08", "reserve"),
        ("P14", "decline"),
    ]
    assert sum(SUBSIDY_PERCENT["import_substitution"]) == 100


requests = st.lists(st.dictionaries(st.sampled_from([2018, 2019, 2020]), st.integers(0, 100)), max_size=20)
budgets = st.dictionaries(st.sampled_from([2018, 2019, 2020]), st.integers(0, 500).map(D))


@given(requests, budgets)
def test_no_year_is_overspent_and_nobody_overtakes(asked: list[dict[int, int]], left: dict[int, Decimal]) -> None:
    items = ranked(*asked)
    lines = propose(items, left)
    for year in (2018, 2019, 2020):
        spent = sum((line.amounts.get(year, D(0)) for line in lines), D(0))
        assert spent <= left.get(year, D(0))
    outcomes = [line.outcome for line in lines]
    awards = outcomes.count(Award.AWARD)
    assert outcomes == [Award.AWARD] * awards + [Award.RESERVE] * (len(items) - awards)
    assert propose(items[::-1], left) == lines
