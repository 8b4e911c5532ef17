"""Keyset paging: a page continues after the last row seen, so that page 400 costs what page 1 costs."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Generic, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Select, literal, tuple_
from sqlalchemy.orm import QueryableAttribute, Session

PAGE_SIZE: Final = 25

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows of one page with the cursors of its neighbours (None where there is none)."""

    rows: Sequence[T]
    newer: str | None
    older: str | None


def keyset(
    session: Session,
    statement: Select[Any],
    columns: tuple[ColumnElement[Any] | QueryableAttribute[Any], ...],
    key: Callable[[T], tuple[Any, ...]],
    cursor: str | None,
    size: int = PAGE_SIZE,
    *,
    rising: bool = False,
) -> Page[T]:
    """One page of ``statement``, newest first by ``columns`` (together unique, none of them null).

    ``cursor`` is what an earlier :class:`Page` gave; a cursor that cannot be read shows the first page.
    ``rising``: the smallest first, as in a list by name; ``newer`` then leads to what stands before.
    """
    backwards, place = _read(cursor)
    ordered = statement
    upwards = backwards is not rising
    if place is not None and len(place) == len(columns):
        here = tuple_(*columns)
        there = tuple_(*(literal(value, column.type) for value, column in zip(place, columns, strict=True)))
        ordered = ordered.where(here > there if upwards else here < there)
    ordered = ordered.order_by(*(c.asc() if upwards else c.desc() for c in columns)).limit(size + 1)
    result = session.execute(ordered)
    found: list[Any] = list(result.scalars() if len(statement.column_descriptions) == 1 else result)
    more = len(found) > size
    rows = found[:size]
    if backwards:
        rows.reverse()
    if not rows:
        return Page(rows, None, None)
    has_newer = more if backwards else place is not None
    has_older = True if backwards else more
    return Page(
        rows,
        _write(True, key(rows[0])) if has_newer else None,
        _write(False, key(rows[-1])) if has_older else None,
    )


def _write(backwards: bool, place: tuple[Any, ...]) -> str:
    parts = [[type(value).__name__, value.isoformat() if isinstance(value, date) else str(value)] for value in place]
    return base64.urlsafe_b64encode(json.dumps([int(backwards), parts]).encode()).decode().rstrip("=")


_READERS: Final[dict[str, Callable[[str], Any]]] = {
    "date": date.fromisoformat,
    "datetime": datetime.fromisoformat,
    "UUID": UUID,
    "Decimal": Decimal,
    "int": int,
    "str": str,
}


def _read(cursor: str | None) -> tuple[bool, list[Any] | None]:
    if not cursor or len(cursor) > 500:
        return False, None
    try:
        backwards, parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        return bool(backwards), [_READERS[kind](value) for kind, value in parts]
    except (ValueError, KeyError, TypeError, ArithmeticError):
        return False, None
