"""A small sealed tender that has just closed: two keepers may open it, with the demo's password as passphrase."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID

from portal.core.clock import MOSCOW
from portal.core.clock import now as read_clock
from portal.core.db import session
from portal.demo.filing import Desk, Plan, Register, scaled
from portal.demo.people import People
from portal.demo.programme import IMPORTS, announce
from portal.demo.projects import PROJECTS

FILED: Final = (
    ("P01", 1, "0.35", "Стенд для испытания обвязки", "Test bench for piping modules"),
    ("P02", 1, "0.30", "Литейная оснастка второй очереди", "Casting tools, second stage"),
)
"""The project it resembles, the initiator's place, its size, its name in both languages."""


def load(people: People, register: Register, programme_id: UUID) -> None:
    """Announce it, and have two applications sealed in it."""
    now = read_clock(session()).astimezone(MOSCOW)
    session().rollback()
    day = now.date() - timedelta(days=1)
    opens = datetime.combine(day - timedelta(days=30), time(10), MOSCOW)
    tender = announce(
        people,
        programme_id,
        year=now.year,
        tracks=(IMPORTS,),
        noticed=opens - timedelta(days=10),
        opens=opens,
        closes=datetime.combine(day, time(18), MOSCOW),
        sealed=True,
    )
    desk = Desk(people, register, tender.tracks)
    for number, (like, place, size, title_ru, title_en) in enumerate(FILED, start=1):
        started = opens + timedelta(days=number)
        project = scaled(PROJECTS[like], f"P{90 + number}", size, title_ru, title_en, members=2)
        desk.file(Plan(project, place, started=started, submitted=started + timedelta(days=20)))
