"""Awards that are booked and published, and agreements on them, made through the verbs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.agreements import service as agreements
from portal.agreements.models import Agreement, DueKind, Tranche
from portal.agreements.rules import Draft, DueValues, ResultValues, TrancheValues
from portal.awards import service as decisions
from portal.awards.models import DecisionLine
from portal.identity.models import Membership, OrgRole, Role, User
from portal.identity.policy import Actor
from tests.factories import awards, identity
from tests.factories.awards import Amounts, Stage

SIGNED_ON = date(2018, 12, 3)


@dataclass
class Agreed:
    """A published decision with its winners' lines, and the people who deal with agreements."""

    stage: Stage
    lines: list[UUID]
    officer: Actor
    director: Actor
    finance: Actor

    @property
    def session(self) -> Session:
        return self.stage.session

    def recipient(self, place: int = 0) -> User:
        """A person of the initiator behind a line."""
        person = identity.user(self.session)
        organisation = self.stage.application(place).initiator_id
        self.session.add(Membership(user_id=person.id, organisation_id=organisation, role=OrgRole.OWNER))
        self.session.flush()
        return person


def awarded(session: Session, requests: Sequence[Amounts], available: Amounts | None = None) -> Agreed:
    """Everyone who asked is awarded, booked and published; the envelopes hold the requests and as much again."""
    years = {year for request in requests for year in request}
    held = available or {year: 2 * sum(Decimal(request.get(year, 0)) for request in requests) for year in years}
    stage = awards.stage(session, requests, held)
    decision = decisions.draft(session, stage.chair, stage.track.id)
    decisions.sign(session, stage.member, decision.id)
    decisions.publish(session, stage.officer, decision.id)
    lines = session.scalars(
        select(DecisionLine.id).where(DecisionLine.decision_id == decision.id).order_by(DecisionLine.place)
    ).all()
    return Agreed(
        stage,
        list(lines),
        stage.officer,
        awards.person(session, Role.DIRECTOR, "Demo Director"),
        awards.person(session, Role.FINANCE, "Demo Finance"),
    )


def written(tranches: Sequence[tuple[date, Decimal | int]]) -> Draft:
    """A complete draft with these tranches."""
    return Draft(
        "Demo Director",
        "Demo Recipient",
        [TrancheValues(day, Decimal(amount), "Documents") for day, amount in tranches],
        [ResultValues("New jobs", "12", date(2020, 12, 31))],
        [DueValues(DueKind.REPORT, "Report", date(2019, 7, 20))],
    )


def signed(
    agreed: Agreed, tranches: Sequence[tuple[date, Decimal | int]], *, place: int = 0, number: str = "1"
) -> Agreement:
    """A signed agreement on the line of ``place``."""
    session = agreed.session
    row = agreements.start(session, agreed.officer, agreed.lines[place])
    agreements.save(session, agreed.officer, row.id, draft=written(tranches))
    return agreements.sign(session, agreed.director, row.id, number=number, signed_on=SIGNED_ON)


def tranches(session: Session, row: Agreement) -> list[Tranche]:
    """The tranches of an agreement as they are now."""
    session.flush()
    return list(
        session.scalars(
            select(Tranche)
            .where(Tranche.agreement_id == row.id)
            .order_by(Tranche.place)
            .execution_options(populate_existing=True)
        )
    )
