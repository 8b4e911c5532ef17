"""The documents of an application: attached by code, replaced or removed, never lost to a submission."""

from __future__ import annotations

from datetime import date
from typing import BinaryIO, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.applications.dossier import Dossier, load
from portal.applications.models import Attachment
from portal.applications.service import authorize_edit, require_editable
from portal.applications.values import Kind, Unreadable, read
from portal.audit import service as audit
from portal.core.errors import NotFound, Problem, Problems
from portal.core.language import N_
from portal.documents import kinds
from portal.documents import service as documents
from portal.identity.policy import Actor
from portal.tenders.ruleset import DocumentRequirement, Giver, Need, RuleSet

MAX_FILES: Final = 20
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
) -> Attachment:
    """Take one file in as the document ``code``. ``issued_on`` is a date as typed.

    Raises :class:`Problems` on the fields ``file`` and ``issued_on``.
    """
    dossier = load(session, application_id, lock=True)
    authorize_edit(actor, dossier, participant_id)
    require_editable(dossier)
    requirement = _requirement(dossier, participant_id, code)
    if len(dossier.attached(participant_id, code)) >= MAX_FILES:
        message = N_("No more than %(limit)s files can be attached as one document.", limit=MAX_FILES)
        raise Problems.one("too_many", "file", message)
    day = _day(issued_on, dossier)
    file = documents.store(session, actor, name=name, stream=stream, allowed=allowed(requirement))
    assert actor.user_id is not None
    row = Attachment(
        application_id=application_id,
        participant_id=participant_id,
        code=code,
        file_id=file.id,
        issued_on=day,
        added_by=actor.user_id,
        created_at=dossier.intake.now,
    )
    session.add(row)
    session.flush()
    _record(session, actor, "attach", row, sha256=file.sha256)
    return row


def date_attachment(session: Session, actor: Actor, *, attachment_id: UUID, issued_on: str) -> Attachment:
    """Correct the date of issue of an attached document. Raises :class:`Problems` on ``issued_on``."""
    dossier, row = _changeable(session, actor, attachment_id)
    row.issued_on = _day(issued_on, dossier)
    session.flush()
    _record(session, actor, "date", row, issued_on=row.issued_on)
    return row


def remove(session: Session, actor: Actor, *, attachment_id: UUID) -> Attachment:
    """Take a file out of the draft. The file itself stays where a submission refers to it."""
    dossier, row = _changeable(session, actor, attachment_id)
    row.removed_at = dossier.intake.now
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


def record_download(session: Session, actor: Actor, row: Attachment) -> None:
    """Note in the audit trail who fetched the file."""
    _record(session, actor, "download", row)


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


def _day(text: str, dossier: Dossier) -> date | None:
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
