"""Background work of this room: the scan of a file, and the sweep of uploads that nobody continues."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from portal.core.jobs import Claim, handler
from portal.documents import scanning, uploads


@handler("scan_file")
def scan_file(session: Session, payload: dict[str, Any], claim: Claim) -> None:
    """Ask the scanner; while it is away the task is tried again, and is parked in the end for the administrator."""
    scanning.scan(session, UUID(payload["file_id"]))


@handler("sweep_uploads")
def sweep_uploads(session: Session, payload: dict[str, Any], claim: Claim) -> None:
    """Forget the uploads that have stood still for a day."""
    uploads.sweep(session)
