"""Background work of this room: the treasury's tables are read and booked."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from portal.agreements import treasury_work
from portal.core import jobs


@jobs.handler(treasury_work.KIND)
def work_for_treasury(session: Session, payload: dict[str, Any], claim: jobs.Claim) -> jobs.Progress:
    """A step of reading a table of payments, or of booking one."""
    return treasury_work.step(session, UUID(payload["work_id"]))
