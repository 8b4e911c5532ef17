"""Completeness: nothing for a whole package, everything at once for an empty one, the right field each."""

from __future__ import annotations

from typing import Any

import pytest

from portal.applications.drafts.completeness import problems
from portal.demo.projects import PROJECTS
from tests.factories.packages import package, rules


def found(content: dict[str, Any], track: str = "import_substitution") -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in problems(content, rules(track))]


def changed(**values: Any) -> dict[str, Any]:
    content = package()
    content["participants"][1] |= values
    return content


@pytest.mark.parametrize("row", PROJECTS)
def test_every_row_of_the_demonstration_can_be_submitted(row: str) -> None:
    assert found(package(row=row), PROJECTS[row].track) == []


def test_an_empty_package_names_everything_at_once() -> None:
    told = found({})
    fields = {field for field, _ in told}
    assert len(told) == len(set(told)) > 30
    assert {
        "project.name_ru",
        "project.npv",
        "project.final_product",
        "participants",
        "costs",
        "subsidy",
        "kpi.K1",
        "documents.DOC-02",
        "documents.DOC-07",
        "documents.DOC-09",
    } <= fields
    assert "documents.DOC-01" not in fields  # made by the portal
    assert "documents.DOC-03" not in fields  # recommended


CASES: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    (package(project={"name_ru": " "}), [("project.name_ru", "required")]),
    (package(project={"irr": None}), []),
    (package(project={"npv": "much"}), [("project.npv", "not_number")]),
    (package(project={"trl": 10}), [("project.trl", "out_of_range")]),
    (package(project={"sold_to_members": "101"}), [("project.sold_to_members", "out_of_range")]),
    (package(project={"taxes_total": "-1"}), [("project.taxes_total", "negative")]),
    (package(project={"okpd2": "2829"}), [("project.okpd2", "bad_code")]),
    (package(project={"tn_ved": "7700"}), [("project.tn_ved", "bad_code")]),
    (package(project={"finish_on": "2017-01-01"}), [("project.finish_on", "order")]),
    (package(project={"start_on": "soon"}), [("project.start_on", "not_date")]),
    (package(project={"import_share_target": "71"}), [("project.import_share_target", "inconsistent")]),
    (package(project={"hpj_new": 500}), [("project.hpj_new", "inconsistent")]),
    (package(kpi={"K7": {"2018H2": "1"}}), [("kpi.K7", "required")]),
    (package(kpi={"K2": {"2018H2": "x"}}), [("kpi.K2", "not_number")]),
    (package(kpi={"K2": {"2018H2": "5", "2019H1": "4"}}), [("kpi.K2", "falls")]),
    (package(documents=[]), [(f"documents.DOC-{n}", "required") for n in ("02", "07", "09")]),
    (changed(documents=[]), [("participant.P01-1.documents.DOC-12", "required")]),
    (changed(documents=[{"code": "DOC-12"}]), [("participant.P01-1.documents.DOC-12", "undated")]),
    (changed(role="initiator"), [("participants", "no_initiator")]),
]


@pytest.mark.parametrize(("content", "expected"), CASES, ids=lambda value: str(value)[-40:])
def test_one_fault_one_problem(content: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert found(content) == expected


def test_a_no_is_an_answer() -> None:
    answers = dict(package()["participants"][1]["declarations"])
    assert found(changed(declarations=answers | {"EL-12": False})) == []
    del answers["EL-12"]
    assert found(changed(declarations=answers)) == [("participant.P01-1.declarations.EL-12", "required")]


def test_costs_equal_financing_and_subsidy_of_each_participant() -> None:
    content = package()
    content["participants"][1]["costs"]["CC-04"]["2018"] = "1.00"
    assert found(content) == [("participant.P01-1.financing", "unbalanced")]


def test_amounts_in_the_right_years_and_units() -> None:
    content = package()
    content["participants"][1] |= {
        "costs": {"CC-77": {"2018": "1.00"}, "CC-04": {"2014": "1.00", "2018": "0.001"}},
        "financing": {"own": {"2018": "-1.00"}},
        "subsidy": {"2018": "1.50", "2021": "1.00", "2019": "x"},
    }
    assert found(content) == [
        ("participant.P01-1.costs", "unknown_category"),
        ("participant.P01-1.costs", "year"),
        ("participant.P01-1.costs", "precision"),
        ("participant.P01-1.financing", "negative"),
        ("participant.P01-1.subsidy", "precision"),
        ("participant.P01-1.subsidy", "year"),
        ("participant.P01-1.subsidy", "not_number"),
        ("participant.P01-1.financing", "unbalanced"),
    ]


@pytest.mark.parametrize("odd", [None, 5, "text", [None, 3], {"a": [1]}])
def test_odd_shapes_are_told_not_raised(odd: object) -> None:
    for name in ("cluster", "project", "participants", "kpi", "documents"):
        found({**package(), name: odd})
    for name in ("organisation", "costs", "financing", "subsidy", "documents", "declarations"):
        found(changed(**{name: odd}))
