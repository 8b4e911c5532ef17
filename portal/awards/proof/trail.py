"""The part of the audit trail that a results bundle shows: an unbroken chain up to the publication."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from portal.audit.models import AuditEvent
from portal.audit.sealing import inner, shown
from portal.awards.offers.service import ANSWER, EXPIRE
from portal.awards.proof.decisions import cited, posting_ids
from portal.awards.proof.gathering import Track
from portal.budget.ledger import AUDIT_TAG

LONGEST: Final = 200_000
"""Rows of one bundle; where the way back to the first submission is longer, it begins later."""

SUBMIT: Final = "applications:application:submit"
PUBLISH: Final = "awards:decision:publish"
REFUSE: Final = "awards:award:refuse"
"""Tells why, so it is never shown; the chain reaches to it."""

SHOWN: Final[Mapping[str, frozenset[str]]] = {
    SUBMIT: frozenset({"number", "round", "sha256"}),
    "scoring:run:end": frozenset({"kind", "total", "rules", "output"}),
    "scoring:draw:commit": frozenset({"track", "round", "digest", "numbers"}),
    "scoring:draw:enter": frozenset({"track", "round", "randomness", "url"}),
    "review:calibration:compute": frozenset({"reviews", "inputs", "output"}),
    "awards:decision:draft": frozenset({"track", "tender", "run", "digest"}),
    "awards:decision:sign_off": frozenset({"digest", "office", "missing"}),
    "awards:decision:amend": frozenset({"kind", "number", "follows", "digest"}),
    PUBLISH: frozenset({"tender", "track", "digest"}),
    "awards:scenario:cite": frozenset({"decision", "addendum", "changes", "ground", "result", "same"}),
    "awards:line:approve": frozenset({"decision", "application", "amounts"}),
    ANSWER: frozenset({"offer", "number", "answer", "amounts"}),
    EXPIRE: frozenset({"offer", "number", "answer", "amounts"}),
    AUDIT_TAG: frozenset({"number", "kind", "document", "reason", "transaction", "lines", "digest"}),
}
"""Tag -> the keys of its changes that a bundle may show. A row with another key stays closed."""


def trail(session: Session, held: Sequence[Track], longest: int = LONGEST) -> dict[str, Any]:
    """``previous`` (the hash before the first row), ``first`` (its number), ``rows`` and the head they lead to.

    A row is its ``inner`` digest, or the row itself where the decisions rest on it; ``cut``: rows before the first
    would belong to it.
    """
    last = _published(session, held)
    open_rows = {seq for seq in _wanted(session, held) if seq <= last}
    first = max(min(open_rows), last - longest + 1)
    unsalted = select(AuditEvent.seq).where(AuditEvent.salt.is_(None), AuditEvent.seq.between(first, last))
    first = max(first, (session.scalar(unsalted.order_by(AuditEvent.seq.desc()).limit(1)) or 0) + 1)
    cut = first > min(open_rows)
    rows: list[Any] = []
    previous, head = "", ""
    statement = select(AuditEvent).where(AuditEvent.seq.between(first, last)).order_by(AuditEvent.seq)
    for row in session.scalars(statement.execution_options(yield_per=1000)):
        previous = previous or row.previous
        head = row.hash
        rows.append(shown(row) if row.seq in open_rows and _clean(row) else inner(row))
    return {"first": first, "previous": previous, "rows": rows, "head": {"seq": last, "hash": head}, "cut": cut}


def _clean(row: AuditEvent) -> bool:
    return set(row.changes) <= SHOWN[row.tag]


def _published(session: Session, held: Sequence[Track]) -> int:
    """The row that tells of the last publication, or of the last refusal after it."""
    decisions = [decision.id for track in held for decision in (track.decision, *track.since.later)]
    refused = [line.application_id for track in held for line in track.since.refused]
    rows = [
        _rows(AuditEvent.seq, "award_decision", decisions).where(AuditEvent.tag == PUBLISH),
        _rows(AuditEvent.seq, "application", refused).where(AuditEvent.tag == REFUSE),
    ]
    last: int = max(seq for statement in rows for seq in session.scalars(statement))
    return last


def _wanted(session: Session, held: Sequence[Track]) -> list[int]:
    """The rows that tell of what the decisions rest on; by the index of objects."""
    decisions = [decision for track in held for decision in (track.decision, *track.since.later)]
    objects: dict[str, Sequence[UUID]] = {
        "score_run": [track.run.id for track in held],
        "award_decision": [decision.id for decision in decisions],
        "tender_track": [track.decision.tender_track_id for track in held],
        "decision_line": [line.id for decision in decisions for line in decision.lines],
        "posting": [key for track in held for key in posting_ids(session, track.decision, track.since)],
        "scenario": [key for track in held for key in cited(session, track.decision)],
    }
    found: set[int] = set()
    for kind, keys in objects.items():
        found.update(session.scalars(_rows(AuditEvent.seq, kind, keys).where(AuditEvent.tag.in_(SHOWN))))
    digests = {each.submission.sha256 for track in held for each in track.decided}
    applications = [each.application.id for track in held for each in track.decided]
    for row in session.scalars(_rows(AuditEvent, "application", applications).where(AuditEvent.tag == SUBMIT)):
        if row.changes.get("sha256") in digests:
            found.add(row.seq)
    answers = _rows(AuditEvent.seq, "application", applications).where(AuditEvent.tag.in_((ANSWER, EXPIRE)))
    found.update(session.scalars(answers))
    return sorted(found)


def _rows(what: Any, kind: str, keys: Sequence[UUID]) -> Select[Any]:
    return select(what).where(AuditEvent.object_type == kind, AuditEvent.object_id.in_([str(key) for key in keys]))
