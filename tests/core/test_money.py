from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Numeric, Table, create_engine, func, select
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.exc import StatementError

from portal.core.formats import format_money
from portal.core.money import (
    MAX_MONEY,
    ROUBLE,
    Money,
    MoneyError,
    NumberError,
    exact,
    floor_rub,
    parse_decimal,
    parse_money,
    round_kopeck,
    round_rub,
    share_down,
)

DIALECT = DefaultDialect()
amounts = st.decimals(min_value=-MAX_MONEY, max_value=MAX_MONEY, places=2)
grants = st.decimals(min_value=0, max_value=MAX_MONEY, places=2)
envelopes = Table("envelopes", MetaData(), Column("id", Integer, primary_key=True), Column("rest", Money()))


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("0", "0.00"),
        ("007", "7.00"),
        ("1250000,5", "1250000.50"),
        ("1250000.50", "1250000.50"),
        (" 1 250 000,50 ", "1250000.50"),
        ("1\u00a0250\u00a0000,50\u00a0₽", "1250000.50"),
        ("1\u202f250\u202f000,50\u202f₽", "1250000.50"),
        ("1\u2009250 000", "1250000.00"),
        ("12 руб.", "12.00"),
        ("12 руб", "12.00"),
        ("12,30 р.", "12.30"),
        ("12₽", "12.00"),
        ("RUB 5,100,000,000.00", "5100000000.00"),
        ("1,234.5", "1234.50"),
        ("5,100,000", "5100000.00"),
        ("9 999 999 999 999 999,99", "9999999999999999.99"),
        ("\t42\n", "42.00"),
    ],
)
def test_people_write_an_amount_in_many_ways(text: str, amount: str) -> None:
    assert str(parse_money(text)) == amount


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "empty"),
        (" \u00a0 ", "empty"),
        ("1e5", "not_a_number"),
        ("NaN", "not_a_number"),
        ("Infinity", "not_a_number"),
        ("+5", "not_a_number"),
        ("１２", "not_a_number"),
        ("١٢", "not_a_number"),
        ("1_000", "not_a_number"),
        ("12 34", "not_a_number"),
        ("1 2345", "not_a_number"),
        ("5.", "not_a_number"),
        (",5", "not_a_number"),
        ("1.234.567", "not_a_number"),
        ("1 234,567.00", "not_a_number"),
        ("--5", "not_a_number"),
        ("₽", "not_a_number"),
        ("5 ₽ ₽", "not_a_number"),
        ("5 EUR", "not_a_number"),
        ("1\n2", "not_a_number"),
        ("1" * 65, "not_a_number"),
        ("5,100", "too_many_decimals"),
        ("0.001", "too_many_decimals"),
        ("-1", "negative"),
        ("\u22121", "negative"),
        ("10000000000000000", "too_large"),
        ("9" * 60, "too_large"),
    ],
)
def test_what_is_not_an_amount_is_refused_with_its_reason(text: str, code: str) -> None:
    with pytest.raises(MoneyError) as refusal:
        parse_money(text)
    assert refusal.value.code == code
    assert refusal.value.message.msgid


def test_a_sign_is_read_only_where_it_may_be() -> None:
    assert parse_money("-1 000,50 ₽", allow_negative=True) == Decimal("-1000.50")
    assert parse_money("\u22121", allow_negative=True) == Decimal("-1.00")
    assert str(parse_money("-0", allow_negative=True)) == "0.00"


@given(amounts, st.sampled_from(["ru", "en"]))
def test_what_is_shown_can_be_typed_in_again(amount: Decimal, locale: str) -> None:
    shown = format_money(amount, locale).replace("RUB\u00a0-", "-")
    assert parse_money(shown, allow_negative=True) == amount


@given(st.text(max_size=80))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        amount = parse_money(text, allow_negative=True)
    except MoneyError:
        return
    assert amount == exact(amount)


@pytest.mark.parametrize(
    ("text", "places", "value"),
    [("48,5 %", 2, "48.5"), ("48.5%", 1, "48.5"), ("1 200", 0, "1200"), ("0", 2, "0")],
)
def test_percentages_and_counts(text: str, places: int, value: str) -> None:
    assert parse_decimal(text, places=places) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "places", "code"),
    [
        ("", 2, "empty"),
        ("many", 2, "not_a_number"),
        ("1e2", 2, "not_a_number"),
        ("%", 2, "not_a_number"),
        ("1,234", 2, "too_many_decimals"),
        ("1,5", 0, "too_many_decimals"),
        ("-0,1", 2, "too_small"),
        ("100,01", 2, "too_large"),
    ],
)
def test_limits_of_numbers(text: str, places: int, code: str) -> None:
    with pytest.raises(NumberError) as refusal:
        parse_decimal(text, places=places, maximum=Decimal(100))
    assert refusal.value.code == code


