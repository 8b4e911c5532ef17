"""Exact figures: reading them from a package, computing with them, and writing them into sentences.

Every calculation of the rules runs inside :func:`exact`, so that the result does not depend on the decimal
context of the thread that asks. Ratios, percentages and points are kept to four decimals, half up; what is
shown is what is compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Final

_CONTEXT: Final = Context(prec=60, rounding=ROUND_HALF_UP)
_NUMBER: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,8})?", re.ASCII)
_STEP: Final = Decimal("0.0001")
_CENT: Final = Decimal("0.01")
_HUNDRED: Final = Decimal(100)


class Figure(Mapping[str, str]):
    """A figure that is written when it is read: ``figure["ru"]`` is "1 234,5", ``figure["en"]`` is "1,234.5".

    ``kind``: "number", "percent" (of 100), "points" (percentage points) or "roubles"; ``value`` is kept exactly.
    """

    __slots__ = ("kind", "value")

    def __init__(self, kind: str, value: Decimal | int) -> None:
        self.kind = kind
        self.value = value

    def __getitem__(self, locale: str) -> str:
        return _WRITERS[self.kind](self.value)[locale]

    def __iter__(self) -> Iterator[str]:
        return iter(("ru", "en"))

    def __len__(self) -> int:
        return 2

    def __repr__(self) -> str:
        return f"Figure({self.kind!r}, {self.value!r})"


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
    return Figure("number", value)


def percent(value: Decimal | int) -> Figure:
    """The percentage with its sign: "48,5 %" and "48.5%"."""
    return Figure("percent", value)


def percentage_points(value: Decimal | int) -> Figure:
    """A difference of percentages: "7 п. п." and "7 pp"."""
    return Figure("points", value)


def roubles(value: Decimal) -> Figure:
    """The sum with its currency; kopecks only where there are some: "1 200,50 ₽" and "RUB 1,200.50"."""
    return Figure("roubles", value)


def _number(value: Decimal | int) -> dict[str, str]:
    english = format(value, ",f") if isinstance(value, Decimal) else format(value, ",")
    if "." in english:
        english = english.rstrip("0").rstrip(".")
    if english == "-0":
        english = "0"
    return {"ru": _russian(english), "en": english}


def _percent(value: Decimal | int) -> dict[str, str]:
    figure = _number(value)
    return {"ru": figure["ru"] + "\u00a0%", "en": figure["en"] + "%"}


def _points(value: Decimal | int) -> dict[str, str]:
    figure = _number(value)
    return {"ru": figure["ru"] + "\u00a0п. п.", "en": figure["en"] + "\u00a0pp"}


def _roubles(value: Decimal | int) -> dict[str, str]:
    exact_value = Decimal(value)
    english = f"{two_places(exact_value):,f}"
    if exact_value == exact_value.to_integral_value():
        english = _number(value)["en"]
    return {"ru": _russian(english) + "\u00a0₽", "en": "RUB\u00a0" + english}


def _russian(english: str) -> str:
    return english.replace(",", "\u00a0").replace(".", ",")


_WRITERS: Final = {"number": _number, "percent": _percent, "points": _points, "roubles": _roubles}
