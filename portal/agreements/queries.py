"""Reading agreements: the list, one with its money and postings, what waits for one, and the schedule of payments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, selectinload

import portal.agreements.policy  # noqa: F401 - registers the rules of agreements
from portal.agreements.models import (
    Agreement,
    AgreementChange,
    AgreementState,
    Recovery,
    Tranche,
)
from portal.agreements.service import SUBJECT
from portal.applications.models import Application, State
from portal.awards.chain import superseded
from portal.awards.models import Award, AwardDecision, DecisionLine
from portal.budget.models import Posting
from portal.core.errors import NotFound
from portal.core.money import ZERO
from portal.identity.models import Organisation, User
from portal.identity.policy import Actor, Permission, authorize, scope
from portal.tenders.models import Tender

SIGNED = (AgreementState.SIGNED, AgreementState.ENDED)
OPEN_TRANCHE = and_(Tranche.paid_on.is_(None), Tranche.released < Tranche.planned)


@dataclass(frozen=True, slots=True)
class Filters:
    """What narrows the list; ``words`` is the beginning of a number, ``overdue`` asks for late tranches."""

    tender_id: UUID | None = None
    track: str = ""
    state: str = ""
    words: str = ""
    overdue: bool = False

    def conditions(self, today: date) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = [Agreement.state != AgreementState.DISCARDED]
        if self.state in set(AgreementState):
            found = [Agreement.state == self.state]
        if self.tender_id:
            found.append(Application.tender_id == self.tender_id)
        if self.track:
            found.append(Application.track == self.track)
        if self.words.strip():
            start = self.words.strip()[:60].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
            found.append(or_(Agreement.number.ilike(start), Application.number.ilike(start)))
        if self.overdue:
            late = exists().where(Tranche.agreement_id == Agreement.id, OPEN_TRANCHE, Tranche.planned_on < today)
            found.append(and_(Agreement.state == AgreementState.SIGNED, late))
        return found


@dataclass(frozen=True, slots=True)
class Listed:
    """An agreement in the list; sums in roubles, ``next_on`` is the day of the next open tranche."""

    agreement: Agreement
    application: Application
    tender: Tender
    amount: Decimal
    paid: Decimal
    next_on: date | None


def listed(actor: Actor, filters: Filters, today: date) -> Select[Any]:
    """Rows of :class:`Listed`; page by (Agreement.created_at, Agreement.id)."""
    mine = Tranche.agreement_id == Agreement.id

    def of(value: Any, *conditions: Any) -> Any:
        return select(value).where(mine, *conditions).scalar_subquery()

    return (
        scope(actor, Agreement)
        .join(Agreement.line)
        .join(DecisionLine.application)
        .join(Tender, Tender.id == Application.tender_id)
        .where(*filters.conditions(today))
        .options(joinedload(Agreement.organisation, innerjoin=True))
        .add_columns(
            Application,
            Tender,
            of(func.coalesce(func.sum(Tranche.planned - Tranche.released), ZERO)),
            of(func.coalesce(func.sum(Tranche.planned - Tranche.released), ZERO), Tranche.paid_on.is_not(None)),
            of(func.min(Tranche.planned_on), OPEN_TRANCHE),
        )
    )


def waiting(actor: Actor) -> Select[Any]:
    """Awards that are booked and have no agreement: (line, application, sum); page by (approved_at, line id)."""
    live = exists().where(Agreement.line_id == DecisionLine.id, Agreement.state != AgreementState.DISCARDED)
    decisions = scope(actor, AwardDecision).with_only_columns(AwardDecision.id)
    return (
        select(DecisionLine)
        .join(DecisionLine.application)
        .join(DecisionLine.decision)
        .options(
            contains_eager(DecisionLine.application).joinedload(Application.initiator, innerjoin=True),
            selectinload(DecisionLine.amounts),
        )
        .where(
            ~superseded(signed=True),
            DecisionLine.outcome == Award.AWARD,
            DecisionLine.approved_at.is_not(None),
            DecisionLine.decision_id.in_(decisions),
            Application.state == State.AWARDED,
            ~superseded(),
            ~live,
        )
    )


def waiting_count(session: Session, actor: Actor) -> int:
    """How many awards wait for their agreement."""
    return session.scalar(select(func.count()).select_from(waiting(actor).subquery())) or 0


@dataclass(frozen=True, slots=True)
class View:
    """An agreement with all that its page shows. ``people``: names of those who drafted and signed."""

    agreement: Agreement
    application: Application
    tender: Tender
    awarded: Mapping[int, Decimal]
    changes: Sequence[AgreementChange]
    people: Mapping[UUID, str]

    @property
    def amount(self) -> Decimal:
        """What is to be paid in all, roubles."""
        return sum((tranche.amount for tranche in self.agreement.tranches), ZERO)

    @property
    def paid(self) -> Decimal:
        return sum((each.amount for each in self.agreement.tranches if each.state == "paid"), ZERO)

    @property
    def open(self) -> Decimal:
        return sum((each.amount for each in self.agreement.tranches if each.state == "open"), ZERO)

    @property
    def recoveries(self) -> list[Recovery]:
        return [recovery for tranche in self.agreement.tranches for recovery in tranche.recoveries]

    @property
    def demanded(self) -> Decimal:
        return sum((recovery.amount for recovery in self.recoveries), ZERO)

    @property
    def returned(self) -> Decimal:
        return sum((recovery.returned for recovery in self.recoveries), ZERO)

    def next_open(self) -> Tranche | None:
        """The open tranche that is planned first."""
        found = [tranche for tranche in self.agreement.tranches if tranche.state == "open"]
        return min(found, key=lambda tranche: (tranche.planned_on, tranche.place), default=None)


def view(session: Session, actor: Actor, agreement_id: UUID) -> View:
    """One agreement; NotFound through the scope. Six statements, whatever it holds."""
    return _view(session, scope(actor, Agreement).where(Agreement.id == agreement_id))


def of_application(session: Session, actor: Actor, application_id: UUID) -> View:
    """The agreement on an application that the reader may see; NotFound without one."""
    wanted = (
        scope(actor, Agreement)
        .join(Agreement.line)
        .where(DecisionLine.application_id == application_id, Agreement.state != AgreementState.DISCARDED)
    )
    return _view(session, wanted)


def on_application(session: Session, actor: Actor, application_id: UUID) -> tuple[bool, bool]:
    """Whether the agreement on an application is signed, or was, which all who take part may know, and whether the
    reader may open its page.
    """
    about = DecisionLine.application_id == application_id
    signed = select(Agreement.id).join(Agreement.line).where(about, Agreement.state.in_(SIGNED))
    readable = (
        scope(actor, Agreement)
        .join(Agreement.line)
        .where(about, Agreement.state != AgreementState.DISCARDED)
        .with_only_columns(Agreement.id)
    )
    return session.execute(select(signed.exists(), readable.exists())).one()


@dataclass(frozen=True, slots=True)
class Held:
    """What money of the ledger is held for: the award of an application, the decision that gave it, and its agreement
    where there is one (``signed_at``: None while it is written)."""

    number: str
    tender_track_id: UUID
    decision_id: UUID
    agreement_id: UUID | None
    signed_at: datetime | None


def held_for(session: Session, line_ids: Sequence[UUID]) -> dict[UUID, Held]:
    """Decision line -> what a posting about it leads to; one statement. The caller authorises."""
    if not line_ids:
        return {}
    live = and_(Agreement.line_id == DecisionLine.id, Agreement.state != AgreementState.DISCARDED)
    rows = session.execute(
        select(
            DecisionLine.id,
            Application.number,
            Application.tender_track_id,
            DecisionLine.decision_id,
            Agreement.id,
            Agreement.signed_at,
        )
        .join(Application, Application.id == DecisionLine.application_id)
        .outerjoin(Agreement, live)
        .where(DecisionLine.id.in_(line_ids))
    )
    return {
        key: Held(number or "", track, decision, agreement, signed)
        for key, number, track, decision, agreement, signed in rows
    }


def lines_of(session: Session, number: str) -> list[UUID]:
    """The awards of the application, or of the agreement, with exactly this number. The caller authorises."""
    named = exists().where(Agreement.line_id == DecisionLine.id, Agreement.number == number)
    rows = session.scalars(
        select(DecisionLine.id)
        .join(Application, Application.id == DecisionLine.application_id)
        .where(or_(Application.number == number.upper(), named))
    )
    return list(rows)


def postings(session: Session, actor: Actor, line_id: UUID) -> list[Posting]:
    """All that the ledger has booked for an award, newest first, with the lines."""
    wanted = (
        scope(actor, Posting)
        .where(Posting.subject_type == SUBJECT, Posting.subject_id == line_id)
        .options(selectinload(Posting.lines))
        .order_by(Posting.number.desc())
    )
    return list(session.scalars(wanted))


def _view(session: Session, wanted: Select[Any]) -> View:
    drafter, signer = aliased(User), aliased(User)
    line = joinedload(Agreement.line, innerjoin=True)
    application = line.joinedload(DecisionLine.application, innerjoin=True)
    found = session.execute(
        wanted.outerjoin(drafter, drafter.id == Agreement.drafted_by)
        .outerjoin(signer, signer.id == Agreement.signed_by)
        .add_columns(*(func.coalesce(func.nullif(who.full_name, ""), who.email) for who in (drafter, signer)))
        .options(
            # A tranche is hardly ever asked back twice, so one statement carries all three.
            selectinload(Agreement.tranches).joinedload(Tranche.recoveries).joinedload(Recovery.receipts),
            selectinload(Agreement.results),
            selectinload(Agreement.dues),
            joinedload(Agreement.organisation, innerjoin=True),
            line.selectinload(DecisionLine.amounts),
            line.joinedload(DecisionLine.decision, innerjoin=True),
            application.joinedload(Application.cluster, innerjoin=True),
            application.joinedload(Application.tender, innerjoin=True),
        )
    ).one_or_none()
    if found is None:
        raise NotFound
    row, *names = found
    changes = session.scalars(
        select(AgreementChange).where(AgreementChange.agreement_id == row.id).order_by(AgreementChange.id)
    ).all()
    people = {key: name for key, name in zip((row.drafted_by, row.signed_by), names, strict=True) if key is not None}
    given = {amount.year: amount.amount for amount in row.line.amounts}
    return View(row, row.line.application, row.line.application.tender, given, changes, people)


@dataclass(frozen=True, slots=True)
class Payment:
    """A tranche of a signed agreement as the forecast reads it; roubles."""

    tranche_id: UUID
    agreement_id: UUID
    number: str
    application: str
    organisation_ru: str
    organisation_en: str
    track: str
    year: int
    planned_on: date
    paid_on: date | None
    amount: Decimal


def payments(
    programme_id: UUID, *, track: str = "", year: int | None = None, first: date | None = None, last: date | None = None
) -> Select[*tuple[Any, ...]]:
    """Columns of :class:`Payment` for the tranches of signed and ended agreements that are paid or open.

    Narrowed by the planned day (both ends included). The caller authorises.
    """
    wanted: Select[*tuple[Any, ...]] = (
        select(
            Tranche.id,
            Agreement.id,
            Agreement.number,
            Application.number,
            Organisation.name_ru,
            Organisation.name_en,
            Application.track,
            Tranche.year,
            Tranche.planned_on,
            Tranche.paid_on,
            (Tranche.planned - Tranche.released).label("amount"),
        )
        .join(Agreement, Agreement.id == Tranche.agreement_id)
        .join(Organisation, Organisation.id == Agreement.organisation_id)
        .join(DecisionLine, DecisionLine.id == Agreement.line_id)
        .join(Application, Application.id == DecisionLine.application_id)
        .join(Tender, Tender.id == Application.tender_id)
        .where(
            Tender.programme_id == programme_id,
            Agreement.state.in_(SIGNED),
            Tranche.released < Tranche.planned,
        )
    )
    if track:
        wanted = wanted.where(Application.track == track)
    if year is not None:
        wanted = wanted.where(Tranche.year == year)
    if first is not None:
        wanted = wanted.where(Tranche.planned_on >= first)
    if last is not None:
        wanted = wanted.where(Tranche.planned_on <= last)
    return wanted


@dataclass(frozen=True, slots=True)
class Month:
    """The schedule of a month, roubles: paid, still planned, and overdue (planned before today, not paid)."""

    year: int
    month: int
    paid: Decimal
    planned: Decimal
    overdue: Decimal

    @property
    def total(self) -> Decimal:
        return self.paid + self.planned + self.overdue


def forecast(session: Session, actor: Actor, programme_id: UUID, today: date) -> list[Month]:
    """The months of the schedules of all agreements of a programme, in order; one statement."""
    authorize(actor, Permission.AGREEMENT_VIEW)
    rows = payments(programme_id).subquery()
    month = func.date_trunc("month", rows.c.planned_on)
    amount = func.coalesce(func.sum(rows.c.amount).filter(rows.c.paid_on.is_not(None)), ZERO)
    is_open = rows.c.paid_on.is_(None)
    found = session.execute(
        select(
            month,
            amount,
            func.coalesce(func.sum(rows.c.amount).filter(is_open, rows.c.planned_on >= today), ZERO),
            func.coalesce(func.sum(rows.c.amount).filter(is_open, rows.c.planned_on < today), ZERO),
        )
        .group_by(month)
        .order_by(month)
    )
    return [Month(at.year, at.month, paid, planned, overdue) for at, paid, planned, overdue in found]
