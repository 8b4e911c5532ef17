"""The agreements with the winners of 2016: signed, paid by tranches, one made smaller, one with money asked back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select

from portal.agreements import payments
from portal.agreements import service as agreements
from portal.agreements.models import DueKind, Recovery, Tranche
from portal.agreements.rules import Draft, DueValues, ResultValues, TrancheValues
from portal.awards.chain import superseded
from portal.awards.models import Award, AwardAmount, DecisionLine
from portal.budget import alarms as budget_alarms
from portal.core.clock import MOSCOW
from portal.core.money import floor_rub
from portal.demo.moments import moment, moscow, work
from portal.demo.people import People
from portal.tenders.models import Tender, TenderTrack

FUND: Final = "Демо-директор департамента"
RECIPIENT: Final = "Демо-руководитель организации"
ACTS: Final = "Документы о затратах за период и акты приёмки"
SHARES: Final = (Decimal("0.4"), Decimal("0.6"))
"""Parts of a year's money: in advance of the half-year, and after it."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """An agreement of the demo with its tranches by place."""

    id: UUID
    tranches: Sequence[UUID]
    days: Sequence[date]


def begin(people: People) -> list[_Signed]:
    """Drafts and signatures of December 2016, and the tranches of that year."""
    signed = [_sign(people, line_id, place) for place, line_id in enumerate(_winners())]
    for number, (day, agreement, at) in enumerate(_schedule(signed), start=1):
        if day.year == 2016:
            _pay(people, agreement.tranches[at], day, number)
    return signed


def go_on(people: People, signed: Sequence[_Signed]) -> None:
    """What was paid in 2017, what was not, and what came back in 2018, in the order of time."""
    first, second, third = signed[:3]
    for number, (day, agreement, at) in enumerate(_schedule(signed), start=1):
        last = at == len(agreement.days) - 1
        if day.year == 2016:
            continue
        if last and agreement is second:
            _shrink(people, second)
        if last and agreement is third:
            continue  # the last tranche waits for its documents
        _pay(people, agreement.tranches[at], day, number)
    _receive(people, first)
    work(moscow(2018, 4, 20, 12))


def alarms(people: People, programme_id: UUID) -> None:
    """Thresholds of the administrator: a fifth of any envelope, and a twentieth."""
    with moment(datetime.now(MOSCOW) - timedelta(hours=3)) as session:
        for share in (Decimal(20), Decimal(5)):
            budget_alarms.set_alarm(session, people.actor(session, "admin"), programme_id=programme_id, share=share)


def _schedule(signed: Sequence[_Signed]) -> list[tuple[date, _Signed, int]]:
    """All tranches by their days."""
    every = ((day, agreement, at) for agreement in signed for at, day in enumerate(agreement.days))
    return sorted(every, key=lambda each: (each[0], each[1].id))


def _winners() -> list[UUID]:
    with moment(moscow(2016, 11, 28)) as session:
        return list(
            session.scalars(
                select(DecisionLine.id)
                .join(DecisionLine.decision)
                .join(TenderTrack)
                .join(Tender)
                .where(Tender.code == "2016", DecisionLine.outcome == Award.AWARD, ~superseded())
                .order_by(DecisionLine.place)
            )
        )


