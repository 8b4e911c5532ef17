"""The requirements to a cluster (Decree 779) as data with versions by date, and the check of one cluster. Pure.

The limits are in ``requirements.json``: each edition of the decree from its day on. A requirement that the data
cannot answer says so; nothing is guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from portal.clusters.cooperation import YearFigures
from portal.clusters.profile_models import Infrastructure, Paper
from portal.core.figures import exact, number, percent, roubles, share, two_places
from portal.core.language import N_, Message

_FILE: Final = Path(__file__).with_name("requirements.json")
_INDUSTRIAL: Final = N_("Industrial enterprises among the members")
_FINAL: Final = N_("Makers of the final product among them")
REQUIRED_PAPERS: Final = (Paper.AGREEMENT, Paper.PROGRAMME, Paper.MAP, Paper.MEMBERS, Paper.REGION)


class Verdict(StrEnum):
    MET = "met"
    NOT_MET = "not_met"
    UNKNOWN = "unknown"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Edition:
    """The requirements as they stood from a day on; ``limits`` are the values of the file."""

    since: date
    act: Mapping[str, str]
    limits: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of a cluster on a day. ``year``: its latest year with figures.

    ``remote`` members are outside of the cluster's regions, ``remote_alone`` of them stand in no supply of the
    map; ``without_contract`` stand in none either and have no special investment contract.
    """

    industrial: int
    final_producers: int
    members: int
    regions: int
    remote: int
    remote_alone: int
    without_contract: int
    special: int
    starting: int
    infrastructure: Mapping[str, int]
    papers: frozenset[str]
    in_register: bool
    registered_on: date | None
    valid_until: date | None
    has_map: bool
    year: YearFigures | None
    regional_productivity: Decimal | None


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement: what was found, what is asked, and whether it holds."""

    code: str
    title: Message
    value: Message | None
    limit: Message
    verdict: Verdict
    advice: Message | None = None


@lru_cache
def editions() -> tuple[Edition, ...]:
    """All editions, oldest first."""
    return tuple(
        Edition(date.fromisoformat(item["from"]), item["act"], item) for item in json.loads(_FILE.read_text("utf-8"))
    )


def edition_on(day: date) -> Edition:
    """The edition in force on a day; before the first one, the first."""
    found = [edition for edition in editions() if edition.since <= day]
    return found[-1] if found else editions()[0]


def check(case: Case, edition: Edition) -> tuple[Check, ...]:
    """Every requirement CL-01 to CL-13 with its value, limit and verdict."""
    with exact():
        limits = edition.limits
        return (
            _at_least("CL-01", _INDUSTRIAL, case.industrial, limits["industrial_members"]),
            _at_least("CL-02", _FINAL, case.final_producers, limits["final_producers"]),
            _territory(case),
            _remote(case, limits),
            _cooperation(case, limits),
            _contracts(case),
            _hp_jobs(case, limits),
            _productivity(case),
            _infrastructure(case, limits),
            _papers(case),
            _starting(case, limits),
            Check(
                "CL-12",
                N_("Time in which the ministry checks a cluster"),
                None,
                N_("%(days)s working days", days=limits["check_days"]),
                Verdict.NOTE,
            ),
            _validity(case, limits),
        )


def _verdict(holds: bool) -> Verdict:
    return Verdict.MET if holds else Verdict.NOT_MET


def _plain(value: int | Decimal) -> Message:
    return N_("%(value)s", value=number(value))


def _at_least(code: str, title: Message, value: int, limit: int) -> Check:
    return Check(code, title, _plain(value), N_("at least %(limit)s", limit=limit), _verdict(value >= limit))


def _territory(case: Case) -> Check:
    return Check(
        "CL-03",
        N_("Territory: federal subjects of the cluster"),
        _plain(case.regions),
        N_("one or several"),
        _verdict(case.regions > 0),
    )


def _remote(case: Case, limits: Mapping[str, Any]) -> Check:
    title = N_("Members outside of the cluster's regions")
    if limits["remote_members"] == "none":
        return Check("CL-04", title, _plain(case.remote), N_("none"), _verdict(case.remote == 0))
    value = N_("%(all)s, of them without a supply in the map: %(alone)s", all=case.remote, alone=case.remote_alone)
    limit = N_("only if linked by co-operation")
    return Check("CL-04", title, value, limit, _verdict(case.remote_alone == 0))


def _cooperation(case: Case, limits: Mapping[str, Any]) -> Check:
    title, floor = N_("Co-operation level"), Decimal(limits["cooperation"])
    relief, special = limits["cooperation_relief"], share(Decimal(case.special), Decimal(case.members))
    if relief and special is not None and special >= Decimal(relief["special_share"]):
        floor = Decimal(relief["limit"])
    limit = N_("at least %(limit)s", limit=percent(floor))
    if case.year is None or case.year.level.percent is None or not case.has_map:
        advice = N_("Enter the functional map and the members' output of one year.")
        return Check("CL-05", title, None, limit, Verdict.UNKNOWN, advice)
    found = case.year.level
    value = N_(
        "%(level)s in %(year)s", level=percent(two_places(found.percent or Decimal(0))), year=str(case.year.year)
    )
    left_out = N_("Suppliers without figures of the year, left out: %(count)s", count=len(found.unknown))
    verdict = _verdict((found.percent or Decimal(0)) >= floor)
    return Check("CL-05", title, value, limit, verdict, left_out if found.unknown else None)


def _contracts(case: Case) -> Check:
    title = N_("Members without a contract with another member or a special investment contract")
    limit = N_("none")
    if not case.has_map:
        advice = N_("Enter the functional map: who supplies whom.")
        return Check("CL-06", title, None, limit, Verdict.UNKNOWN, advice)
    return Check("CL-06", title, _plain(case.without_contract), limit, _verdict(case.without_contract == 0))


def _hp_jobs(case: Case, limits: Mapping[str, Any]) -> Check:
    title, floor = N_("High-productivity jobs among all jobs of the members"), Decimal(limits["hp_jobs"])
    limit = N_("at least %(limit)s", limit=percent(floor))
    if case.year is None or case.year.hp_share is None:
        return Check("CL-07", title, None, limit, Verdict.UNKNOWN, N_("Enter the members' jobs of one year."))
    value = percent(two_places(case.year.hp_share))
    return Check("CL-07", title, N_("%(value)s", value=value), limit, _verdict(case.year.hp_share >= floor))


def _productivity(case: Case) -> Check:
    title = N_("Labour productivity of the members, roubles of value added a job")
    if case.regional_productivity is None:
        limit = N_("not below the region's industry")
        advice = N_("Enter the region's productivity in industry for the year.")
        known = case.year.productivity if case.year else None
        shown = N_("%(value)s", value=roubles(two_places(known))) if known is not None else None
        return Check("CL-08", title, shown, limit, Verdict.UNKNOWN, advice)
    limit = N_("at least %(limit)s", limit=roubles(case.regional_productivity))
    if case.year is None or case.year.productivity is None:
        return Check("CL-08", title, None, limit, Verdict.UNKNOWN, N_("Enter the members' value added and jobs."))
    found = two_places(case.year.productivity)
    return Check(
        "CL-08", title, N_("%(value)s", value=roubles(found)), limit, _verdict(found >= case.regional_productivity)
    )


def _infrastructure(case: Case, limits: Mapping[str, Any]) -> Check:
    kinds = (Infrastructure.EDUCATION, Infrastructure.TECHNOLOGY, Infrastructure.FINANCE)
    found = {kind.value: case.infrastructure.get(kind, 0) for kind in kinds}
    asked = {kind.value: int(limits[kind.value]) for kind in kinds}
    words = N_("education %(education)s, technology %(technology)s, finance and support %(finance)s", **found)
    limit = N_("education at least %(education)s, technology %(technology)s, finance and support %(finance)s", **asked)
    holds = all(found[kind] >= asked[kind] for kind in found)
    return Check("CL-09", N_("Infrastructure of the cluster"), words, limit, _verdict(holds))


def _papers(case: Case) -> Check:
    held = sum(paper in case.papers for paper in REQUIRED_PAPERS)
    limit = N_("agreement, development programme, functional map, list of members, agreement with the region")
    value = N_("%(held)s of %(all)s", held=held, all=len(REQUIRED_PAPERS))
    return Check("CL-10", N_("Documents of the cluster"), value, limit, _verdict(held == len(REQUIRED_PAPERS)))


def _starting(case: Case, limits: Mapping[str, Any]) -> Check:
    title, most = N_("Members that have not begun to produce"), limits["starting_members"]
    if most is None:
        return Check("CL-11", title, _plain(case.starting), N_("no limit in this edition"), Verdict.NOTE)
    limit = N_("no more than %(limit)s", limit=most)
    return Check("CL-11", title, _plain(case.starting), limit, _verdict(case.starting <= most))


def _validity(case: Case, limits: Mapping[str, Any]) -> Check:
    title, years = N_("Entry in the register"), limits["validity_years"]
    limit = N_("valid; older decisions stay valid %(years)s years", years=years) if years else N_("valid")
    if case.registered_on is None:
        return Check("CL-13", title, N_("not entered"), limit, Verdict.NOT_MET)
    value = N_("from %(day)s, no end set", day=case.registered_on)
    if case.valid_until:
        value = N_("from %(day)s to %(end)s", day=case.registered_on, end=case.valid_until)
    return Check("CL-13", title, value, limit, _verdict(case.in_register))
