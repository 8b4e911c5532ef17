"""Eligibility: every rule holds, fails, and waits for input, each for its own reason."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from portal.applications.eligibility import CATALOGUE, RuleOutcome, blocking, check
from portal.applications.figures.facts import facts
from portal.core.language import render
from portal.tenders.checks import CHECKS
from tests.factories.packages import ROWS, package, rules

FILED = date(2018, 9, 1)


def outcomes(content: dict[str, Any], track: str = "import_substitution") -> dict[str, RuleOutcome]:
    used = rules(track)
    found = check(content, facts(content, used), used, FILED)
    assert [item.code for item in found] == [rule.code for rule in used.eligibility]
    return {item.code: item for item in found}


def changed(track: str = "import_substitution", **values: Any) -> dict[str, Any]:
    """A package whose second participant has ``values`` in place of its own."""
    content = package(track)
    content["participants"][1] |= values
    return content


def test_the_catalogue_has_exactly_the_named_checks() -> None:
    assert set(CATALOGUE) == set(CHECKS)


@pytest.mark.parametrize("track", ROWS)
def test_a_complete_package_meets_every_rule_but_the_unknown_count(track: str) -> None:
    found = outcomes(package(track, initiator_applications=2), track)
    assert {code: item.holds for code, item in found.items() if item.holds is not True} == {}


def test_an_empty_draft_breaks_only_the_number_of_participants() -> None:
    found = outcomes({})
    assert [code for code, item in found.items() if item.holds is False] == ["EL-03"]
    assert [code for code, item in found.items() if item.holds is True] == []
    assert all(item.todo for code, item in found.items() if code != "EL-20")


CASES: list[tuple[str, bool | None, dict[str, Any]]] = [
    ("EL-01", False, package(cluster={"in_register": False})),
    ("EL-01", False, package(cluster={"valid_until": "2018-08-31"})),
    ("EL-01", True, package(cluster={"valid_until": "2018-09-01"})),
    ("EL-01", True, package(cluster={"valid_until": None})),
    ("EL-02", False, changed(cluster_member=False)),
    ("EL-02", None, changed(cluster_member=None)),
    ("EL-03", False, package(participants=package()["participants"][:1])),
    ("EL-04", None, package(documents=[])),
    ("EL-05", None, package(project={"okpd2": ""})),
    ("EL-07", None, package(participants=[])),
    ("EL-09", False, package(project={"agreement_years": 6})),
    ("EL-09", True, package(project={"agreement_years": 5})),
    ("EL-10", False, package(project={"costs_from": "2014-12-31"})),
    ("EL-10", True, package(project={"costs_from": "2015-01-01"})),
    ("EL-10", False, changed(costs={"CC-04": {"2014": "1.00"}})),
    ("EL-11", False, changed(declarations={"EL-11": False})),
    ("EL-12", None, changed(declarations={})),
    ("EL-12", None, changed(documents=[])),
    ("EL-12", None, changed(documents=[{"code": "DOC-12"}])),
    ("EL-12", False, changed(documents=[{"code": "DOC-12", "issued_on": "2018-08-01"}])),
    ("EL-12", True, changed(documents=[{"code": "DOC-12", "issued_on": "2018-08-02"}])),
    ("EL-14", False, changed(declarations={"EL-14": False})),
    ("EL-15", False, changed(organisation={"offshore_share": "50.01", "okved2": "25"})),
    ("EL-15", True, changed(organisation={"offshore_share": "50", "okved2": "25"})),
    ("EL-15", False, changed(declarations={"EL-15": False})),
    ("EL-18", True, changed(declarations={"EL-18": True})),
    ("EL-18", None, changed(declarations={})),
    ("EL-19", True, changed(organisation={"okved2": "72.19"})),
    ("EL-19", False, changed(organisation={"okved2": "72.19"}, declarations={"EL-19": False})),
    ("EL-19", True, changed(organisation={"okved2": "33.20"}, declarations={})),
    ("EL-20", False, package(initiator_applications=4)),
    ("EL-20", True, package(initiator_applications=3)),
    ("EL-22", False, changed(subsidy={"2021": "1.00"})),
    ("EL-22", False, changed(subsidy={"2018": "-1.00"})),
]


@pytest.mark.parametrize(("code", "holds", "content"), CASES, ids=lambda value: str(value)[:12])
def test_each_rule_for_its_own_reason(code: str, holds: bool | None, content: dict[str, Any]) -> None:
    assert outcomes(content)[code].holds is holds


def test_p14_fails_for_its_tax_debt_alone() -> None:
    content = package(row="P14")
    failed = blocking(list(outcomes(content).values()))
    assert [item.code for item in failed] == ["EL-12"]
    assert failed[0].participants == ("P14-1",)
    assert render(failed[0].reason, "en") == "Declared as not fulfilled by: Demo Parts 141 LLC."


def test_p15_fails_for_its_share_alone() -> None:
    failed = blocking(list(outcomes(package(row="P15"), "export").values()))
    assert [item.code for item in failed] == ["EL-07"]
    assert render(failed[0].reason, "en") == (
        "The request of RUB\u00a0110,000,000 is 55% of the eligible costs of RUB\u00a0200,000,000, above 50%."
    )
    todo = failed[0].todo
    assert todo is not None
    assert render(todo, "en") == "Lower the request by RUB\u00a010,000,000."


def test_the_share_is_exact_to_the_kopeck() -> None:
    content = package(participants=package()["participants"][:2])
    content["participants"][0] |= {"costs": {"CC-04": {"2018": "200.00"}}, "subsidy": {"2018": "100.00"}}
    content["participants"][1] |= {"costs": {}, "subsidy": {}}
    assert outcomes(content)["EL-07"].holds is True
    content["participants"][0]["subsidy"] = {"2018": "100.01"}
    assert outcomes(content)["EL-07"].holds is False


def test_own_and_borrowed_funds() -> None:
    content = package(participants=package()["participants"][:2])
    content["participants"][1] |= {"costs": {}, "subsidy": {}, "financing": {}}
    first = content["participants"][0]
    first |= {"costs": {"CC-04": {"2018": "200.00"}}, "subsidy": {"2018": "100.00"}}
    expected = [
        ({"own": {"2018": "15.00"}, "loans": {"2018": "85.00"}}, True),
        ({"own": {"2018": "14.99"}, "loans": {"2018": "85.01"}}, False),
        ({"own": {"2018": "15.00"}, "loans": {"2018": "84.99"}}, False),
        ({"own": {"2018": "50.00"}, "regional": {"2018": "50.00"}}, False),
        ({"idf_loan": {"2018": "100.00"}}, False),
    ]
    for financing, holds in expected:
        first["financing"] = financing
        assert outcomes(content)["EL-21"].holds is holds


def test_export_needs_revenue() -> None:
    none = package("export", project={"export_revenue_total": "0"})
    assert outcomes(none, "export")["EL-06"].holds is False
    gap = package("export", project={"export_contracts": None})
    assert outcomes(gap, "export")["EL-06"].holds is None
    assert outcomes(gap, "export")["EL-06"].field == "project.export_contracts"


def test_an_outcome_tells_everything_in_both_languages() -> None:
    told = outcomes(package())["EL-08"].to_json()
    assert told["holds"] is True
    assert told["reason"]["en"] == (
        "The request of RUB\u00a0195,000,000 is within the limit of RUB\u00a0500,000,000 for one project."
    )
    assert set(told["title"]) == set(told["source"]) == set(told["limit"]) == {"ru", "en"}
    assert told["todo"] is None


@pytest.mark.parametrize("odd", [None, 5, "text", [None, 3, "x"], {"a": 1}])
def test_odd_shapes_do_not_break_the_checks(odd: object) -> None:
    for name in ("cluster", "project", "participants", "documents"):
        outcomes({**package(), name: odd})
    for name in ("organisation", "costs", "financing", "subsidy", "documents", "declarations"):
        outcomes(changed(**{name: odd}))
