"""A later closing for one application or one initiator: granted by an officer with a reason, revoked by a new row.

Whether a submission is in time is decided with the exceptions in the same statement (``submission``). Granting and
revoking take the tender's row first, as extending does, so that each submission is before or after them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, aliased, joinedload

from portal.applications.following import letters, notices
from portal.applications.following.dossier import Dossier
from portal.applications.following.notices import Notice, minute
from portal.applications.models import Application, DeadlineException, Participant, ParticipantState
from portal.audit import service as audit
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_, Message
from portal.identity.models import Organisation
from portal.identity.policy import Actor, Permission, authorize, scope
from portal.notifications.kinds import Topic, declare
from portal.tenders.models import Tender
from portal.tenders.rules import ALLOWED, status
from portal.tenders.service import lock
from portal.tenders.values import at_wall, reason_problems

GRANTED: Final = declare("deadline_exception", Topic.DEADLINES, N_("You are granted a later closing"), obligatory=True)
REVOKED: Final = declare(
    "deadline_exception_revoked", Topic.DEADLINES, N_("A later closing is revoked"), obligatory=True
)

_INN: Final = re.compile(r"(\d{10}|\d{12})(?:\s*/\s*([0-9A-Z]{9}))?")


@dataclass(frozen=True, slots=True)
class ExceptionValues:
    """Whom it is for: the ``application`` by number or reference, or the initiator by ``inn`` (``INN/KPP``).

    ``closes`` is a wall-clock time of the tender's zone.
    """

    application: str = ""
    inn: str = ""
    closes: datetime | None = None
    reason: str = ""


def grant(session: Session, actor: Actor, tender_id: UUID, *, values: ExceptionValues) -> DeadlineException:
    """Let one application, or all of one initiator, be submitted until a later time.

    Problems: nobody or two named, unknown here, a time that is not later than the closing and than now, no reason.
    Conflict when the tender is not published, is cancelled, or has results.
    """
    row = lock(session, tender_id)
    authorize(actor, Permission.EXCEPTION_GRANT, row)
    _require_running(session, row)
    found = reason_problems(values.reason)
    application, organisation = _place(session, row, values, found)
    closes = at_wall(values.closes, row.zone, "closes", found)
    assert row.closes_at is not None
    if values.closes is None:
        found.append(Problem("required", "closes", N_("Give the time until which it is accepted.")))
    elif closes is not None and closes <= max(row.closes_at, now(session)):
        message = N_("An exception must end later than the closing for everyone, and in the future.")
        found.append(Problem("not_later", "closes", message))
    if found:
        raise Problems(found)
    assert actor.user_id is not None
    made = DeadlineException(
        tender_id=row.id,
        application_id=application.id if application else None,
        organisation_id=organisation.id if organisation else None,
        closes_at=closes,
        reason=values.reason.strip(),
        granted_by=actor.user_id,
    )
    session.add(made)
    session.flush()
    assert made.closes_at is not None
    _note(session, actor, "grant", made)
    _tell(
        session,
        made,
        row,
        kind=GRANTED,
        subject=N_("Tender %(code)s: a later closing for you", code=row.code),
        paragraphs=[
            N_(
                "The fund has granted an exception: your application is accepted until %(time)s.",
                time=minute(made.closes_at, row.zone),
            ),
            N_("Reason: %(reason)s", reason=made.reason),
        ],
    )
    return made


def revoke(session: Session, actor: Actor, exception_id: UUID, *, reason: str) -> DeadlineException:
    """Take an exception back by a new row. What was submitted under it stays. Conflict when it is revoked already."""
    given = session.get(DeadlineException, exception_id)
    if given is None or given.revokes_id is not None:
        raise NotFound
    row = lock(session, given.tender_id)
    authorize(actor, Permission.EXCEPTION_GRANT, row)
    _require_running(session, row)
    taken = select(DeadlineException.id).where(DeadlineException.revokes_id == given.id)
    if session.scalar(taken) is not None:
        raise Conflict(N_("This exception has been revoked already."))
    if found := reason_problems(reason):
        raise Problems(found)
    assert actor.user_id is not None
    made = DeadlineException(
        tender_id=given.tender_id,
        application_id=given.application_id,
        organisation_id=given.organisation_id,
        reason=reason.strip(),
        granted_by=actor.user_id,
        revokes_id=given.id,
    )
    session.add(made)
    session.flush()
    _note(session, actor, "revoke", made)
    _tell(
        session,
        made,
        row,
        kind=REVOKED,
        subject=N_("Tender %(code)s: the later closing is revoked", code=row.code),
        paragraphs=[
            N_("The fund has revoked the exception that let you submit later than everyone."),
            N_("Reason: %(reason)s", reason=made.reason),
        ],
    )
    return made


def _require_running(session: Session, row: Tender) -> None:
    if status(row, now(session)) not in ALLOWED["except"]:
        raise Conflict(N_("Exceptions are possible only in a published tender without results."))
    if row.unsealed_at is not None:
        raise Conflict(N_("The opening of the sealed applications has begun: nobody can be let in any more."))


def _place(
    session: Session, row: Tender, values: ExceptionValues, found: list[Problem]
) -> tuple[Application | None, Organisation | None]:
    """The application or the initiator that was named."""
    named, inn = values.application.strip(), values.inn.strip()
    if bool(named) == bool(inn):
        message = N_("Name either one application or the initiator, not both.")
        found.append(Problem("choose_one", "application", message))
        return None, None
    if named:
        application = _application(session, row, named)
        if application is None:
            message = N_("This tender has no application of this number or reference.")
            found.append(Problem("unknown", "application", message))
        return application, None
    return None, _organisation(session, inn, found)


def _application(session: Session, row: Tender, named: str) -> Application | None:
    wanted = select(Application).where(Application.tender_id == row.id)
    try:
        return session.scalar(wanted.where(Application.id == UUID(named)))
    except ValueError:
        return session.scalar(wanted.where(Application.number == named.replace("\x00", "")))


def _organisation(session: Session, inn: str, found: list[Problem]) -> Organisation | None:
    read = _INN.fullmatch(inn)
    if read is None:
        found.append(
            Problem("format", "inn", N_("Give the INN, 10 or 12 digits; with a stroke and the KPP if needed."))
        )
        return None
    wanted = select(Organisation).where(Organisation.inn == read[1])
    if read[2]:
        wanted = wanted.where(Organisation.kpp == read[2])
    rows = session.scalars(wanted.limit(2)).all()
    if len(rows) == 1:
        return rows[0]
    message: Message = (
        N_("Several organisations have this INN: add the KPP after a stroke.")
        if rows
        else N_("No organisation of this INN is registered on the portal.")
    )
    found.append(Problem("ambiguous" if rows else "unknown", "inn", message))
    return None


def _note(session: Session, actor: Actor, verb: str, row: DeadlineException) -> None:
    """In the audit trail of the tender, and of the application where it is for one."""
    changes = {
        "exception": row.id,
        "application": row.application_id,
        "organisation": row.organisation_id,
        "closes_at": row.closes_at,
        "reason": row.reason,
        "revokes": row.revokes_id,
    }
    tag = f"applications:exception:{verb}"
    if row.application_id is not None:
        audit.record(session, actor, tag, "application", row.application_id, changes)
    else:
        audit.record(session, actor, tag, "tender", row.tender_id, changes)


def _tell(
    session: Session,
    row: DeadlineException,
    tender: Tender,
    *,
    kind: str,
    subject: Message,
    paragraphs: Sequence[Message],
) -> None:
    """A letter to the people of those whom it is for."""
    link = (N_("My applications"), "/applications/")
    organisations: Select[Any] | list[UUID] = [row.organisation_id] if row.organisation_id else []
    about = ("tender", tender.id)
    if row.application_id is not None:
        link, about = (
            (N_("Open the application"), letters.path(row.application_id)),
            ("application", row.application_id),
        )
        organisations = select(Participant.organisation_id).where(
            Participant.application_id == row.application_id, Participant.state == ParticipantState.ACCEPTED
        )
    people = notices.acting_for(organisations)
    notice = Notice(f"{kind}:{row.id}", kind, tender, subject, paragraphs, link, people, about)
    notices.tell(session, notice, session.scalars(notices.recipients(notice)).all())


@dataclass(frozen=True, slots=True)
class Granted:
    """An exception with its revocation, if there is one; ``application``, ``organisation``, ``granter`` are loaded."""

    row: DeadlineException
    revoked: DeadlineException | None


def granted_select(actor: Actor, tender_id: UUID | None = None) -> Select[Any]:
    """Rows (grant, revocation or None) that the actor may read; page them by ``(created_at, id)`` of the first."""
    taken = aliased(DeadlineException)
    wanted = (
        scope(actor, DeadlineException)
        .where(DeadlineException.revokes_id.is_(None))
        .outerjoin(taken, taken.revokes_id == DeadlineException.id)
        .add_columns(taken)
        .options(
            joinedload(DeadlineException.application).joinedload(Application.initiator),
            joinedload(DeadlineException.organisation),
            joinedload(DeadlineException.granter, innerjoin=True),
            joinedload(taken.granter),
        )
    )
    return wanted.where(DeadlineException.tender_id == tender_id) if tender_id else wanted


def of_application(session: Session, dossier: Dossier) -> list[Granted]:
    """The exceptions that an application has or had, oldest first; for those who may read the application."""
    application = dossier.application
    taken = aliased(DeadlineException)
    wanted = (
        select(DeadlineException, taken)
        .outerjoin(taken, taken.revokes_id == DeadlineException.id)
        .where(
            DeadlineException.tender_id == application.tender_id,
            DeadlineException.revokes_id.is_(None),
            (DeadlineException.application_id == application.id)
            | (DeadlineException.organisation_id == application.initiator_id),
        )
        .order_by(DeadlineException.created_at, DeadlineException.id)
    )
    return [Granted(row, revoked) for row, revoked in session.execute(wanted)]
