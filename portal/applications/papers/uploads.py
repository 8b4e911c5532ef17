"""Files that come in parts for a document of an application: the right to give them is asked at each step."""

from __future__ import annotations

from typing import Any, BinaryIO, cast
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.applications.following.dossier import Dossier, load
from portal.applications.models import Attachment
from portal.applications.papers import attachments
from portal.applications.service import authorize_edit
from portal.documents import uploads
from portal.documents.models import Upload
from portal.identity.policy import Actor


def begin(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    participant_id: UUID | None,
    code: str,
    name: str,
    size: int,
    sha256: str | None = None,
    fingerprint: str = "",
    issued_on: str = "",
    replaces: UUID | None = None,
) -> Upload:
    """Announce a file, or take an unfinished upload of it up again. The parameters are those of ``attach``.

    Raises what :func:`attachments.attach` and :func:`portal.documents.uploads.begin` raise.
    """
    dossier = load(session, application_id, lock=True)
    coming = max(size, 0) + uploads.announced(session, application_id)
    attachments.check_place(actor, dossier, participant_id, code, replaces, coming)
    attachments.day_of_issue(issued_on, dossier)
    place: dict[str, Any] = {
        "participant": str(participant_id) if participant_id else None,
        "code": code,
        "replaces": str(replaces) if replaces else None,
    }
    row = uploads.begin(
        session,
        actor,
        object_type="application",
        object_id=application_id,
        place=place,
        name=name,
        size=size,
        sha256=sha256,
        fingerprint=fingerprint,
    )
    return row


def standing(session: Session, actor: Actor, *, application_id: UUID, upload_id: UUID) -> Upload:
    """How far an own upload has come; :class:`NotFound` for another's."""
    row = uploads.find(session, actor, upload_id=upload_id, object_id=application_id)
    _permit(actor, load(session, application_id), row)
    return row


def receive(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    upload_id: UUID,
    start: int,
    data: bytes,
    sha256: str | None = None,
) -> Upload:
    """Take the next part. Raises what :func:`portal.documents.uploads.receive` raises, and the refusals of a right."""
    row = uploads.find(session, actor, upload_id=upload_id, object_id=application_id, lock=True)
    _permit(actor, load(session, application_id), row)
    return uploads.receive(session, row, start=start, data=data, sha256=sha256)


def finish(session: Session, actor: Actor, *, application_id: UUID, upload_id: UUID, issued_on: str = "") -> Attachment:
    """Make the received file an attachment. Asked again, also at the same moment, it gives the same attachment.

    Raises :class:`Problems` for what :func:`attachments.attach` refuses: the caller then discards the upload.
    """
    # The application's row first, as every verb has it: two locks in one order never wait in a circle.
    dossier = load(session, application_id, lock=True)
    row = uploads.find(session, actor, upload_id=upload_id, object_id=application_id, lock=True)
    _permit(actor, dossier, row)
    if row.file_id is not None:
        given = select(Attachment).where(Attachment.file_id == row.file_id)
        return session.scalars(given.options(joinedload(Attachment.file, innerjoin=True))).one()
    stream = uploads.whole(session, row)
    attached = attachments.attach_to(
        session,
        actor,
        dossier,
        participant_id=_uuid(row.place["participant"]),
        code=row.place["code"],
        name=row.name,
        stream=cast(BinaryIO, stream),
        issued_on=issued_on,
        replaces=_uuid(row.place["replaces"]),
        sha256=row.sha256,
    )
    uploads.close(session, row, attached.file)
    return attached


def own(session: Session, actor: Actor, *, application_id: UUID, upload_id: UUID) -> Upload:
    """An own upload, whatever has become of the rights meanwhile: it can always be discarded."""
    return uploads.find(session, actor, upload_id=upload_id, object_id=application_id)


def discard(session: Session, actor: Actor, *, application_id: UUID, upload_id: UUID) -> None:
    """Forget an own upload; possible whatever has become of the rights meanwhile."""
    row = uploads.find(session, actor, upload_id=upload_id, object_id=application_id, lock=True)
    uploads.discard(session, [row.id])


def _permit(actor: Actor, dossier: Dossier, row: Upload) -> None:
    place, participant_id = row.place, _uuid(row.place["participant"])
    if row.done_at is None:
        attachments.check_place(actor, dossier, participant_id, place["code"], _uuid(place["replaces"]))
    else:
        authorize_edit(actor, dossier, participant_id)


def _uuid(text: str | None) -> UUID | None:
    return UUID(text) if text else None
