"""Roubles: how they are kept, read from a form, rounded and split. Never a float.

An amount is a :class:`~decimal.Decimal` of roubles with at most two decimals (kopecks) and an absolute
value of at most :data:`MAX_MONEY`, which is what NUMERIC(18, 2) holds. Writing amounts for people is in
:mod:`portal.core.formats`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any, Final

from sqlalchemy import Dialect, Numeric, TypeDecorator
from sqlalchemy.sql.operators import OperatorType
from sqlalchemy.types import TypeEngine

from portal.core.language import N_, Message

ZERO: Final = Decimal("0.00")
KOPECK: Final = Decimal("0.01")
ROUBLE: Final = Decimal("1")
MAX_MONEY: Final = Decimal("9999999999999999.99")

# Longer than any amount that can be meant; looked at before any pattern is tried.
MAX_INPUT: Final = 64

_SPACES: Final = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2009": " ", "\u2212": "-"})
_PLAIN: Final = re.compile(r"(-)?([0-9]{1,3}(?: [0-9]{3})+|[0-9]+)(?:[.,]([0-9]+))?")
# With two groups or a point after them a comma can only be the English thousands separator;
# a lone "5,100" is left to the plain reading and refused there for its three decimals.
_ENGLISH: Final = re.compile(r"(-)?([0-9]{1,3}(?:,[0-9]{3}){2,}|[0-9]{1,3}(?:,[0-9]{3})+(?=\.))(?:\.([0-9]+))?")
_UNITS: Final = ("₽", "руб.", "руб", "р.")


class NumberError(ValueError):
    """A text that is not the number asked for.

    ``code`` is one of ``empty``, ``not_a_number``, ``too_many_decimals``, ``negative``, ``too_small``,
    ``too_large``; ``message`` tells the person what to do.
    """

    def __init__(self, code: str, message: Message) -> None:
        self.code = code
        self.message = message
        super().__init__(code)


class MoneyError(NumberError):
    """A text or a value that is not an amount in roubles."""


class Money(TypeDecorator[Decimal]):
    """Column type: NUMERIC(18, 2) in the database, an exact ``Decimal`` in Python.

    Takes ``Decimal`` and ``int``. Raises ``TypeError`` for a float or anything else, :class:`MoneyError` for
    a third decimal, NaN, infinity or an amount out of range: the database would round it in silence.
    """

    impl = Numeric(18, 2)
    cache_ok = True

    def process_bind_param(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else exact(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)

    def coerce_compared_value(self, op: OperatorType | None, value: Any) -> TypeEngine[Any]:
        # A factor is a plain number (``amount * Decimal("0.125")``); a float is still ours to refuse.
        if op in (operator.mul, operator.truediv) and isinstance(value, Decimal | int):
            return Numeric()
        return self


def exact(value: object) -> Decimal:
    """``value`` (``Decimal`` or ``int``, roubles) as an amount with two decimals. Nothing is rounded.

    Raises ``TypeError`` for another type and :class:`MoneyError` for what is not an amount.
    """
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise TypeError(f"money is Decimal, not {type(value).__name__}")
    amount = Decimal(value)
    if not amount.is_finite():
        raise _not_a_number()
    if abs(amount) > MAX_MONEY:
        raise _too_large()
    kopecks = amount.quantize(KOPECK)
    if kopecks != amount:
        raise _too_many_decimals()
    return kopecks if kopecks else ZERO


def parse_money(text: str, *, allow_negative: bool = False) -> Decimal:
    """Read an amount in roubles as people write it: ``1 250 000,50 ₽``, ``1250000.5``, ``RUB 1,250,000.50``.

    Groups may be set off by a space, U+00A0, U+202F or U+2009 and then have three digits each; the decimal
    sign is a comma or a point. Raises :class:`MoneyError`: ``empty``, ``not_a_number`` (exponents, other
    digits, ``+``), ``too_many_decimals``, ``negative``, ``too_large``.
    """
    plain = _without_unit(_tidy(text, MoneyError("empty", N_("Enter an amount.")), _not_a_number()))
    parsed = _ENGLISH.fullmatch(plain) or _PLAIN.fullmatch(plain)
    if parsed is None:
        raise _not_a_number()
    if len(parsed[3] or "") > 2:
        raise _too_many_decimals()
    amount = _assemble(parsed)
    if amount < 0 and not allow_negative:
        raise MoneyError("negative", N_("Enter an amount that is not negative."))
    if abs(amount) > MAX_MONEY:
        raise _too_large()
    return exact(amount)


def parse_decimal(
    text: str,
    *,
    places: int = 2,
    minimum: Decimal | None = Decimal(0),
    maximum: Decimal | None = None,
) -> Decimal:
    """Read a percentage, an index or a count: spaces and decimal signs as for money, ``%`` may follow.

    At most ``places`` decimals; both limits are inclusive, ``None`` means no limit. Raises
    :class:`NumberError`: ``empty``, ``not_a_number``, ``too_many_decimals``, ``too_small``, ``too_large``.
    """
    not_a_number = NumberError("not_a_number", N_("Enter a number in digits, for example 12.5."))
    plain = _tidy(text, NumberError("empty", N_("Enter a number.")), not_a_number)
    parsed = _PLAIN.fullmatch(plain.removesuffix("%").rstrip(" "))
    if parsed is None:
        raise not_a_number
    if len(parsed[3] or "") > places:
        raise NumberError("too_many_decimals", _places_message(places))
    value = _assemble(parsed)
    if minimum is not None and value < minimum:
        raise NumberError("too_small", N_("Enter a number that is not less than %(limit)s.", limit=minimum))
    if maximum is not None and value > maximum:
        raise NumberError("too_large", N_("Enter a number that is not more than %(limit)s.", limit=maximum))
    return value


def round_kopeck(value: Decimal) -> Decimal:
    """Round half up (away from zero) to whole kopecks: ``1.005`` gives ``1.01``."""
    return exact(value.quantize(KOPECK, ROUND_HALF_UP))


def round_rub(value: Decimal) -> Decimal:
    """Round half up (away from zero) to whole roubles: ``2.50`` gives ``3.00``."""
    return exact(value.quantize(ROUBLE, ROUND_HALF_UP))


def floor_rub(value: Decimal) -> Decimal:
    """Round down to whole roubles, so that nobody is promised a rouble that is not there."""
    return exact(value.quantize(ROUBLE, ROUND_FLOOR))


def share_down(total: Decimal, weights: Sequence[Decimal | int], unit: Decimal = KOPECK) -> list[Decimal]:
    """Split ``total`` roubles in the proportion of ``weights``; the shares add up to it exactly.

    Every share is rounded down to ``unit`` (a kopeck, or :data:`ROUBLE`); the units left over go one each
    to the largest remainders, the earlier share first among equals, and never to a weight of zero.
    Raises ``ValueError`` when there is nothing to split by: no weight, a negative one, all zero, a negative
    total, or a total that is not a whole number of units.
    """
    if not weights or any(weight < 0 for weight in weights) or not any(weights):
        raise ValueError("weights must be non-negative and one of them positive")
    if total < 0 or total % unit:
        raise ValueError("the total must be a non-negative whole number of units")
    units = int(total / unit)
    # Fractions: a product of two long decimals would lose digits in the decimal context.
    parts = [Fraction(weight) for weight in weights]
    quotas = [units * part / sum(parts) for part in parts]
    shares = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(quotas)), key=lambda i: (shares[i] - quotas[i], i))
    for i in by_remainder[: units - sum(shares)]:
        shares[i] += 1
    return [exact(share * unit) for share in shares]


def _tidy(text: str, empty: NumberError, malformed: NumberError) -> str:
    if len(text) > MAX_INPUT:
        raise malformed
    tidy = text.strip().translate(_SPACES)
    if not tidy:
        raise empty
    return tidy


def _without_unit(text: str) -> str:
    """Take off one currency mark: after the number in Russian, before it in English."""
    for unit in _UNITS:
        if text.endswith(unit):
            return text[: -len(unit)].rstrip(" ")
    if text.startswith("RUB "):
        return text[4:].lstrip(" ")
    return text


def _assemble(parsed: re.Match[str]) -> Decimal:
    whole = parsed[2].replace(" ", "").replace(",", "")
    return Decimal(f"{parsed[1] or ''}{whole}.{parsed[3] or '0'}")


def _places_message(places: int) -> Message:
    if places == 0:
        return N_("Enter a whole number.")
    return N_("Enter a number with no more than %(places)s digits after the decimal point.", places=places)


def _not_a_number() -> MoneyError:
    return MoneyError("not_a_number", N_("Enter the amount in digits, for example 1 250 000.50."))


def _too_many_decimals() -> MoneyError:
    return MoneyError(
        "too_many_decimals",
        N_("Enter the amount in roubles and kopecks: no more than two digits after the decimal point."),
    )


def _too_large() -> MoneyError:
    return MoneyError("too_large", N_("Enter an amount below 10 quadrillion roubles."))


def grouped(amount: Decimal) -> str:
    """An amount as one would type it, in groups of three; either language reads "600 000 000" and "0.50"."""
    return f"{amount:,.2f}".removesuffix(".00").replace(",", "\u00a0")
