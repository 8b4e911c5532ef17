"""Letters to the people of the participants, each in their own language."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import inspect, select
from sqlalchemy.orm import Session

from portal.applications.models import Application, Participant, ParticipantState
from portal.applications.queries import people_of
from portal.core.formats import NBSP, format_date, format_datetime, zone_name
from portal.core.language import LOCALES, N_, Message
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell

SUBMITTED: Final = declare(
    "application_submitted", Topic.APPLICATION, N_("The fund has received an application"), important=True
)
WITHDRAWN: Final = declare(
    "application_withdrawn", Topic.APPLICATION, N_("An application has been withdrawn"), important=True
)
INVITED: Final = declare(
    "participant_invited", Topic.PARTNERS, N_("Your organisation is invited to a project"), important=True
)
ANSWERED: Final = declare("participant_answered", Topic.PARTNERS, N_("A partner has answered your invitation"))
FILE_REFUSED: Final = declare(
    "file_refused", Topic.APPLICATION, N_("The virus check has refused a file"), important=True
)
LEAD: Final = declare("project_lead", Topic.PARTNERS, N_("The lead of a project changes hands"), important=True)
FIT_ASKED: Final = declare(
    "fit_letter_asked", Topic.PARTNERS, N_("A member of the cluster asks for a letter of fit"), important=True
)
FIT_ANSWERED: Final = declare(
    "fit_letter_answered", Topic.PARTNERS, N_("The specialised organisation has answered about the letter of fit")
)
SIGNATURE_VOID: Final = declare(
    "signature_void", Topic.PARTNERS, N_("Your signature no longer holds, because something changed"), important=True
)
LEFT: Final = declare("participant_left", Topic.PARTNERS, N_("A partner has left a project"), important=True)


def write(
    session: Session,
    *,
    application_id: UUID,
    key: str,
    kind: str,
    subject: Message,
    paragraphs: Sequence[Message],
    link: tuple[Message, str] | None,
) -> int:
    """Tell all people of all participants that have accepted; the same ``key`` reaches each once.

    Returns how many people were told.
    """
    organisations = session.scalars(
        select(Participant.organisation_id).where(
            Participant.application_id == application_id, Participant.state == ParticipantState.ACCEPTED
        )
    )
    return write_to(
        session,
        organisations,
        application_id=application_id,
        key=key,
        kind=kind,
        subject=subject,
        paragraphs=paragraphs,
        link=link,
    )


def write_to(
    session: Session,
    organisations: Iterable[UUID],
    *,
    application_id: UUID,
    key: str,
    kind: str,
    subject: Message,
    paragraphs: Sequence[Message],
    link: tuple[Message, str] | None,
) -> int:
    """The same to the people of the given organisations only."""
    return tell(
        session,
        people_of(session, organisations),
        kind=kind,
        key=key,
        subject=subject,
        paragraphs=paragraphs,
        link=link,
        about=("application", application_id),
    )


def title_of(application: Application) -> dict[str, str]:
    """The project's name for sentences; a draft without a name is called by its initiator, where that is loaded.

    Letters stand in the database as they are, so those of a sealed tender do not name the project.
    """
    if application.sealed:
        number = application.number
        return {
            "ru": f"заявка {number}" if number else "проект отбора с опечатанными заявками",
            "en": f"application {number}" if number else "project of a sealed tender",
        }
    russian, english = application.title_ru, application.title_en
    if russian or english:
        return {"ru": russian or english, "en": english or russian}
    if "initiator" in inspect(application).unloaded:
        return {"ru": "без названия", "en": "without a name"}
    whose = name_of(application.initiator)
    return {"ru": f"новый проект, {whose['ru']}", "en": f"new project, {whose['en'] or whose['ru']}"}


def name_of(organisation: object) -> dict[str, str]:
    """An organisation's or a cluster's name for sentences."""
    return {
        "ru": str(getattr(organisation, "name_ru", "")),
        "en": str(getattr(organisation, "name_en", "")),
    }


def path(application_id: UUID, page: str = "") -> str:
    """The path of an application's page."""
    return f"/applications/{application_id}" + (f"/{page}" if page else "")


def minute(at: datetime, zone: str) -> dict[str, str]:
    """An instant to the minute with its zone, in both languages: ``31.08.2018, 17:59 МСК``."""
    return {locale: format_datetime(at, ZoneInfo(zone), locale) for locale in LOCALES}


def instant(at: datetime, zone: str) -> dict[str, str]:
    """An instant to the millisecond with its zone, in both languages: ``31.08.2018, 17:59:59.042 МСК``."""
    local = at.astimezone(ZoneInfo(zone))
    return {
        locale: f"{format_date(local.date(), locale)}, {local:%H:%M:%S}.{local.microsecond // 1000:03}"
        f"{NBSP}{zone_name(local, locale)}"
        for locale in LOCALES
    }
