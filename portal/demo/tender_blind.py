"""A small tender in review whose experts do not know who applies: copies of its files, three lanes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID

from portal.core.clock import MOSCOW
from portal.core.clock import now as read_clock
from portal.core.db import session
from portal.demo.filing import Desk, Plan, Register, scaled
from portal.demo.moments import moment, work
from portal.demo.people import People
from portal.demo.programme import IMPORTS, announce
from portal.demo.projects import PROJECTS
from portal.demo.reviewing import Fund

# The project it resembles, the initiator's place, its size, its name in both languages, experts by lane.
FILED: Final[tuple[tuple[str, int, str, str, str, Mapping[str, Mapping[int, str | None]]], ...]] = (
    ("P05", 1, "0.30", "Линия сборки батарей", "Battery assembly line", {"technical": {1: None, 2: "8"}}),
    (
        "P06",
        1,
        "0.25",
        "Участок подготовки прекурсора",
        "Precursor preparation line",
        {"technical": {1: None, 4: "7"}, "financial": {6: "7.5", 8: "7"}, "legal": {10: "8"}},
    ),
)


def load(people: People, register: Register, programme_id: UUID) -> None:
    """From the notice to the reviews; the papers that name their organisation wait for the officer."""
    now = read_clock(session()).astimezone(MOSCOW)
    session().rollback()

    def ago(days: int, hour: int = 11) -> datetime:
        return datetime.combine(now.date() - timedelta(days=days), time(hour), MOSCOW)

    tender = announce(
        people,
        programme_id,
        year=now.year,
        tracks=(IMPORTS,),
        noticed=ago(60),
        opens=ago(50),
        closes=ago(20, 18),
        blind=True,
    )
    desk, fund = Desk(people, register, tender.tracks), Fund(people)
    filed = []
    for number, (like, place, size, title_ru, title_en, _) in enumerate(FILED):
        project = scaled(PROJECTS[like], f"P{93 + number}", size, title_ru, title_en, members=2)
        filed.append(desk.file(Plan(project, place, started=ago(40 - number), submitted=ago(30 - number))))
    work(ago(19))
    for application, (*_, lanes) in zip(filed, FILED, strict=True):
        with moment(ago(10)) as current:
            fund.admit(current, application)
            for lane, marks in lanes.items():
                fund.assign(current, application, list(marks), lane)
        for marks in lanes.values():
            for reviewer, mark in marks.items():
                with moment(ago(3, 9 + reviewer)) as current:
                    fund.review(current, application, reviewer, mark)
    work(ago(2))
