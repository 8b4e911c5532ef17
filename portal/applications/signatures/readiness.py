"""Telling who is waited for: those who have to sign once nothing else is missing, the initiator once all have signed.

The session notes which applications a transaction touched, and one task looks at each of them when the typing has
paused; a signature is looked at at once. What is told is told once for a state: the keys follow from the signatures
and their ends, so that a save repeats nothing, and a signature that was ended and is waited for anew is told anew.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

from portal.applications.following import letters
from portal.applications.following.corrections import unsettled
from portal.applications.following.dossier import Dossier, load
from portal.applications.models import (
    Attachment,
    CorrectionRequest,
    FitLetter,
    Participant,
    Section,
    Signature,
    State,
    VoidReason,
)
from portal.applications.queries import people_of, signers_of
from portal.applications.rules import EDITABLE
from portal.applications.signatures.signing import Confirmation, confirmation, signatures
from portal.applications.signatures.voiding import names_of
from portal.applications.submissions.submission import standing
from portal.core import jobs
from portal.core.language import LOCALES, N_, Message
from portal.identity.models import User
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell

KIND: Final = "tell_readiness"
STRETCH: Final = 90
"""Seconds of typing that are looked at together."""
PAUSE: Final = timedelta(seconds=STRETCH + 30)
"""How long after the first touch of a stretch it is looked at: all of the stretch is committed by then."""
TO_SIGN: Final = declare(
    "ready_to_sign", Topic.PARTNERS, N_("A project is complete, and your signature is missing"), important=True
)
TO_SUBMIT: Final = declare(
    "ready_to_submit", Topic.APPLICATION, N_("Everybody has signed: the application can be submitted"), important=True
)
_TOUCHED: Final = "portal.readiness.touched"
_SIGNED: Final = "portal.readiness.signed"


@event.listens_for(Session, "after_flush")
def _note(session: Session, context: Any) -> None:
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, Signature):
            session.info.setdefault(_SIGNED, {})[row.id] = row.application_id
        elif isinstance(row, (Section, Attachment, Participant, FitLetter, CorrectionRequest)):
            session.info.setdefault(_TOUCHED, set()).add(row.application_id)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, previous: SessionTransaction) -> None:
    if not previous.nested and previous.parent is None:
        session.info.pop(_TOUCHED, None)
        session.info.pop(_SIGNED, None)


# After the audit trail's listener: no other lock is asked for while the unique key of a task is held.
@event.listens_for(Session, "before_commit")
def _before_commit(session: Session) -> None:
    if not session.in_nested_transaction():
        ask(session)


def ask(session: Session) -> None:
    """Write the tasks that look at what the transaction so far has touched."""
    session.flush()
    signed = session.info.pop(_SIGNED, {})
    touched = session.info.pop(_TOUCHED, set())
    for signature_id, application_id in sorted(signed.items()):
        payload = {"application_id": str(application_id)}
        jobs.enqueue(session, KIND, payload, key=f"{KIND}:{application_id}:{signature_id}")
    stretch = int(time.time()) // STRETCH
    for application_id in sorted(touched - set(signed.values())):
        payload = {"application_id": str(application_id)}
        jobs.enqueue(session, KIND, payload, key=f"{KIND}:{application_id}:{stretch}", delay=PAUSE)


def look(session: Session, application_id: UUID) -> int:
    """Tell those who are waited for, if nothing but them is missing. Returns how many were told something new."""
    dossier = load(session, application_id, lock=True)
    if dossier.application.state not in EDITABLE or not _open(dossier):
        return 0
    stands = standing(dossier)
    if stands.problems or unsettled(session, dossier):
        return 0
    lacking = [part for part in dossier.accepted if confirmation(dossier, part) != Confirmation.GIVEN]
    if not lacking:
        return _tell_initiator(session, dossier, bool(stands.blocking))
    return sum(_tell_signers(session, dossier, part, lacking) for part in lacking)


def _open(dossier: Dossier) -> bool:
    if dossier.application.state == State.RETURNED:
        return dossier.intake.correction
    return dossier.intake.open


def _tell_signers(session: Session, dossier: Dossier, part: Participant, lacking: list[Participant]) -> int:
    given = sum(1 for row in signatures(dossier) if row.participant_id == part.id)
    called = names_of(dossier)
    others = [called[str(other.id)] for other in lacking if other.id != part.id]
    said = [
        N_("All sections and documents are there. Read what your organisation asks for and undertakes, and sign it."),
        _until(dossier),
    ]
    if others:
        names = {locale: ", ".join(name[locale] for name in others) for locale in LOCALES}
        said.append(N_("Besides yours, these signatures are missing: %(names)s.", names=names))
    return _tell(
        session,
        dossier,
        signers_of(session, [part]),
        kind=TO_SIGN,
        key=f"{TO_SIGN}:{part.id}:{given}",
        subject=N_(
            "The project “%(title)s” is complete: your signature is missing",
            title=letters.title_of(dossier.application),
        ),
        paragraphs=said,
        link=(N_("Read and sign"), letters.path(dossier.application.id, "confirm")),
    )


def _tell_initiator(session: Session, dossier: Dossier, blocked: bool) -> int:
    application = dossier.application
    ended = sum(1 for row in signatures(dossier) if row.void is not None and row.void.reason != VoidReason.REPLACED)
    said = [
        N_("Nothing is missing any more. It takes part in the tender only once you submit it."),
        _until(dossier),
    ]
    if blocked:
        said.append(
            N_("It does not meet rules that lead to refusal: read the self-check before you submit it all the same.")
        )
    return _tell(
        session,
        dossier,
        people_of(session, [application.initiator_id]),
        kind=TO_SUBMIT,
        key=f"{TO_SUBMIT}:{application.id}:{application.submission_id or 0}:{ended}",
        subject=N_("Everybody has signed: submit the project “%(title)s”", title=letters.title_of(application)),
        paragraphs=said,
        link=(N_("Check and submit"), letters.path(application.id, "submit")),
    )


def _until(dossier: Dossier) -> Message:
    application = dossier.application
    if application.state == State.RETURNED and application.correction_due is not None:
        return N_("It is due by the end of %(day)s.", day=application.correction_due)
    assert dossier.closes_at is not None
    closes = letters.minute(dossier.closes_at, application.tender.zone)
    return N_("Applications are accepted until %(instant)s.", instant=closes)


def _tell(
    session: Session,
    dossier: Dossier,
    people: list[User],
    *,
    kind: str,
    key: str,
    subject: Message,
    paragraphs: list[Message],
    link: tuple[Message, str],
) -> int:
    about = ("application", dossier.application.id)
    return tell(session, people, kind=kind, key=key, subject=subject, paragraphs=paragraphs, link=link, about=about)
