"""Exact figures: reading them from a package, computing with them, and writing them into sentences.

Every calculation of the rules runs inside :func:`exact`, so that the result does not depend on the decimal
context of the thread that asks. Ratios, percentages and points are kept to four decimals, half up; what is
shown is what is compared.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Final

_CONTEXT: Final = Context(prec=60, rounding=ROUND_HALF_UP)
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,8})?", re.ASCII)
_STEP: Final = Decimal("0.0001")
_CENT: Final = Decimal("0.01")
_HUNDRED: Final = Decimal(100)

Figure = Mapping[str, str]
"""A figure written in both languages: {"ru": "1 234,5", "en": "1,234.5"}; a parameter of a Message."""


def exact() -> AbstractContextManager[Context]:
    """A decimal context of 60 digits, rounding half up, for the length of a ``with`` block."""
    return localcontext(_CONTEXT)


def decimal_of(value: object) -> Decimal | None:
    """The number in ``value`` (int, Decimal, or a plain string such as "-12.50"), or None."""
    if isinstance(value, str):
        return Decimal(value) if _NUMBER.fullmatch(value) else None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    return None


def int_of(value: object) -> int | None:
    """The whole number in ``value``, or None if there is none or it has a fraction."""
    number = decimal_of(value)
    return int(number) if number is not None and number == number.to_integral_value() else None


def four_places(value: Decimal) -> Decimal:
    """``value`` to four decimals, half up."""
    return value.quantize(_STEP, ROUND_HALF_UP)


def two_places(value: Decimal) -> Decimal:
    """``value`` to two decimals, half up."""
    return value.quantize(_CENT, ROUND_HALF_UP)


def whole_down(value: Decimal) -> Decimal:
    """``value`` without its fraction: roubles are rounded down where a limit is meant."""
    return value.quantize(Decimal(1), ROUND_DOWN)


def ratio(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """``part / whole`` to four decimals; None if a number is missing or the divisor is not positive."""
    if part is None or whole is None or whole <= 0:
        return None
    return four_places(part / whole)


def share(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """``part`` as a percentage of ``whole``, to four decimals; None as in :func:`ratio`."""
    return None if part is None else ratio(part * _HUNDRED, whole)


def number(value: Decimal | int) -> Figure:
    """The number with grouped digits and without trailing zeros, in both languages."""
    english = format(value, ",f") if isinstance(value, Decimal) else format(value, ",")
    if "." in english:
        english = english.rstrip("0").rstrip(".")
    if english == "-0":
        english = "0"
    return {"ru": english.replace(",", "\u00a0").replace(".", ","), "en": english}


def percent(value: Decimal | int) -> Figure:
    """The percentage with its sign: "48,5 %" and "48.5%"."""
    figure = number(value)
    return {"ru": figure["ru"] + "\u00a0%", "en": figure["en"] + "%"}


def roubles(value: Decimal) -> Figure:
    """The sum with its currency; kopecks only where there are some: "1 200,50 ₽" and "RUB 1,200.50"."""
    if value == value.to_integral_value():
        figure = number(value)
    else:
        english = f"{two_places(value):,f}"
        figure = {"ru": english.replace(",", "\u00a0").replace(".", ","), "en": english}
    return {"ru": figure["ru"] + "\u00a0₽", "en": "RUB\u00a0" + figure["en"]}
