"""A dry run: rules that are being edited, tried on the frozen submissions of an earlier run. Scores stay as they are.

Packages are measured under the edited rules, and scored with the reviews that the run used. Where the edited rules
ask for other aspects than those reviews have, the total stays open, and the page says so. The years of the money and
the first day of costs stay those of the earlier tender.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.orm import Session

from portal.applications.models import Application, Submission
from portal.audit.service import record
from portal.core import jobs
from portal.core.canonical import plain_decimal
from portal.core.clock import now
from portal.core.errors import NotFound, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize
from portal.scoring.batch import Again, again, calibrated_values, read_reviews
from portal.scoring.engine import Scorer, ScoreSheet
from portal.scoring.measuring import measure
from portal.scoring.models import DryRun, DryRunLine, Manifest, Score, ScoreRun
from portal.scoring.queries import parsed_rules, rules_of
from portal.scoring.ranking import Entry, rank
from portal.scoring.sheets import told
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import RuleSet, rules_digest

BATCH: Final = 250


@dataclass(frozen=True, slots=True)
class Base:
    """An ended run on which rules of its track can be tried."""

    run_id: UUID
    tender_ru: str
    tender_en: str
    ended_at: datetime
    applications: int


def bases(session: Session, track: str) -> list[Base]:
    """The latest ended run of each tender on this track that has a manifest, newest first; one query."""
    rows = session.execute(
        select(ScoreRun.id, Tender.title_ru, Tender.title_en, ScoreRun.ended_at, ScoreRun.total)
        .join(TenderTrack, TenderTrack.id == ScoreRun.tender_track_id)
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .join(Manifest, Manifest.run_id == ScoreRun.id)
        .where(TenderTrack.track == track, ScoreRun.kind == "track")
        .ext(distinct_on(Tender.closes_at, TenderTrack.id))
        .order_by(Tender.closes_at.desc(), TenderTrack.id, ScoreRun.id.desc())
        .limit(20)
    )
    return [Base(key, ru, en, ended, total) for key, ru, en, ended, total in rows if ended is not None]


def bases_of(session: Session, run_ids: Iterable[UUID]) -> dict[UUID, Base]:
    """The ended runs on which rules were tried, by their keys; one query."""
    rows = session.execute(
        select(ScoreRun.id, Tender.title_ru, Tender.title_en, ScoreRun.ended_at, ScoreRun.total)
        .join(TenderTrack, TenderTrack.id == ScoreRun.tender_track_id)
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .where(ScoreRun.id.in_(set(run_ids)), ScoreRun.ended_at.is_not(None))
    )
    return {key: Base(key, ru, en, ended, total) for key, ru, en, ended, total in rows if ended is not None}


def start_dry_run(session: Session, actor: Actor, *, rule_set_id: UUID, run_id: UUID) -> DryRun:
    """Try the present content of a rule set on the submissions of an ended run over the same track.

    Raises :class:`Problems` when the run cannot be used, or the rules are of another track.
    """
    authorize(actor, Permission.SCORE_DRY_RUN)
    rules = session.get(RuleSetVersion, rule_set_id)
    if rules is None:
        raise NotFound
    run = session.scalar(
        select(ScoreRun)
        .join(Manifest, Manifest.run_id == ScoreRun.id)
        .join(TenderTrack, TenderTrack.id == ScoreRun.tender_track_id)
        .where(ScoreRun.id == run_id, TenderTrack.track == rules.track)
    )
    if run is None:
        raise Problems.one("no_run", "run_id", N_("Choose a run over the same track that has ended."))
    trial = DryRun(
        rule_set_id=rule_set_id,
        run_id=run.id,
        content=rules.content,
        rules_digest=rules_digest(rules.content),
        total=run.total,
        started_by=actor.user_id,
    )
    session.add(trial)
    session.flush()
    trial.task_id = jobs.enqueue(session, "dry_run", {"dry_run_id": str(trial.id)}, key=f"dry_run:{trial.id}")
    record(session, actor, "scoring:rules:try", "rule_set_version", rule_set_id, {"run": run.id, "trial": trial.id})
    return trial


def step_dry_run(session: Session, dry_run_id: UUID) -> jobs.Progress:
    """Score the next applications by the edited rules; the last step gives the places."""
    trial = session.scalar(select(DryRun).where(DryRun.id == dry_run_id).with_for_update())
    if trial is None:
        raise NotFound
    if trial.ended_at is not None:
        return jobs.Progress(trial.total, trial.total)
    track_id, zone = session.execute(
        select(TenderTrack.id, Tender.zone)
        .join(Tender, Tender.id == TenderTrack.tender_id)
        .join(ScoreRun, ScoreRun.tender_track_id == TenderTrack.id)
        .where(ScoreRun.id == trial.run_id)
    ).one()
    before = rules_of(session, track_id)
    # The calendar belongs to a tender, not to what is tried: by next year's years everybody would fail.
    after = replace(parsed_rules(trial.content), years=before.years, costs_from=before.costs_from)
    scorer = Scorer(after)
    calibrated = calibrated_values(session, track_id, after)
    scores = again(session, trial.run_id, trial.last_number, BATCH)
    rows = []
    for each in scores:
        known = measure(each.package, after, each.received_at.astimezone(ZoneInfo(zone)).date())
        sheet = scorer.score(known, read_reviews(each.reviews), calibrated.get(str(each.submission_id)))
        rows.append(_line(trial.id, each, before, sheet))
    if rows:
        session.execute(insert(DryRunLine), rows)
    trial.done = min(trial.done + len(scores), trial.total)
    if len(scores) < BATCH:
        _end(session, trial, before, after)
        return jobs.Progress(trial.total, trial.total)
    trial.last_number = scores[-1].number
    return jobs.Progress(trial.done, max(trial.total, trial.done + 1))


def _line(dry_run_id: UUID, each: Again, before: RuleSet, sheet: ScoreSheet) -> dict[str, Any]:
    return {
        "dry_run_id": dry_run_id,
        "submission_id": each.submission_id,
        "total_before": each.total,
        "total_after": sheet.total,
        "objective_before": each.objective,
        "objective_after": sheet.objective_total,
        "recommended_before": each.recommended,
        "recommended_after": sheet.recommended,
        "changes": changes(each.sheet, before, sheet),
    }


def changes(kept: Mapping[str, Any], before: RuleSet, sheet: ScoreSheet) -> dict[str, str]:
    """Criterion -> by how much its weighted points differ, signed; those that stay the same are left out."""
    old = {line.code: line.weighted for line in told(kept, before).lines}
    new = {line.code: line.weighted for line in sheet.told.lines}
    found = {}
    for code in dict.fromkeys((*old, *new)):
        difference = (new.get(code) or Decimal(0)) - (old.get(code) or Decimal(0))
        if difference:
            found[code] = plain_decimal(difference)
    return found


def _end(session: Session, trial: DryRun, before: RuleSet, after: RuleSet) -> None:
    """Both rankings of the same applications, each by its own rules."""
    rows = session.execute(
        select(
            DryRunLine.submission_id,
            DryRunLine.total_before,
            DryRunLine.total_after,
            DryRunLine.recommended_before,
            DryRunLine.recommended_after,
            Submission.number,
            func.coalesce(Application.received_at, Submission.received_at).label("received_at"),
            Score.amounts,
            Score.hpj,
        )
        .join(Submission, Submission.id == DryRunLine.submission_id)
        .join(Application, Application.id == Submission.application_id)
        .join(Score, (Score.submission_id == DryRunLine.submission_id) & (Score.run_id == trial.run_id))
        .where(DryRunLine.dry_run_id == trial.id)
    ).all()
    places = {}
    for when, rules in (("before", before), ("after", after)):
        entries = [
            Entry(
                application_id=str(row.submission_id),
                number=row.number,
                total=getattr(row, f"total_{when}"),
                amounts={int(year): Decimal(amount) for year, amount in row.amounts.items()},
                hpj=row.hpj,
                registered_at=row.received_at,
                recommended=getattr(row, f"recommended_{when}"),
            )
            for row in rows
        ]
        places[when] = {UUID(each.entry.application_id): each.place for each in rank(entries, rules)}
    if rows:
        session.execute(
            update(DryRunLine),
            [
                {
                    "dry_run_id": trial.id,
                    "submission_id": row.submission_id,
                    "place_before": places["before"][row.submission_id],
                    "place_after": places["after"][row.submission_id],
                }
                for row in rows
            ],
        )
    trial.done = trial.total = len(rows)
    trial.ended_at = now(session)


@dataclass(frozen=True, slots=True)
class Moved:
    """An application in both rankings."""

    number: str
    submission_id: UUID
    title_ru: str
    title_en: str
    line: DryRunLine

    @property
    def by(self) -> int:
        """Places won, negative for places lost."""
        return (self.line.place_before or 0) - (self.line.place_after or 0)

    @property
    def crossed(self) -> bool:
        """Whether it would be recommended where it was not, or the other way round."""
        return self.line.recommended_before is not self.line.recommended_after


def moved(session: Session, dry_run_id: UUID, first: int = 1, limit: int = 50) -> Sequence[Moved]:
    """The applications of an ended dry run from a place on, in the order of the places they would have; one query."""
    rows = session.execute(
        select(Submission.number, Submission.id, Application.title_ru, Application.title_en, DryRunLine)
        .join(Submission, Submission.id == DryRunLine.submission_id)
        .join(Application, Application.id == Submission.application_id)
        .where(DryRunLine.dry_run_id == dry_run_id, DryRunLine.place_after >= first)
        .order_by(DryRunLine.place_after)
        .limit(limit)
    )
    return [Moved(*row) for row in rows]


class Summary(NamedTuple):
    """How many applications would have moved; ``opened``: their totals would be open for want of other reviews."""

    applications: int
    up: int
    down: int
    won: int
    lost: int
    opened: int


def summary(session: Session, dry_run_id: UUID) -> Summary:
    """What a dry run changes, in numbers; one query."""
    line = DryRunLine
    before, after = func.coalesce(line.recommended_before, False), func.coalesce(line.recommended_after, False)
    counts = session.execute(
        select(
            func.count(),
            func.count().filter(line.place_after < line.place_before),
            func.count().filter(line.place_after > line.place_before),
            func.count().filter(after, ~before),
            func.count().filter(before, ~after),
            func.count().filter(line.total_before.is_not(None), line.total_after.is_(None)),
        ).where(line.dry_run_id == dry_run_id)
    ).one()
    return Summary(*counts)


def trials(session: Session, rule_set_id: UUID) -> Sequence[DryRun]:
    """The latest dry runs of a rule set, newest first."""
    return session.scalars(
        select(DryRun).where(DryRun.rule_set_id == rule_set_id).order_by(DryRun.id.desc()).limit(10)
    ).all()


def trial_of(session: Session, rule_set_id: UUID, dry_run_id: UUID) -> DryRun:
    """A dry run of a rule set; :class:`NotFound` otherwise."""
    row = session.scalar(select(DryRun).where(DryRun.id == dry_run_id, DryRun.rule_set_id == rule_set_id))
    if row is None:
        raise NotFound
    return row
