"""Measures of a project's efficiency, exact to the last decimal given.

Flows are yearly sums in roubles; the first is year 0, the year of the first cost. Rates are fractions:
``Decimal("0.12")`` is 12 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal, localcontext
from itertools import accumulate
from typing import Final

from portal.core.money import KOPECK

IRR_LOW: Final = Decimal("-0.99")
IRR_HIGH: Final = Decimal(10)
RATE_STEP: Final = Decimal("0.000001")
YEAR_STEP: Final = Decimal("0.01")

# Thirty years at the low end of the search stretch an amount by 10^60.
_DIGITS: Final = 90


def npv(rate: Decimal, flows: Sequence[Decimal]) -> Decimal:
    """Net present value in roubles, rounded half up to the kopeck.

    Raises ``ValueError`` for a rate of -100 % or less.
    """
    with localcontext(prec=_DIGITS):
        return sum(_discounted(rate, flows), Decimal(0)).quantize(KOPECK, ROUND_HALF_UP)


def irr(flows: Sequence[Decimal]) -> Decimal | None:
    """Internal rate of return as a fraction with six decimals, by bisection on [-0.99, 10].

    ``None`` ("no IRR") when the present value has the same sign at both ends. Flows that change sign more
    than once may have several rates; one of them is given.
    """
    with localcontext(prec=_DIGITS):
        low, high = IRR_LOW, IRR_HIGH
        at_low, at_high = _present_value(low, flows), _present_value(high, flows)
        if at_low * at_high >= 0:
            return _root_at_an_end(at_low, at_high)
        while high - low > RATE_STEP / 1000:
            middle = (low + high) / 2
            if _present_value(middle, flows) * at_low > 0:
                low = middle
            else:
                high = middle
        return ((low + high) / 2).quantize(RATE_STEP, ROUND_HALF_UP)


def discounted_payback(rate: Decimal, flows: Sequence[Decimal]) -> Decimal | None:
    """Years until the discounted flows have paid back for good, with two decimals.

    The year in which the sum turns is taken as flowing evenly. 0 when nothing was ever owed, ``None``
    when it is not paid back within the flows. Raises ``ValueError`` for a rate of -100 % or less.
    """
    with localcontext(prec=_DIGITS):
        discounted = _discounted(rate, flows)
        totals = list(accumulate(discounted))
        in_debt = [year for year, total in enumerate(totals) if total < 0]
        if not in_debt:
            return Decimal("0.00")
        year = in_debt[-1]
        if year == len(totals) - 1:
            return None
        return (year - totals[year] / discounted[year + 1]).quantize(YEAR_STEP, ROUND_HALF_UP)


def budget_efficiency(
    taxes: Sequence[Decimal], subsidy: Sequence[Decimal], rate: Decimal = Decimal(0)
) -> Decimal | None:
    """Roubles of taxes and contributions caused by the project per rouble of subsidy, with four decimals.

    Both are yearly from the same year 0; ``rate`` discounts both. ``None`` when there is no subsidy.
    """
    with localcontext(prec=_DIGITS):
        given = sum(_discounted(rate, subsidy), Decimal(0))
        if given <= 0:
            return None
        back = sum(_discounted(rate, taxes), Decimal(0))
        return (back / given).quantize(Decimal("0.0001"), ROUND_HALF_UP)


def value_added(
    *,
    sales_profit: Decimal,
    wages: Decimal,
    contributions: Decimal,
    taxes_in_cost: Decimal,
    depreciation: Decimal,
) -> Decimal:
    """Value added of a year in roubles (order 659 of the Ministry of Economic Development, 28.12.2018)."""
    return sales_profit + wages + contributions + taxes_in_cost + depreciation


def labour_productivity(added: Decimal, headcount: Decimal) -> Decimal:
    """Value added per person of the average headcount, roubles a year, rounded half up to the kopeck.

    Raises ``ValueError`` when nobody works there.
    """
    if headcount <= 0:
        raise ValueError("productivity needs a positive headcount")
    return (added / headcount).quantize(KOPECK, ROUND_HALF_UP)


def growth(base: Decimal, value: Decimal) -> Decimal | None:
    """How many per cent ``value`` is above ``base``, two decimals; ``None`` when the base is not positive."""
    if base <= 0:
        return None
    return ((value - base) * 100 / base).quantize(Decimal("0.01"), ROUND_HALF_UP)


def _discounted(rate: Decimal, flows: Sequence[Decimal]) -> list[Decimal]:
    if rate <= -1:
        raise ValueError("a rate must be above -100 %")
    return [flow / (1 + rate) ** year for year, flow in enumerate(flows)]


def _present_value(rate: Decimal, flows: Sequence[Decimal]) -> Decimal:
    return sum(_discounted(rate, flows), Decimal(0))


def _root_at_an_end(at_low: Decimal, at_high: Decimal) -> Decimal | None:
    """An end of the search that is itself the rate; flows of nothing have no rate."""
    if at_low == at_high:
        return None
    if at_low == 0:
        return IRR_LOW.quantize(RATE_STEP)
    return IRR_HIGH.quantize(RATE_STEP) if at_high == 0 else None
