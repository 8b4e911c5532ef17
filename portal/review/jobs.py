"""Background work of the review."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from portal.core import jobs
from portal.review import similar


@jobs.handler("find_similar")
def find_similar(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> None:
    """Compare a submission with those it may be like, as it arrives."""
    similar.find(session, UUID(payload["submission_id"]))
