"""What a decision rests on: the newest scoring run, its ranking, the money left, and the list that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlalchemy.orm import Session, aliased

from portal.applications.models import Application, State
from portal.awards import proposal
from portal.awards.allocation.inputs import is_plain, lines_of, problem_of, refused_parts
from portal.awards.allocation.models import AllocationRun, RunState
from portal.awards.allocation.problem import Outcome, Policy, outcome_of
from portal.awards.allocation.rank_order import walk
from portal.awards.allocation.rows import Model
from portal.awards.models import Award, AwardDecision
from portal.awards.proposal import Line
from portal.budget import queries as budget
from portal.core.canonical import digest
from portal.core.errors import Problem, Problems
from portal.core.figures import roubles
from portal.core.language import N_, Message
from portal.review.models import Assignment
from portal.scoring import queries as scoring
from portal.scoring.models import Score, ScoreRun
from portal.scoring.ranking import Ranked
from portal.tenders.models import TenderTrack
from portal.tenders.ruleset import RuleSet

NOT_COMPUTED: Final = N_(
    "The rules ask for the best total of points: compute the allocation under the present ranking and money first."
)
BY_CLOCK: Final = N_("The clock ended the search for the allocation, so nobody could repeat it: compute it again.")


@dataclass(frozen=True, slots=True)
class Basis:
    """The list as it follows at this moment. ``available``: year -> roubles; ``totals``: points by application."""

    run_id: UUID
    output_digest: str
    available: Mapping[int, Decimal]
    lines: Sequence[Line]
    totals: Mapping[str, Decimal | None]
    digest: str

    @property
    def winners(self) -> list[UUID]:
        return [UUID(line.application_id) for line in self.lines if line.outcome is Award.AWARD]


def present(session: Session, track: TenderTrack, rules: RuleSet | None = None) -> Basis:
    """The list that follows now; ``rules``: those of the track, where they are read already.

    Raises :class:`Problems` with everything that is still open.
    """
    return _follow(session, track, ranks(session, track, complete_run(session, track), rules))


def complete_run(session: Session, track: TenderTrack) -> ScoreRun:
    """The newest scoring run, when everything is in it; one query.

    Raises :class:`Problems` with everything that is open.
    """
    any_run = aliased(ScoreRun)
    newest = (
        select(any_run.id)
        .where(any_run.tender_track_id == track.id, any_run.kind == "track")
        .order_by(any_run.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    unchecked = select(func.array_agg(aggregate_order_by(Application.number, Application.number))).where(
        Application.tender_track_id == track.id, Application.state.in_((State.SUBMITTED, State.RETURNED))
    )
    in_play = select(Application.submission_id).where(
        Application.tender_track_id == track.id, Application.state == State.EXPERTISE
    )
    scored = select(Score.submission_id).where(Score.run_id == newest, Score.current)
    reviewed = select(func.max(Assignment.submitted_at)).where(Assignment.submission_id.in_(in_play))
    run: ScoreRun | None
    run, numbers, outside, last = session.execute(
        select(
            ScoreRun,
            unchecked.scalar_subquery(),
            in_play.where(Application.submission_id.not_in(scored)).exists(),
            reviewed.scalar_subquery(),
        )
        .select_from(TenderTrack)
        .outerjoin(ScoreRun, ScoreRun.id == newest)
        .where(TenderTrack.id == track.id)
    ).one()
    problems = [_unchecked(number) for number in numbers or ()]
    if run is None:
        problems.append(Problem("no_run", "run", N_("The applications of this track are not scored yet: start a run.")))
    elif run.ended_at is None:
        problems.append(Problem("running", "run", N_("A scoring run is going on: wait until it has ended.")))
    elif outside or (last is not None and last > run.created_at):
        message = N_("Applications or reviews were handed in after the last scoring run: start another one.")
        problems.append(Problem("old_run", "run", message))
    if problems or run is None:
        raise Problems(problems)
    return run


def _unchecked(number: str) -> Problem:
    """Of an application whose formal check is not finished."""
    message = N_("%(number)s: the formal check is not finished.", number=number)
    return Problem("unchecked", f"application.{number}", message)


@dataclass(frozen=True, slots=True)
class Ranks:
    """What the list of a run is made of: the ranked applications in expertise, the rules, and roubles by year, of
    the years that the rules or the requests name: what is given for others changes nothing here."""

    run: ScoreRun
    ranked: list[Ranked]
    rules: RuleSet
    available: Mapping[int, Decimal]


def ranks(session: Session, track: TenderTrack, run: ScoreRun, rules: RuleSet | None = None) -> Ranks:
    """Two queries, one more for rules that are not given.

    Raises :class:`Problems` when there is nothing to decide on.
    """
    ranking = scoring.ranking(session, run, rules)
    ranked = [place.ranked for place in ranking.places if place.state == State.EXPERTISE]
    if not ranked:
        raise Problems.one("nothing", "", N_("There is no application to decide on."))
    available = budget.available(session, track.tender.programme_id, track.track)
    asked = {year for item in ranked for year, amount in item.entry.amounts.items() if amount}
    years = asked.union(ranking.rules.years)
    return Ranks(run, ranked, ranking.rules, {year: amount for year, amount in available.items() if year in years})


def _follow(session: Session, track: TenderTrack, found: Ranks) -> Basis:
    run, ranked, available = found.run, found.ranked, found.available
    lines = _lines(session, track, ranked, found.rules, available)
    totals = {item.entry.application_id: item.entry.total for item in ranked}
    output = run.output_digest or ""
    return Basis(run.id, output, available, lines, totals, _digest(track.id, output, available, lines, totals))


def _lines(
    session: Session, track: TenderTrack, ranked: Sequence[Ranked], rules: RuleSet, available: Mapping[int, Decimal]
) -> list[Line]:
    """By the policy and the limits of the rules; the best total is the one that was computed for just this."""
    if is_plain(rules):
        return proposal.propose(ranked, available)
    unwilling = refused_parts(session, track, rules)
    problem = problem_of(session, track, ranked, rules, available, unwilling)
    if problem.policy is not Policy.BEST_TOTAL:
        model = Model(problem)
        walked = walk(model, problem.policy)
        by_key = {model.candidates[at].key: outcome for at, outcome in walked.items()}
        return lines_of(ranked, by_key, rules, unwilling)
    return lines_of(ranked, _computed(session, track, problem.digest), rules)


def _computed(session: Session, track: TenderTrack, problem_digest: str) -> Mapping[str, Outcome]:
    run = session.scalar(
        select(AllocationRun)
        .where(
            AllocationRun.tender_track_id == track.id,
            AllocationRun.state == RunState.DONE,
            AllocationRun.problem_digest == problem_digest,
        )
        .order_by(AllocationRun.id.desc())
        .limit(1)
    )
    if run is None:
        raise Problems.one("no_allocation", "allocation", NOT_COMPUTED)
    if not run.reproducible:
        raise Problems.one("by_clock", "allocation", BY_CLOCK)
    return {key: outcome_of(plain) for key, plain in run.result["outcomes"].items()}


def difference(
    session: Session, track: TenderTrack, decision: AwardDecision, rules: RuleSet | None = None
) -> Message | None:
    """What changed since the decision was drafted, or None when the same list follows from the same facts."""
    try:
        now = present(session, track, rules)
    except Problems as problems:
        return N_("it is no longer complete: %(why)s", why=problems.problems[0].message)
    if as_text(now.available) != decision.available:
        return _money_changed(now.available, decision.available)
    if now.digest != decision.digest:
        if now.run_id != decision.run_id:
            return N_("the applications were scored anew, with another result")
        return N_("the list has changed")
    return None


def as_text(available: Mapping[int, Decimal]) -> dict[str, str]:
    """Roubles by year as JSON keeps them."""
    return {str(year): f"{amount:.2f}" for year, amount in sorted(available.items())}


def _money_changed(available: Mapping[int, Decimal], before: Mapping[str, str]) -> Message:
    for year in sorted({*available, *map(int, before)}):
        old, new = Decimal(before.get(str(year), 0)), available.get(year, Decimal(0))
        if old != new:
            return N_(
                "the money available for %(year)s changed from %(old)s to %(new)s",
                year=year,
                old=roubles(old),
                new=roubles(new),
            )
    return N_("the envelopes have changed")


def recorded(decision: AwardDecision, output: str) -> dict[str, Any]:
    """What the digest of a kept decision (lines and amounts loaded) covers; ``output``: the digest of its run."""
    return {
        "track": str(decision.tender_track_id),
        "scores": output,
        "available": dict(decision.available),
        "lines": [
            _covered(
                str(line.application_id),
                line.place,
                line.outcome,
                line.total,
                {amount.year: amount.amount for amount in line.amounts},
            )
            for line in decision.lines
        ],
    }


def _digest(
    track_id: UUID,
    output: str,
    available: Mapping[int, Decimal],
    lines: Sequence[Line],
    totals: Mapping[str, Decimal | None],
) -> str:
    return digest(
        {
            "track": str(track_id),
            "scores": output,
            "available": as_text(available),
            "lines": [
                _covered(line.application_id, line.place, line.outcome, totals[line.application_id], line.amounts)
                for line in lines
            ],
        }
    )


def _covered(
    application_id: str, place: int, outcome: str, total: Decimal | None, amounts: Mapping[int, Decimal]
) -> dict[str, Any]:
    return {
        "application": application_id,
        "place": place,
        "outcome": str(outcome),
        "total": None if total is None else f"{total:.2f}",
        "amounts": as_text(amounts),
    }
