"""Rule sets as typed data. A frozen one never changes: it is read once per process, not once per request.

What is kept is the immutable :class:`RuleSet` by the SHA-256 of its JSON, never a row: nothing of a session outlives
it, and rules that came to have another content have another digest. Drafts are read each time.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Select, String, any_, case, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from portal.tenders.models import RuleSetVersion
from portal.tenders.ruleset import RuleSet, from_json

_LIMIT: Final = 64
_kept: dict[str, RuleSet] = {}


def rules_in(version: RuleSetVersion) -> RuleSet:
    """The rules of a row; the content of a frozen one that has been read before is not asked for."""
    found = _kept.get(version.digest) if version.digest is not None else None
    return found or _read(version.digest, version.content)


def rules_with(session: Session, wanted: Select[Any]) -> list[tuple[RuleSet, tuple[Any, ...]]]:
    """The rules that a statement finds, each with the columns that it selects; one statement.

    ``wanted`` has the table ``rule_set`` among those it joins. The content of what is kept stays in the database.
    """
    known = dict(_kept)  # another thread may forget them meanwhile
    is_known = RuleSetVersion.digest == any_(literal(list(known), ARRAY(String)))
    statement = wanted.add_columns(RuleSetVersion.digest, case((is_known, None), else_=RuleSetVersion.content))
    return [
        (known[digest] if content is None else _read(digest, content), tuple(columns))
        for *columns, digest, content in session.execute(statement)
    ]


def _read(digest: str | None, content: object) -> RuleSet:
    rules = from_json(content)
    if digest is not None:
        if len(_kept) >= _LIMIT:
            _kept.clear()
        _kept[digest] = rules
    return rules
