"""Canonical JSON, exact figures and typed JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.core.canonical import canonical_json, digest, plain_decimal
from portal.core.errors import Problem
from portal.core.figures import decimal_of, int_of, number, percent, ratio, roubles, share, whole_down
from portal.core.typed_json import Unreadable, read, write

D = Decimal


class Colour(StrEnum):
    RED = "red"


def test_equal_content_has_equal_bytes() -> None:
    value = {"b": D("7.50"), "a": [1, None, True, "ё"], 3: D("1E+3"), "d": date(2018, 8, 1), "e": Colour.RED}
    assert canonical_json(value) == ('{"3":"1000","a":[1,null,true,"ё"],"b":"7.5","d":"2018-08-01","e":"red"}'.encode())
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert canonical_json((UUID(int=1),)) == b'["00000000-0000-0000-0000-000000000001"]'
    assert canonical_json("\ud800") == b'"\xed\xa0\x80"'


@pytest.mark.parametrize("value", [1.5, {"a": [0.1]}, float("nan"), {1.5: 1}, {True: 1}, {1, 2}, b"x", D("NaN")])
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


@given(st.decimals(min_value=-(10**15), max_value=10**15, places=6))
def test_one_spelling_per_number(value: D) -> None:
    assert D(plain_decimal(value)) == value
    assert plain_decimal(value) == plain_decimal(value * D("1.000"))


def test_reading_figures() -> None:
    assert [decimal_of(value) for value in ("-12.50", 3, D(4), "1,5", "1e3", True, 1.5, None, "")] == [
        D("-12.50"),
        D(3),
        D(4),
        None,
        None,
        None,
        None,
        None,
        None,
    ]
    assert (int_of("7.0"), int_of("7.5")) == (7, None)


def test_ratios() -> None:
    assert (ratio(D(1), D(3)), share(D(2), D(3))) == (D("0.3333"), D("66.6667"))
    assert (ratio(None, D(3)), ratio(D(1), D(0)), ratio(D(1), D(-1)), share(None, D(1))) == (None,) * 4
    assert (whole_down(D("2.99")), whole_down(D("2"))) == (D(2), D(2))


def test_writing_figures() -> None:
    assert number(D("1234567.50")) == {"ru": "1\u00a0234\u00a0567,5", "en": "1,234,567.5"}
    assert (number(0)["en"], number(D("-0.00"))["en"], number(D("100"))["en"]) == ("0", "0", "100")
    assert number(D("-0.5"))["ru"] == "-0,5"
    assert percent(D("48.5")) == {"ru": "48,5\u00a0%", "en": "48.5%"}
    assert roubles(D("1200.5")) == {"ru": "1\u00a0200,50\u00a0₽", "en": "RUB\u00a01,200.50"}
    assert roubles(D("1200.00"))["en"] == "RUB\u00a01,200"


@dataclass(frozen=True)
class Leaf:
    name: str
    size: Decimal
    colour: Colour | None = None


@dataclass(frozen=True)
class Tree:
    leaves: tuple[Leaf, ...]
    pair: tuple[int, date]
    notes: dict[str, str]


def test_typed_json_there_and_back() -> None:
    tree = Tree((Leaf("a", D("1.50"), Colour.RED), Leaf("b", D(2))), (1, date(2018, 8, 1)), {"x": "y"})
    written = write(tree)
    assert written == {
        "leaves": [{"name": "a", "size": "1.5", "colour": "red"}, {"name": "b", "size": "2", "colour": None}],
        "pair": [1, "2018-08-01"],
        "notes": {"x": "y"},
    }
    problems: list[Problem] = []
    assert read(Tree, written, "", problems) == tree
    assert problems == []


def test_typed_json_tells_every_fault() -> None:
    problems: list[Problem] = []
    data = {"leaves": [{"name": 1, "size": 0.5}, {"name": "b", "size": "2", "colour": "blue"}], "pair": [1]}
    with pytest.raises(Unreadable):
        read(Tree, data, "tree", problems)
    assert [(problem.field, problem.code) for problem in problems] == [
        ("tree.leaves.0.name", "not_text"),
        ("tree.leaves.0.size", "not_number"),
        ("tree.leaves.1.colour", "not_allowed"),
        ("tree.pair", "wrong_length"),
        ("tree.notes", "required"),
    ]
