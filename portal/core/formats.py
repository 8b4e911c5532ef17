"""Amounts, numbers, dates and times as a reader of Russian (``ru``) or English (``en``) expects them.

Groups of digits and units are held together by U+00A0, so that a sum never breaks across two lines.
Rounding is half up. Amounts are roubles.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import Final

from babel.dates import format_date as _date
from babel.numbers import format_decimal as _decimal

NBSP: Final = "\u00a0"

# The least amount of a scale is the first that would be rounded to "1 000" of the scale below it.
_SCALES: Final = (
    (Decimal(10) ** 12, Decimal("999_995_000_000"), "трлн", "tn", 2),
    (Decimal(10) ** 9, Decimal("999_950_000"), "млрд", "bn", 2),
    (Decimal(10) ** 6, Decimal("999_950"), "млн", "m", 1),
    (Decimal(10) ** 3, Decimal("1_000"), "тыс.", "k", 1),
)
_DATES: Final = {"ru": "dd.MM.yyyy", "en": "d MMM yyyy"}
_LONG_DATES: Final = {"ru": "d MMMM y 'г'.", "en": "d MMMM y"}
_MOSCOW: Final = {"ru": "МСК", "en": "MSK"}


def format_money(value: Decimal, locale: str) -> str:
    """The whole amount with kopecks: ``5 100 000 000,00 ₽`` or ``RUB 5,100,000,000.00``."""
    return _with_currency(_places(value, 2, locale), locale)


def format_amount(value: Decimal, locale: str) -> str:
    """The whole amount without its currency, for columns that name it: ``5 100 000 000``, or with both kopecks."""
    return _places(value, 0 if value == value.to_integral_value() else 2, locale)


def format_money_short(value: Decimal, locale: str) -> str:
    """The amount to one decimal of its scale: ``247,5 млн ₽`` or ``RUB 247.5 m``; from a billion on to two.

    A tenth of a billion is more than most awards: what one takes from an envelope has to be seen. Below a thousand
    roubles it is the amount itself, without kopecks when there are none.
    """
    for scale, least, russian, english, places in _SCALES:
        if abs(value) >= least:
            unit = russian if locale == "ru" else english
            return _with_currency(f"{format_number(value / scale, locale, places)}{NBSP}{unit}", locale)
    places = 0 if value == value.to_integral_value() else 2
    return _with_currency(_places(value, places, locale), locale)


def format_percent(value: Decimal, locale: str, places: int = 1) -> str:
    """``value`` per cent, with at most ``places`` decimals: ``48,5 %`` or ``48.5%``."""
    gap = NBSP if locale == "ru" else ""
    return f"{format_number(value, locale, places)}{gap}%"


def format_number(value: Decimal | int, locale: str, places: int = 2) -> str:
    """A number with groups and at most ``places`` decimals, no trailing zeros: ``1 234,5`` or ``1,234.5``."""
    fraction = f".{'#' * places}" if places else ""
    return _written(_half_up(Decimal(value), places), f"#,##0{fraction}", locale)


@lru_cache(maxsize=2048)
def format_date(day: date, locale: str) -> str:
    """``01.08.2018`` or ``1 Aug 2018``."""
    return str(_date(day, format=_DATES[locale], locale=locale))


def format_date_long(day: date, locale: str) -> str:
    """For letters and orders: ``1 августа 2018 г.`` or ``1 August 2018``."""
    return str(_date(day, format=_LONG_DATES[locale], locale=locale))


def format_datetime(instant: datetime, zone: tzinfo, locale: str) -> str:
    """An instant in ``zone``, which is named: ``31.08.2018, 18:00 МСК`` or ``31 Aug 2018, 18:00 MSK``.

    Raises ``ValueError`` for a time without zone: it is not an instant.
    """
    local = _local(instant, zone)
    return f"{format_date(local.date(), locale)}, {local:%H:%M}{NBSP}{zone_name(local, locale)}"


def format_time(instant: datetime, zone: tzinfo) -> str:
    """The time of day of an instant in ``zone``: ``14:32``. Raises ``ValueError`` for a time without zone."""
    return f"{_local(instant, zone):%H:%M}"


def zone_name(local: datetime, locale: str) -> str:
    """The zone of ``local``: ``МСК`` or ``MSK`` for Moscow, otherwise ``UTC+5``, ``UTC+5:30``, ``UTC``.

    CLDR has no short name for Moscow time in either language, hence our own.
    """
    if str(local.tzinfo) == "Europe/Moscow":
        return _MOSCOW[locale]
    offset = local.utcoffset()
    if not offset:
        return "UTC"
    minutes = int(offset.total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'+' if minutes > 0 else '-'}{hours}{f':{rest:02}' if rest else ''}"


def _local(instant: datetime, zone: tzinfo) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant needs a zone")
    return instant.astimezone(zone)


def _half_up(value: Decimal, places: int) -> Decimal:
    rounded = value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    return rounded if rounded else abs(rounded)  # no "-0"


def _places(value: Decimal, places: int, locale: str) -> str:
    fraction = f".{'0' * places}" if places else ""
    return _written(_half_up(value, places), f"#,##0{fraction}", locale)


@lru_cache(maxsize=8192)
def _written(rounded: Decimal, pattern: str, locale: str) -> str:
    """A page shows the same two hundred sums each time, and the library reads pattern and locale anew for each."""
    return str(_decimal(rounded, format=pattern, locale=locale))


def _with_currency(number: str, locale: str) -> str:
    return f"{number}{NBSP}₽" if locale == "ru" else f"RUB{NBSP}{number}"


class Example:
    """A date or a year of the present year, as an example of what to type; written anew whenever it is shown."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern

    def __str__(self) -> str:
        return datetime.now(UTC).strftime(self.pattern)


EXAMPLE_DAY: Final = Example("31.08.%Y")
EXAMPLE_YEAR: Final = Example("%Y")
