"""Messages of one application between its participants' people and the fund's officers.

A thread opens with the first submission: before it, the fund does not know of a draft, and questions belong to the
tender's public page. What was sent stays as it is; reviewers take no part.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Final
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, contains_eager, joinedload

from portal.applications.following.letters import path, title_of
from portal.applications.models import Application, Participant, ParticipantState, Thread, ThreadMessage
from portal.applications.papers.downloads import check_readable
from portal.applications.queries import people_of
from portal.audit.service import record
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.core.language import N_, Message
from portal.documents import service as documents
from portal.documents.kinds import DOCUMENTS
from portal.documents.models import StoredFile
from portal.identity.models import Membership, Role, RoleGrant, User
from portal.identity.policy import Actor, Permission, authorize
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import mark_read, tell

MAX_TEXT: Final = 5_000
SHOWN: Final = 500
"""Messages on one page of a thread; older ones are in the archive of the database only."""
EXCERPT: Final = 600
KIND: Final = declare("message", Topic.MESSAGES, N_("A new message about an application"), important=True)


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that goes with a message, as it came in."""

    name: str
    stream: BinaryIO


def thread_of(session: Session, application_id: UUID) -> Thread | None:
    return session.get(Thread, application_id)


def messages_of(session: Session, application_id: UUID) -> list[ThreadMessage]:
    """The messages of a thread, oldest first, with authors, organisations and files; one query."""
    newest = (
        select(ThreadMessage.id)
        .where(ThreadMessage.application_id == application_id)
        .order_by(ThreadMessage.id.desc())
        .limit(SHOWN)
    )
    statement = (
        select(ThreadMessage)
        .where(ThreadMessage.id.in_(newest))
        .options(
            joinedload(ThreadMessage.author, innerjoin=True),
            joinedload(ThreadMessage.organisation),
            joinedload(ThreadMessage.file),
        )
        .order_by(ThreadMessage.id)
    )
    return list(session.scalars(statement))


def threads(*, waiting: bool) -> Select[Thread]:
    """All threads with their applications, for the officers' inbox; page it by ``last_at`` and the application."""
    statement = (
        select(Thread)
        .join(Thread.application)
        .join(Application.initiator)
        .where(~Application.sealed)
        .options(contains_eager(Thread.application).contains_eager(Application.initiator))
    )
    return statement.where(Thread.waiting_since.is_not(None)) if waiting else statement


def send(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    text: str,
    attached: Attached | None = None,
    for_fund: bool = False,
) -> ThreadMessage:
    """Send a message: of a participant's person to the officers, or ``for_fund`` of an officer to all participants.

    A closed thread is opened again by an officer only. Raises :class:`Conflict` before the first submission and for
    a closed thread, :class:`Problems` for the text and the file.
    """
    application = _application(session, application_id)
    permission = Permission.MESSAGE_ANSWER if for_fund else Permission.MESSAGE_WRITE
    authorize(actor, permission, application)
    if application.submission_id is None and application.number is None:
        raise Conflict(N_("Messages begin with the submission. Before it, ask on the page of the tender."))
    if application.sealed:
        raise Conflict(
            N_("The application is sealed: the fund cannot read messages about it yet. Ask on the page of the tender.")
        )
    said = text.replace("\x00", "").replace("\r\n", "\n").strip()
    problems = []
    if not said:
        problems.append(Problem("no_text", "text", N_("Write the message.")))
    elif len(said) > MAX_TEXT:
        message = N_("The message has more than %(limit)s characters.", limit=MAX_TEXT)
        problems.append(Problem("too_long", "text", message))
    if problems:
        raise Problems(problems)
    at = now(session)
    thread = _thread(session, application_id, at)
    if thread.closed_at is not None and not for_fund:
        raise Conflict(N_("The officer has closed this correspondence."))
    file = _stored(session, actor, attached)
    assert actor.user_id is not None
    row = ThreadMessage(
        application_id=application_id,
        author_id=actor.user_id,
        organisation_id=None if for_fund else _organisation(actor, application),
        text=said,
        file_id=file.id if file else None,
    )
    session.add(row)
    thread.last_at = at
    thread.closed_at = thread.closed_by = None
    thread.waiting_since = None if for_fund else thread.waiting_since or at
    session.flush()
    noted = {"message": row.id, "for_fund": for_fund, "file": row.file_id}
    record(session, actor, "applications:message:send", "application", application_id, noted)
    _tell(session, actor, application, row, for_fund)
    return row


