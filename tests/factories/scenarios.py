"""A track whose applications have whole sheets: the same points in every criterion, falling by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Submission
from portal.awards.scenarios.outcome import weigh
from portal.core.clock import now
from portal.identity.policy import Actor
from portal.review.conflict_models import ConflictRow, Strength
from portal.scoring.models import Score
from portal.scoring.queries import rules_of
from tests.factories import awards
from tests.factories.awards import Amounts, Stage


def stage(session: Session, requests: Sequence[Amounts], available: Amounts) -> Stage:
    """As :func:`tests.factories.awards.stage`: the first has 9 points everywhere, further ones less; the second has 10
    in the second criterion and 7 in the first, so that ten points of weight decide between them."""
    held = awards.stage(session, requests, available)
    rules = rules_of(session, held.track.id)
    first, second = (each.code for each in rules.criteria[:2])
    for place in range(len(requests)):
        points = dict.fromkeys((each.code for each in rules.criteria), Decimal(9) - Decimal(place) / 4)
        if place == 1:
            points = dict.fromkeys(points, Decimal("8.875")) | {first: Decimal(7), second: Decimal(10)}
        weighted = {each.code: weigh(each.weight, points[each.code]) for each in rules.criteria}
        score = session.scalars(
            select(Score)
            .join(Submission, Submission.id == Score.submission_id)
            .where(Submission.application_id == held.applications[place])
        ).one()
        score.total = sum(weighted.values(), Decimal(0))
        score.sheet = sheet(points, weighted, score.total, rules.threshold)
        score.digest = f"{place:064}"
    session.flush()
    session.expire_all()
    return held


def sheet(
    points: Mapping[str, Decimal], weighted: Mapping[str, Decimal], total: Decimal, least: Decimal
) -> dict[str, object]:
    return {
        "format": 2,
        "lines": [{"code": code, "points": str(points[code]), "weighted": str(weighted[code])} for code in points],
        "objective_total": str(total),
        "max_objective": "100",
        "expert_total": "0",
        "total": str(total),
        "gates": [
            {"code": "eligibility", "passed": True, "why": {"said": "rules_hold"}},
            {
                "code": "threshold",
                "passed": True,
                "why": {"said": "total_reached", "total": str(total), "least": str(least)},
            },
        ],
        "recommended": True,
    }


def barred(held: Stage, actor: Actor) -> None:
    """A hard conflict of the person with the last application of the track."""
    assert actor.user_id is not None
    held.session.add(
        ConflictRow(
            user_id=actor.user_id,
            application_id=held.applications[-1],
            strength=Strength.HARD,
            paths=[],
            digest="0" * 64,
            computed_at=now(held.session),
        )
    )
    held.session.flush()
