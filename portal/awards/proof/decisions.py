"""What followed a published decision, as a results bundle tells of it: later decisions, refusals, and adopted addenda.

Reasons of refusals and what the commission said of an addendum stay closed; grounds of later decisions are public with
them. Which line stands follows from the chain: the last decision on an application, unless its initiator has refused.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.awards import amending, basis
from portal.awards.models import AwardDecision, DecisionLine
from portal.awards.reserve_models import AwardRefusal
from portal.awards.scenarios.models import ScenarioCitation
from portal.budget.models import EnvelopeBalance, Posting


@dataclass(frozen=True, slots=True)
class Since:
    """The later published decisions on a track in their order, and the lines whose awards were refused."""

    later: Sequence[AwardDecision] = ()
    refused: Sequence[DecisionLine] = ()


def followed(session: Session, first: Sequence[AwardDecision]) -> dict[UUID, Since]:
    """Track -> what followed its first decision; two statements."""
    places = [decision.tender_track_id for decision in first]
    later: dict[UUID, list[AwardDecision]] = defaultdict(list)
    for decision in session.scalars(
        select(AwardDecision)
        .where(
            AwardDecision.tender_track_id.in_(places),
            AwardDecision.published_at.is_not(None),
            AwardDecision.discarded_at.is_(None),
            AwardDecision.number > 1,
        )
        .options(selectinload(AwardDecision.lines).selectinload(DecisionLine.amounts))
        .order_by(AwardDecision.number)
    ):
        later[decision.tender_track_id].append(decision)
    refused: dict[UUID, list[DecisionLine]] = defaultdict(list)
    for line in session.scalars(
        select(DecisionLine)
        .join(AwardRefusal, AwardRefusal.line_id == DecisionLine.id)
        .join(DecisionLine.decision)
        .where(AwardDecision.tender_track_id.in_(places))
        .options(joinedload(DecisionLine.decision))
        .order_by(AwardRefusal.id)
    ):
        refused[line.decision.tender_track_id].append(line)
    return {place: Since(later[place], refused[place]) for place in places}


def decisions(first: AwardDecision, since: Since) -> list[dict[str, Any]]:
    """Every decision on a track, each later one with what its digest covers."""
    told = [_decision(first)]
    for before, decision in zip((first, *since.later), since.later, strict=False):
        told.append({**_decision(decision), "covered": amending.recorded(decision, before.digest)})
    return told


def standing(first: AwardDecision, since: Since, numbers: Mapping[UUID, str]) -> list[dict[str, Any]]:
    """What stands of each application in the order of the ranking, and which decision says so."""
    last = {line.application_id: (decision, line) for decision, line in _lines(first, since)}
    gone = {line.application_id for line in since.refused}
    return [
        {
            "number": numbers[line.application_id],
            "decision": decision.number,
            "outcome": line.outcome,
            "amounts": basis.as_text({amount.year: amount.amount for amount in line.amounts}),
            "refused": line.application_id in gone,
        }
        for decision, line in sorted(last.values(), key=lambda found: found[1].place)
    ]


def addenda(session: Session, first: AwardDecision) -> list[dict[str, Any]]:
    """The scenarios that were adopted before the list was drafted, by their digests; ``same``: it is the same list."""
    rows = session.scalars(
        select(ScenarioCitation)
        .where(ScenarioCitation.decision_id == first.id)
        .options(joinedload(ScenarioCitation.scenario, innerjoin=True))
    )
    return [
        {
            "addendum": row.scenario.addendum,
            "key": str(row.scenario_id),
            "changes": row.scenario.changes_digest,
            "ground": row.scenario.ground_digest,
            "result": row.scenario.result_digest,
            "same": row.same,
        }
        for row in sorted(rows, key=lambda row: row.scenario.addendum or 0)
    ]


def cited(session: Session, first: AwardDecision) -> Sequence[UUID]:
    """The keys of these scenarios."""
    statement = select(ScenarioCitation.scenario_id).where(ScenarioCitation.decision_id == first.id)
    return session.scalars(statement).all()


def postings(
    session: Session, first: AwardDecision, since: Since, numbers: Mapping[UUID, str]
) -> dict[str, list[Any] | dict[str, Any]]:
    """[posting, number of the application] of what books the awards of each decision and frees what it changes.

    ``after``: posting -> envelope -> roubles that were available after it.
    """
    found = _postings(session, first, since)

    def of(prefix: str, lines: Sequence[DecisionLine]) -> list[list[str]]:
        keys = ((f"{prefix}:{line.id}", line.application_id) for line in lines)
        held = sorted((found[key].number, str(found[key].id), numbers[of]) for key, of in keys if key in found)
        return [[key, number] for _place, key, number in held]

    kept = session.execute(
        select(Posting.id, EnvelopeBalance.envelope_id, EnvelopeBalance.available)
        .join(EnvelopeBalance, EnvelopeBalance.number == Posting.number)
        .where(Posting.id.in_([posting.id for posting in found.values()]))
    )
    after: dict[str, dict[str, str]] = defaultdict(dict)
    for posting_id, envelope_id, available in kept:
        after[str(posting_id)][str(envelope_id)] = f"{available:.2f}"
    return {
        "awards": of("award", first.lines),
        "later": [
            {"decision": each.number, "awards": of("award", each.lines), "freed": of("revise", each.lines)}
            for each in since.later
        ],
        "refused": of("refusal", since.refused),
        "after": after,
    }


def posting_ids(session: Session, first: AwardDecision, since: Since) -> list[UUID]:
    """The postings that a bundle tells of: what agreements book, and decisions that are not public, is not among
    them."""
    return [posting.id for posting in _postings(session, first, since).values()]


def _postings(session: Session, first: AwardDecision, since: Since) -> dict[str, Posting]:
    keys = [f"award:{line.id}" for _decision, line in _lines(first, since)]
    keys += [f"revise:{line.id}" for decision in since.later for line in decision.lines]
    keys += [f"refusal:{line.id}" for line in since.refused]
    return {posting.key: posting for posting in session.scalars(select(Posting).where(Posting.key.in_(keys)))}


def _lines(first: AwardDecision, since: Since) -> Iterator[tuple[AwardDecision, DecisionLine]]:
    for decision in (first, *since.later):
        for line in decision.lines:
            yield decision, line


def _decision(decision: AwardDecision) -> dict[str, Any]:
    assert decision.published_at is not None
    return {
        "number": decision.number,
        "kind": decision.kind,
        "key": str(decision.id),
        "digest": decision.digest,
        "published_at": decision.published_at.astimezone(UTC).isoformat(),
    }