def _sign(people: People, line_id: UUID, place: int) -> _Signed:
    with moment(moscow(2016, 11, 28, 11, 10 * place)) as session:
        row = agreements.start(session, people.actor(session, "officer"), line_id)
        given = session.execute(
            select(AwardAmount.year, AwardAmount.amount)
            .where(AwardAmount.line_id == line_id)
            .order_by(AwardAmount.year)
        ).all()
        draft = Draft(
            FUND,
            RECIPIENT,
            [tranche for year, amount in given for tranche in _tranches(year, amount)],
            [
                ResultValues("Новые высокопроизводительные рабочие места", f"{24 + 6 * place} ед.", date(2018, 12, 31)),
                ResultValues("Выручка от продажи продукции проекта", f"{180 + 45 * place} млн ₽", date(2018, 12, 31)),
            ],
            [
                DueValues(DueKind.REPORT, "Отчёт о результатах и расходах", date(2017, 7, 20)),
                DueValues(DueKind.EVIDENCE, "Акты ввода оборудования", date(2017, 11, 30)),
                DueValues(DueKind.REPORT, "Отчёт о результатах и расходах", date(2018, 1, 20)),
            ],
        )
        agreements.save(session, people.actor(session, "officer"), row.id, draft=draft)
        key = row.id
    with moment(moscow(2016, 12, 5, 15, 10 * place)) as session:
        row = agreements.sign(
            session,
            people.actor(session, "director"),
            key,
            number=f"ДЕМО-С-2016-{place + 1}",
            signed_on=date(2016, 12, 5),
        )
        found = session.execute(
            select(Tranche.id, Tranche.planned_on).where(Tranche.agreement_id == key).order_by(Tranche.place)
        ).all()
        dues = [due.id for due in row.dues]
    _note(people, dues[:2] if place else dues)
    return _Signed(key, [each.id for each in found], [each.planned_on for each in found])


def _tranches(year: int, amount: Decimal) -> list[TrancheValues]:
    """2016 is paid at once, before the year ends; later years in two parts."""
    if year == 2016:
        return [TrancheValues(date(year, 12, 15), amount, "Соглашение подписано")]
    advance = floor_rub(amount * SHARES[0])
    return [
        TrancheValues(date(year, 6, 30), advance, ACTS),
        TrancheValues(date(year, 12, 15), amount - advance, ACTS),
    ]


def _note(people: People, dues: Sequence[UUID]) -> None:
    for at, key in enumerate(dues):
        with moment(moscow(2018, 1, 22, 10, at)) as session:
            payments.note_due(
                session, people.actor(session, "officer"), key, received_on=date(2017, 7, 18) + timedelta(days=92 * at)
            )


def _pay(people: People, tranche_id: UUID, day: date, number: int) -> None:
    with moment(_noon(day, number)) as session:
        document = f"Платёжное поручение ДЕМО-{100 + number} от {day:%d.%m.%Y}"
        payments.pay(session, people.actor(session, "finance"), tranche_id, document=document, paid_on=day)


def _shrink(people: People, agreement: _Signed) -> None:
    """Machines were cheaper than planned: a fifth of the last tranche is not needed."""
    with moment(moscow(2017, 11, 20, 12)) as session:
        tranche = session.get_one(Tranche, agreement.tranches[-1])
        payments.shrink(
            session,
            people.actor(session, "finance"),
            agreement.id,
            amounts={tranche.id: floor_rub(tranche.planned * Decimal("0.8"))},
            document="Дополнительное соглашение ДЕМО-1 от 17.11.2017",
            reason="Оборудование обошлось дешевле сметы",
        )


def _receive(people: People, agreement: _Signed) -> None:
    """Jobs were missed: a tenth of the first tranche is asked back and comes in two parts, the second still open."""
    with moment(moscow(2018, 2, 12, 11)) as session:
        tranche = session.get_one(Tranche, agreement.tranches[0])
        asked = floor_rub(tranche.planned / 10)
        recovery: Recovery = payments.demand(
            session,
            people.actor(session, "finance"),
            tranche.id,
            amount=asked,
            demanded_on=date(2018, 2, 12),
            document="Требование ДЕМО-2 от 12.02.2018",
            reason="Создано меньше рабочих мест, чем обещано",
        )
        key = recovery.id
    with moment(moscow(2018, 3, 13, 16)) as session:
        payments.receive(
            session,
            people.actor(session, "finance"),
            key,
            amount=floor_rub(asked * SHARES[1]),
            received_on=date(2018, 3, 13),
            document="Платёжное поручение ДЕМО-31 от 13.03.2018",
        )


def _noon(day: date, minute: int) -> datetime:
    return datetime(day.year, day.month, day.day, 12, minute % 60, tzinfo=MOSCOW)
