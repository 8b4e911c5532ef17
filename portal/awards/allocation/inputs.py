"""What an allocation is computed from: ranked applications with their initiators and clusters, money, and limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session, aliased

from portal.applications.models import Application, Participant, ParticipantState
from portal.awards.allocation.problem import SME, Candidate, Limit, Outcome, Policy, Problem, smallest_part
from portal.awards.allocation.words import told
from portal.awards.models import Award
from portal.awards.offers.models import AwardOffer, OfferState
from portal.awards.proposal import Line, declined, not_scored
from portal.awards.ranks import Ranks
from portal.clusters.models import Cluster
from portal.core.errors import Problem as Fault
from portal.core.errors import Problems
from portal.core.figures import roubles
from portal.core.language import N_, Message
from portal.identity.models import Organisation
from portal.scoring.ranking import Ranked
from portal.tenders.joint_limits import limits_of as joint_limits_of
from portal.tenders.models import Tender
from portal.tenders.ruleset import AllocationLimit, Allotment, RuleSet

JOINT: Final = "joint:"
"""Before the codes of limits over all tracks; those of a track stand behind its name then."""
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


def problem_of(session: Session, held: Sequence[Ranks]) -> Problem:
    """The recommended applications under the policy and limits of the rules, and the limits over all tracks of the
    tender; one query.

    ``held``: :func:`portal.awards.ranks.ranks`. Under partial funding whoever has not refused a part is taken to agree
    to what the rules call one. Raises Problems for applications whose score is open, and for one that asks for nothing.
    """
    _refuse_unfit([item for side in held for item in side.ranked])
    wanted = [(side, item) for side in held for item in side.ranked if item.entry.recommended]
    facts = {
        row.id: row
        for row in session.execute(
            select(Application.id, Organisation.region, Organisation.sme, Cluster.code, TAKE_PART.label("members"))
            .join(Organisation, Organisation.id == Application.initiator_id)
            .join(Cluster, Cluster.id == Application.cluster_id)
            .where(Application.id.in_([UUID(item.entry.application_id) for _side, item in wanted]))
        )
    }
    candidates = [_candidate(side, item, facts[UUID(item.entry.application_id)]) for side, item in wanted]
    envelopes = {(side.track.track, year): amount for side in held for year, amount in side.available.items()}
    (policy,) = {Policy(side.rules.allotment.value) for side in held}
    return Problem(tuple(candidates), envelopes, policy, _all_limits(held))


def _candidate(side: Ranks, item: Ranked, fact: Row[*tuple[Any, ...]]) -> Candidate:
    entry = item.entry
    assert entry.total is not None
    parts = side.rules.allotment is Allotment.PARTIAL and entry.application_id not in side.unwilling
    return Candidate(
        key=entry.application_id,
        number=entry.number,
        track=side.track.track,
        place=item.place,
        points=entry.total,
        asked={year: amount for year, amount in entry.amounts.items() if amount},
        least=smallest_part(entry.amounts, side.rules.smallest_part) if parts else None,
        organisations=frozenset(fact.members or ()),
        region=fact.region,
        cluster=fact.code,
        categories=categories_of(fact.sme),
    )


def categories_of(sme: str) -> frozenset[str]:
    """What limits count an initiator under: that it is one of the small and medium ones, and which."""
    return frozenset() if sme == NO_SME else frozenset({SME, sme})


def limits_of(limits: Sequence[AllocationLimit], prefix: str = "", track: str = "") -> tuple[Limit, ...]:
    """Limits of rules as an allocation takes them; ``prefix``: before their codes, ``track``: the one they look at."""
    return tuple(
        Limit(prefix + item.code, item.field.value, item.value.strip(), item.least, item.most, item.unit.value, track)
        for item in limits
    )


def _all_limits(held: Sequence[Ranks]) -> tuple[Limit, ...]:
    """Those over all tracks come first: of two minimums that exclude each other theirs is kept."""
    over_all = joint_limits_of(held[0].track.tender)
    if not over_all:
        return limits_of(held[0].rules.limits)
    own = (limits_of(side.rules.limits, f"{side.track.track}:", side.track.track) for side in held)
    return (*limits_of(over_all, JOINT), *(limit for limits in own for limit in limits))


def limit_names(tender: Tender, rules: Mapping[str, RuleSet]) -> dict[str, Message]:
    """What the limits of an allocation are called, for sentences: code -> title in both languages; ``rules``: track ->
    its rules."""
    over_all = joint_limits_of(tender)
    if not over_all:
        return {item.code: _name(item) for held in rules.values() for item in held.limits}
    own = {f"{track}:{item.code}": _name(item) for track, held in rules.items() for item in held.limits}
    return {JOINT + item.code: _name(item) for item in over_all} | own


def _name(limit: AllocationLimit) -> Message:
    return Message("%(title)s", {"title": {"ru": limit.title.ru, "en": limit.title.en}})


def lines_of(
    ranked: Sequence[Ranked],
    outcomes: Mapping[str, Outcome],
    names: Mapping[str, Message],
    answers: Mapping[str, AwardOffer],
) -> list[Line]:
    """The list in the order of the ranking: who is granted money, who stands on the reserve list, who is declined.

    ``names``: those of :func:`limit_names`; ``answers``: of who refused a part, which is the reason then.
    """
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
