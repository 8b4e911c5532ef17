"""Reading runs, scores and the ranking."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, null, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from portal.applications.figures.facts import Facts, facts
from portal.applications.models import Application, State, Submission
from portal.core.canonical import canonical_json
from portal.core.errors import NotFound
from portal.core.jobs import Task
from portal.identity.models import Organisation
from portal.scoring.draw_models import DrawCommitment, DrawOutcome
from portal.scoring.lots import lot
from portal.scoring.models import Score, ScoreRun
from portal.scoring.ranking import Entry, Ranked, rank
from portal.scoring.sheets import ToldSheet, told, told_gate
from portal.tenders.kept_rules import rules_with
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import RuleSet, TieRule, from_json

SCORED_STATES: Final = (State.SUBMITTED, State.EXPERTISE, State.AWARDED, State.RESERVE, State.DECLINED)


@dataclass(frozen=True, slots=True)
class RankedApplication:
    """A place of the ranking with what the pages show beside it."""

    ranked: Ranked
    application_id: UUID
    submission_id: UUID
    title_ru: str
    title_en: str
    initiator_ru: str
    initiator_en: str
    state: str
    objective: Decimal

    @property
    def entry(self) -> Entry:
        return self.ranked.entry


@dataclass(frozen=True, slots=True)
class Ranking:
    """The ranking of one track by one run."""

    run: ScoreRun
    rules: RuleSet
    places: Sequence[RankedApplication]

    @property
    def shown(self) -> list[tuple[int | None, RankedApplication]]:
        """As it is shown: those with a total with their places among them, then those without one, which have no
        place yet, by number. The ranking itself where nothing is missing."""
        known = [each for each in self.places if each.entry.total is not None]
        return [*enumerate(known, start=1), *((None, each) for each in self.missing)]

    @property
    def missing(self) -> list[RankedApplication]:
        """Those whose total waits for reviews, by number."""
        found = [each for each in self.places if each.entry.total is None]
        return sorted(found, key=lambda each: each.entry.number)

    @property
    def ranked(self) -> list[Ranked]:
        return [place.ranked for place in self.places]


def latest_run(session: Session, tender_track_id: UUID, *, ended: bool = True) -> ScoreRun | None:
    """The newest run over a track; ``ended`` leaves out the one that is going on."""
    statement = select(ScoreRun).where(ScoreRun.tender_track_id == tender_track_id, ScoreRun.kind == "track")
    if ended:
        statement = statement.where(ScoreRun.ended_at.is_not(None))
    return session.scalar(statement.order_by(ScoreRun.id.desc()).limit(1))


def latest_runs(session: Session, tender_track_ids: Sequence[UUID]) -> dict[UUID, ScoreRun]:
    """The newest run over each track, going on or ended; one query."""
    runs = session.scalars(
        select(ScoreRun)
        .where(ScoreRun.tender_track_id.in_(tender_track_ids), ScoreRun.kind == "track")
        .ext(distinct_on(ScoreRun.tender_track_id))
        .order_by(ScoreRun.tender_track_id, ScoreRun.id.desc())
    )
    return {run.tender_track_id: run for run in runs}


def ranking(session: Session, run: ScoreRun, rules: RuleSet | None = None) -> Ranking:
    """The ranking by an ended run: one query whatever the number of applications, and one for the rules of the track
    where they are not given."""
    (found,) = rankings(session, [(run, rules or rules_of(session, run.tender_track_id))])
    return found


def rankings(session: Session, runs: Sequence[tuple[ScoreRun, RuleSet]]) -> list[Ranking]:
    """The ranking by each of these ended runs, with the rules of its track; one query for all."""
    draws = any(TieRule.DRAW in rules.tie_rules for _run, rules in runs)
    statement = (
        select(
            Score.run_id,
            Application.id.label("application_id"),
            Application.number,
            Application.title_ru,
            Application.title_en,
            Application.state,
            Organisation.name_ru.label("initiator_ru"),
            Organisation.name_en.label("initiator_en"),
            Submission.id.label("submission_id"),
            Application.received_at,
            Score.total,
            Score.objective,
            Score.recommended,
            Score.amounts,
            Score.hpj,
            Score.sheet["gates"].label("gates"),
            (_RANDOMNESS if draws else null()).label("randomness"),
        )
        .join(Submission, Submission.id == Score.submission_id)
        .join(Application, Application.id == Submission.application_id)
        .join(Organisation, Organisation.id == Application.initiator_id)
        .where(Score.run_id.in_([run.id for run, _rules in runs]))
    )
    rows = {str(row.application_id): row for row in session.execute(statement)}
    found = []
    for run, rules in runs:
        ranked = rank([_entry(row) for row in rows.values() if row.run_id == run.id], rules)
        found.append(Ranking(run, rules, [_place(each, rows[each.entry.application_id]) for each in ranked]))
    return found


_RANDOMNESS: Final = (
    select(DrawOutcome.randomness)
    .join(DrawCommitment, DrawCommitment.id == DrawOutcome.commitment_id)
    .where(
        DrawOutcome.tender_track_id == Application.tender_track_id,
        DrawCommitment.numbers.bool_op("?")(Application.number),
    )
    .correlate(Application)
    .scalar_subquery()
)
"""What an application's lot follows from, as a column beside it; null where it has none."""


