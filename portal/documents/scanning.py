"""What a scan says of a file, and who is told when one is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit import service as audit
from portal.core import jobs
from portal.core.clock import now
from portal.core.errors import Problems
from portal.core.language import N_
from portal.documents import clamd, objects
from portal.documents import service as documents
from portal.documents.models import Scan, StoredFile
from portal.identity.policy import system_actor

_ACTOR: Final = system_actor("scan_file")
_LONGEST_NAME: Final = 200
REFUSED: Final = N_("The virus check has refused this file. Nothing has been read from it.")

Listener = Callable[[Session, StoredFile], None]
_listeners: list[Listener] = []


def when_refused(listener: Listener) -> Listener:
    """Let a room know, in the transaction of the refusal, that a file which it may refer to is refused."""
    if listener not in _listeners:
        _listeners.append(listener)
    return listener


def scan(session: Session, file_id: UUID) -> Scan:
    """Scan a file that has no answer yet; of an infected one the row stays, with what was found.

    Raises :class:`portal.documents.clamd.ScanFailed` when the scanner gives no answer, and
    ``FileNotFoundError`` when the store has lost the file.
    """
    file = session.get_one(StoredFile, file_id, with_for_update=True)
    if file.scan not in (Scan.UNSCANNED, Scan.PENDING) or not clamd.configured():
        return Scan(file.scan)
    if file.encrypted and file.content_key is None:
        return Scan(file.scan)  # sealed: whoever opens it has it scanned
    found = clamd.scan(documents.chunks(file))
    file.scanned_at = now(session)
    if found is None:
        file.scan = Scan.CLEAN
        session.flush()
        return Scan.CLEAN
    file.scan, file.scan_note = Scan.REFUSED, found[:_LONGEST_NAME] or "?"
    session.flush()
    objects.delete_later(session, [file.key])
    facts = {"found": file.scan_note} | ({} if file.encrypted else {"name": file.name, "sha256": file.sha256})
    audit.record(session, _ACTOR, "documents:file:refuse", "stored_file", file.id, facts)
    for listener in _listeners:
        listener(session, file)
    return Scan.REFUSED


def require_clean(content: bytes) -> None:
    """Scan what is read at once and not kept, such as a table that is imported; nothing where no scanner is set up.

    Raises :class:`Problems` on ``file`` for an infected one, and when the scanner gives no answer.
    """
    if not clamd.configured():
        return
    try:
        found = clamd.scan([content])
    except clamd.ScanFailed:
        message = N_("The file cannot be checked for viruses at the moment. Try again in a few minutes.")
        raise Problems.one("not_scanned", "file", message) from None
    if found is not None:
        raise Problems.one("infected", "file", REFUSED)


def scan_later(session: Session) -> int:
    """Write down the scan of every file that came while there was no scanner. Returns how many."""
    waiting = select(StoredFile.id).where(StoredFile.scan == Scan.UNSCANNED).order_by(StoredFile.id)
    written = 0
    for file_id in session.scalars(waiting):
        key = f"scan_file:{file_id}"
        written += jobs.enqueue(session, "scan_file", {"file_id": str(file_id)}, key=key) is not None
    return written
