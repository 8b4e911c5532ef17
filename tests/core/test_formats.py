from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from portal.core.formats import (
    format_date,
    format_date_long,
    format_datetime,
    format_money,
    format_money_short,
    format_number,
    format_percent,
    format_time,
)

MOSCOW = ZoneInfo("Europe/Moscow")


def visible(text: str) -> str:
    """No-break spaces made visible, so that the tests can be read."""
    return text.replace("\u00a0", "_")


@pytest.mark.parametrize(
    ("value", "russian", "english"),
    [
        ("5100000000", "5_100_000_000,00_₽", "RUB_5,100,000,000.00"),
        ("24500000.5", "24_500_000,50_₽", "RUB_24,500,000.50"),
        ("0", "0,00_₽", "RUB_0.00"),
        ("-1234.56", "-1_234,56_₽", "RUB_-1,234.56"),
        ("-0.001", "0,00_₽", "RUB_0.00"),
        ("9999999999999999.99", "9_999_999_999_999_999,99_₽", "RUB_9,999,999,999,999,999.99"),
    ],
)
def test_money(value: str, russian: str, english: str) -> None:
    assert visible(format_money(Decimal(value), "ru")) == russian
    assert visible(format_money(Decimal(value), "en")) == english


@pytest.mark.parametrize(
    ("value", "russian", "english"),
    [
        ("5100000000", "5,1_млрд_₽", "RUB_5.1_bn"),
        ("1775000000", "1,78_млрд_₽", "RUB_1.78_bn"),
        ("999994999999", "999,99_млрд_₽", "RUB_999.99_bn"),
        ("999995000000", "1_трлн_₽", "RUB_1_tn"),
        ("247500000", "247,5_млн_₽", "RUB_247.5_m"),
        ("600000000", "600_млн_₽", "RUB_600_m"),
        ("1200", "1,2_тыс._₽", "RUB_1.2_k"),
        ("1000", "1_тыс._₽", "RUB_1_k"),
        ("999", "999_₽", "RUB_999"),
        ("999.99", "999,99_₽", "RUB_999.99"),
        ("0", "0_₽", "RUB_0"),
        ("999949.99", "999,9_тыс._₽", "RUB_999.9_k"),
        ("999950", "1_млн_₽", "RUB_1_m"),
        ("866650000", "866,7_млн_₽", "RUB_866.7_m"),
        ("6800000000000", "6,8_трлн_₽", "RUB_6.8_tn"),
        ("1234000000000000", "1_234_трлн_₽", "RUB_1,234_tn"),
        ("-13500000", "-13,5_млн_₽", "RUB_-13.5_m"),
    ],
)
def test_short_money(value: str, russian: str, english: str) -> None:
    assert visible(format_money_short(Decimal(value), "ru")) == russian
    assert visible(format_money_short(Decimal(value), "en")) == english


def test_numbers_and_percentages() -> None:
    assert visible(format_percent(Decimal("48.55"), "ru")) == "48,6_%"
    assert visible(format_percent(Decimal("48.5"), "en")) == "48.5%"
    assert visible(format_percent(Decimal("50.00"), "ru")) == "50_%"
    assert visible(format_number(Decimal("1234.500"), "ru")) == "1_234,5"
    assert visible(format_number(1234567, "en")) == "1,234,567"
    assert visible(format_number(Decimal("2.5"), "ru", 0)) == "3"
    assert visible(format_number(Decimal("-0.001"), "ru")) == "0"


def test_dates() -> None:
    day = date(2018, 8, 1)
    assert (format_date(day, "ru"), format_date(day, "en")) == ("01.08.2018", "1 Aug 2018")
    assert (format_date_long(day, "ru"), format_date_long(day, "en")) == (
        "1 августа 2018 г.",
        "1 August 2018",
    )


def test_times_name_their_zone() -> None:
    instant = datetime(2018, 8, 31, 21, 30, tzinfo=UTC)
    assert visible(format_datetime(instant, MOSCOW, "ru")) == "01.09.2018, 00:30_МСК"
    assert visible(format_datetime(instant, MOSCOW, "en")) == "1 Sep 2018, 00:30_MSK"
    assert visible(format_datetime(instant, ZoneInfo("Asia/Omsk"), "ru")) == "01.09.2018, 03:30_UTC+6"
    assert visible(format_datetime(instant, ZoneInfo("Asia/Kolkata"), "en")) == "1 Sep 2018, 03:00_UTC+5:30"
    assert visible(format_datetime(instant, ZoneInfo("America/St_Johns"), "en")).endswith("UTC-2:30")
    assert visible(format_datetime(instant, UTC, "en")) == "31 Aug 2018, 21:30_UTC"
    assert format_time(instant, MOSCOW) == "00:30"


def test_a_time_without_zone_is_no_instant() -> None:
    with pytest.raises(ValueError, match="an instant needs a zone"):
        format_datetime(datetime(2018, 8, 31, 18), MOSCOW, "ru")  # noqa: DTZ001
