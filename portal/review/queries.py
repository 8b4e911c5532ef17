"""Reading reviews."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.review.models import Assignment, AssignmentState, Mark


def expert_marks(
    session: Session, submission_ids: Sequence[UUID]
) -> dict[UUID, list[dict[str, dict[str, Decimal]]]]:
    """The submitted reviews of submissions: per review, criterion -> aspect -> 0..10; one query."""
    rows = session.execute(
        select(Assignment.submission_id, Assignment.id, Mark.criterion, Mark.aspect, Mark.score)
        .join(Mark, Mark.assignment_id == Assignment.id)
        .where(Assignment.submission_id.in_(submission_ids), Assignment.state == AssignmentState.SUBMITTED)
        .order_by(Assignment.id)
    )
    reviews: dict[UUID, dict[UUID, dict[str, dict[str, Decimal]]]] = defaultdict(dict)
    for submission_id, assignment_id, criterion, aspect, score in rows:
        reviews[submission_id].setdefault(assignment_id, {}).setdefault(criterion, {})[aspect] = score
    return {submission_id: list(given.values()) for submission_id, given in reviews.items()}
