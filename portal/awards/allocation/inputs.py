"""What an allocation is computed from: ranked applications with their initiators and clusters, money, and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from portal.applications.models import Application, Participant, ParticipantState
from portal.awards.allocation.problem import SME, Candidate, Limit, Outcome, Policy, Problem, smallest_part
from portal.awards.allocation.words import told
from portal.awards.models import Award
from portal.awards.offers import queries as offer_queries
from portal.awards.offers.models import AwardOffer, OfferState
from portal.awards.proposal import Line, declined, not_scored
from portal.clusters.models import Cluster
from portal.core.errors import Problem as Fault
from portal.core.errors import Problems
from portal.core.figures import roubles
from portal.core.language import N_, Message
from portal.identity.models import Organisation
from portal.scoring.ranking import Ranked
from portal.tenders.models import TenderTrack
from portal.tenders.ruleset import Allotment, RuleSet

NO_SME = "none"
_MEMBER: Final = aliased(Organisation)
TAKE_PART: Final = (
    select(func.array_agg(_MEMBER.inn))
    .select_from(Participant)
    .join(_MEMBER, _MEMBER.id == Participant.organisation_id)
    .where(Participant.application_id == Application.id, Participant.state == ParticipantState.ACCEPTED)
    .correlate(Application)
    .scalar_subquery()
)
"""The taxpayer numbers of an application's participants, as a column beside it; null for none."""


def is_plain(rules: RuleSet) -> bool:
    """Whether the list follows by the strict rank order alone, as in rules that say nothing of it."""
    return rules.allotment is Allotment.STRICT and not rules.limits


def problem_of(
    session: Session,
    track: TenderTrack,
    ranked: Sequence[Ranked],
    rules: RuleSet,
    available: Mapping[int, Decimal],
    unwilling: Mapping[str, AwardOffer],
) -> Problem:
    """The recommended applications under the policy and limits of the rules; one query.

    Under partial funding whoever has not refused a part (``unwilling``: :func:`refused_parts`) is taken to agree to
    what the rules call one. Raises Problems for applications whose score is open, and for one that asks for nothing.
    """
    _refuse_unfit(ranked)
    wanted = [item for item in ranked if item.entry.recommended]
    keys = [UUID(item.entry.application_id) for item in wanted]
    facts = {
        row.id: row
        for row in session.execute(
            select(Application.id, Organisation.region, Organisation.sme, Cluster.code, TAKE_PART.label("members"))
            .join(Organisation, Organisation.id == Application.initiator_id)
            .join(Cluster, Cluster.id == Application.cluster_id)
            .where(Application.id.in_(keys))
        )
    }
    parts = rules.allotment is Allotment.PARTIAL
    candidates = []
    for item, key in zip(wanted, keys, strict=True):
        entry, fact = item.entry, facts[key]
        assert entry.total is not None
        candidates.append(
            Candidate(
                key=entry.application_id,
                number=entry.number,
                track=track.track,
                place=item.place,
                points=entry.total,
                asked={year: amount for year, amount in entry.amounts.items() if amount},
                least=smallest_part(entry.amounts, rules.smallest_part)
                if parts and entry.application_id not in unwilling
                else None,
                organisations=frozenset(fact.members or ()),
                region=fact.region,
                cluster=fact.code,
                categories=frozenset() if fact.sme == NO_SME else frozenset({SME, fact.sme}),
            )
        )
    envelopes = {(track.track, year): amount for year, amount in available.items()}
    return Problem(tuple(candidates), envelopes, Policy(rules.allotment.value), limits_of(rules))


def refused_parts(session: Session, track: TenderTrack, rules: RuleSet) -> Mapping[str, AwardOffer]:
    """Whose initiators did not agree to a part, with the last offer; nothing where the rules do not name parts."""
    return offer_queries.refused(session, track.id) if rules.allotment is Allotment.PARTIAL else {}


def limits_of(rules: RuleSet) -> tuple[Limit, ...]:
    return tuple(
        Limit(item.code, item.field.value, item.value.strip(), item.least, item.most, item.unit.value)
        for item in rules.limits
    )


def limit_names(rules: RuleSet) -> dict[str, Message]:
    """What the limits are called, for sentences: code -> title in both languages."""
    titles = {item.code: {"ru": item.title.ru, "en": item.title.en} for item in rules.limits}
    return {code: Message("%(title)s", {"title": title}) for code, title in titles.items()}


def lines_of(
    ranked: Sequence[Ranked],
    outcomes: Mapping[str, Outcome],
    rules: RuleSet,
    unwilling: Mapping[str, AwardOffer] | None = None,
) -> list[Line]:
    """The list in the order of the ranking: who is granted money, who stands on the reserve list, who is declined.

    ``unwilling``: those of :func:`refused_parts`, whose reason is what they answered.
    """
    answers = unwilling or {}
    names = limit_names(rules)
    lines = []
    for item in sorted(ranked, key=lambda each: each.place):
        entry = item.entry
        if not entry.recommended:
            lines.append(Line(entry.application_id, item.place, Award.DECLINE, {}, declined(entry)))
            continue
        outcome = outcomes[entry.application_id]
        won = Award.AWARD if outcome.granted else Award.RESERVE
        offer = answers.get(entry.application_id) if won is Award.RESERVE else None
        reason = told(outcome, names) if offer is None else _unwilling(offer)
        lines.append(Line(entry.application_id, item.place, won, dict(outcome.granted), reason))
    return lines


def _unwilling(offer: AwardOffer) -> Message:
    sums = {"offered": roubles(offer.offered), "asked": roubles(offer.asked)}
    if offer.state == OfferState.EXPIRED:
        return N_(
            "A part was offered, %(offered)s of %(asked)s, and its initiator did not answer in time: reserve list.",
            **sums,
        )
    return N_(
        "A part was offered, %(offered)s of %(asked)s, and its initiator did not agree: reserve list.",
        **sums,
    )


def _refuse_unfit(ranked: Sequence[Ranked]) -> None:
    found = []
    for item in ranked:
        where = f"application.{item.entry.number}"
        if item.entry.recommended is None:
            found.append(not_scored(item.entry))
        elif item.entry.recommended and not any(item.entry.amounts.values()):
            found.append(
                Fault(
                    "asks_nothing",
                    where,
                    N_("%(number)s: the application asks for no subsidy.", number=item.entry.number),
                )
            )
    if found:
        raise Problems(found)
