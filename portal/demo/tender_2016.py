"""The finished tender of 2016 (import substitution): eight received, six admitted, three winners, published."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from portal.demo import commission, what_if
from portal.demo.filing import Desk, Filed, Plan, Register, scaled
from portal.demo.moments import moment, moscow, work
from portal.demo.people import People
from portal.demo.programme import IMPORTS, announce
from portal.demo.projects import PROJECTS
from portal.demo.reviewing import Fund
from portal.demo.tender_2018 import score

CLOSES: Final = moscow(2016, 9, 30, 18)

# Code, the project it resembles, times, cluster, the initiator's place, titles. The clusters of the last two
# entered the register only later.
PROJECTS_2016: Final = (
    ("P31", "P06", "0.16", "D1", 3, "Литейное производство теплообменников", "Foundry for heat exchangers"),
    ("P32", "P05", "0.30", "D6", 1, "Сборочная линия аккумуляторов", "Battery assembly line"),
    ("P33", "P01", "0.45", "D1", 1, "Насосные агрегаты высокого давления", "High-pressure pump units"),
    ("P34", "P04", "0.60", "D6", 3, "Мосты грузовых автомобилей", "Truck axles"),
    ("P35", "P03", "0.50", "D1", 4, "Сосуды высокого давления", "Pressure vessels"),
    ("P36", "P07", "0.60", "D6", 6, "Штампованные детали кузова", "Stamped body parts"),
    ("P37", "P02", "0.30", "D2", 1, "Шпиндельные узлы", "Spindle units"),
    ("P38", "P03", "0.40", "D3", 1, "Полимерные изоляторы", "Polymer insulators"),
)  # fmt: skip
REFUSED: Final = ("P37", "P38")
APPEALS: Final = "P34"
MARKS: Final = {"P31": (9, 8), "P32": (8, 8), "P33": (8, 7), "P34": (7, 7), "P35": (6, 7), "P36": (6, 6)}


def load(people: People, register: Register, programme_id: UUID) -> None:
    """From the notice to the published results."""
    tender = announce(
        people,
        programme_id,
        year=2016,
        tracks=(IMPORTS,),
        years=(2016, 2017),
        noticed=moscow(2016, 8, 22),
        opens=moscow(2016, 9, 1, 9),
        closes=CLOSES,
        commission=True,
    )
    desk = Desk(people, register, tender.tracks)
    filed = {plan.project.code: desk.file(plan) for plan in plans()}
    work(CLOSES + timedelta(minutes=5))
    _check(people, filed)
    work(moscow(2016, 11, 3))
    score(people, tender, moscow(2016, 11, 7))
    what_if.of_2016(people, tender.tracks[IMPORTS])
    commission.decide_2016(people, tender.id, tender.tracks[IMPORTS])
    commission.correct_2016(people, tender.id, tender.tracks[IMPORTS])
    commission.appeal_2016(people, filed[APPEALS].id)


def plans() -> list[Plan]:
    """The eight applications in the order of their registration."""
    start = moscow(2016, 9, 12, 11)
    return [
        Plan(
            scaled(
                PROJECTS[like], code, times, title_ru, title_en, cluster=cluster, members=min(PROJECTS[like].members, 3)
            ),
            place,
            started=start + timedelta(days=number),
            submitted=start + timedelta(days=number + 9, hours=number % 5, minutes=13 * number),
        )
        for number, (code, like, times, cluster, place, title_ru, title_en) in enumerate(PROJECTS_2016)
    ]


def _check(people: People, filed: dict[str, Filed]) -> None:
    fund = Fund(people)
    for number, (code, application) in enumerate(filed.items()):
        with moment(moscow(2016, 10, 6, 10) + timedelta(hours=number)) as session:
            if code in REFUSED:
                comment = "Демо: на дату подачи заявки кластер не состоял в реестре."
                fund.refuse(session, application, ["R05"], comment)
            else:
                fund.admit(session, application)
    for number, (code, marks) in enumerate(MARKS.items()):
        reviewers = (number % 6 + 1, number % 6 + 7)
        with moment(moscow(2016, 10, 17, 12) + timedelta(minutes=number)) as session:
            fund.assign(session, filed[code], reviewers)
        for reviewer, mark in zip(reviewers, marks, strict=True):
            with moment(moscow(2016, 10, 28, 10) + timedelta(hours=number, minutes=reviewer)) as session:
                fund.review(session, filed[code], reviewer, mark)