def lots_of(session: Session, tender_track_id: UUID) -> dict[str, str]:
    """Registration number -> what the public draw of the track gave it; empty before the draw."""
    row = session.execute(
        select(DrawOutcome.randomness, DrawCommitment.numbers)
        .join(DrawCommitment, DrawCommitment.id == DrawOutcome.commitment_id)
        .where(DrawOutcome.tender_track_id == tender_track_id)
    ).one_or_none()
    return {} if row is None else {number: lot(row.randomness, number) for number in row.numbers}


def _entry(row: Row[*tuple[Any, ...]]) -> Entry:
    received_at: datetime = row.received_at
    return Entry(
        application_id=str(row.application_id),
        number=row.number,
        total=row.total,
        amounts={int(year): Decimal(amount) for year, amount in row.amounts.items()},
        hpj=row.hpj,
        registered_at=received_at,
        recommended=row.recommended,
        gate_reasons=tuple(told_gate(gate).reason for gate in row.gates if gate["passed"] is not True),
        lot=lot(row.randomness, row.number) if row.randomness else "",
    )


def _place(ranked: Ranked, row: Row[*tuple[Any, ...]]) -> RankedApplication:
    return RankedApplication(
        ranked=ranked,
        application_id=row.application_id,
        submission_id=row.submission_id,
        title_ru=row.title_ru,
        title_en=row.title_en,
        initiator_ru=row.initiator_ru,
        initiator_en=row.initiator_en,
        state=row.state,
        objective=row.objective,
    )


def rules_of(session: Session, tender_track_id: UUID) -> RuleSet:
    """The rule set of a track."""
    wanted = (
        select(RuleSetVersion.id)
        .join(TenderTrack, TenderTrack.rule_set_id == RuleSetVersion.id)
        .where(TenderTrack.id == tender_track_id)
    )
    found = rules_with(session, wanted)
    if not found:
        raise NotFound
    return found[0][0]


def parsed_rules(content: object) -> RuleSet:
    """The rule set of its JSON; what was read lately is not read again."""
    return _parsed(canonical_json(content))


@lru_cache(maxsize=16)
def _parsed(content: bytes) -> RuleSet:
    return from_json(json.loads(content))


def current_score(session: Session, submission_id: UUID) -> Score | None:
    """The newest score of a submission."""
    return session.scalar(select(Score).where(Score.submission_id == submission_id, Score.current))


def score_in(session: Session, run_id: UUID, submission_id: UUID) -> Score | None:
    """The score of a submission in one run."""
    return session.scalar(select(Score).where(Score.run_id == run_id, Score.submission_id == submission_id))


