"""The trail's head, published once a day and signed: whoever keeps one finds any rewriting of what was before.

Rewriting a row of the trail and everything after it leaves a chain that holds. It does not leave the hash that was
published; and without the key nobody publishes another one in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.audit import row_seals
from portal.audit.models import AuditEvent, AuditHead
from portal.audit.service import head
from portal.core import jobs, signing
from portal.core.canonical import canonical_json
from portal.core.clock import now

KIND: Final = "publish_head"
DAY: Final = 86_400
FORMAT: Final = "joint-projects-portal/audit-head/1"


@jobs.handler(KIND, every=DAY)
def publish_head(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Background work, once a day."""
    publish(session)


def publish(session: Session) -> AuditHead | None:
    """Sign and keep the newest row as the head of this day (UTC); the first of a day counts. None: no rows yet."""
    row_seals.take_up(session)
    seq, hash_ = head(session)
    if not seq:
        return None
    at = now(session).astimezone(UTC)
    said = statement(at.date().isoformat(), seq, hash_, at.isoformat())
    values = {
        "day": at.date(),
        "seq": seq,
        "hash": hash_,
        "at": at,
        "public_key": signing.public_key(),
        "signature": signing.sign(canonical_json(said)),
    }
    session.execute(insert(AuditHead).values(**values).on_conflict_do_nothing(index_elements=["day"]))
    return session.get(AuditHead, at.date())


def statement(day: str, seq: int, hash_: str, at: str) -> dict[str, Any]:
    """What is signed, as canonical JSON."""
    return {"format": FORMAT, "day": day, "seq": seq, "hash": hash_, "at": at}


def statement_of(row: AuditHead) -> dict[str, Any]:
    """What is signed of a published head."""
    return statement(row.day.isoformat(), row.seq, row.hash, row.at.astimezone(UTC).isoformat())


def published(session: Session, limit: int | None = None) -> Sequence[AuditHead]:
    """The published heads, newest first."""
    return session.scalars(select(AuditHead).order_by(AuditHead.day.desc()).limit(limit)).all()


def feed(rows: Sequence[AuditHead]) -> dict[str, Any]:
    """Published heads for programs."""
    return {
        "key": signing.public_key(),
        "heads": [{**statement_of(row), "public_key": row.public_key, "signature": row.signature} for row in rows],
    }


def verify(session: Session) -> tuple[int, str | None]:
    """Whether every published head is signed, and in the trail. Returns how many were read and the first fault."""
    rows = session.execute(
        select(AuditHead, AuditEvent.hash)
        .outerjoin(AuditEvent, AuditEvent.seq == AuditHead.seq)
        .order_by(AuditHead.day)
        .execution_options(populate_existing=True)
    )
    count = 0
    for row, hash_ in rows:
        count += 1
        if not signing.holds(row.public_key, row.signature, canonical_json(statement_of(row))):
            return count, f"head of {row.day}: its signature does not hold"
        if hash_ != row.hash:
            return count, f"head of {row.day}: row {row.seq} of the trail is not the one that was published"
    return count, None
