"""Files of a blind tender: what reviewers get is a copy without properties, made in the background.

The original stays what it was, for everybody else and for the digest of the submission. A copy whose text holds a
name that the portal knows, or that has no text to search, waits for an officer; of a file that cannot be copied so
the reviewer is told why. What a picture shows nobody has read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from portal.applications.models import Application
from portal.audit.service import record
from portal.core import jobs
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.core.language import N_, Message
from portal.documents import service as documents
from portal.documents.models import StoredFile
from portal.documents.stripping import Stripped, Stripper
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.review.blind import redaction_of
from portal.review.blind_models import BlindCopy, CopyState
from portal.review.queries import Case, locked_case, unlocked_case
from portal.review.redaction import Redaction

KIND: Final = "blind_copies"
MOST_PLACES: Final = 20
"""Places that are kept of one file: an officer who has seen twenty knows enough."""
_ACTOR: Final = system_actor(KIND)
_PREPARED: Final = N_("A copy without names is being prepared. Look again in a minute.")
_HELD: Final = N_("The programme officer looks first whether this file tells who applies.")
_FAILED: Final = N_("This file cannot be shown without telling who applies. Ask the programme officer if you need it.")


def write(session: Session, submission_id: UUID) -> None:
    """Write down the task for a submission; the same one is written once."""
    jobs.enqueue(session, KIND, {"submission_id": str(submission_id)}, key=f"{KIND}:{submission_id}")


def make(session: Session, submission_id: UUID) -> int:
    """The copies of all frozen files of a submission that have none yet. Returns how many were made.

    Nothing is done where applicants are not hidden, and for a submission that another one has replaced.
    """
    application_id = session.scalar(select(Application.id).where(Application.submission_id == submission_id))
    case = unlocked_case(session, application_id) if application_id is not None else None
    redaction = redaction_of(session, case, "en") if case is not None else None
    if case is None or redaction is None:
        return 0
    there = set(session.scalars(select(BlindCopy.file_id).where(BlindCopy.submission_id == submission_id)))
    wanted = [key for key in files_of(case) if key not in there]
    files = session.scalars(select(StoredFile).where(StoredFile.id.in_(wanted)).order_by(StoredFile.id)).all()
    earlier = _earlier(session, wanted)
    with Stripper() as stripper:
        rows = [_made(session, case, redaction, file, _stripped(stripper, file)) for file in files]
    for row in rows:
        before = earlier.get(row.file_id)
        if before is not None and before.places == row.places:
            row.allowed_by, row.allowed_at = before.allowed_by, before.allowed_at
    session.add_all(rows)
    session.flush()
    if rows:
        facts = {str(state): sum(row.state == state for row in rows) for state in CopyState}
        record(session, _ACTOR, "review:copies:make", "application", case.application.id, facts)
    return len(rows)


def files_of(case: Case) -> list[UUID]:
    """The frozen files of a case, those of the project first."""
    return [UUID(str(item["file_id"])) for held in _held(case) for item in held.get("documents") or ()]


def _held(case: Case) -> Iterator[Mapping[str, Any]]:
    yield case.package
    yield from case.package.get("participants") or ()


def _earlier(session: Session, files: Collection[UUID]) -> dict[UUID, BlindCopy]:
    """What officers allowed of the same files in an earlier version of the application."""
    statement = select(BlindCopy).where(BlindCopy.file_id.in_(list(files)), BlindCopy.allowed_at.is_not(None))
    return {row.file_id: row for row in session.scalars(statement.order_by(BlindCopy.id))}


def _stripped(stripper: Stripper, file: StoredFile) -> Stripped:
    try:
        return stripper.strip(documents.content(file))
    except FileNotFoundError:
        return Stripped(fault="damaged")


def _made(session: Session, case: Case, redaction: Redaction, file: StoredFile, found: Stripped) -> BlindCopy:
    row = BlindCopy(
        submission_id=case.submission.id, application_id=case.application.id, file_id=file.id, fault=found.fault
    )
    if found.fault:
        row.state, row.places = CopyState.FAILED, []
        return row
    row.places = _places(redaction, found)
    row.state = CopyState.HELD if row.places else CopyState.READY
    copy = documents.keep(
        session,
        _ACTOR,
        name=f"copy.{file.name.rpartition('.')[2]}",
        content=found.content,
        content_type=file.content_type,
        encrypted=file.encrypted,
    )
    row.copy_id = copy.id
    return row


def _places(redaction: Redaction, found: Stripped) -> list[dict[str, str]]:
    places = [
        {"kind": kind, "at": where, "word": word} for kind, where, text in found.texts for word in redaction.named(text)
    ]
    places += [{"kind": kind, "at": where, "word": ""} for kind, where in found.unread]
    return places[:MOST_PLACES]


def copies_of(session: Session, submission_id: UUID) -> dict[UUID, BlindCopy]:
    """The copies of a submission by the original's key; one query."""
    statement = select(BlindCopy).where(BlindCopy.submission_id == submission_id).options(joinedload(BlindCopy.copy))
    return {row.file_id: row for row in session.scalars(statement.order_by(BlindCopy.id))}


def held_in(session: Session, case: Case) -> int:
    """How many copies of a case wait for an officer; no query where applicants are not hidden."""
    if not case.rules.hides_applicants:
        return 0
    waiting = select(func.count()).where(
        BlindCopy.submission_id == case.submission.id, BlindCopy.state == CopyState.HELD, BlindCopy.allowed_at.is_(None)
    )
    return session.scalar(waiting) or 0


def word_of(row: BlindCopy | None) -> Message | None:
    """Why a reviewer does not get a file; None where it is given."""
    if row is None:
        return _PREPARED
    if row.given:
        return None
    return _HELD if row.state == CopyState.HELD else _FAILED


def copy_for(session: Session, case: Case, file_id: UUID) -> StoredFile:
    """The copy of a frozen file for a reviewer from whom it is hidden who applies.

    Raises :class:`NotFound` for a file that is not of the case, :class:`Conflict` while the copy is being made,
    :class:`Refused` where there is none or an officer has not let it through.
    """
    if file_id not in files_of(case):
        raise NotFound
    row = copies_of(session, case.submission.id).get(file_id)
    reason = word_of(row)
    if row is None:
        raise Conflict(_PREPARED)
    if reason is not None or row.copy is None:
        raise Refused(reason or _FAILED)
    return row.copy


def allow(session: Session, actor: Actor, *, application_id: UUID, file_ids: Collection[UUID]) -> int:
    """An officer has looked at held copies and lets reviewers have them. Returns how many were held until now.

    Raises :class:`Problems` on ``files`` when none of them is held.
    """
    authorize(actor, Permission.REVIEW_ASSIGN)
    case = locked_case(session, application_id)
    authorize(actor, Permission.REVIEW_ASSIGN, case.subject)
    held = [
        row
        for key, row in copies_of(session, case.submission.id).items()
        if key in file_ids and row.state == CopyState.HELD
    ]
    if not held:
        raise Problems.one("no_file", "files", N_("Choose the files that reviewers may have."))
    new = [row for row in held if row.allowed_at is None]
    for row in new:
        row.allowed_by, row.allowed_at = actor.user_id, now(session)
    session.flush()
    if new:
        facts = {"files": sorted(str(row.file_id) for row in new)}
        record(session, actor, "review:copies:allow", "application", application_id, facts)
    return len(new)
