"""The tender of 2018 in review: 24 projects asking for about 6.8 bn roubles, as there were in September 2018."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from portal.demo import calls, commission, pool, what_if
from portal.demo.filing import Desk, Filed, Plan, Register, scaled
from portal.demo.moments import moment, moscow, work
from portal.demo.people import People
from portal.demo.programme import EXPORTS, IMPORTS, Announced, announce
from portal.demo.projects import PROJECTS, Project
from portal.demo.reviewing import Fund
from portal.scoring import drawing
from portal.scoring import service as scoring
from portal.scoring.drawing import Source

CLOSES: Final = moscow(2018, 8, 31, 18)
CHECKED: Final = moscow(2018, 9, 7, 11)
REVIEWED: Final = moscow(2018, 9, 21, 15)

INITIATORS: Final = {"P04": 3, "P10": 3, "P14": 4, "P15": 4}
"""Places of the initiators in their clusters, where it is not the first."""

# Code, the project it resembles, how many times larger, the initiator's place.
COPIES: Final = (
    ("P16", "P10", "2.5", 4),
    ("P17", "P13", "2.5", 3),
    ("P18", "P11", "2.5", 3),
    ("P19", "P01", "2.5", 3),
    ("P20", "P03", "2.5", 4),
    ("P21", "P04", "2.5", 1),
    ("P22", "P07", "2.5", 3),
    ("P23", "P02", "2", 6),
    ("P24", "P12", "1.6", 3),
)

SAVED: Final = ("P14", "P15")
UNCHECKED: Final = ("P13", "P17", "P22")
UNASSIGNED: Final = ("P18", "P20")
# Reviewers with their marks of each project; None has not handed the review in yet. Of the track of import
# substitution enough are in to tell the severe from the lenient: the third gives a point more than others would, the
# fifth one and a half less.
MARKS: Final[dict[str, dict[int, str | None]]] = {
    "P01": {1: "8", 5: "6"},
    "P02": {2: "7", 3: "8.5", 4: "7.5"},
    "P03": {3: "9", 5: "5"},
    "P04": {4: "7", 6: "7"},
    "P05": {1: "9", 2: "8", 3: "9.5"},
    "P06": {2: "7.5", 4: "8", 6: "8"},
    "P07": {3: "7.5", 4: "6.5"},
    "P08": {5: "5.5", 6: None},
    "P09": {7: "9", 8: "5"},
    "P10": {8: "8", 9: "7"},
    "P11": {10: None, 11: None},
    "P12": {9: "8", 10: "9"},
    "P16": {11: "7", 12: None},
    "P19": {1: None, 2: None},
    "P21": {1: "7", 5: "5", 6: "6.5"},
    "P23": {2: "7.5", 5: "6"},
    "P24": {1: None, 12: "6"},
}


def load(people: People, register: Register, programme_id: UUID) -> Announced:
    """Announce, file 24 applications, check and review a part of them, score both tracks."""
    tender = announce(
        people,
        programme_id,
        year=2018,
        tracks=(IMPORTS, EXPORTS),
        noticed=moscow(2018, 7, 20),
        opens=moscow(2018, 8, 1, 9),
        closes=moscow(2018, 8, 24, 18),
        calibrated=True,
        commission=True,
    )
    calls.of_2018(people, tender, CLOSES)
    desk = Desk(people, register, tender.tracks)
    filed = {plan.project.code: desk.file(plan) for plan in plans()}
    work(CLOSES + timedelta(minutes=5))
    pool.introduce(people, CHECKED - timedelta(days=1))
    _check(people, filed)
    work(REVIEWED)
    score(people, tender, moscow(2018, 9, 24))
    _draw(people, tender.tracks[IMPORTS])
    what_if.of_2018(people, tender.tracks[IMPORTS])
    commission.plan_2018(people, tender.id, [tender.tracks[IMPORTS], tender.tracks[EXPORTS]])
    return tender


def plans() -> list[Plan]:
    """The 24 applications in the order of their registration."""
    projects = [*PROJECTS.values(), *(_copy(*row) for row in COPIES)]
    initiators = {**INITIATORS, **{code: place for code, _, _, place in COPIES}}
    start = moscow(2018, 8, 6, 10)
    return [
        Plan(
            project,
            initiators.get(project.code, 1),
            started=start + timedelta(hours=20 * number),
            submitted=_submitted(start, number),
        )
        for number, project in enumerate(projects)
    ]


def _submitted(start: datetime, number: int) -> datetime:
    return min(
        start + timedelta(days=4, hours=20 * number, minutes=7 * number), CLOSES - timedelta(minutes=40 - number)
    )


def _copy(code: str, like: str, factor: str, place: int) -> Project:
    source = PROJECTS[like]
    return scaled(source, code, factor, f"{source.title_ru}: вторая очередь", f"{source.title_en}: second stage")


QUESTION: Final = "Демо: в плане нет испытаний на месте. Проводились ли они и где лежат протоколы?"
PASSED_ON: Final = "Демо: сообщите, проводились ли испытания на месте, и приложите протоколы, если они есть."


def _check(people: People, filed: dict[str, Filed]) -> None:
    fund = Fund(people)
    admitted = [code for code in filed if code not in SAVED and code not in UNCHECKED]
    for number, (code, application) in enumerate(filed.items()):
        with moment(CHECKED + timedelta(minutes=25 * number)) as session:
            if code in admitted:
                fund.admit(session, application)
            elif code in SAVED:
                fund.save_check(session, application)
    for number, code in enumerate(code for code in admitted if code not in UNASSIGNED):
        with moment(CHECKED + timedelta(days=4, minutes=10 * number)) as session:
            fund.assign(session, filed[code], list(MARKS[code]))
        for reviewer, mark in MARKS[code].items():
            with moment(REVIEWED - timedelta(hours=9 * number + reviewer, minutes=7 * reviewer)) as session:
                fund.review(session, filed[code], reviewer, mark)
    with moment(REVIEWED - timedelta(hours=20)) as session:
        fund.inquire(session, filed["P11"], 10, QUESTION, PASSED_ON)


def _draw(people: People, track_id: UUID) -> None:
    """Commit to a draw of lots before its event, and enter what came out of it."""
    source = Source(
        "Демо: тираж лотереи № 501, шесть шаров в порядке выпадения",
        "Demo: lottery draw No. 501, six balls in the order they came out",
        "https://lottery.demo.example/501",
        moscow(2018, 10, 5, 18),
    )
    with moment(moscow(2018, 9, 25, 12)) as session:
        drawing.commit(session, people.actor(session, "officer"), track_id, source=source)
    with moment(moscow(2018, 10, 5, 19)) as session:
        drawing.enter(
            session,
            people.actor(session, "officer"),
            track_id,
            randomness="17-04-33-21-08-40",
            url="https://lottery.demo.example/501",
        )


def score(people: People, tender: Announced, instant: datetime) -> None:
    """A run over every track of a tender."""
    with moment(instant) as session:
        for track_id in tender.tracks.values():
            scoring.start_run(session, people.actor(session, "officer"), track_id)
    work(instant + timedelta(minutes=2))
