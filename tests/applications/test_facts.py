"""Facts by hand: the caps, the shares, the metrics, and drafts with gaps."""

from __future__ import annotations

from decimal import Decimal, localcontext
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from portal.applications.figures.facts import Facts, facts
from portal.tenders.metrics import METRICS
from tests.factories.packages import package, rules

D = Decimal


def part(costs: dict[str, str], sme: str | None = "none", **more: Any) -> dict[str, Any]:
    return {
        "id": more.pop("id", "p"),
        "organisation": {"sme": sme},
        "costs": {code: {"2018": amount} for code, amount in costs.items()},
        **more,
    }


def of(*parts: dict[str, Any], **project: Any) -> Facts:
    return facts({"participants": list(parts), "project": project}, rules())


def test_every_metric_is_a_fact() -> None:
    names = set(Facts.__dataclass_fields__)
    assert set(METRICS) <= names
    assert {name for metric in METRICS.values() for name in metric.inputs} <= names


def test_row_p01_by_hand() -> None:
    found = facts(package(), rules())
    assert (found.costs_total, found.eligible, found.subsidy) == (
        D(640_000_000),
        D(420_000_000),
        D(195_000_000),
    )
    assert found.private == D(445_000_000)
    assert found.leverage == D("2.2821")  # 445 / 195 = 2.28205...
    assert found.budget_efficiency == D("3.1282")  # 610 / 195
    assert found.subsidy_share == D("46.4286")  # 195 / 420
    assert found.hpj_per_100m == D("31.7949")  # 62 / 1.95
    assert (found.import_fall, found.irr_spread, found.participant_count) == (D(45), D(7), 4)
    assert found.sme_share == D("12")
    assert found.subsidy_by_year == {"2018": D(87_750_000), "2019": D(68_250_000), "2020": D(39_000_000)}
    assert found.subsidy_max == D(210_000_000)


def test_caps_are_shares_of_what_was_entered_before_any_cap() -> None:
    # Base 1000: documentation is capped at 20 % = 200, software at 15 % = 150, equipment is not capped.
    found = of(part({"CC-01": "300.00", "CC-05": "150.00", "CC-04": "550.00", "CC-99": "400.00"}))
    assert found.costs_total == D(1400)
    assert found.cap_base == D(1000)
    assert found.eligible_by_category == {"CC-01": D(200), "CC-04": D(550), "CC-05": D(150)}
    assert found.eligible == D(900)
    assert found.subsidy_max == D(450)


def test_a_capped_category_is_shared_in_proportion() -> None:
    # Base 1000, documentation entered 400, counted 200: each rouble counts half.
    found = of(
        part({"CC-01": "300.00", "CC-04": "500.00"}, id="a"),
        part({"CC-01": "100.00", "CC-04": "100.00"}, "small", id="b"),
    )
    assert [item.eligible for item in found.participants] == [D(650), D(150)]
    assert found.eligible == D(800)
    assert found.sme_share == D("18.75")


def test_the_largest_subsidy_is_the_least_of_three_limits() -> None:
    big = {"CC-04": "4000000000.00"}
    assert of(part(big)).subsidy_max == D(500_000_000)
    poor = part(big, financing={"own": {"2018": "1500.50"}})
    assert of(poor).subsidy_max == D(10_003)  # 1500.50 / 15 % = 10003.33..., rounded down
    assert of(part({"CC-04": "101.00"})).subsidy_max == D(50)


def test_money_of_the_budget_is_not_private() -> None:
    financing = {name: {"2018": "100.00"} for name in ("own", "loans", "idf_loan", "regional", "lottery")}
    found = of(part({}, financing=financing, subsidy={"2018": "100.00"}))
    assert (found.private, found.loans, found.regional, found.leverage) == (D(300), D(200), D(100), D(3))


def test_a_draft_has_gaps() -> None:
    for draft in ({}, {"participants": None, "project": None}, {"participants": [{}], "project": []}):
        found = facts(draft, rules())
        assert found.eligible is None
        assert found.subsidy is None
        assert found.leverage is None
        assert found.sme_share is None


def test_what_is_not_a_number_is_not_filled_in() -> None:
    odd = ["1e9", "NaN", "１２", "1 000", "", None, True, 1.5, [], "9" * 40]
    for value in odd:
        assert of(npv=value).npv is None
    assert of(part({}, subsidy={"2018": "x", "2019": "5"})).subsidy == D(5)


def test_an_unknown_size_leaves_the_share_of_small_ones_open() -> None:
    assert of(part({"CC-04": "100.00"}, sme=None)).sme_share is None
    assert of(part({}, sme=None), part({"CC-04": "100.00"}, "micro")).sme_share == D(100)


def test_no_subsidy_no_ratio() -> None:
    found = of(part({}, subsidy={"2018": "0"}, financing={"own": {"2018": "5"}}), taxes_total="10")
    assert (found.subsidy, found.leverage, found.budget_efficiency) == (D(0), None, None)


def test_the_decimal_context_of_the_caller_does_not_matter() -> None:
    usual = facts(package(), rules())
    with localcontext() as context:
        context.prec = 5
        assert facts(package(), rules()) == usual


money = st.integers(min_value=0, max_value=10**14).map(lambda kopecks: f"{D(kopecks) / 100:f}")


@given(st.dictionaries(st.sampled_from([item.code for item in rules().categories]), money))
def test_caps_never_add_and_never_exceed_their_share(costs: dict[str, str]) -> None:
    found = of(part(costs))
    if found.cap_base is None or found.eligible is None or found.subsidy_max is None:
        return
    assert 0 <= found.eligible <= found.cap_base
    assert found.subsidy_max * 2 <= found.eligible
    for code, counted in found.eligible_by_category.items():
        category = rules().category(code)
        assert category is not None
        assert counted <= D(costs[code])
        if category.cap is not None:
            assert counted <= found.cap_base * category.cap / 100 + D("0.005")
