"""Limits over both tracks of a tender: one allocation, two lists that take effect and become public together."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.awards import queries, service
from portal.awards.allocation import computing as allocating
from portal.awards.models import AwardDecision
from portal.core.errors import Conflict, Problems
from portal.core.jobs import Task
from portal.tenders.models import Track
from tests.factories import awards
from tests.factories import tenders as tenders_factory
from tests.factories.awards import Stage, limited, ruled

REGION = {
    "code": "L1",
    "title": {"ru": "Проектов одного региона", "en": "Projects of one region"},
    "field": "region",
    "value": "*",
    "least": None,
    "most": "3",
    "unit": "projects",
}


def pair(session: Session, limits: list[dict[str, Any]], **rules: Any) -> tuple[Stage, Stage]:
    """A tender with two projects of import substitution and two of export, all of which fit into the money."""
    tender = tenders_factory.closed_tender(session, tracks=(Track.IMPORT_SUBSTITUTION, Track.EXPORT))
    awards.own_programme(session, tender)
    imports = awards.stage(session, [{2018: 30}, {2018: 20}], {2018: 90}, tender=tender)
    exports = awards.stage(session, [{2019: 30}, {2019: 20}], {2019: 90}, tender=tender, track=Track.EXPORT)
    limited(session, tender, limits)
    if rules:
        ruled(imports, **rules)
        ruled(exports, **rules)
    return imports, exports


def outcomes(stage: Stage, decision: AwardDecision) -> list[str]:
    return [row.line.outcome for row in queries.decision_view(stage.session, stage.chair, decision.id).rows]


def drafted(stage: Stage) -> AwardDecision:
    return service.draft(stage.session, stage.chair, stage.track.id)


def test_both_lists_are_parts_of_one_walk_over_both_tracks(session: Session) -> None:
    """By place, export before import substitution: the second of import substitution is the fourth of its region."""
    imports, exports = pair(session, [REGION])
    listed = drafted(imports)
    assert outcomes(imports, listed) == ["award", "reserve"]
    assert outcomes(exports, drafted(exports)) == ["award", "award"]
    rows = queries.decision_view(session, imports.chair, listed.id).rows
    assert rows[1].line.reason["en"] == "Passed over by the limit “Projects of one region”: no more than 3."
