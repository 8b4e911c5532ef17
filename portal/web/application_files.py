"""One file of an application: fetched, shown in the page, and who has done so."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask import Response, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications.following.dossier import Dossier
from portal.applications.models import Attachment, Participant
from portal.applications.papers import attachments, blanks, downloads
from portal.applications.papers import standing as papers
from portal.audit.models import AuditEvent
from portal.core.db import session
from portal.core.errors import NotFound
from portal.core.formats import format_date, format_datetime
from portal.documents.kinds import NAMES, PDF
from portal.identity.policy import Permission
from portal.tenders.ruleset import Giver
from portal.web import files
from portal.web.application_frame import blueprint, opened, section_url, wording
from portal.web.headers import POLICY
from portal.web.language import locale, say
from portal.web.page import page
from portal.web.paging import keyset
from portal.web.templating import localised

PREVIEW_POLICY: Final = "frame-src 'self'; object-src 'self'"
"""What the page with a preview may do besides what every page may."""


@page(
    blueprint,
    "/<uuid:application_id>/attachments/<uuid:attachment_id>",
    get=Permission.APPLICATION_VIEW,
    writes=True,
)
def download(application_id: UUID, attachment_id: UUID) -> ResponseReturnValue:
    """The file itself; who fetched it is noted. Removed files stay with those who may see the application."""
    dossier, row = _readable(application_id, attachment_id)
    answer = files.send(row.file)
    if files.begins(answer):
        downloads.record(session(), g.actor, dossier, row)
    return answer


@page(
    blueprint,
    "/<uuid:application_id>/attachments/<uuid:attachment_id>/content",
    get=Permission.APPLICATION_VIEW,
    writes=True,
)
def shown_content(application_id: UUID, attachment_id: UUID) -> ResponseReturnValue:
    """A PDF or a picture for the frame of the preview; noted like a download."""
    dossier, row = _readable(application_id, attachment_id)
    answer = files.show(row.file)
    if files.begins(answer):
        downloads.record(session(), g.actor, dossier, row, viewed=True)
    return answer


@page(
    blueprint,
    "/<uuid:application_id>/attachments/<uuid:attachment_id>/preview",
    get=Permission.APPLICATION_VIEW,
)
def preview(application_id: UUID, attachment_id: UUID) -> ResponseReturnValue:
    """What the file is, and how it looks where a browser may show it."""
    dossier, row = _readable(application_id, attachment_id)
    requirement = dossier.rules.document(row.code)
    valid = papers.validity(dossier, requirement, row) if requirement else None
    page_ = render_template(
        "applications/preview.html",
        dossier=dossier,
        application=dossier.application,
        item=row,
        title=wording(requirement.title) if requirement else row.code,
        kind=say(NAMES[row.file.content_type]) if row.file.content_type in NAMES else row.file.content_type,
        shown=row.file.content_type in files.SHOWN,
        framed=row.file.content_type == PDF,
        valid=valid,
        back=section_url(dossier, "documents", row.participant_id) + f"#{row.code}",
    )
    return page_, {"Content-Security-Policy": f"{POLICY}; {PREVIEW_POLICY}"}


@page(blueprint, "/<uuid:application_id>/documents/readers", get=Permission.APPLICATION_VIEW)
def readers(application_id: UUID) -> ResponseReturnValue:
    """Who fetched or viewed the documents of the reader's own organisations."""
    dossier = opened(application_id)
    statement = downloads.log_of(dossier, g.actor)
    if statement is None:
        raise NotFound
    found: Any = keyset(session(), statement, (AuditEvent.seq,), _place, request.args.get("cursor"))
    acting = downloads.organisations_of(session(), dossier, {event.actor for event in found.rows})
    return render_template(
        "applications/readers.html",
        dossier=dossier,
        application=dossier.application,
        page=found,
        lines=[_line(dossier, event, acting) for event in found.rows],
    )


def _place(event: AuditEvent) -> tuple[Any, ...]:
    return (event.seq,)


def _line(dossier: Dossier, event: AuditEvent, acting: dict[str, UUID]) -> dict[str, Any]:
    """Names of one's own colleagues, organisations of partners, nothing more of the fund than that it was the fund."""
    reader = event.changes.get("reader")
    when = format_datetime(event.at, dossier.zone, locale())
    if reader == downloads.Reader.EXPERT:
        who, when = _("An expert of the fund"), format_date(event.at.astimezone(dossier.zone).date(), locale())
    elif reader == downloads.Reader.FUND:
        who = _("The fund")
    else:
        organisation = acting.get(event.actor)
        part = next((part for part in dossier.accepted if part.organisation_id == organisation), None)
        own = organisation is not None and g.actor.acts_for(organisation)
        who = event.actor_name if own else localised(part.organisation, "name") if part else _("A former participant")
    names = {str(item.id): item for item in dossier.attachments}
    item = names.get(str(event.changes.get("attachment")))
    return {
        "who": who,
        "when": when,
        "what": _("Viewed") if event.tag == downloads.TAGS[1] else _("Downloaded"),
        "code": event.changes.get("code", ""),
        "name": item.file.name if item else "",
        "version": event.changes.get("version", 1),
    }


def _readable(application_id: UUID, attachment_id: UUID) -> tuple[Dossier, Attachment]:
    dossier = opened(application_id)
    row = attachments.open_attachment(session(), application_id, attachment_id)
    downloads.require_seen(g.actor, dossier, row.participant_id)
    downloads.check_readable(g.actor, row.file)
    return dossier, row


@page(blueprint, "/<uuid:application_id>/documents/forms/<code>", get=Permission.APPLICATION_VIEW)
def blank_form(application_id: UUID, code: str) -> ResponseReturnValue:
    """The form of a document of the project, filled in as far as the portal knows."""
    dossier = opened(application_id)
    return _blank(dossier, dossier.initiator, code, Giver.PROJECT)


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/documents/forms/<code>",
    get=Permission.APPLICATION_VIEW,
)
def part_blank_form(application_id: UUID, participant_id: UUID, code: str) -> ResponseReturnValue:
    """The form of a document of one participant."""
    dossier = opened(application_id)
    return _blank(dossier, dossier.participant(participant_id), code, Giver.EACH)


def _blank(dossier: Dossier, part: Participant, code: str, giver: Giver) -> ResponseReturnValue:
    asked = {item.code for item in attachments.asked(dossier.rules, giver)}
    if code not in asked or not blanks.has_blank(code):
        raise NotFound
    made = blanks.blank(dossier, part, code, locale())
    answer = Response(made.content, mimetype=made.content_type)
    answer.headers["Content-Disposition"] = files.disposition("attachment", made.name)
    return answer
