"""What people of applicants are reminded of: drafts before the close, invitations, signatures, corrections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from portal.applications.following.dossier import intake_open, later_closing
from portal.applications.following.letters import instant, path, title_of
from portal.applications.models import (
    Application,
    CorrectionRequest,
    Participant,
    ParticipantState,
    Signature,
    SignatureVoid,
    State,
)
from portal.applications.queries import people_of, signers_of
from portal.applications.sealing.models import Seal, SealOpening
from portal.core.calendar import end_of_day
from portal.core.language import N_, Message
from portal.notifications.kinds import Topic, declare
from portal.notifications.reminders import Reminder, source, stage
from portal.tenders.models import Tender
from portal.tenders.seal_models import SealKey

CLOSING_DAYS: Final = (7, 3, 1)
SIGNING_DAYS: Final = (3, 1)
CORRECTION_DAYS: Final = (3, 1)

OPENING_DAYS: Final = (0, 3, 7)
"""Days after a sealed tender may be opened on which its keepers are told."""

OPENING: Final = declare(
    "sealed_opening", Topic.TENDERS, N_("A sealed tender can be opened"), important=True, staff=True
)
CLOSING: Final = declare(
    "reminder_closing", Topic.DEADLINES, N_("Applications close soon, and yours is a draft"), important=True
)
SIGNING: Final = declare(
    "reminder_signing", Topic.DEADLINES, N_("Your signature is missing, and applications close soon"), obligatory=True
)
INVITATION: Final = declare(
    "reminder_invitation", Topic.DEADLINES, N_("An invitation to a project waits for your answer"), important=True
)
CORRECTION: Final = declare(
    "reminder_correction", Topic.DEADLINES, N_("The correction of an application is due soon"), important=True
)


@source("applications.closing")
def closing(session: Session, at: datetime) -> Iterator[Reminder]:
    """Drafts of tenders that close in 7, 3 and 1 days: everybody who takes part."""
    for application, closes_at, step in _closing_drafts(session, at, CLOSING_DAYS):
        yield Reminder(
            f"{CLOSING}:{application.id}:{closes_at.isoformat()}:{step}",
            CLOSING,
            people_of(session, _organisations(application, ParticipantState.ACCEPTED)),
            N_("Applications close soon: the project “%(title)s” is a draft", title=title_of(application)),
            [_until(application, closes_at), N_("What is typed is kept, but only a submitted application takes part.")],
            (N_("Open the application"), path(application.id)),
            ("application", application.id),
        )


@source("applications.invitation")
def invitation(session: Session, at: datetime) -> Iterator[Reminder]:
    """Invitations without an answer: everybody of the invited organisations."""
    for application, closes_at, step in _closing_drafts(session, at, CLOSING_DAYS):
        waiting = _organisations(application, ParticipantState.INVITED)
        if waiting:
            yield Reminder(
                f"{INVITATION}:{application.id}:{closes_at.isoformat()}:{step}",
                INVITATION,
                people_of(session, waiting),
                N_("The invitation to the project “%(title)s” waits for your answer", title=title_of(application)),
                [_until(application, closes_at), N_("Without your answer the project cannot be submitted.")],
                (N_("Read the invitation and answer"), path(application.id, "invitation")),
                ("application", application.id),
            )


@source("applications.signing")
def signing(session: Session, at: datetime) -> Iterator[Reminder]:
    """Participants without a signature that holds: those who may sign for them."""
    for application, closes_at, step in _closing_drafts(session, at, SIGNING_DAYS):
        signed = set(session.scalars(_signed(application.id)))
        lacking = [
            part
            for part in application.participants
            if part.state == ParticipantState.ACCEPTED and part.id not in signed
        ]
        if lacking:
            yield Reminder(
                f"{SIGNING}:{application.id}:{closes_at.isoformat()}:{step}",
                SIGNING,
                signers_of(session, lacking),
                N_("Your signature under the project “%(title)s” is missing", title=title_of(application)),
                [
                    _until(application, closes_at),
                    N_("Without every participant’s signature the project cannot be submitted."),
                ],
                (N_("Read and sign"), path(application.id, "confirm")),
                ("application", application.id),
            )


@source("applications.correction")
def correction(session: Session, at: datetime) -> Iterator[Reminder]:
    """Returned applications whose day is near: everybody who takes part, with how many requests are open."""
    statement = _whole(select(Application).join(Application.tender)).where(
        Application.state == State.RETURNED,
        Application.correction_due <= (at + timedelta(days=max(CORRECTION_DAYS) + 1)).date(),
        Tender.cancelled_at.is_(None),
    )
    for application in session.scalars(statement):
        assert application.correction_due is not None
        zone = ZoneInfo(application.tender.zone)
        step = stage(end_of_day(application.correction_due, zone), at, CORRECTION_DAYS)
        if step is None:
            continue
        unanswered = session.scalar(
            select(func.count()).where(
                CorrectionRequest.application_id == application.id, CorrectionRequest.answer.is_(None)
            )
        )
        yield Reminder(
            f"{CORRECTION}:{application.id}:{application.correction_due.isoformat()}:{step}",
            CORRECTION,
            people_of(session, _organisations(application, ParticipantState.ACCEPTED)),
            N_("Send the correction of application %(number)s", number=application.number or ""),
            [
                N_("It is due by the end of %(day)s.", day=application.correction_due),
                N_("Requests of the officer without an answer: %(count)s.", count=unanswered or 0),
            ],
            (N_("See what is asked"), path(application.id, "corrections")),
            ("application", application.id),
        )


def _closing_drafts(session: Session, at: datetime, days: Sequence[int]) -> Iterator[tuple[Application, datetime, int]]:
    """Drafts with their own closing, by exception too, and the stage they are in; none begun within its stage."""
    closing = func.greatest(Tender.closes_at, later_closing())
    statement = _whole(select(Application, closing).join(Application.tender)).where(
        Application.state.in_((State.DRAFT, State.WITHDRAWN)),
        intake_open(later_closing()),
        closing <= at + timedelta(days=max(days)),
    )
    for application, closes_at in session.execute(statement):
        step = stage(closes_at, at, days)
        if step is not None and application.created_at <= closes_at - timedelta(days=step):
            yield application, closes_at, step


def _whole(statement: Select[Any]) -> Select[Any]:
    return statement.options(
        contains_eager(Application.tender), selectinload(Application.participants), joinedload(Application.initiator)
    ).order_by(Application.id)


def _until(application: Application, closes_at: datetime) -> Message:
    return N_("Applications are accepted until %(instant)s.", instant=instant(closes_at, application.tender.zone))


def _organisations(application: Application, state: ParticipantState) -> list[UUID]:
    return [part.organisation_id for part in application.participants if part.state == state]


def _signed(application_id: UUID) -> Select[UUID]:
    return (
        select(Participant.id)
        .join(Signature, Signature.participant_id == Participant.id)
        .outerjoin(SignatureVoid, SignatureVoid.signature_id == Signature.id)
        .where(Participant.application_id == application_id, SignatureVoid.id.is_(None))
    )


@source("applications.opening")
def opening(session: Session, at: datetime) -> Iterator[Reminder]:
    """Sealed tenders whose last application has come and which nobody has opened: the keepers who have not yet."""
    ending = func.sealing_ends(Tender.id, type_=Tender.closes_at.type)
    sealed = select(Seal.submission_id).where(Seal.tender_id == Tender.id, Seal.ended.is_(None)).exists()
    begun = select(SealOpening.tender_id).where(SealOpening.tender_id == Tender.id).exists()
    statement = (
        select(SealKey, ending)
        .join(SealKey.tender)
        .options(contains_eager(SealKey.tender), joinedload(SealKey.keeper, innerjoin=True))
        .where(
            Tender.sealed,
            Tender.cancelled_at.is_(None),
            Tender.closes_at > at - timedelta(days=60),
            ending <= at,
            SealKey.given.is_(None),
            sealed,
            ~begun,
        )
        .order_by(SealKey.tender_id, SealKey.place)
    )
    for key, ended in session.execute(statement):
        tender = key.tender
        step = max(days for days in OPENING_DAYS if at - ended >= timedelta(days=days))
        yield Reminder(
            f"{OPENING}:{tender.id}:{ended.isoformat()}:{step}",
            OPENING,
            [key.keeper] if key.keeper.active else [],
            N_("The sealed tender %(code)s can be opened", code=tender.code),
            [
                N_("Applications were accepted until %(instant)s.", instant=instant(ended, tender.zone)),
                N_("Two keepers open it, each with its passphrase. Until then nobody can read an application."),
            ],
            (N_("Open the tender"), f"/staff/tenders/{tender.id}/sealed"),
            ("tender", tender.id),
        )
