"""Last year's tender under partial funding: its list is drafted, and the demo's initiator is offered a part."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID

from portal.awards import service
from portal.awards.offers import service as offers
from portal.core.clock import MOSCOW
from portal.core.clock import now as read_clock
from portal.core.db import session
from portal.demo.filing import Desk, Plan, Register, scaled
from portal.demo.moments import moment, work
from portal.demo.people import People
from portal.demo.programme import EXPORTS, announce, give
from portal.demo.projects import PROJECTS
from portal.demo.reviewing import Fund
from portal.demo.tender_2018 import score

# The project it resembles, its size, its cluster, the initiator's place, reviewers with their marks, its name.
FILED: Final = (
    ("P12", "0.30", "D5", 1, {1: 9, 7: 9}, "Мобильные энергоустановки на экспорт", "Mobile power sets for export"),
    ("P11", "0.60", "D1", 1, {2: 7, 8: 7}, "Посевные машины на экспорт", "Seeding machines for export"),
    ("P13", "0.30", "D9", 1, {3: 9, 9: 9}, "Узлы горных машин на экспорт", "Mining assemblies for export"),
)
MEMBERS: Final = 2
MILLIONS: Final = (79, 72)
"""What the envelopes of its two years hold: the first project in whole, the second in part."""


def load(people: People, register: Register, programme_id: UUID) -> None:
    """From the notice to the offer that waits for the initiator's answer."""
    now = read_clock(session()).astimezone(MOSCOW)
    session().rollback()

    def ago(days: int, hour: int = 11) -> datetime:
        return datetime.combine(now.date() - timedelta(days=days), time(hour), MOSCOW)

    year = now.year - 1
    tender = announce(
        people,
        programme_id,
        year=year,
        tracks=(EXPORTS,),
        years=(year, year + 1),
        noticed=ago(130),
        opens=ago(115),
        closes=ago(80, 18),
        partial=True,
    )
    give(
        people, programme_id, ago(131), f"ДЕМО-{year}/1", {EXPORTS: dict(zip((year, year + 1), MILLIONS, strict=True))}
    )
    desk, fund = Desk(people, register, tender.tracks), Fund(people)
    filed = []
    for number, (like, size, cluster, place, _, title_ru, title_en) in enumerate(FILED):
        project = scaled(PROJECTS[like], f"P{96 + number}", size, title_ru, title_en, cluster=cluster, members=MEMBERS)
        filed.append(desk.file(Plan(project, place, started=ago(110 - number), submitted=ago(90 - number))))
    work(ago(79))
    for application, (_, _, _, _, marks, _, _) in zip(filed, FILED, strict=True):
        with moment(ago(70)) as current:
            fund.admit(current, application)
            fund.assign(current, application, list(marks))
        for reviewer, mark in marks.items():
            with moment(ago(40, 9 + reviewer)) as current:
                fund.review(current, application, reviewer, mark)
    work(ago(39))
    score(people, tender, ago(14))
    with moment(ago(2)) as current:
        officer = people.actor(current, "officer")
        decision = service.draft(current, officer, tender.tracks[EXPORTS])
        offers.send(current, officer, decision.id)
    work(ago(2, 12))
