"""Who fetched or looked at which document: noted at each time, shown to the organisation whose document it is.

Applicants read of the fund's people only that it was the fund, of its experts only that it was an expert and on
which day: who reviews a project stays secret. The names are in the audit trail.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, joinedload

from portal.applications.following.dossier import Dossier
from portal.applications.models import Attachment
from portal.applications.partners.confidential import seen_parts
from portal.audit import service as audit
from portal.audit.models import AuditEvent
from portal.core.errors import Conflict, NotFound, Refused
from portal.core.language import N_
from portal.documents.models import Scan, StoredFile
from portal.identity.models import Membership
from portal.identity.policy import Actor

TAGS: Final = ("applications:attachment:download", "applications:attachment:view")


class Reader(StrEnum):
    """As whom somebody read a document."""

    PARTICIPANT = "participant"
    FUND = "fund"
    EXPERT = "expert"


def sees(actor: Actor, dossier: Dossier, participant_id: UUID | None) -> bool:
    """Whether somebody who may read the application may read the papers of one participant (None: the project's)."""
    takes_part = any(actor.acts_for(part.organisation_id) for part in dossier.accepted)
    if participant_id is None or not takes_part:
        return True
    return participant_id in seen_parts(dossier.accepted, dossier.rules, actor.memberships)


def require_seen(actor: Actor, dossier: Dossier, participant_id: UUID | None) -> None:
    """Raise :class:`Refused` unless :func:`sees`."""
    if not sees(actor, dossier, participant_id):
        raise Refused(N_("The papers of a partner are for its own people and for the fund."))


def check_readable(actor: Actor, file: StoredFile) -> None:
    """Before its check for viruses a file is given to nobody but the one who uploaded it, a refused one to nobody.

    Raises :class:`Refused` or :class:`Conflict` with what to do.
    """
    if file.scan == Scan.REFUSED:
        message = N_("The virus check refused this file (%(found)s); its content is deleted.", found=file.scan_note)
        raise Refused(message)
    if file.scan == Scan.PENDING and file.uploaded_by != actor.user_id:
        raise Conflict(N_("The file is still being checked for viruses. Try again in a minute."))


def record(session: Session, actor: Actor, dossier: Dossier, row: Attachment, *, viewed: bool = False) -> None:
    """Note that a document of an application was fetched, or viewed in the page."""
    takes_part = any(actor.acts_for(part.organisation_id) for part in dossier.accepted)
    _note(session, actor, row, Reader.PARTICIPANT if takes_part else Reader.FUND, viewed)


def frozen_file(session: Session, actor: Actor, *, application_id: UUID, file_id: UUID) -> StoredFile:
    """A file of the application for the fund or an expert, who may read it, which the caller has asked.

    Raises :class:`NotFound` for a file that the application never had, and what :func:`check_readable` raises.
    """
    file = _attachment(session, application_id, file_id).file
    check_readable(actor, file)
    return file


def record_frozen(
    session: Session, actor: Actor, *, application_id: UUID, file_id: UUID, reader: Reader, viewed: bool = False
) -> None:
    """Note that a frozen document was fetched or viewed by the fund or an expert."""
    _note(session, actor, _attachment(session, application_id, file_id), reader, viewed)


def _attachment(session: Session, application_id: UUID, file_id: UUID) -> Attachment:
    row = session.scalar(
        select(Attachment)
        .where(Attachment.application_id == application_id, Attachment.file_id == file_id)
        .options(joinedload(Attachment.file, innerjoin=True))
        .order_by(Attachment.id)
        .limit(1)
    )
    if row is None:
        raise NotFound
    return row


def _note(session: Session, actor: Actor, row: Attachment, reader: Reader, viewed: bool) -> None:
    facts: dict[str, Any] = {
        "attachment": row.id,
        "participant": row.participant_id,
        "code": row.code,
        "version": row.version,
        "reader": reader,
    }
    audit.record(session, actor, TAGS[1] if viewed else TAGS[0], "application", row.application_id, facts)


def log_of(dossier: Dossier, actor: Actor) -> Select[Any] | None:
    """The events of the documents that belong to the actor's organisations; page it by ``AuditEvent.seq``.

    None for somebody who takes no part. The documents of the project belong to the initiator.
    """
    own = [part for part in dossier.accepted if actor.acts_for(part.organisation_id)]
    if not own:
        return None
    whose = AuditEvent.changes["participant"].astext
    mine = [whose.in_([str(part.id) for part in own])]
    if dossier.initiator in own:
        mine.append(whose.is_(None))
    return select(AuditEvent).where(
        AuditEvent.object_type == "application",
        AuditEvent.object_id == str(dossier.application.id),
        AuditEvent.tag.in_(TAGS),
        or_(*mine),
    )


def organisations_of(session: Session, dossier: Dossier, authors: Iterable[str]) -> dict[str, UUID]:
    """Author of an event (``user:<id>``) -> the participant's organisation for which it acts."""
    ids = {UUID(author.removeprefix("user:")) for author in authors if author.startswith("user:")}
    found = session.execute(
        select(Membership.user_id, Membership.organisation_id).where(
            Membership.user_id.in_(ids),
            Membership.organisation_id.in_([part.organisation_id for part in dossier.accepted]),
        )
    )
    return {f"user:{user_id}": organisation_id for user_id, organisation_id in found}
