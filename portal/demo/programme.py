"""The programme of the demo: its tenders with their rules, and the envelopes with their orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.budget import service as budget
from portal.core.clock import MOSCOW
from portal.demo.moments import moment, moscow
from portal.demo.people import People
from portal.demo.sign_ins import PASSWORD
from portal.identity.policy import Actor
from portal.tenders import joint_limits, seal_keys
from portal.tenders import service as tenders
from portal.tenders.models import RuleSetVersion, TenderTrack, Track
from portal.tenders.rulebook import anchored, load_commission, load_lanes, load_questions, load_rulebook
from portal.tenders.ruleset import (
    AllocationLimit,
    Allotment,
    Ballot,
    Blindness,
    ExpertMean,
    LimitField,
    LimitUnit,
    Text,
    TieRule,
    from_json,
    to_json,
)
from portal.tenders.values import ProgrammeValues, TenderValues

KEEPERS: Final = ("officer", "chair", "director")
MILLION: Final = Decimal(1_000_000)
IMPORTS, EXPORTS = Track.IMPORT_SUBSTITUTION, Track.EXPORT
SPLIT: Final[Mapping[Track, tuple[int, int, int]]] = {
    IMPORTS: (600, 1000, 1000),
    EXPORTS: (1500, 1800, 1800),
}
"""Million roubles a year: 2.6 and 5.1 bn in all, as announced; the split by year is a proposal."""
SPLIT_2016: Final = {2016: 140, 2017: 110}

OVER_BOTH: Final = (
    AllocationLimit(
        "J1",
        Text("Проектов одного кластера", "Projects of one cluster"),
        LimitField.CLUSTER,
        "*",
        None,
        Decimal(2),
        LimitUnit.PROJECTS,
    ),
    AllocationLimit(
        "J2",
        Text("Доля малых и средних предприятий", "Share of small and medium-sized enterprises"),
        LimitField.SME,
        "",
        Decimal(10),
        None,
        LimitUnit.PERCENT,
    ),
)
"""Over both tracks of the tender that has such limits."""

NOTICE_RU: Final = (
    "Фонд принимает заявки на субсидии совместным проектам участников промышленных кластеров. Заявку подаёт"
    " инициатор вместе с участниками того же кластера. Порядок, критерии и перечень документов приведены в"
    " правилах каждого направления. Это демонстрационное объявление."
)
NOTICE_EN: Final = (
    "The fund accepts applications for subsidies to joint projects of members of industrial clusters. The"
    " initiator applies together with other members of the same cluster. The procedure, the criteria and the"
    " list of documents are in the rules of each track. This is a demonstration notice."
)


@dataclass(frozen=True, slots=True)
class Announced:
    """A published tender and its tracks by name."""

    id: UUID
    year: int
    tracks: Mapping[str, UUID]
    opens: datetime
    closes: datetime


def create(people: People) -> UUID:
    """The funding programme."""
    with moment(moscow(2016, 6, 27)) as session:
        values = ProgrammeValues(
            "JP",
            "Субсидии совместным проектам участников промышленных кластеров",
            "Subsidies to joint projects of members of industrial clusters",
        )
        return tenders.create_programme(session, people.actor(session, "admin"), values=values).id


_TITLES: Final = {
    "": ("", "Отбор совместных проектов {} года", "Joint projects tender {}"),
    "sealed": ("-S", "Отбор с опечатанными заявками {} года", "Tender with sealed applications {}"),
    "joint": ("-J", "Отбор {} года с ограничениями на оба направления", "Tender {} with limits over both tracks"),
    "blind": ("-B", "Отбор со слепой экспертизой {} года", "Tender with blind review {}"),
}
"""Suffix of the code and the title of each kind of tender."""


def announce(
    people: People,
    programme_id: UUID,
    *,
    year: int,
    tracks: Sequence[Track],
    noticed: datetime,
    opens: datetime,
    closes: datetime,
    years: Sequence[int] = (),
    questions: bool = False,
    calibrated: bool = False,
    sealed: bool = False,
    commission: bool = False,
    partial: bool = False,
    blind: bool = False,
    joint: bool = False,
) -> Announced:
    """Prepare and publish a tender; ``years`` replaces the years of money that its rules would have.

    ``questions``: whether it asks the extra questions of the rulebook and has the three lanes of expertise;
    ``calibrated``: whether the reviewers' severity is taken out of their marks, and lots decide between equal totals;
    ``sealed``: whether applications stay sealed until the officer and the chair open them, the director in reserve;
    ``commission``: whether a commission adopts the decision, by secret ballot on the track of export;
    ``partial``: whether who does not fit in whole is offered a part;
    ``blind``: whether it is hidden from the reviewers, who work in lanes, who applies;
    ``joint``: whether the money goes to the best total of points, within limits over both tracks.
    """
    suffix, title_ru, title_en = _TITLES["sealed" if sealed else "blind" if blind else "joint" if joint else ""]
    with moment(noticed) as session:
        actor = people.actor(session, "admin")
        values = TenderValues(
            code=f"{year}{suffix}",
            year=year,
            title_ru=title_ru.format(year),
            title_en=title_en.format(year),
            notice_ru=NOTICE_RU,
            notice_en=NOTICE_EN,
            opens=opens.astimezone(MOSCOW).replace(tzinfo=None),
            closes=closes.astimezone(MOSCOW).replace(tzinfo=None),
        )
        row = tenders.create_tender(
            session, actor, programme_id=programme_id, values=values, tracks=dict.fromkeys(tracks)
        )
        rows = session.scalars(select(TenderTrack).where(TenderTrack.tender_id == row.id)).all()
        if years:
            for held in rows:
                _shorten(session, actor, held, year, years)
        asked = (
            (_ask, questions),
            (_calibrate, calibrated),
            (_seat, commission),
            (_part, partial),
            (_hide, blind),
            (_share, joint),
        )
        for held in rows:
            for change, wanted in asked:
                if wanted:
                    change(session, actor, held)
        if sealed:
            _seal(session, people, row.id, row.version)
        if joint:
            tenders.edit_joint_limits(
                session, actor, row.id, content=joint_limits.to_json(OVER_BOTH), expected_version=row.version
            )
        tenders.publish(session, actor, row.id, expected_version=row.version)
        return Announced(row.id, year, {held.track: held.id for held in rows}, opens, closes)


def _seal(session: Session, people: People, tender_id: UUID, version: int) -> None:
    """Keepers whose passphrases are the demo's password, so that everybody can try the opening."""
    keepers = [people.key(account) for account in KEEPERS]
    seal_keys.appoint(
        session, people.actor(session, "admin"), tender_id, sealed=True, keepers=keepers, expected_version=version
    )
    for account in KEEPERS:
        actor = people.actor(session, account)
        seal_keys.make_key(session, actor, tender_id, passphrase=PASSWORD, again=PASSWORD)


