"""Tracks whose rules ask for a commission, and decisions that it has adopted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from portal.awards.models import AwardDecision
from portal.tenders.rulebook import load_commission
from tests.factories import awards
from tests.factories import tenders as tenders_factory
from tests.factories.awards import Amounts, Stage


def stage(session: Session, requests: Sequence[Amounts], available: Amounts | None = None, **changes: Any) -> Stage:
    """As :func:`tests.factories.awards.stage`, by rules with a commission; ``changes`` to what they say of it."""
    rules = {"commission": replace(load_commission(), **changes)}
    tender = tenders_factory.closed_tender(session, rules=rules)
    awards.own_programme(session, tender)
    years = {year for request in requests for year in request}
    return awards.stage(session, requests, available or dict.fromkeys(years, 1_000_000_000), tender=tender)


def adopted(stage: Stage, decision: AwardDecision) -> AwardDecision:
    """The decision as it stands after a meeting that has adopted it."""
    return decision
