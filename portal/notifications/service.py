"""Writing letters: a row in the present transaction, sent in the background."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.core import jobs
from portal.core.db import uuid7
from portal.notifications.models import Letter


def write(
    session: Session,
    *,
    key: str,
    kind: str,
    recipient: str,
    locale: str,
    subject: str,
    text: str,
    html: str,
    user_id: UUID | None = None,
    about: tuple[str, UUID] | None = None,
) -> UUID | None:
    """Queue one letter; the same ``key`` is written once. Returns its id, or None when it exists already."""
    letter_id = uuid7()
    written = session.scalar(
        insert(Letter)
        .values(
            id=letter_id,
            key=key,
            kind=kind,
            user_id=user_id,
            recipient=recipient,
            locale=locale,
            subject=" ".join(subject.split()),
            text=text,
            html=html,
            message_id=f"<{letter_id}@portal.invalid>",
            about_type=about[0] if about else None,
            about_id=about[1] if about else None,
        )
        .on_conflict_do_nothing(index_elements=[Letter.key])
        .returning(Letter.id)
    )
    if written is not None:
        jobs.enqueue(session, "send_letter", {"letter_id": str(letter_id)}, key=f"letter:{letter_id}")
    return written
