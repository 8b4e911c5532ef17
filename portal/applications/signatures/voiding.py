"""Ending signatures in the transaction that changed what they bind, whoever changed it and from wherever.

The session notes which applications a transaction touched (a section, a document, a participant, an organisation's
profile), and just before its commit the live signatures under them are compared with what they would bind now.
No verb has to remember it, and none can forget it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import event, select
from sqlalchemy.orm import Session, SessionTransaction

from portal.applications.following import letters
from portal.applications.following.dossier import Dossier, load
from portal.applications.models import (
    Application,
    Attachment,
    Participant,
    ParticipantState,
    Section,
    Signature,
    SignatureVoid,
    VoidReason,
)
from portal.applications.rules import EDITABLE
from portal.applications.signatures.scope import changed, letter_binds, letter_scope
from portal.applications.signatures.signing import binds, end, latest, since
from portal.applications.submissions.changes import Change, label
from portal.audit import service as audit
from portal.core.language import N_, Message
from portal.identity.models import Organisation

TOLD: Final = 12
"""A letter names so many changed fields and counts the rest."""
_APPLICATIONS: Final = "portal.signatures.applications"
_ORGANISATIONS: Final = "portal.signatures.organisations"


@dataclass(frozen=True, slots=True)
class Author:
    """Whoever the transaction's last event names."""

    audit_id: str
    audit_name: str


@event.listens_for(Session, "after_flush")
def _note(session: Session, context: Any) -> None:
    applications = session.info.setdefault(_APPLICATIONS, set())
    organisations = session.info.setdefault(_ORGANISATIONS, set())
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, (Section, Attachment, Participant)):
            applications.add(row.application_id)
        elif isinstance(row, Organisation):
            organisations.add(row.id)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous: SessionTransaction) -> None:
    if not previous.nested and previous.parent is None:
        session.info.pop(_APPLICATIONS, None)
        session.info.pop(_ORGANISATIONS, None)


# First of the listeners: what is ended here is noted in the audit trail, which is chained by the next one.
@event.listens_for(Session, "before_commit", insert=True)
def _before_commit(session: Session) -> None:
    if not session.in_nested_transaction():
        judge(session)


def judge(session: Session) -> list[SignatureVoid]:
    """End the live signatures that the transaction so far has made untrue, and tell their owners."""
    session.flush()
    touched = session.info.pop(_APPLICATIONS, set())
    organisations = session.info.pop(_ORGANISATIONS, set())
    if not touched and not organisations:
        return []
    ended = []
    for application_id in _signed(session, touched, organisations):
        ended += _judge_one(session, load(session, application_id, lock=True))
    session.flush()
    session.info.pop(_APPLICATIONS, None)
    session.info.pop(_ORGANISATIONS, None)
    return ended


def _signed(session: Session, touched: set[UUID], organisations: set[UUID]) -> list[UUID]:
    """The applications with live signatures among those touched, in the order of their keys (no circle of locks)."""
    statement = (
        select(Signature.application_id)
        .join(Application, Application.id == Signature.application_id)
        .outerjoin(SignatureVoid, SignatureVoid.signature_id == Signature.id)
        .where(SignatureVoid.id.is_(None), Application.state.in_(EDITABLE))
        .distinct()
        .order_by(Signature.application_id)
    )
    of_organisations = select(Participant.application_id).where(
        Participant.organisation_id.in_(organisations), Participant.state == ParticipantState.ACCEPTED
    )
    return list(
        session.scalars(
            statement.where(
                Signature.application_id.in_(touched) | Signature.application_id.in_(of_organisations)
                if organisations
                else Signature.application_id.in_(touched)
            )
        )
    )


def _judge_one(session: Session, dossier: Dossier) -> list[SignatureVoid]:
    ended = []
    author = _author(session)
    for part in dossier.accepted:
        row = latest(dossier, part)
        if row is None or row.void is not None or binds(dossier, part, row):
            continue
        changes = since(dossier, part, row)
        void = end(session, row, dossier, VoidReason.CHANGED, author, changes)
        _tell(session, dossier, row, void, changes)
        ended.append(void)
    letter = dossier.application.letter
    if letter is not None and not letter_binds(letter, dossier.package.content):
        row = session.get_one(Signature, UUID(letter["signature"]))
        statement = {"statement": letter["scope"]["statement"]}
        changes = changed(row.scope, {**letter_scope(dossier.package.content), **statement})
        void = end(session, row, dossier, VoidReason.CHANGED, author, changes)
        _tell(session, dossier, row, void, changes, also=dossier.application.initiator_id)
        ended.append(void)
    return ended


def _author(session: Session) -> Author:
    events = audit.pending(session)
    last = events[-1] if events else {}
    return Author(str(last.get("actor", "system:portal")), str(last.get("actor_name", "")))


def names_of(dossier: Dossier) -> dict[str, dict[str, str]]:
    """Participant's id -> its name in both languages, for the labels of changes."""
    return {str(part.id): letters.name_of(part.organisation) for part in dossier.application.participants}


def _tell(
    session: Session,
    dossier: Dossier,
    row: Signature,
    void: SignatureVoid,
    changes: list[Change],
    also: UUID | None = None,
) -> None:
    """``also``: given for the letter of fit only: the initiator, who asks for it anew."""
    names = names_of(dossier)
    labels: list[Message] = [label(item.path, dossier.rules, names) for item in changes[:TOLD]]
    if len(changes) > TOLD:
        labels.append(N_("and %(count)s more", count=len(changes) - TOLD))
    letter = also is not None
    letters.write_to(
        session,
        [row.organisation_id, *([also] if also else [])],
        application_id=dossier.application.id,
        key=f"signature_void:{row.id}",
        kind="signature_void",
        subject=N_("The letter of fit no longer holds: %(title)s", title=letters.title_of(dossier.application))
        if letter
        else N_("Your signature no longer holds: %(title)s", title=letters.title_of(dossier.application)),
        paragraphs=[
            N_(
                "After the signature was given, %(author)s changed the following on %(instant)s:",
                author=void.author or "?",
                instant=letters.instant(void.voided_at, dossier.application.tender.zone),
            ),
            *labels,
            N_("The initiator asks for the letter anew, or attaches it as a file.")
            if letter
            else N_("Read the application again and sign it, so that it can be submitted."),
        ],
        link=(N_("Read and sign"), letters.path(dossier.application.id, "confirm")),
    )
