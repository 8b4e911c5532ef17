"""Clusters and members as people write them."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from portal.clusters import fields

CLUSTER = {
    "code": "D1",
    "name_ru": "Демо-кластер",
    "name_en": "Demo cluster",
    "sector_ru": "",
    "sector_en": "",
    "regions": "36, 50;69",
    "registered_on": "01.06.2016",
    "valid_until": "2021-06-01",
    "spec_inn": "",
    "spec_kpp": "",
}
MEMBER = {
    "cluster": "D1",
    "inn": "36 999 00012",
    "kpp": "369901001",
    "ogrn": "1163699000013",
    "okved2": "28.14",
    "region": "36",
    "name_ru": "ООО «Демо-Арматура»",
    "name_en": "Demo Valves LLC",
    "final_producer": "да",
    "product": "задвижки",
}


def test_a_cluster_is_read() -> None:
    values, problems = fields.cluster(CLUSTER)
    assert problems == []
    assert values == {
        **CLUSTER,
        "regions": ["36", "50", "69"],
        "registered_on": date(2016, 6, 1),
        "valid_until": date(2021, 6, 1),
        "spec_inn": None,
        "spec_kpp": None,
    }


def test_all_problems_of_a_cluster_come_together() -> None:
    texts = {
        **CLUSTER,
        "code": "has space",
        "name_ru": "  ",
        "name_en": "x" * 301,
        "regions": "36, 00",
        "registered_on": "31.02.2016",
        "spec_kpp": "369901001",
        "spec_inn": "",
    }
    _, problems = fields.cluster(texts)
    assert [(p.field, p.code) for p in problems] == [
        ("code", "format"),
        ("name_ru", "empty"),
        ("name_en", "too_long"),
        ("regions", "unknown"),
        ("registered_on", "format"),
        ("spec_inn", "empty"),
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"valid_until": "2016-05-31"}, [("valid_until", "dates")]),
        ({"valid_until": "2016-06-01"}, []),
        ({"valid_until": ""}, []),
        ({"registered_on": "0001-01-01"}, [("registered_on", "format")]),
        ({"regions": " ; "}, [("regions", "empty")]),
        ({"regions": "2"}, []),
        ({"spec_inn": "3699900013"}, [("spec_inn", "checksum")]),
    ],
)
def test_limits_of_a_cluster(changes: dict[str, str], expected: list[tuple[str, str]]) -> None:
    _, problems = fields.cluster({**CLUSTER, **changes})
    assert [(p.field, p.code) for p in problems] == expected


def test_a_member_is_read() -> None:
    values, problems = fields.member(MEMBER)
    assert problems == []
    assert values == {**MEMBER, "inn": "3699900012", "final_producer": True}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"inn": "3699900013"}, [("inn", "checksum")]),
        ({"inn": "699900012"}, [("inn", "format")]),
        ({"inn": ""}, [("inn", "empty")]),
        ({"kpp": ""}, [("kpp", "empty")]),
        ({"kpp": "36990100"}, [("kpp", "format")]),
        ({"ogrn": "1163699000014"}, [("ogrn", "checksum")]),
        ({"okved2": "34.1"}, [("okved2", "unknown")]),
        ({"region": "99"}, [("region", "unknown")]),
        ({"final_producer": "maybe"}, [("final_producer", "format")]),
        ({"product": "x" * 301}, [("product", "too_long")]),
        ({"name_ru": "\u200b\u202e"}, [("name_ru", "empty")]),
    ],
)
def test_limits_of_a_member(changes: dict[str, str], expected: list[tuple[str, str]]) -> None:
    _, problems = fields.member({**MEMBER, **changes})
    assert [(p.field, p.code) for p in problems] == expected


def test_an_entrepreneur_has_no_kpp_and_an_ogrnip() -> None:
    person: dict[str, Any] = {**MEMBER, "inn": "500100732259", "ogrn": "304500116000157", "kpp": ""}
    values, problems = fields.member(person)
    assert (problems, values["kpp"], values["inn"]) == ([], None, "500100732259")
    _, problems = fields.member({**person, "kpp": "369901001"})
    assert [(p.field, p.code) for p in problems] == [("kpp", "unexpected")]


def test_a_missing_column_stays_out_of_the_values() -> None:
    texts = {key: text for key, text in MEMBER.items() if key != "product"}
    values, problems = fields.member(texts)
    assert problems == []
    assert "product" not in values
