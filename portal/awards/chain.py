"""Which lines of decisions still stand: a later decision on a track replaces those that it decides anew."""

from __future__ import annotations

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import aliased

from portal.awards.models import AwardDecision, DecisionLine


def superseded(*, signed: bool = False) -> ColumnElement[bool]:
    """Whether a later published (or ``signed``: a later signed) decision decides the application of a line anew.

    For a statement over :class:`DecisionLine` joined to its :class:`AwardDecision`.
    """
    line, later = aliased(DecisionLine), aliased(AwardDecision)
    took_effect = later.signed_at if signed else later.published_at
    return (
        select(line.id)
        .join(later, later.id == line.decision_id)
        .where(
            line.application_id == DecisionLine.application_id,
            took_effect.is_not(None),
            later.number > AwardDecision.number,
        )
        .correlate(DecisionLine, AwardDecision)
        .exists()
    )
