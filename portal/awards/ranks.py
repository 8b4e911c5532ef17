"""What the list of a track is made of: the ranked applications, the rules, the money, and who refused a part.

Where a tender has limits over its tracks, one allocation is found for all of them: what the others bring is read too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, func, or_, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from portal.applications.models import Application, State
from portal.awards.models import AwardDecision
from portal.awards.offers import queries as offer_queries
from portal.awards.offers.models import AwardOffer
from portal.budget import queries as budget
from portal.core.errors import Problem, Problems
from portal.core.language import N_
from portal.review.models import Assignment
from portal.scoring import queries as scoring
from portal.scoring.models import Score, ScoreRun
from portal.scoring.ranking import Ranked
from portal.tenders.kept_rules import rules_with
from portal.tenders.models import RuleSetVersion, TenderTrack, Track
from portal.tenders.rules import TRACK_NAMES
from portal.tenders.ruleset import Allotment, RuleSet

IN_PLAY: Final = (State.SUBMITTED, State.RETURNED, State.EXPERTISE)
"""States of applications that nobody has decided on yet."""
SIGNED: Final = N_("The decision on the other track is signed already: the limits over both tracks were counted there.")


@dataclass(frozen=True, slots=True)
class Ranks:
    """What one track brings into an allocation. ``available``: roubles by year, of the years that the rules or the
    requests name: what is given for others changes nothing here. ``unwilling``: who did not agree to a part, with the
    last offer."""

    track: TenderTrack
    run: ScoreRun
    ranked: list[Ranked]
    rules: RuleSet
    available: Mapping[int, Decimal]
    unwilling: Mapping[str, AwardOffer]


def ranks(session: Session, track: TenderTrack, rules: RuleSet | None = None) -> list[Ranks]:
    """What is decided on together with a track, in the order of the tracks: the track alone, or all tracks of a tender
    with limits over them in which there is something to decide on.

    ``rules``: those of the track, where they are read already. Three or four queries, one more for limits over tracks
    or rules that are not given. Raises :class:`Problems` with everything that is open, or when there is nothing to
    decide on.
    """
    joint = bool(track.tender.joint_limits)
    sides = _sides(session, track) if joint else [(track, rules or scoring.rules_of(session, track.id))]
    runs = _complete_runs(session, [side for side, _rules in sides], joint=joint)
    found = scoring.rankings(session, [(runs[side.id], held) for side, held in sides])
    money = budget.available_by_track(session, track.tender.programme_id, [side.track for side, _rules in sides])
    parts = [side.id for side, held in sides if held.allotment is Allotment.PARTIAL]
    unwilling = offer_queries.refused(session, parts) if parts else {}
    made = []
    for (side, held), ranking in zip(sides, found, strict=True):
        ranked = [place.ranked for place in ranking.places if place.state == State.EXPERTISE]
        if not ranked:
            raise Problems.one("nothing", "", N_("There is no application to decide on."))
        asked = {year for item in ranked for year, amount in item.entry.amounts.items() if amount}
        years = asked.union(held.years)
        available = {year: amount for year, amount in money[side.track].items() if year in years}
        made.append(Ranks(side, ranking.run, ranked, held, available, unwilling))
    return made


def _sides(session: Session, track: TenderTrack) -> list[tuple[TenderTrack, RuleSet]]:
    """The track, and the others of its tender in which something is to be decided; one query.

    Raises :class:`Problems` when one of the others is decided already.
    """
    in_play = select(Application.id).where(
        Application.tender_track_id == TenderTrack.id, Application.state.in_(IN_PLAY)
    )
    signed = select(AwardDecision.id).where(
        AwardDecision.tender_track_id == TenderTrack.id, AwardDecision.signed_at.is_not(None)
    )
    wanted: Select[Any] = (
        select(TenderTrack, in_play.exists(), signed.exists())
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .where(TenderTrack.tender_id == track.tender_id)
        .order_by(TenderTrack.track)
    )
    sides = []
    for rules, (side, open_, decided) in rules_with(session, wanted):
        if decided and side.id != track.id:
            raise Problems.one("signed_apart", "", SIGNED)
        if open_ or side.id == track.id:
            sides.append((side, rules))
    return sides


def _complete_runs(session: Session, tracks: Sequence[TenderTrack], *, joint: bool) -> dict[UUID, ScoreRun]:
    """Track -> its newest scoring run, when everything is in it; one query.

    ``joint``: problems name the track. Raises :class:`Problems` with everything that is open.
    """
    any_run = aliased(ScoreRun)
    newest = (
        select(any_run.id)
        .where(any_run.tender_track_id == TenderTrack.id, any_run.kind == "track")
        .order_by(any_run.id.desc())
        .limit(1)
        .correlate(TenderTrack)
        .scalar_subquery()
    )
    unchecked = (
        select(func.array_agg(aggregate_order_by(Application.number, Application.number)))
        .where(
            Application.tender_track_id == TenderTrack.id,
            or_(Application.state == State.SUBMITTED, Application.state == State.RETURNED),
        )
        .correlate(TenderTrack)
    )
    in_play = (
        select(Application.submission_id)
        .where(Application.tender_track_id == TenderTrack.id, Application.state == State.EXPERTISE)
        .correlate(TenderTrack)
    )
    scored = select(Score.submission_id).where(Score.run_id == newest, Score.current)
    reviewed = select(func.max(Assignment.submitted_at)).where(Assignment.submission_id.in_(in_play))
    rows = session.execute(
        select(
            TenderTrack,
            ScoreRun,
            unchecked.scalar_subquery(),
            in_play.where(Application.submission_id.not_in(scored)).exists(),
            reviewed.scalar_subquery(),
        )
        .outerjoin(ScoreRun, ScoreRun.id == newest)
        .where(TenderTrack.id.in_([track.id for track in tracks]))
        .order_by(TenderTrack.track)
    )
    problems: list[Problem] = []
    runs: dict[UUID, ScoreRun] = {}
    for track, run, numbers, outside, last in rows:
        late = run is not None and last is not None and last > run.created_at
        found = _open_points(run, numbers or (), old=outside or late)
        problems += [_of(track, problem) for problem in found] if joint else found
        runs[track.id] = run
    if problems:
        raise Problems(problems)
    return runs


def _open_points(run: ScoreRun | None, unchecked: Sequence[str], *, old: bool) -> list[Problem]:
    problems = [_unchecked(number) for number in unchecked]
    if run is None:
        problems.append(Problem("no_run", "run", N_("The applications of this track are not scored yet: start a run.")))
    elif run.ended_at is None:
        problems.append(Problem("running", "run", N_("A scoring run is going on: wait until it has ended.")))
    elif old:
        message = N_("Applications or reviews were handed in after the last scoring run: start another one.")
        problems.append(Problem("old_run", "run", message))
    return problems


def _of(track: TenderTrack, problem: Problem) -> Problem:
    message = N_("%(track)s: %(what)s", track=TRACK_NAMES[Track(track.track)], what=problem.message)
    return Problem(problem.code, problem.field, message)


def _unchecked(number: str) -> Problem:
    """Of an application whose formal check is not finished."""
    message = N_("%(number)s: the formal check is not finished.", number=number)
    return Problem("unchecked", f"application.{number}", message)
