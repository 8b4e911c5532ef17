"""What is asked of the reader about one application: for each of their organisations, with the day it is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from flask import g, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import func, select

from portal.applications.following import messages
from portal.applications.following.corrections import may_answer
from portal.applications.following.dossier import Dossier
from portal.applications.models import CorrectionRequest, ParticipantState, State
from portal.applications.policy import Part
from portal.applications.rules import EDITABLE
from portal.applications.signatures.signing import Confirmation, unconfirmed
from portal.applications.submissions.submission import Standing
from portal.core.db import session
from portal.core.formats import format_date, format_datetime
from portal.identity.policy import Permission, allowed
from portal.notifications.models import Notice
from portal.web.application_frame import Task, Tasks, confirmations, section_url
from portal.web.language import locale
from portal.web.templating import localised


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to do, where, for which organisation, and until when (texts that are ready to show)."""

    what: str
    href: str
    whose: str
    due: str


def asked_of_me(dossier: Dossier, stands: Standing, tasks: Tasks, requests: Sequence[CorrectionRequest]) -> list[Ask]:
    """Everything that waits for the reader, the most pressing first."""
    due = due_text(dossier)
    return [
        *_invitations(dossier, due),
        *_corrections(dossier, requests, due),
        *_sections(dossier, tasks, due),
        *_signatures(dossier, stands, due),
        *_submission(dossier, stands, requests, due),
        *_messages(dossier),
    ]


def due_text(dossier: Dossier) -> str:
    """Until when the participants can do something now, or ""."""
    application = dossier.application
    if application.state == State.RETURNED and application.correction_due:
        return format_date(application.correction_due, locale())
    if application.state in EDITABLE and dossier.intake.open and dossier.closes_at:
        return format_datetime(dossier.closes_at, dossier.zone, locale())
    return ""


def _invitations(dossier: Dossier, due: str) -> list[Ask]:
    application = dossier.application
    return [
        Ask(
            _("Answer the invitation"),
            url_for("applications.invitation", application_id=application.id, part=part.id),
            localised(part.organisation, "name"),
            due,
        )
        for part in dossier.application.participants
        if part.state == ParticipantState.INVITED and g.actor.acts_for(part.organisation_id)
    ]


def _corrections(dossier: Dossier, requests: Sequence[CorrectionRequest], due: str) -> list[Ask]:
    waiting = [row for row in requests if row.answer is None and may_answer(g.actor, dossier, row)]
    if not waiting:
        return []
    what = ngettext("Answer %(num)s request of the officer", "Answer %(num)s requests of the officer", len(waiting))
    href = url_for("applications.corrections_page", application_id=dossier.application.id)
    return [Ask(what, href, "", due)]


def _sections(dossier: Dossier, tasks: Tasks, due: str) -> list[Ask]:
    """One line for each side; which sections they are stands in the lists of the same page."""
    if dossier.application.state not in EDITABLE:
        return []
    names: dict[UUID | None, str] = {None: _("The project as a whole")}
    names |= {part.id: localised(part.organisation, "name") for part in dossier.accepted}
    lists: dict[UUID | None, str] = {None: "project"}
    lists |= {part.id: f"part-{place}" for place, part in enumerate(dossier.accepted, 1)}
    unfinished: dict[UUID | None, list[Task]] = {}
    for task in tasks.mine():
        if task.state not in ("done", "optional"):
            unfinished.setdefault(task.participant_id, []).append(task)
    overview = section_url(dossier, "overview", None)
    return [
        Ask(_("Finish: %(section)s", section=found[0].label), found[0].href, names[owner], due)
        if len(found) == 1
        else Ask(
            ngettext("Finish %(num)s section", "Finish %(num)s sections", len(found)),
            f"{overview}#{lists[owner]}-title",
            names[owner],
            due,
        )
        for owner, found in unfinished.items()
    ]


def _signatures(dossier: Dossier, stands: Standing, due: str) -> list[Ask]:
    """Only when everything is filled in: to sign earlier would be in vain."""
    if dossier.application.state not in EDITABLE or stands.problems:
        return []
    given = confirmations(dossier)
    return [
        Ask(
            _("Read and sign"),
            section_url(dossier, "confirmation", None),
            localised(part.organisation, "name"),
            due,
        )
        for part in dossier.accepted
        if given[part.id] != Confirmation.GIVEN
        and allowed(g.actor, Permission.APPLICATION_CONFIRM, Part(dossier.application, part))
    ]


def _submission(dossier: Dossier, stands: Standing, requests: Sequence[CorrectionRequest], due: str) -> list[Ask]:
    application = dossier.application
    ready = application.state in EDITABLE and not stands.problems and not unconfirmed(dossier)
    open_now = dossier.intake.correction if application.state == State.RETURNED else dossier.intake.open
    if not ready or not open_now or any(row.answer is None for row in requests):
        return []
    if not allowed(g.actor, Permission.APPLICATION_SUBMIT, application):
        return []
    href = url_for("applications.submit", application_id=application.id)
    return [Ask(_("Submit the application"), href, localised(application.initiator, "name"), due)]


def _messages(dossier: Dossier) -> list[Ask]:
    count = unread_messages(dossier.application.id)
    if not count:
        return []
    what = ngettext("Read %(num)s new message of the fund", "Read %(num)s new messages of the fund", count)
    return [Ask(what, url_for("applications.messages", application_id=dossier.application.id), "", "")]


def unread_messages(application_id: UUID) -> int:
    """How many messages about the application the reader has not seen."""
    statement = select(func.count()).where(
        Notice.user_id == g.actor.user_id,
        Notice.kind == messages.KIND,
        Notice.in_portal,
        Notice.read_at.is_(None),
        Notice.about_type == "application",
        Notice.about_id == application_id,
    )
    return session().scalar(statement) or 0
