"""Where things stand in the pictures of the evaluation: places on an axis in percent, rows for the macros."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from math import ceil, floor
from typing import Any, Final

STEPS: Final = (Decimal("0.5"), Decimal(1), Decimal(2), Decimal(5), Decimal(10), Decimal(20))
MOST_TICKS: Final = 6
MOST_COLUMNS: Final = 8


@dataclass(frozen=True, slots=True)
class Axis:
    """From ``low`` to ``high``; ``ticks`` are (percent, value)."""

    low: Decimal
    high: Decimal
    ticks: tuple[tuple[str, Decimal], ...]

    def at(self, value: Decimal) -> str:
        """The place of a value in percent, kept within the axis: "12.5%"."""
        share = (min(max(value, self.low), self.high) - self.low) * 100 / (self.high - self.low)
        return f"{share:.2f}%"

    def holds(self, value: Decimal) -> bool:
        return self.low <= value <= self.high


def axis(values: Iterable[Decimal], least: Decimal | None = None, most: Decimal | None = None) -> Axis:
    """Round bounds around the values, within ``least`` and ``most``, with at most six steps."""
    known = list(values)
    low, high = min(known, default=Decimal(0)), max(known, default=Decimal(10))
    step = next((each for each in STEPS if (high - low) / each <= MOST_TICKS - 1), STEPS[-1])
    first, last = step * floor(low / step), step * ceil(high / step)
    if first == last:
        last += step
    first = first if least is None else max(first, least)
    last = last if most is None else min(last, most)
    count = int((last - first) / step)
    values_at = [first + step * place for place in range(count + 1)]
    bare = Axis(first, last, ())
    return Axis(first, last, tuple((bare.at(value), value) for value in values_at))


TEN: Final = axis([Decimal(0), Decimal(10)])
"""The scale of a review."""


def row(scale: Axis, **values: Any) -> dict[str, Any]:
    """A row of ``interval_chart``: numbers under x-names become places; lists of dots too."""
    placed: dict[str, Any] = dict(values)
    for name in ("low", "high", "value", "raw"):
        number = values.get(name)
        placed[f"x_{name}"] = None if number is None else scale.at(number)
    placed["x_dots"] = [scale.at(number) for number in values.get("dots", ())]
    return placed


def progress(days: Sequence[date], asked: int, today: date) -> list[dict[str, Any]]:
    """Reviews handed in until each of at most eight days, evenly apart: groups of ``column_chart``."""
    if not days:
        return []
    first, last = days[0], max(days[-1], min(today, days[-1] + timedelta(days=1)))
    span = (last - first).days
    count = min(MOST_COLUMNS, span + 1)
    marks = [last - timedelta(days=round(span * place / max(count - 1, 1))) for place in range(count)][::-1]
    return [{"day": mark, "values": [sum(day <= mark for day in days), asked]} for mark in marks]
