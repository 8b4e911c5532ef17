"""How the demo's clusters live: profiles, functional maps, yearly figures, documents and roadmaps.

Figures, maps, dates of programmes and names of infrastructure are invented; all of it is marked as a demo.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from portal.clusters import board, profile, roadmap
from portal.clusters.profile_models import (
    ClusterProfile,
    ClusterProgramme,
    ClusterYear,
    Infrastructure,
    InfrastructureObject,
    MemberYear,
    Paper,
    Supply,
)
from portal.core.clock import MOSCOW, today
from portal.core.db import session as current_session
from portal.demo.clusters import ENTRIES, Entry, Trade, trades
from portal.demo.filing import Register
from portal.demo.moments import moment, moscow
from portal.demo.papers import paper
from portal.demo.people import People
from portal.identity.policy import Actor

YEARS: Final = 6
MILLION: Final = Decimal(1_000_000)
_DATA: Final[dict[str, Any]] = json.loads((Path(__file__).with_name("data") / "profiles.json").read_text("utf-8"))
_BOARD: Final[list[dict[str, Any]]] = json.loads((Path(__file__).with_name("data") / "board.json").read_text("utf-8"))
_SESSION_RU: Final = "Скорректирована по итогам стратегической сессии 25–28 июля 2018 года."
_SESSION_EN: Final = "Adjusted after the strategic session of 25-28 July 2018."
_PAPERS: Final = {
    Paper.AGREEMENT: "Соглашение об участии в промышленной деятельности кластера",
    Paper.PROGRAMME: "Программа развития кластера",
    Paper.MAP: "Функциональная карта кластера",
    Paper.MEMBERS: "Перечень участников кластера",
    Paper.REGION: "Соглашение с субъектом Российской Федерации",
}
_INFRASTRUCTURE: Final = (
    (Infrastructure.EDUCATION, "Демо-технический университет {ru}", "Demo Technical University {en}"),
    (Infrastructure.TECHNOLOGY, "Демо-центр инжиниринга {ru}", "Demo Engineering Centre {en}"),
    (Infrastructure.TECHNOLOGY, "Демо-испытательная лаборатория {ru}", "Demo Testing Laboratory {en}"),
    (Infrastructure.FINANCE, "Демо-фонд поддержки предпринимательства {ru}", "Demo Enterprise Support Fund {en}"),
    (Infrastructure.EDUCATION, "Демо-колледж {ru}", "Demo College {en}"),
    (Infrastructure.FINANCE, "Демо-банк, отделение {ru}", "Demo Bank, {en} Branch"),
)


@dataclass(frozen=True, slots=True)
class Link:
    """A supply of the demo between two places of a cluster's members, with its part of the supplier's output."""

    supplier: int
    buyer: int
    percent: Decimal


def load(people: People, register: Register) -> None:
    """Write all of it; roadmaps and documents by the verbs that the pages use, at their days."""
    session = current_session()
    this_year = today(session).year
    session.rollback()
    with moment(moscow(this_year, 1, 20)) as session:
        for entry in ENTRIES:
            _profile(session, entry, register)
            _years(session, entry, register, range(this_year - YEARS, this_year))
    with moment(moscow(2017, 6, 20)) as session:
        for entry in ENTRIES:
            centre = people.owner(session, register.centres[entry.code])
            _documents(session, centre, entry, register.clusters[entry.code])
            _first_roadmap(session, centre, entry.code, register)
    with moment(moscow(2018, 8, 6)) as session:
        for code, plan in _DATA["roadmaps"].items():
            _second_roadmap(session, people.owner(session, register.centres[code]), code, plan, register)


def post(people: People, register: Register) -> None:
    """Needs and offers of the present days, some of which answer each other."""
    session = current_session()
    day = today(session)
    session.rollback()
    instant = datetime.combine(day - timedelta(days=len(_BOARD)), time(11), MOSCOW)
    for number, told in enumerate(_BOARD):
        code, place = told["cluster"], told["member"]
        party = register.members[code][place - 1] if place else register.centres[code]
        with moment(instant + timedelta(days=number)) as current:
            board.post(
                current,
                people.owner(current, party),
                cluster_id=register.clusters[code],
                organisation_id=party.id,
                values={
                    **{
                        name: told[name] for name in ("side", "kind", "okpd2", "region", "volume", "text", "visibility")
                    },
                    "title": told["title"],
                    "valid_until": (day + timedelta(days=told["days"])).isoformat(),
                },
            )


def _profile(session: Session, entry: Entry, register: Register) -> None:
    key, told = register.clusters[entry.code], _DATA["profiles"][entry.code]
    session.add(
        ClusterProfile(
            cluster_id=key,
            about_ru=f"Предприятия кластера выпускают {entry.makers[0].product} и комплектующие к этой продукции.",
            about_en=f"The members of the cluster make {entry.makers[0].product_en} and their components.",
            facts_ru=told["facts_ru"],
            facts_en=told["facts_en"],
            rcc_since=date.fromisoformat(told["rcc"]) if told["rcc"] else None,
        )
    )
    for programme, since, until in told["programmes"]:
        session.add(
            ClusterProgramme(
                cluster_id=key,
                programme=programme,
                since=date.fromisoformat(since),
                until=date.fromisoformat(until),
            )
        )
    count = {"D9": 3, "D11": 6, "D13": 1}.get(entry.code, 4)
    for kind, russian, english in _INFRASTRUCTURE[:count]:
        session.add(
            InfrastructureObject(
                cluster_id=key,
                kind=kind,
                name_ru=russian.format(ru=entry.place_ru),
                name_en=english.format(en=entry.place_en),
                region=entry.regions[0],
            )
        )
    session.flush()


def links(entry: Entry) -> Iterator[Link]:
    """Who supplies whom: makers of components the final product, ordinary suppliers the makers."""
    makers, everybody = len(entry.makers), len(trades(entry))
    for place in range(1, makers):
        yield Link(place, 0, Decimal(14 + place * 7 % 17))
        if place % 2 and place + 1 < makers:
            yield Link(place, place + 1, Decimal(4 + place % 5))
    for place in range(makers, everybody):
        first = 1 + place % (makers - 1)
        yield Link(place, first, Decimal(9 + place * 5 % 13))
        second = 1 + (place * 2 + 1) % (makers - 1)
        if second != first:
            yield Link(place, second, Decimal(3 + place % 6))
        if place % 4 == 0:
            yield Link(place, 0, Decimal(5))
    if everybody - makers > 3:
        yield Link(makers, makers + 3, Decimal(4))


def _years(session: Session, entry: Entry, register: Register, years: range) -> None:
    key, members = register.clusters[entry.code], register.members[entry.code]
    made, told = trades(entry), _DATA["profiles"][entry.code]
    found = list(links(entry))
    for age, year in enumerate(years):
        outputs = [_output(told["base"], place, age) for place in range(len(members))]
        session.add_all(
            _member_year(key, members[place].id, place, year, age, out) for place, out in enumerate(outputs)
        )
        session.add(
            ClusterYear(
                cluster_id=key,
                year=year,
                regional_productivity=Decimal((1_050_000 if entry.code == "D9" else 880_000) + 52_000 * age),
            )
        )
        session.flush()
        session.add_all(_supply(key, members, made, link, year, age, outputs, entry.code) for link in found)
    session.flush()


def _output(base: int, place: int, age: int) -> Decimal:
    """Roubles: the maker of the final product is the largest, everybody grows by a few percent a year."""
    size = Decimal(base) * (Decimal(6) if place == 0 else Decimal(1) + Decimal(place * 3 % 7) / 10)
    return (size * (Decimal("1.06") ** age) * MILLION).quantize(MILLION / 10).quantize(Decimal("0.01"))


def _member_year(cluster: UUID, member: UUID, place: int, year: int, age: int, output: Decimal) -> MemberYear:
    jobs = max(12, int(output / Decimal(2_900_000)) - age * 2)
    share = Decimal(42 + place % 5 * 3 + age * 3) / 100
    exports = output * (Decimal(6 + place % 4 * 3 + age) / 100)
    return MemberYear(
        cluster_id=cluster,
        organisation_id=member,
        year=year,
        output=output,
        exports=exports.quantize(Decimal("0.01")),
        jobs=jobs,
        hp_jobs=min(jobs, int(jobs * share)),
        value_added=(output * Decimal("0.41")).quantize(Decimal("0.01")),
    )


def _supply(
    cluster: UUID,
    members: Sequence[Any],
    made: Sequence[Trade],
    link: Link,
    year: int,
    age: int,
    outputs: Sequence[Decimal],
    code: str,
) -> Supply:
    """Supplies grow with the outputs; in the Irkutsk cluster they are fewer than the decree asks for."""
    trade, factor = made[link.supplier], Decimal("0.55") if code == "D9" else Decimal(1)
    percent = link.percent * factor * (Decimal(90 + age * 4) / 100)
    return Supply(
        cluster_id=cluster,
        supplier_id=members[link.supplier].id,
        buyer_id=members[link.buyer].id,
        year=year,
        okpd2=trade.okved2,
        product_ru=trade.product,
        product_en=trade.product_en,
        volume=(outputs[link.supplier] * percent / 100).quantize(Decimal("0.01")),
    )


def _documents(session: Session, actor: Actor, entry: Entry, cluster_id: UUID) -> None:
    for kind, title in _PAPERS.items():
        if kind in _DATA["profiles"][entry.code]["missing"]:
            continue
        profile.add_document(
            session,
            actor,
            cluster_id=cluster_id,
            kind=kind,
            title=title,
            issued_on="15.06.2017",
            name=f"{entry.code}-{kind}.pdf",
            stream=io.BytesIO(paper(f"Cluster {entry.code}", kind.value)),
        )


def _first_roadmap(session: Session, actor: Actor, code: str, register: Register) -> None:
    plan = _DATA["roadmaps"].get(code)
    cluster_id = register.clusters[code]
    roadmap.start_version(session, actor, cluster_id=cluster_id, reason_ru="", reason_en="")
    for action in plan["first"] if plan else _DATA["common"]:
        values = _values(action, code, register)
        roadmap.set_action(session, actor, cluster_id=cluster_id, code=None, values=values)
    roadmap.publish(session, actor, cluster_id=cluster_id)


def _second_roadmap(session: Session, actor: Actor, code: str, plan: Mapping[str, Any], register: Register) -> None:
    cluster_id = register.clusters[code]
    roadmap.start_version(session, actor, cluster_id=cluster_id, reason_ru=_SESSION_RU, reason_en=_SESSION_EN)
    for number, changes in plan["changes"].items():
        values = _values({**plan["first"][int(number) - 1], **changes}, code, register)
        roadmap.set_action(session, actor, cluster_id=cluster_id, code=f"RM-{int(number):02}", values=values)
    for number in plan["dropped"]:
        roadmap.remove_action(session, actor, cluster_id=cluster_id, code=f"RM-{number:02}")
    for action in plan["added"]:
        values = _values(action, code, register)
        roadmap.set_action(session, actor, cluster_id=cluster_id, code=None, values=values)
    roadmap.publish(session, actor, cluster_id=cluster_id)


def _values(action: Mapping[str, Any], code: str, register: Register) -> dict[str, str]:
    member = action["member"]
    values = {name: str(value) for name, value in action.items() if name != "member"}
    return values | {"responsible_id": str(register.members[code][member - 1].id) if member else ""}
