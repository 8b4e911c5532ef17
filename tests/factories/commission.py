"""Tracks whose rules ask for a commission, meetings with people in them, and decisions that they have adopted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from portal.awards.commission import meetings, sitting
from portal.awards.commission.meetings import MeetingValues, Question
from portal.awards.commission.models import AgendaItem, ItemKind, Meeting
from portal.awards.models import AwardDecision
from portal.core.clock import now
from portal.identity.models import Role
from portal.identity.policy import Actor
from portal.tenders.rulebook import load_commission
from tests.factories import awards
from tests.factories import tenders as tenders_factory
from tests.factories.awards import Amounts, Stage


@dataclass
class Commission:
    """An open meeting with everybody present."""

    session: Session
    meeting: Meeting
    chair: Actor
    secretary: Actor
    members: list[Actor]

    @property
    def everybody(self) -> list[Actor]:
        return [self.chair, *self.members]

    def item(self, decision: AwardDecision | None = None, title: str = "Plan of the next tender") -> AgendaItem:
        """A question on the agenda: a list, or one in words."""
        question = Question(ItemKind.OTHER, title=title)
        if decision is not None:
            question = Question(ItemKind.DECISION, decision_id=decision.id)
        return meetings.add_item(self.session, self.secretary, self.meeting.id, question)

    def vote(self, item: AgendaItem, *choices: str) -> AgendaItem:
        """Put a question to the vote and let chair and members choose, in their order; "" stays away."""
        sitting.open_item(self.session, self.secretary, item.id)
        for person, choice in zip(self.everybody, choices, strict=True):
            if choice:
                sitting.vote(self.session, person, item.id, choice=choice)
        return sitting.close_item(self.session, self.secretary, item.id)


def stage(session: Session, requests: Sequence[Amounts], available: Amounts | None = None, **changes: Any) -> Stage:
    """As :func:`tests.factories.awards.stage`, by rules with a commission; ``changes`` to what they say of it."""
    rules = {"commission": replace(load_commission(), **changes)}
    tender = tenders_factory.closed_tender(session, rules=rules)
    awards.own_programme(session, tender)
    years = {year for request in requests for year in request}
    return awards.stage(session, requests, available or dict.fromkeys(years, 1_000_000_000), tender=tender)


def sitting_of(stage: Stage, members: int = 2) -> Commission:
    """A meeting over the stage's tender that is open, with everybody present; chair and officer are the stage's."""
    session = stage.session
    people = [awards.person(session, Role.COMMISSION, f"Demo Seat {number}") for number in range(1, members + 1)]
    values = MeetingValues(
        starts_at=now(session) + timedelta(days=1),
        place="Demo Hall",
        chair_id=stage.chair.user_id,
        secretary_id=stage.officer.user_id,
        members=[person.user_id for person in people if person.user_id],
    )
    meeting = meetings.plan(session, stage.officer, stage.tender.id, values)
    sitting.open_meeting(session, stage.officer, meeting.id)
    made = Commission(session, meeting, stage.chair, stage.officer, people)
    for person in made.everybody:
        assert person.user_id is not None
        sitting.attend(session, stage.officer, meeting.id, person.user_id, present=True)
    return made


def adopted(stage: Stage, decision: AwardDecision) -> AwardDecision:
    """The decision as it stands after a meeting that has adopted it."""
    commission = sitting_of(stage)
    commission.vote(commission.item(decision), "yes", "yes", "yes")
    return decision