def close(session: Session, actor: Actor, *, application_id: UUID) -> Thread:
    """An officer ends the correspondence: nothing is waited for. Raises :class:`Conflict` when it is closed."""
    application = _application(session, application_id)
    authorize(actor, Permission.MESSAGE_ANSWER, application)
    thread = session.get(Thread, application_id, with_for_update=True)
    if thread is None:
        raise NotFound
    if thread.closed_at is not None:
        raise Conflict(N_("This correspondence is closed already."))
    closed_at = now(session)
    thread.waiting_since = None
    thread.closed_at, thread.closed_by = closed_at, actor.user_id
    session.flush()
    record(session, actor, "applications:message:close", "application", application_id, {})
    return thread


def read(session: Session, actor: Actor, application_id: UUID) -> None:
    """The actor has the thread before the eyes: its notices are read."""
    assert actor.user_id is not None
    mark_read(session, actor.user_id, kind=KIND, about=("application", application_id))


def file_of(session: Session, actor: Actor, application_id: UUID, message_id: UUID) -> StoredFile:
    """The file of a message, for those who may read the thread; :class:`NotFound` otherwise."""
    authorize(actor, Permission.MESSAGE_READ, _application(session, application_id))
    row = session.scalar(
        select(ThreadMessage)
        .where(ThreadMessage.id == message_id, ThreadMessage.application_id == application_id)
        .options(joinedload(ThreadMessage.file))
    )
    if row is None or row.file is None:
        raise NotFound
    check_readable(actor, row.file)
    return row.file


def _application(session: Session, application_id: UUID) -> Application:
    row = session.scalar(
        select(Application).where(Application.id == application_id).options(joinedload(Application.participants))
    )
    if row is None:
        raise NotFound
    return row


def _thread(session: Session, application_id: UUID, at: datetime) -> Thread:
    """The locked thread, new where there is none; two first messages come one after the other."""
    session.execute(select(Application.id).where(Application.id == application_id).with_for_update(key_share=True))
    thread = session.get(Thread, application_id, with_for_update=True)
    if thread is None:
        thread = Thread(application_id=application_id, last_at=at)
        session.add(thread)
        session.flush()
    return thread


def _stored(session: Session, actor: Actor, attached: Attached | None) -> StoredFile | None:
    if attached is None:
        return None
    return documents.store(session, actor, name=attached.name, stream=attached.stream, allowed=DOCUMENTS)


def _organisation(actor: Actor, application: Application) -> UUID:
    """For whom the actor writes: the initiator where the actor acts for it, else the first of their participants."""
    own = [
        part.organisation_id
        for part in application.participants
        if part.state == ParticipantState.ACCEPTED and actor.acts_for(part.organisation_id)
    ]
    return application.initiator_id if application.initiator_id in own else own[0]


def _tell(session: Session, actor: Actor, application: Application, row: ThreadMessage, for_fund: bool) -> None:
    said = row.text if len(row.text) <= EXCERPT else row.text[: EXCERPT - 1].rstrip() + "…"
    number = {"number": application.number or ""}
    if for_fund:
        readers = people_of(session, _participants(session, application.id))
        link = path(application.id, "messages")
        subject = N_("A message of the fund about application %(number)s", **number)
    else:
        readers = officers(session, application.id)
        link = f"/staff/messages/{application.id}"
        subject = N_("A message of the participants about application %(number)s", **number)
    tell(
        session,
        [person for person in readers if person.id != actor.user_id],
        kind=KIND,
        key=f"message:{row.id}",
        subject=subject,
        paragraphs=[
            N_("Project: %(title)s.", title=title_of(application)),
            Message("%(text)s", {"text": said}),
            N_("Answer on the portal: answers to this letter do not arrive."),
        ],
        link=(N_("Read and answer"), link),
        about=("application", application.id),
    )


def _participants(session: Session, application_id: UUID) -> list[UUID]:
    statement = select(Participant.organisation_id).where(
        Participant.application_id == application_id, Participant.state == ParticipantState.ACCEPTED
    )
    return list(session.scalars(statement))


def officers(session: Session, application_id: UUID) -> list[User]:
    """The officers who can sign in and belong to no organisation that takes part."""
    tied = select(Membership.user_id).where(Membership.organisation_id.in_(_participants(session, application_id)))
    statement = (
        select(User)
        .join(RoleGrant, RoleGrant.user_id == User.id)
        .where(RoleGrant.role == Role.OFFICER, User.active, User.confirmed_at.is_not(None), User.id.not_in(tied))
        .order_by(User.id)
    )
    return list(session.scalars(statement))
