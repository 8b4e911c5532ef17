"""The published results of a tender: what stands on each track, and the decisions that made it as they were made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, joinedload, selectinload

from portal.applications.models import Application, State
from portal.awards import later_limits
from portal.awards.later_limits import Counted
from portal.awards.models import AwardDecision, DecisionLine
from portal.tenders.models import TenderTrack


@dataclass(frozen=True, slots=True)
class ResultLine:
    """What everyone may know of one application's outcome. Roubles by year; points; reason in both languages."""

    place: int
    number: str
    title_ru: str
    title_en: str
    initiator_ru: str
    initiator_en: str
    cluster_ru: str
    cluster_en: str
    outcome: str
    total: Decimal | None
    amounts: Mapping[int, Decimal]
    reason: Mapping[str, str]
    refused: bool = False

    @property
    def awarded(self) -> Decimal:
        """What the project gets, roubles: nothing when its initiator has refused the award."""
        return Decimal("0.00") if self.refused else sum(self.amounts.values(), Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class Published:
    """One published decision of a track as it was made: number, kind, day, why, digest, and what it gave to whom.

    ``broken``: the limits that a correction breaks; ``excuse``: why.
    """

    number: int
    kind: str
    published_at: datetime
    grounds: str
    digest: str
    lines: Sequence[ResultLine]
    broken: Sequence[Counted] = ()
    excuse: str = ""


@dataclass(frozen=True, slots=True)
class TrackResults:
    """What is published on one track: the outcomes that stand, and every decision that made them, the first one first.

    Day, key and digest are those of the last decision.
    """

    track: str
    published_at: datetime
    decision_id: UUID
    digest: str
    lines: Sequence[ResultLine]
    chain: Sequence[Published] = ()

    @property
    def awarded(self) -> Decimal:
        return sum((line.awarded for line in self.lines), Decimal("0.00"))

    def of(self, outcome: str) -> list[ResultLine]:
        return [line for line in self.lines if line.outcome == outcome]

    def later(self, line: ResultLine, number: int) -> int | None:
        """The number of the decision that changed a line of decision ``number``, None where it stands."""
        after = (item for item in self.chain if item.number > number)
        return next((item.number for item in after if any(each.number == line.number for each in item.lines)), None)


def published_results(session: Session, tender_id: UUID) -> list[TrackResults]:
    """Public: the published decisions of a tender, import substitution first."""
    decisions = session.execute(
        select(AwardDecision, TenderTrack.track)
        .join(TenderTrack, TenderTrack.id == AwardDecision.tender_track_id)
        .where(
            TenderTrack.tender_id == tender_id,
            AwardDecision.published_at.is_not(None),
            AwardDecision.discarded_at.is_(None),
        )
        .options(
            selectinload(AwardDecision.lines).options(
                selectinload(DecisionLine.amounts),
                joinedload(DecisionLine.application, innerjoin=True).options(
                    joinedload(Application.initiator, innerjoin=True),
                    joinedload(Application.cluster, innerjoin=True),
                ),
            )
        )
        .order_by(TenderTrack.track.desc(), AwardDecision.number)
    )
    found: dict[str, TrackResults] = {}
    for decision, track in decisions:
        assert decision.published_at is not None
        made = sorted(map(_result, decision.lines), key=lambda line: line.place)
        said = Published(
            decision.number,
            decision.kind,
            decision.published_at,
            decision.grounds,
            decision.digest,
            made,
            later_limits.kept(decision),
            (decision.beyond or {}).get("reason", ""),
        )
        before = found.get(track)
        lines = {line.number: line for line in before.lines} if before else {}
        lines |= {line.number: line for line in made}
        found[track] = TrackResults(
            track,
            decision.published_at,
            decision.id,
            decision.digest,
            sorted(lines.values(), key=lambda line: line.place),
            (*(before.chain if before else ()), said),
        )
    return list(found.values())


@dataclass(frozen=True, slots=True)
class Revised:
    """What a later decision made of the published outcome of one application: the line that stood, and its own."""

    decision: AwardDecision
    before: DecisionLine
    after: DecisionLine


def revisions(session: Session, application_id: UUID) -> list[Revised]:
    """How the published outcome of an application was changed, the latest first; two queries. The caller authorises."""
    lines = session.scalars(
        select(DecisionLine)
        .join(DecisionLine.decision)
        .where(
            DecisionLine.application_id == application_id,
            AwardDecision.published_at.is_not(None),
            AwardDecision.discarded_at.is_(None),
        )
        .options(contains_eager(DecisionLine.decision), selectinload(DecisionLine.amounts))
        .order_by(AwardDecision.number)
    ).all()
    return [Revised(after.decision, before, after) for before, after in pairwise(lines)][::-1]


def _result(line: DecisionLine) -> ResultLine:
    application = line.application
    return ResultLine(
        place=line.place,
        number=application.number or "",
        title_ru=application.title_ru,
        title_en=application.title_en,
        initiator_ru=application.initiator.name_ru,
        initiator_en=application.initiator.name_en,
        cluster_ru=application.cluster.name_ru,
        cluster_en=application.cluster.name_en,
        outcome=line.outcome,
        total=line.total,
        amounts={amount.year: amount.amount for amount in line.amounts},
        reason=line.reason,
        refused=application.state == State.RENOUNCED,
    )