def test_limits_are_inclusive_and_may_be_absent() -> None:
    assert parse_decimal("100", maximum=Decimal(100)) == Decimal(100)
    assert parse_decimal("-5,25", minimum=None) == Decimal("-5.25")


@pytest.mark.parametrize(
    ("value", "kopecks", "roubles", "floor"),
    [
        ("2.50", "2.50", "3.00", "2.00"),
        ("0.005", "0.01", "0.00", "0.00"),
        ("1.005", "1.01", "1.00", "1.00"),
        ("-2.5", "-2.50", "-3.00", "-3.00"),
        ("-0.004", "0.00", "0.00", "-1.00"),
        ("1234567890123456.99", "1234567890123456.99", "1234567890123457.00", "1234567890123456.00"),
    ],
)
def test_rounding_is_half_up_and_never_even(value: str, kopecks: str, roubles: str, floor: str) -> None:
    amount = Decimal(value)
    assert [str(round_kopeck(amount)), str(round_rub(amount)), str(floor_rub(amount))] == [
        kopecks,
        roubles,
        floor,
    ]


def test_shares_add_up_and_the_larger_remainder_goes_first() -> None:
    assert share_down(Decimal("100.00"), [1, 1, 1]) == [Decimal("33.34"), Decimal("33.33"), Decimal("33.33")]
    assert share_down(Decimal("1.00"), [1, 2, 4], ROUBLE) == [Decimal(0), Decimal(0), Decimal(1)]
    assert share_down(Decimal("0.01"), [0, 1, 1]) == [Decimal(0), Decimal("0.01"), Decimal(0)]
    assert share_down(Decimal(0), [3, 5]) == [Decimal(0), Decimal(0)]


@given(
    grants,
    st.lists(st.decimals(min_value=0, max_value=MAX_MONEY, places=2), min_size=1, max_size=20).filter(any),
)
def test_shares_are_exact_fair_and_in_proportion(total: Decimal, weights: list[Decimal]) -> None:
    shares = share_down(total, weights)
    assert sum(map(Fraction, shares)) == Fraction(total)
    whole = sum(map(Fraction, weights))
    for share, weight in zip(shares, weights, strict=True):
        assert abs(Fraction(share) - Fraction(total) * Fraction(weight) / whole) < Fraction(1, 100)
        assert weight > 0 or share == 0


@pytest.mark.parametrize(
    ("total", "weights", "unit"),
    [
        ("1.00", [], "0.01"),
        ("1.00", [0, 0], "0.01"),
        ("1.00", [1, -1], "0.01"),
        ("-1.00", [1], "0.01"),
        ("1.50", [1], "1"),
    ],
)
def test_there_must_be_something_to_split_and_by(total: str, weights: list[int], unit: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        share_down(Decimal(total), weights, Decimal(unit))


@pytest.mark.parametrize("value", [1.5, "1.50", True])
def test_the_column_takes_no_other_types(value: object) -> None:
    with pytest.raises(TypeError, match="money is Decimal"):
        exact(value)


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("0.001", "too_many_decimals"),
        ("NaN", "not_a_number"),
        ("sNaN", "not_a_number"),
        ("-Infinity", "not_a_number"),
        ("10000000000000000", "too_large"),
        ("-10000000000000000", "too_large"),
        ("1e30", "too_large"),
        ("1e-30", "too_many_decimals"),
    ],
)
def test_the_column_takes_no_other_values(value: str, code: str) -> None:
    with pytest.raises(MoneyError) as refusal:
        Money().process_bind_param(Decimal(value), DIALECT)
    assert refusal.value.code == code


def test_the_column_is_an_exact_numeric_of_the_database() -> None:
    assert Money().compile(DIALECT) == "NUMERIC(18, 2)"
    assert str(Money().process_bind_param(7, DIALECT)) == "7.00"
    assert str(Money().process_bind_param(Decimal("-0.00"), DIALECT)) == "0.00"
    assert Money().process_bind_param(None, DIALECT) is None
    assert Money().process_result_value(None, DIALECT) is None


def test_the_database_keeps_amounts_and_python_gets_decimals() -> None:
    engine = create_engine("sqlite://")
    envelopes.metadata.create_all(engine)
    with engine.begin() as connection:
        connection.execute(envelopes.insert(), [{"rest": Decimal("0.10")}, {"rest": 2}, {"rest": None}])
        total = connection.scalar(select(func.sum(envelopes.c.rest)))
        assert (total, type(total)) == (Decimal("2.10"), Decimal)
        with pytest.raises(StatementError, match="money is Decimal, not float"):
            connection.execute(envelopes.insert(), {"rest": 0.1})
        with pytest.raises(StatementError, match="money is Decimal, not float"):
            connection.scalar(select(envelopes.c.rest * 0.5))


def test_a_factor_is_a_number_and_a_summand_is_money() -> None:
    product = envelopes.c.rest * Decimal("0.125")
    assert type(product.right.type) is Numeric
    assert type((envelopes.c.rest >= Decimal("0.12")).right.type) is Money