@dataclass(frozen=True, slots=True)
class TrackRow:
    """A track of a tender with how many of its applications are to be scored."""

    id: UUID
    track: str
    tender_id: UUID
    tender_ru: str
    tender_en: str
    closes_at: datetime | None
    applications: int


def tracks(session: Session) -> list[TrackRow]:
    """The tracks of published tenders, newest tender first; one query."""
    scored = (
        select(Application.tender_track_id, func.count().label("applications"))
        .where(Application.state.in_(SCORED_STATES))
        .group_by(Application.tender_track_id)
        .subquery()
    )
    rows = session.execute(
        select(
            TenderTrack.id,
            TenderTrack.track,
            Tender.id,
            Tender.title_ru,
            Tender.title_en,
            Tender.closes_at,
            func.coalesce(scored.c.applications, 0),
        )
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .outerjoin(scored, scored.c.tender_track_id == TenderTrack.id)
        .where(Tender.published_at.is_not(None))
        .order_by(Tender.closes_at.desc(), Tender.id.desc(), TenderTrack.track)
        .limit(60)
    )
    return [TrackRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class RunWithTask:
    """A run with its background task, its track and tender."""

    run: ScoreRun
    task: Task | None
    track: str
    tender_ru: str
    tender_en: str


def run_with_task(session: Session, run_id: UUID) -> RunWithTask:
    """A run over a track by its id; :class:`NotFound` otherwise."""
    row = session.execute(
        select(ScoreRun, Task, TenderTrack.track, Tender.title_ru, Tender.title_en)
        .join(TenderTrack, TenderTrack.id == ScoreRun.tender_track_id)
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .outerjoin(Task, Task.id == ScoreRun.task_id)
        .where(ScoreRun.id == run_id, ScoreRun.kind == "track")
    ).one_or_none()
    if row is None:
        raise NotFound
    return RunWithTask(*row)


def run_before(session: Session, run: ScoreRun) -> ScoreRun | None:
    """The ended run over the same track before this one, to compare digests with."""
    return session.scalar(
        select(ScoreRun)
        .where(
            ScoreRun.tender_track_id == run.tender_track_id,
            ScoreRun.kind == "track",
            ScoreRun.ended_at.is_not(None),
            ScoreRun.id < run.id,
        )
        .order_by(ScoreRun.id.desc())
        .limit(1)
    )


@dataclass(frozen=True)
class Explained:
    """A submission's current score with what its page shows beside it."""

    score: Score
    application_id: UUID
    number: str
    title_ru: str
    title_en: str
    sha256: str
    received_at: datetime
    rules: RuleSet
    tender_track_id: UUID
    tender_ru: str
    tender_en: str
    zone: str
    package: Mapping[str, Any]

    @cached_property
    def sheet(self) -> ToldSheet:
        """The score in words."""
        return told(self.score.sheet, self.rules)

    @cached_property
    def facts(self) -> Facts:
        """The figures of the frozen submission."""
        return facts(self.package, self.rules)


def explained(session: Session, submission_id: UUID) -> Explained | None:
    """The current score of a submission for its page."""
    row = session.execute(
        select(
            Score,
            Application.id,
            Submission.number,
            Application.title_ru,
            Application.title_en,
            Submission.sha256,
            Submission.received_at,
            RuleSetVersion.content,
            TenderTrack.id,
            Tender.title_ru,
            Tender.title_en,
            Tender.zone,
            Submission.snapshot,
        )
        .join(Submission, Submission.id == Score.submission_id)
        .join(Application, Application.id == Submission.application_id)
        .join(TenderTrack, TenderTrack.id == Submission.tender_track_id)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .where(Score.submission_id == submission_id, Score.current)
    ).one_or_none()
    if row is None:
        return None
    score, application_id, number, title_ru, title_en, sha256, received_at, content, *others = row
    rules = parsed_rules(content)
    return Explained(score, application_id, number, title_ru, title_en, sha256, received_at, rules, *others)
