"""The open tender of the present year: applications in every state of work, and what waits for the demo's people."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select

from portal.clusters import service as clusters
from portal.core.clock import MOSCOW
from portal.core.clock import now as read_clock
from portal.core.db import session, uuid7
from portal.demo import calls, following
from portal.demo.draft_papers import hand_in
from portal.demo.filing import Desk, Plan, Register, scaled
from portal.demo.identifiers import demo_inn, demo_kpp, demo_ogrn
from portal.demo.moments import moment, work
from portal.demo.people import People
from portal.demo.programme import EXPORTS, IMPORTS, announce, give, years_of
from portal.demo.projects import PROJECTS
from portal.demo.sign_ins import NEWCOMER
from portal.identity.models import Organisation, OrgRole
from portal.review import similar
from portal.review.models import SimilarPair, Verdict

OPEN_DAYS: Final = 30
OPENED_DAYS_AGO: Final = 10
NOTICE_DAYS: Final = 10

DRAFT, SENT, TAKEN_BACK = "draft", "sent", "taken back"
# The project it resembles, the initiator's place, what became of it, how much is filled in (percent).
FILED: Final = (
    ("P02", 1, SENT, 100), ("P03", 1, SENT, 100), ("P05", 1, SENT, 100), ("P11", 1, SENT, 100),
    ("P12", 1, SENT, 100), ("P13", 1, SENT, 100), ("P08", 1, TAKEN_BACK, 100), ("P10", 3, TAKEN_BACK, 100),
    ("P01", 3, DRAFT, 100), ("P02", 4, DRAFT, 60), ("P03", 4, DRAFT, 40), ("P04", 3, DRAFT, 90),
    ("P05", 6, DRAFT, 20), ("P06", 1, DRAFT, 70), ("P07", 3, DRAFT, 0), ("P07", 1, DRAFT, 50),
    ("P08", 4, DRAFT, 30), ("P09", 1, DRAFT, 80), ("P10", 4, DRAFT, 10), ("P11", 3, DRAFT, 60),
    ("P12", 3, DRAFT, 0), ("P13", 3, DRAFT, 50), ("P14", 4, DRAFT, 100), ("P04", 1, SENT, 100),
    ("P09", 4, SENT, 100), ("P06", 4, TAKEN_BACK, 100), ("P01", 4, DRAFT, 35), ("P15", 1, DRAFT, 75),
)  # fmt: skip
MOST_MEMBERS: Final = 3


def load(people: People, register: Register, programme_id: UUID) -> None:
    """Announce it, give its envelopes their money, and start the work of the applicants."""
    now = read_clock(session()).astimezone(MOSCOW)
    session().rollback()
    first = now.date() - timedelta(days=OPENED_DAYS_AGO)
    opens = datetime.combine(first, time(10), MOSCOW)
    tender = announce(
        people,
        programme_id,
        year=now.year,
        tracks=(IMPORTS, EXPORTS),
        noticed=opens - timedelta(days=NOTICE_DAYS),
        opens=opens,
        closes=datetime.combine(first + timedelta(days=OPEN_DAYS), time(18), MOSCOW),
        questions=True,
    )
    noticed = opens - timedelta(days=NOTICE_DAYS + 1)
    give(people, programme_id, noticed, f"ДЕМО-{now.year}/1", years_of(now.year))
    calls.of_open(people, register, tender, now)
    desk = Desk(people, register, tender.tracks)
    own, *others = plans(opens, now)
    draft = desk.file(own)
    hand_in(people, draft.id, now - timedelta(days=4), now - timedelta(days=1))
    for plan in others:
        desk.file(plan)
    following.read_old_notices(opens)
    following.load(people, desk, opens, now)
    work(now - timedelta(minutes=30))
    _judge(people, now - timedelta(minutes=25))
    _newcomer(people, register, now - timedelta(minutes=20))
    calls.except_newcomer(people, tender, demo_inn("36", 9001), now - timedelta(minutes=10))


JUDGED: Final = (
    (Verdict.SAME_PROJECT, "Демо: проект 2018 года в новой редакции; прежняя заявка на решении комиссии."),
    (Verdict.NO_CONCERN, "Демо: следующая очередь того же производства, другое оборудование."),
)


def _judge(people: People, instant: datetime) -> None:
    """The officer has looked at the two pairs that are most alike; the others wait."""
    with moment(instant) as current:
        actor = people.actor(current, "officer")
        wanted = select(SimilarPair).order_by(SimilarPair.score.desc(), SimilarPair.id).limit(len(JUDGED))
        for pair, (verdict, note) in zip(current.scalars(wanted).all(), JUDGED, strict=False):
            similar.decide(current, actor, pair_id=pair.id, verdict=verdict, note=note, expected_version=pair.version)


def plans(opens: datetime, now: datetime) -> list[Plan]:
    """The demo initiator's own draft first; all steps lie between the opening and ``now``."""
    own = scaled(
        PROJECTS["P01"],
        "P40",
        "0.9",
        "Модуль обвязки скважин для низких температур",
        "Well-piping module for low temperatures",
        members=3,
    )
    found = [Plan(own, 1, started=opens + timedelta(hours=5), filled=80, invited=1)]
    step = (now - opens) / (len(FILED) + 12)
    for number, (like, place, state, filled) in enumerate(FILED, start=1):
        source = PROJECTS[like]
        started = opens + step * number
        plan = Plan(
            scaled(
                source,
                f"P{40 + number}",
                format(Decimal(60 + number) / 100, "f"),
                f"{source.title_ru}: новая модель {number}",
                f"{source.title_en}: new model {number}",
                members=min(source.members, MOST_MEMBERS),
            ),
            place,
            started=started,
            filled=filled,
            invited=1 if state == DRAFT and number % 3 == 0 else 0,
            asks_letter=(like, state) == ("P01", DRAFT),
        )
        if state != DRAFT:
            plan = replace(plan, submitted=started + step * 4)
        if state == TAKEN_BACK:
            plan = replace(plan, withdrawn=started + step * 6)
        found.append(plan)
    return found


def _newcomer(people: People, register: Register, instant: datetime) -> None:
    """An organisation that has just registered and asks to join; the request and its letter wait."""
    with moment(instant) as current:
        row = Organisation(
            id=uuid7(),
            inn=demo_inn("36", 9001),
            kpp=demo_kpp("36"),
            ogrn=demo_ogrn("36", 9001),
            okved2="28.14",
            region="36",
            name_ru="ООО «Демо-Новый участник Воронеж»",
            name_en="Demo Voronezh Newcomer LLC",
            sme="small",
            headcount=58,
            income=Decimal("240000000.00"),
            offshore_share=Decimal("0.00"),
        )
        current.add(row)
        current.flush()
        people.join(current, NEWCOMER, row, OrgRole.OWNER)
        clusters.request_membership(
            current,
            people.actor(current, NEWCOMER.account),
            cluster_id=register.clusters["D1"],
            organisation_id=row.id,
            product="приводы запорной арматуры",
            final_producer=False,
        )
