"""Scenarios of the commission: three that are shared on the tender in review, and one that a decision cites."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from portal.awards.allocation.problem import EACH, PROJECTS, Limit, Policy
from portal.awards.scenarios import service as scenarios
from portal.awards.scenarios.changes import Changes, Supposed
from portal.awards.scenarios.queries import room, standing
from portal.demo.moments import moment, moscow
from portal.demo.people import People
from portal.identity.policy import Permission

PRIVATE_MONEY: Final = {
    "CR-01": "30",
    "CR-02": "20",
    "CR-03": "15",
    "CR-06": "10",
    "CR-07": "10",
    "CR-08": "5",
    "CR-09": "5",
    "CR-10": "5",
}
JOBS: Final = {
    "CR-01": "15",
    "CR-02": "15",
    "CR-03": "20",
    "CR-06": "30",
    "CR-07": "10",
    "CR-08": "5",
    "CR-09": "2.5",
    "CR-10": "2.5",
}
WORDS: Final = (
    "Демо: состав победителей не зависит от того, весит ли критерий рабочих мест 15 или 30 баллов. Для следующего"
    " отбора комиссия рекомендует оставить веса прежними."
)


def of_2018(people: People, track_id: UUID) -> None:
    """More weight on private money; less money, a higher threshold and a single score; another policy with a limit."""
    with moment(moscow(2018, 9, 25, 15)) as session:
        chair = people.actor(session, "chair")
        weights = {code: Decimal(weight) for code, weight in PRIVATE_MONEY.items()}
        made = scenarios.create(session, chair, track_id, name="Больше веса частным деньгам", changes=Changes(weights))
        scenarios.share(session, chair, made.id)
    with moment(moscow(2018, 9, 26, 11)) as session:
        member = people.actor(session, "commission")
        held = standing(session, room(session, member, track_id, Permission.SCENARIO_VIEW))
        assert held is not None
        first = held.ground.projects[0]
        reason = "Демо: если бы второй этап оценили так же высоко, как первый."
        changes = Changes(
            threshold=Decimal(65),
            available={
                year: (amount * Decimal("0.8")).quantize(Decimal("0.01"))
                for year, amount in held.ground.available.items()
            },
            scores={first.number: {"CR-10": Supposed(Decimal("9.5"), reason)}},
        )
        made = scenarios.create(
            session, member, track_id, name="На пятую часть меньше денег, порог 65", changes=changes
        )
        scenarios.share(session, member, made.id)

    with moment(moscow(2018, 9, 26, 12)) as session:
        limit = Limit("L1", "cluster", EACH, None, Decimal(1), PROJECTS)
        changes = Changes(policy=Policy.BEST_TOTAL, limits=(limit,))
        made = scenarios.create(
            session, chair, track_id, name="Наибольшая сумма баллов, один проект от кластера", changes=changes
        )
        scenarios.share(session, chair, made.id)


def of_2016(people: People, track_id: UUID) -> None:
    """What the commission tried before it decided on the tender of 2016, and adopted as an addendum."""
    begun = moscow(2016, 11, 10, 14)
    with moment(begun) as session:
        member = people.actor(session, "commission")
        weights = {code: Decimal(weight) for code, weight in JOBS.items()}
        made = scenarios.create(
            session, member, track_id, name="Вдвое больше веса рабочим местам", changes=Changes(weights)
        )
        scenarios.share(session, member, made.id)
    with moment(begun + timedelta(hours=2)) as session:
        scenarios.adopt(session, people.actor(session, "chair"), made.id, words=WORDS)
