"""Comparing two projects: pure."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.language import both
from portal.review.similarity import Likeness, Reason, closeness, compare, wording
from portal.review.traces import bands, normal, shingles, trace_of
from tests.factories.packages import package

MODULE = (
    "Автоматизированный модуль обвязки скважин для низких температур: разработка документации, оснастка, опытная"
    " партия и серийное производство на площадках участников кластера"
)
ENZYMES = (
    "Кормовые ферменты и премикс лизина для животноводства: строительство цеха ферментации, сушка, фасовка и"
    " регистрация продукта в странах сбыта"
)


def project(text: str = MODULE, row: str = "P01", **fields: Any) -> dict[str, Any]:
    content = package(row=row, project={"name_ru": text, "name_en": "", "product_name": "", "summary": "", **fields})
    content["documents"] = []
    return deepcopy(content)


def strangers(content: dict[str, Any]) -> dict[str, Any]:
    """The same project of other organisations."""
    for place, part in enumerate(content["participants"]):
        part["organisation"] = {**part["organisation"], "inn": f"770000000{place}"}
    return content


def against(one: dict[str, Any], other: dict[str, Any]) -> Likeness:
    return compare(trace_of(one), trace_of(other))


def kinds(likeness: Likeness) -> set[str]:
    return {item.reason.value for item in likeness.found}


def test_the_same_text_of_other_organisations_is_remarkable() -> None:
    found = against(project(), strangers(project(okpd2="10.91.10.210", tn_ved="3507909000")))
    assert Reason.TEXT in kinds(found)
    assert not kinds(found) & {Reason.INITIATOR, Reason.BENEFICIARIES, Reason.OKPD2}
    assert found.remarkable


def test_other_words_and_other_people_are_not() -> None:
    found = against(project(), strangers(project(ENZYMES, "P08")))
    assert not found.remarkable
    assert kinds(found) == set()


def test_competitors_with_the_same_product_code_are_not() -> None:
    other = strangers(project(ENZYMES, "P08", okpd2="28.92.61.110", tn_ved="8431430000"))
    found = against(project(), other)
    assert kinds(found) == {Reason.OKPD2, Reason.TN_VED}
    assert not found.remarkable


def test_the_same_people_with_the_same_product_are() -> None:
    found = against(project(), project("Буровые насосы высокого давления"))
    assert {Reason.INITIATOR, Reason.BENEFICIARIES, Reason.OKPD2, Reason.TN_VED} <= kinds(found)
    assert found.remarkable


def test_the_same_people_with_another_project_are_not() -> None:
    other = project(ENZYMES, "P01", okpd2="10.91.10.210", tn_ved="3507909000")
    for part in other["participants"]:
        part["costs"] = {}
    found = against(project(), other)
    assert not found.remarkable


def test_equal_sums_count_unless_they_are_round() -> None:
    one, other = project(), strangers(project(ENZYMES, "P08"))
    for content in (one, other):
        content["participants"][0]["costs"] = {
            "CC-04": {"2017": "12345678.50", "2018": "7654321.00"},
            "CC-03": {"2017": "1111111.00", "2018": "987654.32"},
        }
    found = against(one, other)
    assert kinds(found) == {Reason.LINES}
    assert found.found[0].evidence["count"] == 4
    assert found.remarkable
    for content in (one, other):
        content["participants"][0]["costs"] = {"CC-04": {"2017": "5000000.00", "2018": "100000.00"}}
    assert kinds(against(one, other)) == set()


def test_the_same_file_is_a_reason() -> None:
    one, other = project(), strangers(project(ENZYMES, "P08"))
    for content in (one, other):
        content["documents"] = [{"code": "DOC-02", "name": "plan.pdf", "sha256": "ab" * 32}]
    assert kinds(against(one, other)) == {Reason.FILES}


def test_codes_of_one_group_weigh_less_than_the_same() -> None:
    same = against(project(), strangers(project(ENZYMES, okpd2="28.92.61.110", tn_ved="")))
    group = against(project(), strangers(project(ENZYMES, okpd2="28.92.61.120", tn_ved="")))
    assert Reason.OKPD2 in kinds(same)
    assert Reason.OKPD2_GROUP in kinds(group)
    assert same.score > group.score


def test_every_reason_is_said_in_both_languages_with_its_evidence() -> None:
    found = against(project(), project())
    said = [both(wording(item)) for item in found.as_json()]
    assert all(item["ru"] != item["en"] for item in said)
    joined = " ".join(item["en"] for item in said)
    for part in ("28.92.61.110", "8431430000", "INN ", "The texts agree by 100%"):
        assert part in joined
    text = next(item for item in found.as_json() if item["reason"] == "text")
    assert text["evidence"]["phrases"][0].startswith("автоматизированный модуль обвязки")


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("Приводы запорной арматуры для трубопроводов", "Привод запорной арматуры трубопроводов", 0.7, 1),
        ("Всё ещё модуль", "Все еще МОДУЛЬ!", 1, 1),
        ("Тормозная система тележки вагона метро", "Кормовые ферменты и премикс лизина", 0, 0.1),
        ("", "", 0, 0),
    ],
)
def test_russian_texts_are_compared_by_their_stems(one: str, other: str, least: float, most: float) -> None:
    assert least <= closeness(normal(one), normal(other)) <= most


words = st.text("абвгдеёжз abc-1", max_size=80)


@given(words, words)
def test_closeness_is_a_symmetric_share(one: str, other: str) -> None:
    left, right = normal(one), normal(other)
    assert closeness(left, right) == closeness(right, left)
    assert 0 <= closeness(left, right) <= 1.0000001
    assert closeness(left, left) == (pytest.approx(1) if left else 0)


@given(words)
def test_a_text_finds_itself_in_the_index(text: str) -> None:
    tokens = bands(normal(text))
    assert tokens == bands(normal(text))
    assert bool(tokens) is bool(shingles(normal(text)))
    assert all(0 <= token < 2**32 for token in tokens)


def test_like_texts_share_tokens_and_unlike_ones_few() -> None:
    own = set(bands(normal(MODULE)))
    assert len(own & set(bands(normal(MODULE.replace("низких", "высоких"))))) >= 20
    assert len(own & set(bands(normal(ENZYMES)))) <= 2


@given(st.sampled_from(["P01", "P02", "P10", "P14"]), st.sampled_from(["P01", "P02", "P10", "P14"]))
def test_comparing_is_symmetric(one: str, other: str) -> None:
    left, right = package(row=one), package(row=other)
    forth, back = against(left, right), against(right, left)
    assert forth.score == back.score
    assert kinds(forth) == kinds(back)
    assert 0 <= forth.score <= 1
