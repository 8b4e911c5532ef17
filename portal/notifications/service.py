"""Telling people: a notice in the portal and a letter, as each has chosen, in the present transaction.

:func:`tell` is the one door for everything the rooms say to people; :func:`write` queues a letter as it is, for
what is no notice (links of the sign-in library, invitations to an address).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Protocol, cast
from uuid import UUID

from sqlalchemy import Table, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from portal.core import jobs
from portal.core.db import uuid7
from portal.core.language import LOCALES, Message, render
from portal.notifications import tokens
from portal.notifications.kinds import Kind, Mail, kind_of
from portal.notifications.letters import compose
from portal.notifications.models import Letter, Notice
from portal.notifications.preferences import Choice, choices_for

# By their tables and with the rows as parameters: built once, where SQLAlchemy would build them for each row.
_NOTICES: Final = cast(Table, Notice.__table__)
_LETTERS: Final = cast(Table, Letter.__table__)
_NEW_NOTICES: Final = (
    insert(_NOTICES).on_conflict_do_nothing(index_elements=[_NOTICES.c.key]).returning(_NOTICES.c.user_id)
)
_NEW_LETTER: Final = insert(_LETTERS).on_conflict_do_nothing(index_elements=[_LETTERS.c.key]).returning(_LETTERS.c.id)


class Reader(Protocol):
    """Whom to tell: a person of the portal with an address and a language."""

    @property
    def id(self) -> UUID: ...

    @property
    def email(self) -> str: ...

    @property
    def locale(self) -> str: ...


def tell(
    session: Session,
    readers: Iterable[Reader],
    *,
    kind: str,
    key: str,
    subject: Message,
    paragraphs: Sequence[Message],
    link: tuple[Message, str] | None = None,
    about: tuple[str, UUID] | None = None,
    portal_path: str | None = None,
    secret: str | None = None,
) -> int:
    """Tell each reader once for ``key``, in the portal and by mail as they have chosen for ``kind``.

    ``link``: the words and the path of the letter's link. ``portal_path``: where the notice in the portal leads
    when that is elsewhere (a letter's link may hold a token; a notice never does). ``about``: type and key of the
    object. ``secret``: as in :func:`write`. Returns how many people were told something new. Raises
    :class:`LookupError` for an undeclared kind.
    """
    declared = kind_of(kind)
    people = {reader.id: reader for reader in readers}
    chosen = choices_for(session, list(people), declared)
    path = portal_path or (link[1] if link else None)
    told = _notices(session, declared, key, people, chosen, subject, paragraphs, path, about)
    for person in people.values():
        choice = chosen[person.id]
        if choice.mail is not Mail.NOW:
            continue
        stop = None if declared.obligatory else tokens.stop_path(person.id, kind)
        said = compose(subject, paragraphs, link, person.locale, stop=stop)
        letter = write(
            session,
            key=f"{key}:{person.id}",
            kind=kind,
            recipient=person.email,
            locale=person.locale,
            subject=said.subject,
            text=said.text,
            html=said.html,
            user_id=person.id,
            about=about,
            secret=secret,
        )
        if letter is not None:
            told.add(person.id)
    return len(told)


def _notices(
    session: Session,
    kind: Kind,
    key: str,
    people: dict[UUID, Reader],
    chosen: dict[UUID, Choice],
    subject: Message,
    paragraphs: Sequence[Message],
    path: str | None,
    about: tuple[str, UUID] | None,
) -> set[UUID]:
    """Write the notices of those who get one. Returns for whom it is new."""
    content = {
        "subject": {locale: " ".join(render(subject, locale).split()) for locale in LOCALES},
        "paragraphs": {locale: [render(said, locale) for said in paragraphs] for locale in LOCALES},
    }
    rows = [
        {
            "id": uuid7(),
            "key": f"{key}:{person_id}",
            "kind": kind.name,
            "user_id": person_id,
            "path": path,
            "about_type": about[0] if about else None,
            "about_id": about[1] if about else None,
            "in_portal": chosen[person_id].portal,
            "for_digest": chosen[person_id].mail is Mail.DIGEST,
            **content,
        }
        for person_id in people
        if chosen[person_id].portal or chosen[person_id].mail is Mail.DIGEST
    ]
    if not rows:
        return set()
    session.flush()  # people whom the transaction has just made
    return set(session.scalars(_NEW_NOTICES, rows))


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
    secret: str | None = None,
) -> UUID | None:
    """Queue one letter; the same ``key`` is written once. Returns its id, or None when it exists already.

    ``secret`` is the token of its link: it is kept only until the letter is sent.
    """
    letter_id = uuid7()
    row = {
        "id": letter_id,
        "key": key,
        "kind": kind,
        "user_id": user_id,
        "recipient": recipient,
        "locale": locale,
        "subject": " ".join(subject.split()),
        "text": text,
        "html": html,
        "message_id": f"<{letter_id}@portal.invalid>",
        "about_type": about[0] if about else None,
        "about_id": about[1] if about else None,
        "secret": secret,
    }
    session.flush()  # a person whom the transaction has just made
    written: UUID | None = session.scalar(_NEW_LETTER, row)
    if written is not None:
        jobs.enqueue(session, "send_letter", {"letter_id": str(letter_id)}, key=f"letter:{letter_id}")
    return written


def mark_read(
    session: Session,
    user_id: UUID,
    *,
    notice_id: UUID | None = None,
    kind: str | None = None,
    about: tuple[str, UUID] | None = None,
) -> int:
    """Mark a person's unread notices as read: one, those of a kind or about an object, or all. Returns how many."""
    statement = update(Notice).where(Notice.user_id == user_id, Notice.in_portal, Notice.read_at.is_(None))
    if notice_id is not None:
        statement = statement.where(Notice.id == notice_id)
    if kind is not None:
        statement = statement.where(Notice.kind == kind)
    if about is not None:
        statement = statement.where(Notice.about_type == about[0], Notice.about_id == about[1])
    return len(session.scalars(statement.values(read_at=func.portal_now()).returning(Notice.id)).all())


def notice_of(session: Session, user_id: UUID, notice_id: UUID) -> Notice | None:
    """A person's own notice, or None."""
    statement = select(Notice).where(Notice.id == notice_id, Notice.user_id == user_id, Notice.in_portal)
    return session.scalar(statement)
