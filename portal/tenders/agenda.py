"""The milestones of tenders as entries of a calendar program, in one language."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.core.calendar_file import Event
from portal.core.formats import format_datetime
from portal.core.language import N_, render
from portal.identity.policy import Actor
from portal.notifications.letters import address
from portal.tenders import amendments, queries
from portal.tenders.models import Tender
from portal.tenders.ruleset import RuleSet
from portal.tenders.schedule import Milestone, calendar_of

HOST: Final = "joint-projects-portal"
"""The right side of the identifiers of events: they stay when the portal moves to another address."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A tender with its calendar, the number of its amendments and the time of its last change."""

    tender: Tender
    steps: list[Milestone]
    amended: int
    changed_at: datetime

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.tender.zone)


def plans(session: Session, actor: Actor, tenders: Iterable[Tender]) -> list[Plan]:
    """The calendars of published tenders, in two statements for all of them."""
    rows = [row for row in tenders if row.published_at is not None]
    keys = [row.id for row in rows]
    rules = queries.rules_by_tender(session, actor, keys) if keys else {}
    counts = amendments.counts(session, keys) if keys else {}
    return [_plan(row, rules[row.id], counts.get(row.id)) for row in rows]


def _plan(row: Tender, rules: list[RuleSet], amended: tuple[int, datetime] | None) -> Plan:
    instants = [row.published_at, row.cancelled_at, row.results_published_at, amended[1] if amended else None]
    changed = max(instant for instant in instants if instant is not None)
    return Plan(row, calendar_of(row, rules, ZoneInfo(row.zone)), amended[0] if amended else 0, changed)


def by_keys(session: Session, keys: Iterable[UUID]) -> list[Tender]:
    """Published tenders by their keys."""
    wanted = select(Tender).where(Tender.id.in_(list(keys)), Tender.published_at.is_not(None))
    return list(session.scalars(wanted.order_by(Tender.closes_at, Tender.id)))


def events(plan: Plan, locale: str, only: str = "") -> list[Event]:
    """The entries of a tender's calendar, or the one of the step ``only``."""
    return [_event(plan, step, locale) for step in plan.steps if not only or step.code == only]


def _event(plan: Plan, step: Milestone, locale: str) -> Event:
    tender = plan.tender
    title = N_("%(step)s: tender %(code)s", step=step.title, code=tender.code)
    name = tender.title_ru if locale == "ru" else tender.title_en
    note = [name]
    if step.at is not None:
        note.append(format_datetime(step.at, plan.zone, locale))
    elif step.code == "questions":
        note.append(render(N_("Until the end of the day, time of the zone %(zone)s.", zone=tender.zone), locale))
    return Event(
        uid=f"{step.code}.{tender.id}@{HOST}",
        title=render(title, locale),
        stamp=plan.changed_at,
        at=step.at,
        day=step.day,
        note="\n".join(note),
        url=address(f"/tenders/{tender.code}/calendar"),
        # An exception or a result moves what a program has to replace, as an amendment does.
        sequence=plan.amended + (tender.results_published_at is not None) + (tender.cancelled_at is not None),
        cancelled=tender.cancelled_at is not None,
    )
