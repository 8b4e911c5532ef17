"""What the list of a track is made of: the ranked applications, the rules, the money, and who refused a part.

Where a tender has limits over its tracks, one allocation is found for all of them: what the others bring is read too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from portal.applications.models import Application, State
from portal.awards.allocation.models import together
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

    ``rules``: those of the track, where they are read already. Three or four queries. Raises :class:`Problems` with
    everything that is open, or when there is nothing to decide on.
    """
    sides = _sides(session, track, rules)
    found = scoring.rankings(session, [(side.run, side.rules) for side in sides])
    money = budget.available_by_track(session, track.tender.programme_id, [side.track.track for side in sides])
    parts = [side.track.id for side in sides if side.rules.allotment is Allotment.PARTIAL]
    unwilling = offer_queries.refused(session, parts) if parts else {}
    made = []
    for side, ranking in zip(sides, found, strict=True):
        ranked = [place.ranked for place in ranking.places if place.state == State.EXPERTISE]
        if not ranked:
            raise Problems.one("nothing", "", N_("There is no application to decide on."))
        asked = {year for item in ranked for year, amount in item.entry.amounts.items() if amount}
        years = asked.union(side.rules.years)
        available = {year: amount for year, amount in money[side.track.track].items() if year in years}
        made.append(Ranks(side.track, side.run, ranked, side.rules, available, unwilling))
    return made


class _Side(NamedTuple):
    track: TenderTrack
    rules: RuleSet
    run: ScoreRun


def _sides(session: Session, track: TenderTrack, rules: RuleSet | None) -> list[_Side]:
    """The track, and the others that it is decided with in which something is to be decided, each with its newest
    scoring run, when everything is in it; one query.

    Raises :class:`Problems` with everything that is open, by track where they are several, or when another one is
    decided already.
    """
    joint = bool(track.tender.joint_limits)
    wanted = _runs().where(TenderTrack.id.in_(together(track))).order_by(TenderTrack.track)
    rows: Iterable[tuple[RuleSet, Sequence[Any]]]
    if rules is None or joint:
        rows = rules_with(session, wanted.join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id))
    else:
        rows = [(rules, row) for row in session.execute(wanted)]
    problems: list[Problem] = []
    sides = []
    for held, (side, in_play, signed, run, numbers, outside, last) in rows:
        if signed and side.id != track.id:
            raise Problems.one("signed_apart", "", SIGNED)
        if in_play or side.id == track.id:
            late = run is not None and last is not None and last > run.created_at
            found = _open_points(run, numbers or (), old=outside or late)
            problems += [_of(side, problem) for problem in found] if joint else found
            sides.append(_Side(side, held, run))
    if problems:
        raise Problems(problems)
    return sides


def _runs() -> Select[Any]:
    """Tracks with: whether something is to be decided, whether that is signed already, the newest scoring run, numbers
    of applications that are not checked, whether some are not in the run, and when the last review came in."""
    any_run = aliased(ScoreRun)
    newest = (
        select(any_run.id)
        .where(any_run.tender_track_id == TenderTrack.id, any_run.kind == "track")
        .order_by(any_run.id.desc())
        .limit(1)
        .correlate(TenderTrack)
        .scalar_subquery()
    )
    of_track = select(Application.id).where(Application.tender_track_id == TenderTrack.id).correlate(TenderTrack)
    signed = (
        select(AwardDecision.id)
        .where(AwardDecision.tender_track_id == TenderTrack.id, AwardDecision.signed_at.is_not(None))
        .correlate(TenderTrack)
    )
    unchecked = of_track.where(Application.state.in_((State.SUBMITTED, State.RETURNED))).with_only_columns(
        func.array_agg(aggregate_order_by(Application.number, Application.number))
    )
    judged = of_track.where(Application.state == State.EXPERTISE).with_only_columns(Application.submission_id)
    scored = select(Score.submission_id).where(Score.run_id == newest, Score.current)
    reviewed = select(func.max(Assignment.submitted_at)).where(Assignment.submission_id.in_(judged))
    columns = (
        TenderTrack,
        of_track.where(Application.state.in_(IN_PLAY)).exists(),
        signed.exists(),
        ScoreRun,
        unchecked.scalar_subquery(),
        judged.where(Application.submission_id.not_in(scored)).exists(),
        reviewed.scalar_subquery(),
    )
    return select(*columns).select_from(TenderTrack).outerjoin(ScoreRun, ScoreRun.id == newest)


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