def _shorten(session: Session, actor: Actor, held: TenderTrack, year: int, years: Sequence[int]) -> None:
    version = session.get_one(RuleSetVersion, held.rule_set_id)
    rules = load_rulebook(Track(held.track), years)
    content = to_json(replace(rules, version=f"{year}.1", costs_from=date(year - 3, 1, 1)))
    tenders.edit_rules(session, actor, held.rule_set_id, content=content, expected_version=version.version)


def _ask(session: Session, actor: Actor, held: TenderTrack) -> None:
    version = session.get_one(RuleSetVersion, held.rule_set_id)
    rules = anchored(replace(from_json(version.content), questions=load_questions(held.track), lanes=load_lanes()))
    tenders.edit_rules(session, actor, held.rule_set_id, content=to_json(rules), expected_version=version.version)


def _calibrate(session: Session, actor: Actor, held: TenderTrack) -> None:
    version = session.get_one(RuleSetVersion, held.rule_set_id)
    rules = from_json(version.content)
    ties = (*(tie for tie in rules.tie_rules if tie is not TieRule.NUMBER), TieRule.DRAW, TieRule.NUMBER)
    content = to_json(replace(anchored(rules), expert_mean=ExpertMean.CALIBRATED, tie_rules=ties))
    tenders.edit_rules(session, actor, held.rule_set_id, content=content, expected_version=version.version)


def _seat(session: Session, actor: Actor, held: TenderTrack) -> None:
    version = session.get_one(RuleSetVersion, held.rule_set_id)
    ballot = Ballot.CLOSED if held.track == EXPORTS else Ballot.OPEN
    rules = replace(from_json(version.content), commission=replace(load_commission(), ballot=ballot))
    tenders.edit_rules(session, actor, held.rule_set_id, content=to_json(rules), expected_version=version.version)


def _part(session: Session, actor: Actor, held: TenderTrack) -> None:
    version = session.get_one(RuleSetVersion, held.rule_set_id)
    rules = replace(from_json(version.content), allotment=Allotment.PARTIAL)
    tenders.edit_rules(session, actor, held.rule_set_id, content=to_json(rules), expected_version=version.version)


def _share(session: Session, actor: Actor, held: TenderTrack) -> None:
    version = session.get_one(RuleSetVersion, held.rule_set_id)
    rules = replace(from_json(version.content), allotment=Allotment.BEST_TOTAL)
    tenders.edit_rules(session, actor, held.rule_set_id, content=to_json(rules), expected_version=version.version)


def _hide(session: Session, actor: Actor, held: TenderTrack) -> None:
    version = session.get_one(RuleSetVersion, held.rule_set_id)
    rules = replace(from_json(version.content), lanes=load_lanes(), blindness=Blindness.APPLICANTS_HIDDEN)
    tenders.edit_rules(
        session, actor, held.rule_set_id, content=to_json(anchored(rules)), expected_version=version.version
    )


def give(
    people: People, programme_id: UUID, instant: datetime, order: str, sums: Mapping[Track, Mapping[int, int]]
) -> None:
    """Open an envelope for each track and year and give it its money (million roubles) by an order."""
    with moment(instant) as session:
        actor = people.actor(session, "admin")
        for track, by_year in sums.items():
            for year, millions in by_year.items():
                envelope = budget.open_envelope(session, actor, programme_id=programme_id, track=track, year=year)
                budget.appropriate(
                    session,
                    actor,
                    envelope.id,
                    key=f"demo:appropriate:{track}:{year}",
                    amount=millions * MILLION,
                    order=order,
                    reason=f"Демо: средства программы на {year} год",
                )


def years_of(year: int) -> dict[Track, dict[int, int]]:
    """The envelopes of a tender: import substitution from its own year on, export from the next."""
    first = {IMPORTS: year, EXPORTS: year + 1}
    return {
        track: {first[track] + place: millions for place, millions in enumerate(split)}
        for track, split in SPLIT.items()
    }
