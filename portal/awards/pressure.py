"""What the tenders that are not decided yet ask of the envelopes, beside what these could still give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Integer, Numeric, Select, cast, func, select, true
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.core.money import ZERO
from portal.identity.policy import Actor, Permission, authorize
from portal.scoring.models import Score
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.queries import CURRENT

COMPETING = (State.SUBMITTED, State.RETURNED, State.EXPERTISE)


@dataclass(frozen=True, slots=True)
class Asked:
    """A track of a tender that is open or being evaluated. Roubles; ``uncounted``: applications without years;
    ``awards_in``: the years of its subsidy by its rules."""

    tender: Tender
    track: str
    tender_track_id: UUID
    awards_in: tuple[int, ...]
    applications: int = 0
    requested: Decimal = ZERO
    uncounted: int = 0
    years: Mapping[int, Decimal] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether what is asked for can be read: not before sealed applications are opened."""
        return not self.tender.sealed or self.tender.unsealed_at is not None


@dataclass(frozen=True, slots=True)
class Place:
    """A year of a track: available now, asked, and what of it is uncovered, roubles."""

    year: int
    available: Decimal
    asked: Decimal

    @property
    def could_take(self) -> Decimal:
        """What is left for further applications."""
        return max(self.available - self.asked, ZERO)

    @property
    def lacking(self) -> Decimal:
        return max(self.asked - self.available, ZERO)


def asked(session: Session, actor: Actor, programme_id: UUID) -> list[Asked]:
    """The tracks of the current tenders of a programme, the latest closing first; two statements."""
    authorize(actor, Permission.BUDGET_VIEW)
    held = Application.state.in_(COMPETING)
    competing = (Application.tender_track_id == TenderTrack.id) & held
    uncounted = func.count(Application.id).filter(Score.id.is_(None) | (Score.amounts == {}))
    tracks: Select[*tuple[Any, ...]] = (
        select(
            Tender,
            TenderTrack.track,
            TenderTrack.id,
            RuleSetVersion.content["years"],
            func.count(Application.id),
            func.coalesce(func.sum(Application.requested_total), ZERO),
            uncounted,
        )
        .join(TenderTrack, TenderTrack.tender_id == Tender.id)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .outerjoin(Application, competing)
        .outerjoin(Score, (Score.submission_id == Application.submission_id) & Score.current)
        .where(CURRENT, Tender.programme_id == programme_id)
        .group_by(Tender.id, TenderTrack.id, RuleSetVersion.id)
        .order_by(Tender.closes_at.desc(), TenderTrack.track.desc())
    )
    years = _years(session, programme_id)
    return [
        Asked(tender, track, key, tuple(awards_in), count, requested, without, years.get(key, {}))
        for tender, track, key, awards_in, count, requested, without in session.execute(tracks)
    ]


def _years(session: Session, programme_id: UUID) -> dict[UUID, dict[int, Decimal]]:
    each = func.jsonb_each_text(Score.amounts).table_valued("key", "value").lateral()
    year, amount = cast(each.c.key, Integer), cast(each.c.value, Numeric(18, 2))
    rows = session.execute(
        select(Application.tender_track_id, year, func.sum(amount))
        .join(Tender, Tender.id == Application.tender_id)
        .join(Score, (Score.submission_id == Application.submission_id) & Score.current)
        .join(each, true())
        .where(CURRENT, Tender.programme_id == programme_id, Application.state.in_(COMPETING))
        .group_by(Application.tender_track_id, year)
        .order_by(year)
    )
    found: dict[UUID, dict[int, Decimal]] = {}
    for key, of_year, total in rows:
        found.setdefault(key, {})[of_year] = total
    return found


def places(row: Asked, available: Mapping[tuple[str, int], Decimal]) -> list[Place]:
    """The years of a track: those asked for, and those of its rules in which its envelopes hold money.

    ``available``: (track, year) -> roubles of the programme's envelopes.
    """
    held = {year for year in row.awards_in if available.get((row.track, year))}
    return [
        Place(year, available.get((row.track, year), ZERO), row.years.get(year, ZERO))
        for year in sorted(held | set(row.years))
    ]
