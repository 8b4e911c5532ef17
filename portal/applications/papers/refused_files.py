"""When the virus check refuses a file of an application, its people are told."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.applications.following import letters
from portal.applications.models import Application, Attachment, Participant
from portal.core.language import N_
from portal.documents.models import StoredFile
from portal.documents.scanning import when_refused


@when_refused
def tell(session: Session, file: StoredFile) -> None:
    """A letter to the people of the organisation whose document it is, for each place where the file stands."""
    found = session.scalars(
        select(Attachment).where(Attachment.file_id == file.id, Attachment.removed_at.is_(None))
    ).all()
    for item in found:
        application = session.scalars(
            select(Application).where(Application.id == item.application_id).options(joinedload(Application.initiator))
        ).one()
        owner = application.initiator_id
        if item.participant_id is not None:
            owner = session.get_one(Participant, item.participant_id).organisation_id
        name = item.code if file.encrypted else file.name
        place = f"participants/{item.participant_id}/documents" if item.participant_id else "documents"
        letters.write_to(
            session,
            [owner],
            application_id=application.id,
            key=f"file_refused:{item.id}",
            kind=letters.FILE_REFUSED,
            subject=N_("A file was refused by the virus check: %(name)s", name=name),
            paragraphs=[
                N_("Project: %(title)s. Document: %(code)s.", title=letters.title_of(application), code=item.code),
                N_("Found in the file: %(found)s. Its content has been deleted from the portal.",
                   found=file.scan_note or ""),
                N_(
                    "Check the computer from which it came, and replace the file by a clean one. Until then the"
                    " application cannot be submitted."
                ),
            ],
            link=(N_("Open the documents"), letters.path(application.id, place) + f"#{item.code}"),
        )  # fmt: skip
