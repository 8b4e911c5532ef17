"""Reading what was typed, and the package: pure functions."""

from __future__ import annotations

import contextlib
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.applications.drafts.sections import BY_NAME, SECTIONS, place_of
from portal.applications.drafts.values import Kind, Unreadable, read, tidy
from portal.applications.submissions.package import unpack
from portal.core.figures import decimal_of
from portal.demo.economics import complete
from tests.factories import packages


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Kind.MONEY, "1 250 000,5", "1250000.50"),
        (Kind.SIGNED_MONEY, "-96 000 000", "-96000000.00"),
        (Kind.PERCENT, "48,50 %", "48.5"),
        (Kind.SIGNED_PERCENT, "-2", "-2"),
        (Kind.WHOLE, "62", 62),
        (Kind.NUMBER, "4,5", "4.5"),
        (Kind.DATE, "31.08.2018", "2018-08-31"),
        (Kind.DATE, "2018-08-31", "2018-08-31"),
        (Kind.YES_NO, "no", False),
        (Kind.OKPD2, "28.14.13.131", "28.14.13.131"),
        (Kind.TN_VED, "8481 80 819 0", "8481808190"),
        (Kind.REGION, "36", "36"),
        (Kind.COUNTRIES, "Казахстан, Mongolia; vn\nказахстан", ["KZ", "MN", "VN"]),
        (Kind.TEXT, "  Проект ", "Проект"),
        (Kind.TEXT, "   ", None),
    ],
)
def test_values_that_can_be_read(kind: Kind, text: str, value: object) -> None:
    assert read(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text", "code"),
    [
        (Kind.MONEY, "-1", "negative"),
        (Kind.MONEY, "1,001", "too_many_decimals"),
        (Kind.MONEY, "9" * 40, "too_large"),
        (Kind.MONEY, "1e9", "not_a_number"),
        (Kind.MONEY, "NaN", "not_a_number"),
        (Kind.PERCENT, "101", "too_large"),
        (Kind.WHOLE, "1.5", "too_many_decimals"),
        (Kind.WHOLE, "١٢", "not_a_number"),
        (Kind.DATE, "30.02.2018", "not_date"),
        (Kind.DATE, "1.1.99999", "not_date"),
        (Kind.YES_NO, "maybe", "not_answer"),
        (Kind.OKPD2, "04.1", "unknown"),
        (Kind.REGION, "00", "unknown_region"),
        (Kind.COUNTRIES, "Атлантида", "unknown_country"),
    ],
)
def test_values_that_cannot_be_read(kind: Kind, text: str, code: str) -> None:
    with pytest.raises(Unreadable) as unreadable:
        read(kind, text)
    if kind is not Kind.OKPD2:
        assert unreadable.value.code == code


@given(st.sampled_from(list(Kind)), st.text())
def test_nothing_typed_breaks_the_reading(kind: Kind, text: str) -> None:
    with contextlib.suppress(Unreadable):
        read(kind, tidy(text))


@given(st.text(st.characters(codec=None)))
def test_tidy_text_is_what_postgresql_can_keep(text: str) -> None:
    kept = tidy(text)
    assert "\x00" not in kept
    assert "\r" not in kept
    kept.encode("utf-8")


@pytest.mark.parametrize("track", ["import_substitution", "export"])
def test_unpacking_gives_texts_that_read_back_to_the_same_values(track: str) -> None:
    rules = packages.rules(track)
    package = complete(packages.package(track), rules)
    typed = unpack(package, rules)
    part = package["participants"][0]
    for section in (item for item in SECTIONS if item.present(rules)):
        owner: Any = part if section.each else package
        data = typed[part["id"] if section.each else None, section.name]
        source = owner.get(section.path) or {}
        for key, kind in section.keys(rules):
            row, dot, column = key.partition(".")
            value = (source.get(row) or {}).get(column) if dot else source.get(key)
            if value is not None:
                assert same(read(kind, data[key])) == same(value), key


def same(value: Any) -> Any:
    """Numbers however they are spelled, lists in whatever order."""
    if isinstance(value, list):
        return sorted(value)
    return decimal_of(value) if decimal_of(value) is not None else value


def test_every_field_of_a_problem_has_a_place() -> None:
    key = uuid4()
    assert [
        (place.section, place.participant_id, place.key)
        for place in map(
            place_of,
            (
                "project.name_ru",
                "project.irr",
                "kpi.K1",
                "costs",
                f"participant.{key}.costs.CC-01.2018",
                f"participant.{key}.documents.DOC-12",
                f"participant.{key}.declarations.EL-12",
                "questions.Q-01",
                f"participant.{key}.own_questions.Q-11",
                f"participant.{key}.documents.Q-12",
                "documents.DOC-02",
                "participants",
                "cluster",
            ),
        )
    ] == [
        ("product", None, "name_ru"),
        ("economics", None, "irr"),
        ("kpi", None, "K1"),
        ("costs", None, ""),
        ("costs", str(key), "CC-01.2018"),
        ("documents", str(key), "DOC-12"),
        ("declarations", str(key), "EL-12"),
        ("questions", None, "Q-01"),
        ("own_questions", str(key), "Q-11"),
        ("documents", str(key), "Q-12"),
        ("documents", None, "DOC-02"),
        ("participants", None, ""),
        ("overview", None, ""),
    ]


def test_section_names_are_unique() -> None:
    assert len(BY_NAME) == len(SECTIONS) == 13
