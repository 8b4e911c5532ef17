"""A table of the treasury: what the portal has booked already, one payment to book, one too many, one unknown."""

from __future__ import annotations

import io
from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.agreements import treasury_work
from portal.agreements.models import Agreement, Tranche
from portal.demo.moments import moment, moscow, work
from portal.demo.people import People
from portal.identity.models import Organisation

HEAD = ("Дата", "Номер платёжного поручения", "ИНН получателя", "Сумма, руб.", "Назначение платежа", "Соглашение")
UNKNOWN_INN = "7707083893"


def load(people: People) -> None:
    """The payments of 2017 as the treasury tells of them in January."""
    with moment(moscow(2018, 1, 25, 15)) as session:
        table = io.BytesIO("\n".join(";".join(row) for row in [HEAD, *_rows(session)]).encode())
        name = "Выписка казначейства за 2017 год (демо).csv"
        treasury_work.start_reading(session, people.actor(session, "finance"), name=name, stream=table)
    work(moscow(2018, 1, 25, 15, 5))


def _rows(session: Session) -> list[Sequence[str]]:
    found = session.execute(
        select(Tranche, Agreement.number, Organisation.inn)
        .join(Agreement, Agreement.id == Tranche.agreement_id)
        .join(Organisation, Organisation.id == Agreement.organisation_id)
        .where(Tranche.year == 2017, Tranche.released < Tranche.planned)
        .order_by(Tranche.planned_on, Tranche.id)
    ).all()
    rows: list[Sequence[str]] = []
    for place, (tranche, number, inn) in enumerate(found, start=1):
        day, paper = tranche.paid_on or tranche.planned_on, f"ДЕМО-{130 + place}"
        if tranche.payment_document:
            paper = next(word for word in tranche.payment_document.split() if word.startswith("ДЕМО-"))
        rows.append((f"{day:%d.%m.%Y}", paper, inn, str(tranche.amount), "Субсидия, транш", number or ""))
    *_, (last, number, inn) = found
    rows.append(("28.12.2017", "ДЕМО-140", inn, str(last.amount // 2), "Субсидия, доплата", number or ""))
    rows.append(("29.12.2017", "ДЕМО-141", UNKNOWN_INN, "350000.00", "Оплата услуг связи", ""))
    return rows
