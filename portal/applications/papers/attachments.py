"""The documents of an application: attached by code, replaced or removed, never lost to a submission.

A file that replaces another is the next version of its series; earlier versions stay, with who gave them and when.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import BinaryIO, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.applications.drafts.values import Kind, Unreadable, read
from portal.applications.following.dossier import Dossier, load
from portal.applications.models import Attachment
from portal.applications.service import authorize_edit, require_editable
from portal.audit import service as audit
from portal.core.db import uuid7
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_
from portal.documents import kinds
from portal.documents import service as documents
from portal.identity.policy import Actor
from portal.tenders.ruleset import DocumentRequirement, Giver, Need, RuleSet

MAX_FILES: Final = 20
MAX_BYTES: Final = 1024 * 1024 * 1024
"""Of all files of an application together, earlier versions too."""
_TYPES: Final = {
    "pdf": kinds.PDF,
    "docx": kinds.DOCX,
    "xlsx": kinds.XLSX,
    "xml": kinds.XML,
    "csv": kinds.CSV,
}


def allowed(requirement: DocumentRequirement) -> frozenset[str]:
    """The content types that a document may have."""
    return frozenset(_TYPES[name] for name in requirement.formats if name in _TYPES)


def asked(rules: RuleSet, giver: Giver) -> list[DocumentRequirement]:
    """The documents to upload for the project, or by each participant; those the portal makes are not."""
    return [item for item in rules.papers if item.giver is giver and item.need is not Need.PORTAL]


def wanted(dossier: Dossier, participant_id: UUID | None) -> list[DocumentRequirement]:
    """The documents to show for the project or a participant: files of questions only where these are asked."""
    giver = Giver.PROJECT if participant_id is None else Giver.EACH
    out = {question.code for question in dossier.rules.questions} - dossier.asked(participant_id)
    return [
        item
        for item in asked(dossier.rules, giver)
        if item.code not in out or dossier.attached(participant_id, item.code)
    ]


def attach(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    participant_id: UUID | None,
    code: str,
    name: str,
    stream: BinaryIO,
    issued_on: str = "",
    replaces: UUID | None = None,
    sha256: str | None = None,
) -> Attachment:
    """Take one file in as the document ``code``. ``issued_on`` is a date as typed.

    ``replaces`` is the attachment whose next version the file is; ``sha256`` what the sender says it sent.
    Raises :class:`Problems` on the fields ``file`` and ``issued_on``, :class:`Conflict` when somebody else has
    replaced or removed the earlier version meanwhile.
    """
    return attach_to(
        session,
        actor,
        load(session, application_id, lock=True),
        participant_id=participant_id,
        code=code,
        name=name,
        stream=stream,
        issued_on=issued_on,
        replaces=replaces,
        sha256=sha256,
    )


def attach_to(
    session: Session,
    actor: Actor,
    dossier: Dossier,
    *,
    participant_id: UUID | None,
    code: str,
    name: str,
    stream: BinaryIO,
    issued_on: str = "",
    replaces: UUID | None = None,
    sha256: str | None = None,
) -> Attachment:
    """The same for a dossier that was loaded with its lock."""
    place = check_place(actor, dossier, participant_id, code, replaces)
    day = day_of_issue(issued_on, dossier)
    sealed = dossier.application.sealed
    file = documents.store(
        session,
        actor,
        name=name,
        stream=stream,
        allowed=allowed(place.requirement),
        sha256=sha256,
        encrypted=sealed,
    )
    assert actor.user_id is not None
    key = uuid7()
    if place.earlier is not None:
        place.earlier.removed_at, place.earlier.removed_by = dossier.intake.now, actor.user_id
        session.flush()
    row = Attachment(
        id=key,
        application_id=dossier.application.id,
        participant_id=participant_id,
        code=code,
        file=file,
        issued_on=day,
        series_id=place.earlier.series_id if place.earlier else key,
        version=place.earlier.version + 1 if place.earlier else 1,
        added_by=actor.user_id,
        created_at=dossier.intake.now,
    )
    session.add(row)
    session.flush()
    _record(session, actor, "attach", row, sha256=None if sealed else file.sha256, version=row.version)
    return row


@dataclass(frozen=True, slots=True)
class PlaceForFile:
    """Where a file is to go: the document that is asked for, and the version that it replaces."""

    requirement: DocumentRequirement
    earlier: Attachment | None


def check_place(
    actor: Actor, dossier: Dossier, participant_id: UUID | None, code: str, replaces: UUID | None, coming: int = 0
) -> PlaceForFile:
    """Whether the actor may give one more file of ``coming`` bytes here now; the verbs ask it, at each step anew.

    Raises :class:`NotFound`, :class:`Refused`, :class:`Conflict`, and :class:`Problems` (``too_many``, ``full``).
    """
    authorize_edit(actor, dossier, participant_id)
    require_editable(dossier)
    requirement = _requirement(dossier, participant_id, code)
    given = dossier.attached(participant_id, code)
    earlier = next((item for item in given if item.id == replaces), None)
    if replaces is not None and earlier is None:
        if not any(item.id == replaces for item in dossier.attachments):
            raise NotFound
        raise Conflict(N_("Somebody has replaced or removed this file meanwhile. Open the page again and look."))
    if earlier is None and len(given) >= MAX_FILES:
        message = N_("No more than %(limit)s files can be attached as one document.", limit=MAX_FILES)
        raise Problems.one("too_many", "file", message)
    _check_room(dossier, coming)
    return PlaceForFile(requirement, earlier)


def _check_room(dossier: Dossier, coming: int) -> None:
    if sum(item.file.size for item in dossier.attachments) + coming > MAX_BYTES:
        message = N_("All files of the application together may have %(limit)s MB.", limit=MAX_BYTES // 1024 // 1024)
        raise Problems.one("full", "file", message)


def date_attachment(session: Session, actor: Actor, *, attachment_id: UUID, issued_on: str) -> Attachment:
    """Correct the date of issue of an attached document. Raises :class:`Problems` on ``issued_on``."""
    dossier, row = _changeable(session, actor, attachment_id)
    row.issued_on = day_of_issue(issued_on, dossier)
    session.flush()
    _record(session, actor, "date", row, issued_on=row.issued_on)
    return row


def remove(session: Session, actor: Actor, *, attachment_id: UUID) -> Attachment:
    """Take a file out of the draft. The file itself stays where a submission refers to it."""
    dossier, row = _changeable(session, actor, attachment_id)
    row.removed_at, row.removed_by = dossier.intake.now, actor.user_id
    session.flush()
    _record(session, actor, "remove", row)
    return row


def open_attachment(session: Session, application_id: UUID, attachment_id: UUID) -> Attachment:
    """An attachment of the application with its file, removed ones too. The caller authorises."""
    row = session.scalar(
        select(Attachment)
        .where(Attachment.id == attachment_id, Attachment.application_id == application_id)
        .options(joinedload(Attachment.file, innerjoin=True))
    )
    if row is None:
        raise NotFound
    return row


def _changeable(session: Session, actor: Actor, attachment_id: UUID) -> tuple[Dossier, Attachment]:
    found = session.get(Attachment, attachment_id)
    if found is None or found.removed_at is not None:
        raise NotFound
    dossier = load(session, found.application_id, lock=True)
    authorize_edit(actor, dossier, found.participant_id)
    require_editable(dossier)
    return dossier, found


def _requirement(dossier: Dossier, participant_id: UUID | None, code: str) -> DocumentRequirement:
    giver = Giver.PROJECT if participant_id is None else Giver.EACH
    for requirement in asked(dossier.rules, giver):
        if requirement.code == code:
            return requirement
    raise NotFound


def day_of_issue(text: str, dossier: Dossier) -> date | None:
    """The date of what was typed, None for nothing. Raises :class:`Problems` on ``issued_on``."""
    try:
        written = read(Kind.DATE, text[:50])
    except Unreadable as error:
        raise Problems([Problem(error.code, "issued_on", error.message)]) from None
    day = date.fromisoformat(written) if written else None
    if day is not None and day > dossier.today:
        raise Problems.one("in_future", "issued_on", N_("The date of issue lies in the future."))
    return day


def _record(session: Session, actor: Actor, verb: str, row: Attachment, **facts: object) -> None:
    audit.record(
        session,
        actor,
        f"applications:attachment:{verb}",
        "application",
        row.application_id,
        {"attachment": row.id, "participant": row.participant_id, "code": row.code, **facts},
    )
