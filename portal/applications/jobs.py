"""Background work of this room: what waits for a membership goes on when it is confirmed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from portal.applications import prospects
from portal.core.jobs import Claim, handler


@handler("membership_confirmed")
def membership_confirmed(session: Session, payload: dict[str, Any], claim: Claim) -> None:
    """New members of a cluster: invitations that waited for them are sent."""
    prospects.follow(session, cluster_id=UUID(payload["cluster_id"]))
