"""Reading pairs of projects that are alike, in a fixed number of statements."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import Session, aliased, contains_eager

from portal.applications.models import Application
from portal.identity.models import Organisation
from portal.review.models import ProjectTrace, SimilarPair
from portal.review.similar import TAKEN_BACK
from portal.tenders.models import Tender


def select_pairs(*where: ColumnElement[bool]) -> Select[tuple[SimilarPair]]:
    """Pairs of which neither side was taken back, with both applications, their tenders and initiators."""
    statement: Select[Any] = select(SimilarPair)
    options = []
    for side, key in ((SimilarPair.first, SimilarPair.first_id), (SimilarPair.second, SimilarPair.second_id)):
        application, tender, initiator = aliased(Application), aliased(Tender), aliased(Organisation)
        statement = (
            statement.join(application, application.id == key)
            .join(tender, tender.id == application.tender_id)
            .join(initiator, initiator.id == application.initiator_id)
            .where(application.state.not_in(TAKEN_BACK))
        )
        options += [
            contains_eager(side.of_type(application)).contains_eager(application.tender.of_type(tender)),
            contains_eager(side.of_type(application)).contains_eager(application.initiator.of_type(initiator)),
        ]
    return statement.where(*where).options(*options)


def undecided() -> ColumnElement[bool]:
    return SimilarPair.verdict.is_(None)


def pairs_of(session: Session, application_id: UUID) -> list[SimilarPair]:
    """The pairs of one application, the most alike first."""
    mine = or_(SimilarPair.first_id == application_id, SimilarPair.second_id == application_id)
    wanted = select_pairs(mine).order_by(SimilarPair.score.desc(), SimilarPair.id.desc()).limit(50)
    return list(session.scalars(wanted))


def open_of(session: Session, application_id: UUID) -> int:
    """How many pairs of one application wait for a decision."""
    mine = or_(SimilarPair.first_id == application_id, SimilarPair.second_id == application_id)
    return session.scalar(select(func.count()).select_from(open_pairs().where(mine).subquery())) or 0


def open_pairs() -> Select[Any]:
    """The pairs that wait for a decision: rows to count."""
    first, second = aliased(Application), aliased(Application)
    return (
        select(SimilarPair.id)
        .join(first, first.id == SimilarPair.first_id)
        .join(second, second.id == SimilarPair.second_id)
        .where(undecided(), first.state.not_in(TAKEN_BACK), second.state.not_in(TAKEN_BACK))
    )


def compared(session: Session, application_id: UUID) -> int | None:
    """With how many projects an application was compared; None while it was not yet."""
    return session.scalar(select(ProjectTrace.compared).where(ProjectTrace.application_id == application_id))
