"""Ranking: the order of totals, of ties, of what is not recommended; a total order of any input."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.language import render
from portal.scoring.ranking import Entry, rank
from portal.tenders.ruleset import from_json, to_json
from tests.factories.packages import rules

D = Decimal
START = datetime(2018, 8, 1, tzinfo=UTC)


def entry(number: int, total: str | None = "70.00", **more: Any) -> Entry:
    values: dict[str, Any] = {
        "application_id": f"id-{number}",
        "number": f"JP-2018-IS-{number:04}",
        "total": None if total is None else D(total),
        "amounts": {2018: D(100), 2019: D(100)},
        "hpj": 10,
        "registered_at": START,
        "recommended": True,
    }
    return Entry(**(values | more))


def order(*entries: Entry) -> list[int]:
    return [int(item.entry.number[-4:]) for item in rank(entries, rules())]


def reasons(*entries: Entry) -> list[str | None]:
    return [item.tie_reason and render(item.tie_reason, "en") for item in rank(entries, rules())]


def test_the_higher_total_comes_first() -> None:
    assert order(entry(1, "60.01"), entry(2, "84.80"), entry(3, "60.02")) == [2, 3, 1]
    assert reasons(entry(1, "60.01"), entry(2, "84.80")) == [None, None]
    assert [item.place for item in rank([entry(1), entry(2)], rules())] == [1, 2]


def test_less_subsidy_per_job_decides_first() -> None:
    cheap, dear, none = entry(3, hpj=20), entry(2, hpj=19), entry(1, hpj=0)
    assert order(none, dear, cheap) == [3, 2, 1]
    assert reasons(none, dear, cheap) == [
        "Same total as JP-2018-IS-0002, placed above it: less subsidy per high-productivity job "
        "(RUB\u00a010 against RUB\u00a010.53).",
        "Same total as JP-2018-IS-0003, placed below it: less subsidy per high-productivity job "
        "(RUB\u00a010 against RUB\u00a010.53).",
        "Same total as JP-2018-IS-0002, placed below it: less subsidy per high-productivity job "
        "(RUB\u00a010.53 against —).",
    ]


def test_then_the_earlier_registration_then_the_number() -> None:
    later = entry(1, registered_at=START + timedelta(microseconds=1))
    assert order(later, entry(2)) == [2, 1]
    assert reasons(later, entry(2))[1] == "Same total as JP-2018-IS-0002, placed below it: registered earlier."
    assert order(entry(5), entry(4)) == [4, 5]
    assert reasons(entry(5), entry(4))[0] == (
        "Same total as JP-2018-IS-0005, placed above it: lower registration number."
    )


def test_the_order_of_tie_rules_is_the_rule_sets() -> None:
    used = from_json({**to_json(rules()), "tie_rules": ["registered_at", "number"]})
    early_dear, late_cheap = entry(2, hpj=1), entry(1, hpj=50, registered_at=START + timedelta(days=1))
    assert [item.entry.number for item in rank([late_cheap, early_dear], used)] == [
        early_dear.number,
        late_cheap.number,
    ]


def test_recommended_then_open_then_not_recommended() -> None:
    refused = entry(1, "90.00", recommended=False)
    open_ = entry(2, None, recommended=None)
    assert order(refused, open_, entry(3, "60.00")) == [3, 2, 1]


def test_open_scores_are_no_tie() -> None:
    assert reasons(entry(1, None, recommended=None), entry(2, None, recommended=None)) == [None, None]


def test_a_repeated_number_is_an_error() -> None:
    with pytest.raises(ValueError, match="registration number"):
        rank([entry(1), entry(1)], rules())


entries = st.lists(
    st.builds(
        entry,
        st.integers(1, 9999),
        st.sampled_from(["60.00", "60.01", "75.50"]),
        hpj=st.sampled_from([None, 0, 3, 7]),
        amounts=st.dictionaries(st.sampled_from([2018, 2019]), st.sampled_from([D(70), D(30)])),
        registered_at=st.sampled_from([START, START + timedelta(hours=1)]),
        recommended=st.sampled_from([True, False]),
    ),
    max_size=12,
    unique_by=lambda item: item.number,
)


@given(entries, st.randoms(use_true_random=False))
def test_ranking_is_a_total_order_whatever_the_order_of_the_input(given_: list[Entry], chance: Any) -> None:
    first = rank(given_, rules())
    shuffled = list(given_)
    chance.shuffle(shuffled)
    assert rank(shuffled, rules()) == first
    assert [item.place for item in first] == list(range(1, len(given_) + 1))
    assert sorted(item.entry.number for item in first) == sorted(item.number for item in given_)
    good = [item.entry.total for item in first if item.entry.recommended]
    assert good == sorted(good, key=lambda total: -(total or 0))
