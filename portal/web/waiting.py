"""What waits behind the links of the navigation for those who decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import chain
from typing import Any, Final

from sqlalchemy import ScalarSelect, Select, func, literal_column, select

from portal.review import conflict_queries, similar_queries
from portal.tenders import questions

MANY: Final = 100
"""Counts end here: beyond it the exact number tells nobody anything."""
WAITING: Final[Mapping[str, Callable[[], Select[Any]]]] = {
    "question_inbox.index": questions.waiting,
    "similar.index": similar_queries.open_pairs,
    "conflicts.index": conflict_queries.undecided,
}
"""The rows that wait behind a link for the officers, counted up to :data:`MANY` beside it."""


@cache
def counts() -> ScalarSelect[Any]:
    """``{endpoint: how many wait}`` as one JSON value, which the session's own query reads along."""
    rows = ((name, select(func.count()).select_from(wait().limit(MANY).subquery())) for name, wait in WAITING.items())
    pairs = chain.from_iterable((literal_column(f"'{name}'"), count.scalar_subquery()) for name, count in rows)
    return select(func.json_build_object(*pairs)).scalar_subquery()
