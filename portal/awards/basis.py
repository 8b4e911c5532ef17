"""What a decision rests on: the newest scoring run, its ranking, the money left, and the list that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.awards import proposal
from portal.awards.allocation.inputs import is_plain, limit_names, lines_of, problem_of
from portal.awards.allocation.models import AllocationRun, RunState, together
from portal.awards.allocation.problem import Outcome, Policy, outcome_of
from portal.awards.allocation.rank_order import walk
from portal.awards.allocation.rows import Model
from portal.awards.models import Award, AwardDecision
from portal.awards.proposal import Line
from portal.awards.ranks import Ranks, ranks
from portal.core.canonical import digest
from portal.core.errors import Problems
from portal.core.figures import roubles
from portal.core.language import N_, Message
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
    held = ranks(session, track, rules)
    own = next(side for side in held if side.track.id == track.id)
    lines = _lines(session, own, held)
    totals = {item.entry.application_id: item.entry.total for item in own.ranked}
    output = own.run.output_digest or ""
    covered = _digest(own, output, lines, totals)
    return Basis(own.run.id, output, own.available, lines, totals, covered)


def _lines(session: Session, own: Ranks, held: Sequence[Ranks]) -> list[Line]:
    """By the policy and the limits of the rules; the best total is the one that was computed for just this."""
    tender = own.track.tender
    if is_plain(own.rules) and not tender.joint_limits:
        return proposal.propose(own.ranked, own.available)
    problem = problem_of(session, held)
    names = limit_names(tender, {side.track.track: side.rules for side in held})
    if problem.policy is not Policy.BEST_TOTAL:
        model = Model(problem)
        walked = walk(model, problem.policy)
        by_key = {model.candidates[at].key: outcome for at, outcome in walked.items()}
        return lines_of(own.ranked, by_key, names, own.unwilling)
    return lines_of(own.ranked, _computed(session, own.track, problem.digest), names, {})


def _computed(session: Session, track: TenderTrack, problem_digest: str) -> Mapping[str, Outcome]:
    run = session.scalar(
        select(AllocationRun)
        .where(
            AllocationRun.tender_track_id.in_(together(track)),
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


def recorded(decision: AwardDecision, output: str, joint: str | None) -> dict[str, Any]:
    """What the digest of a kept decision (lines and amounts loaded) covers; ``output``: the digest of its run,
    ``joint``: that of the limits over the tracks of its tender, if there are any."""
    return {
        "track": str(decision.tender_track_id),
        "scores": output,
        **_joint(joint),
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


def _digest(own: Ranks, output: str, lines: Sequence[Line], totals: Mapping[str, Decimal | None]) -> str:
    return digest(
        {
            "track": str(own.track.id),
            "scores": output,
            **_joint(own.track.tender.joint_digest),
            "available": as_text(own.available),
            "lines": [
                _covered(line.application_id, line.place, line.outcome, totals[line.application_id], line.amounts)
                for line in lines
            ],
        }
    )


def _joint(limits: str | None) -> dict[str, str]:
    """Decisions of tenders without such limits cover what they always did."""
    return {} if limits is None else {"joint_limits": limits}


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
