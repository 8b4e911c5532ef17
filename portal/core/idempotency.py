"""One intent, one effect: every form carries a key, and a key is used once.

The row is written in the transaction of the verb. The same key with the same body answers where the first
one led to; with another body it is a :class:`~portal.core.errors.Conflict` that keeps what was typed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Mapped, Session, mapped_column

from portal.core.db import Base
from portal.core.errors import Conflict
from portal.core.language import N_


class FormKey(Base):
    """A form that was sent: whose, where to, what body, and where the answer led."""

    __tablename__ = "form_key"

    key: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[str]
    route: Mapped[str]
    body_hash: Mapped[str]
    location: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)


def body_hash(fields: Iterable[tuple[str, str]]) -> str:
    """SHA-256 of the fields in their order; each is length-prefixed, so that no two bodies share a hash."""
    digest = hashlib.sha256()
    for pair in fields:
        for part in pair:
            data = part.encode("utf-8", "surrogatepass")
            digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()


def begin(session: Session, key: UUID, owner: str, route: str, digest: str) -> str | None:
    """Take the key for this transaction. Returns where the first use led, or None when this is the first.

    A second use waits for the first one's transaction, so that a double click is answered once.
    Raises :class:`Conflict` for the same key with another owner, route or body.
    """
    taken = session.scalar(
        insert(FormKey)
        .values(key=key, owner=owner, route=route, body_hash=digest)
        .on_conflict_do_nothing()
        .returning(FormKey.key)
    )
    if taken is not None:
        return None
    first = session.execute(select(FormKey).where(FormKey.key == key)).scalar_one()
    if (first.owner, first.route, first.body_hash) != (owner, route, digest):
        raise Conflict(
            N_("This form was already sent with other content. What you typed is below: check it and send it again.")
        )
    return first.location or ""


def finish(session: Session, key: UUID, location: str) -> None:
    """Remember where the answer led to."""
    row = session.get(FormKey, key)
    if row is not None:
        row.location = location
