"""Reading a package with gaps: a draft may lack any part of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from portal.core.figures import decimal_of


def mapping(value: object) -> Mapping[str, Any]:
    """``value`` if it is an object with named fields, else an empty one."""
    # A dict nearly always; asking for Mapping first would cost more than all the sums.
    return value if isinstance(value, (dict, Mapping)) else {}


def parts(package: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The participants' parts of a package."""
    return listed(package.get("participants"))


def listed(value: object) -> list[Mapping[str, Any]]:
    """The objects of a list; none where there is no list."""
    return [mapping(item) for item in value] if isinstance(value, (list, tuple)) else []


def sums(value: object) -> dict[str, Decimal]:
    """The numbers of ``{"2018": "1000.00"}``; what is empty or not a number is left out."""
    return {name: amount for name, text in mapping(value).items() if (amount := decimal_of(text)) is not None}


def added(tables: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    """Several tables of amounts added up, name by name, in the order of the names."""
    total: dict[str, Decimal] = {}
    for table in tables:
        for name, amount in table.items():
            total[name] = total.get(name, Decimal(0)) + amount
    return dict(sorted(total.items()))


def total(table: Mapping[str, Decimal]) -> Decimal | None:
    """The sum of a table; None for an empty one."""
    return sum(table.values(), Decimal(0)) if table else None
