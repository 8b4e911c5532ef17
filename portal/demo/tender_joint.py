"""A tender with limits over both tracks: its one allocation is computed, and the commission can decide."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID

from portal.awards.allocation import computing
from portal.core.clock import MOSCOW
from portal.core.clock import now as read_clock
from portal.core.db import session
from portal.demo.filing import Desk, Plan, Register, scaled
from portal.demo.moments import moment, work
from portal.demo.people import People
from portal.demo.programme import EXPORTS, IMPORTS, announce, give
from portal.demo.projects import PROJECTS
from portal.demo.reviewing import Fund
from portal.demo.tender_2018 import score

# The project it resembles, its size, its cluster, the initiator's place, reviewers with their marks, its name.
FILED: Final = (
    ("P01", "0.30", "D1", 1, {1: 9, 7: 9}, "Насосы для химических производств", "Pumps for chemical plants"),
    ("P03", "0.30", "D1", 5, {2: 8, 8: 8}, "Теплообменная аппаратура", "Heat exchange equipment"),
    ("P11", "0.30", "D1", 4, {3: 7, 9: 7}, "Посевные комплексы на экспорт", "Seeding complexes for export"),
    ("P12", "0.30", "D5", 1, {4: 9, 10: 8}, "Генераторные установки на экспорт", "Generator sets for export"),
)
MEMBERS: Final = 2
AHEAD: Final = 4
"""Years from now to the first whose money is given out: nothing else of the demo has envelopes of them."""
MILLIONS: Final = (90, 90)


def load(people: People, register: Register, programme_id: UUID) -> None:
    """From the notice to the allocation over both tracks."""
    now = read_clock(session()).astimezone(MOSCOW)
    session().rollback()

    def ago(days: int, hour: int = 11) -> datetime:
        return datetime.combine(now.date() - timedelta(days=days), time(hour), MOSCOW)

    years = (now.year + AHEAD, now.year + AHEAD + 1)
    tender = announce(
        people,
        programme_id,
        year=now.year,
        tracks=(IMPORTS, EXPORTS),
        years=years,
        noticed=ago(100),
        opens=ago(85),
        closes=ago(50, 18),
        joint=True,
    )
    money = dict(zip(years, MILLIONS, strict=True))
    give(people, programme_id, ago(101), f"ДЕМО-{now.year}/2", {IMPORTS: money, EXPORTS: money})
    desk, fund = Desk(people, register, tender.tracks), Fund(people)
    filed = []
    for number, (like, size, cluster, place, _, title_ru, title_en) in enumerate(FILED):
        project = scaled(PROJECTS[like], f"P{81 + number}", size, title_ru, title_en, cluster=cluster, members=MEMBERS)
        filed.append(desk.file(Plan(project, place, started=ago(80 - number), submitted=ago(60 - number))))
    work(ago(49))
    for application, (_, _, _, _, marks, _, _) in zip(filed, FILED, strict=True):
        with moment(ago(40)) as current:
            fund.admit(current, application)
            fund.assign(current, application, list(marks))
        for reviewer, mark in marks.items():
            with moment(ago(20, 9 + reviewer)) as current:
                fund.review(current, application, reviewer, mark)
    work(ago(19))
    score(people, tender, ago(12))
    with moment(ago(1)) as current:
        chair = people.actor(current, "chair")
        computing.start(current, chair, tender_track_id=tender.tracks[IMPORTS])
    work(ago(1, 12))
