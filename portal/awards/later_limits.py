"""What a later decision does to the limits of its track, and to those over all tracks of its tender. Decision 17.

Counted is what stands: the awards of signed decisions, without those that their initiators have refused. Percent is of
what the envelopes held before the first decisions, as in the allocation. A maximum is never broken from the reserve
list, which passes over whoever would; a correction may, with a reason that is published with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from portal.applications.models import Application, State
from portal.awards.allocation.inputs import JOINT, TAKE_PART, categories_of, limits_of
from portal.awards.allocation.problem import EACH, KOPECK, PERCENT, PROJECTS, SME, Candidate, Limit
from portal.awards.chain import superseded
from portal.awards.models import Award, AwardAmount, AwardDecision, DecisionLine
from portal.clusters.models import Cluster
from portal.core.canonical import plain_decimal
from portal.core.figures import number, roubles
from portal.core.language import N_, Message
from portal.identity.models import Organisation
from portal.tenders.joint_limits import limits_of as joint_limits_of
from portal.tenders.models import TenderTrack
from portal.tenders.ruleset import AllocationLimit, RuleSet
from portal.tenders.wording import limit_group

Granted = Mapping[UUID, Mapping[int, Decimal]]
"""Application -> year -> roubles that it gets; nothing for one that gets none."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A limit for one of its groups: what counts before and after a decision, and its bounds, in projects or roubles.

    ``title``: what the limit is called, in both languages; ``value``: the group, as the limits name it.
    """

    code: str
    field: str
    value: str
    title: Mapping[str, str]
    unit: str
    before: Decimal
    after: Decimal
    least: Decimal | None
    most: Decimal | None

    @property
    def over(self) -> bool:
        """Whether the decision takes more than is allowed."""
        return self.most is not None and self.after > self.most and self.after > self.before

    @property
    def under(self) -> bool:
        """Whether the decision leaves less than is asked for."""
        return self.least is not None and self.after < self.least and self.after < self.before

    @property
    def broken(self) -> bool:
        return self.over or self.under

    @property
    def met(self) -> bool:
        """Whether what counts after the decision lies within the bounds."""
        return (self.most is None or self.after <= self.most) and (self.least is None or self.after >= self.least)

    @property
    def told(self) -> Message:
        """What the decision would do to the limit, with the figures."""
        if self.over:
            text = N_("The limit “%(limit)s” (%(value)s) allows no more than %(bound)s; with this decision: %(after)s.")
        else:
            text = N_("The limit “%(limit)s” (%(value)s) asks for at least %(bound)s; with this decision: %(after)s.")
        bound = self.most if self.over else self.least
        assert bound is not None
        name = Message("%(title)s", {"title": dict(self.title)})
        return N_(text.msgid, limit=name, value=self.group, bound=self._said(bound), after=self._said(self.after))

    @property
    def group(self) -> Message:
        """Whom the limit counts here, in words."""
        return limit_group(self.field, self.value)

    def _said(self, amount: Decimal) -> object:
        return number(amount) if self.unit == PROJECTS else roubles(amount)

    def to_plain(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "field": self.field,
            "value": self.value,
            "title": dict(self.title),
            "unit": self.unit,
            **{
                name: None if amount is None else plain_decimal(amount)
                for name, amount in (
                    ("before", self.before),
                    ("after", self.after),
                    ("least", self.least),
                    ("most", self.most),
                )
            },
        }


def counted_of(plain: Mapping[str, Any]) -> Counted:
    """The one that :meth:`Counted.to_plain` wrote."""
    least, most = (None if plain[name] is None else Decimal(plain[name]) for name in ("least", "most"))
    return Counted(
        plain["code"],
        plain["field"],
        plain["value"],
        plain["title"],
        plain["unit"],
        Decimal(plain["before"]),
        Decimal(plain["after"]),
        least,
        most,
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of the tracks that the limits look at. ``given``: each application that is awarded or asked about,
    ``asked`` being what it is granted; ``whole``: track -> roubles in its envelopes before the first decision."""

    limits: Sequence[Limit] = ()
    titles: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    given: Mapping[UUID, Candidate] = field(default_factory=dict)
    whole: Mapping[str, Decimal] = field(default_factory=dict)

    def after(self, granted: Granted) -> list[Counted]:
        """Every limit for every group that occurs, before and after these applications are decided so."""
        then = self.granting(granted)
        return [
            Counted(
                limit.code,
                limit.field,
                group,
                self.titles[limit.code],
                PROJECTS if limit.unit == PROJECTS else "roubles",
                _used(limit, group, self.given.values()),
                _used(limit, group, then.given.values()),
                self._bound(limit, limit.least, ROUND_CEILING),
                self._bound(limit, limit.most, ROUND_FLOOR),
            )
            for limit in self.limits
            for group in _groups(limit, self.given.values())
        ]

    def granting(self, granted: Granted) -> Standing:
        """The same after these applications are decided so."""
        changed = {
            key: replace(self.given[key], asked={year: amount for year, amount in amounts.items() if amount})
            for key, amounts in granted.items()
            if key in self.given
        }
        return replace(self, given={**self.given, **changed})

    def over(self, granted: Granted) -> list[Counted]:
        """The maximums that these awards would break."""
        return [each for each in self.after(granted) if each.over]

    def _bound(self, limit: Limit, bound: Decimal | None, rounding: str) -> Decimal | None:
        if bound is None or limit.unit != PERCENT:
            return bound
        whole = sum((amount for track, amount in self.whole.items() if limit.track in ("", track)), Decimal(0))
        return (whole * bound / 100).quantize(KOPECK, rounding)


def standing(session: Session, track: TenderTrack, rules: RuleSet, applications: Iterable[UUID]) -> Standing:
    """What the limits of a track, and those over all tracks of its tender, count now; ``applications``: those that are
    to be decided anew. No query where there are no limits, two otherwise."""
    over_all = joint_limits_of(track.tender)
    own = limits_of(rules.limits, "", track.track)
    limits = (*limits_of(over_all, JOINT), *own)
    if not limits:
        return Standing()
    places = select(TenderTrack.id).where(TenderTrack.tender_id == track.tender_id)
    if not over_all:
        places = places.where(TenderTrack.id == track.id)
    given = {row.id: _candidate(row) for row in session.execute(_facts(places, list(applications)))}
    first = select(TenderTrack.track, AwardDecision.available).join(
        AwardDecision, AwardDecision.tender_track_id == TenderTrack.id
    )
    money = session.execute(
        first.where(TenderTrack.id.in_(places), AwardDecision.number == 1, AwardDecision.signed_at.is_not(None))
    )
    whole = {name: sum((max(Decimal(text), Decimal(0)) for text in held.values()), Decimal(0)) for name, held in money}
    return Standing(limits, _titles(over_all, JOINT) | _titles(rules.limits), given, whole)


def of_decision(session: Session, track: TenderTrack, decision: AwardDecision, rules: RuleSet) -> list[Counted]:
    """What a later decision (lines and amounts loaded) does to the limits: a draft as things stand now, a signed one
    as it was kept, where it breaks some. Two queries at most."""
    if decision.number == 1:
        return []
    if decision.signed_at is not None:
        return kept(decision)
    granted = {line.application_id: {each.year: each.amount for each in line.amounts} for line in decision.lines}
    return standing(session, track, rules, granted).after(granted)


def kept(decision: AwardDecision) -> list[Counted]:
    """The limits that a correction breaks with a reason, as they were when it was drafted."""
    return [counted_of(plain) for plain in (decision.beyond or {}).get("limits", ())]


def changed(session: Session, track: TenderTrack, decision: AwardDecision, rules: RuleSet) -> Message | None:
    """Why a drafted later decision is not signed any more: it would break a limit that it gives no reason for."""
    excused = {(each.code, each.value) for each in kept(decision)}
    for each in of_decision(session, track, decision, rules):
        if each.broken and (each.code, each.value) not in excused:
            return N_("%(what)s Discard this decision and draft it anew.", what=each.told)
    return None


def _facts(places: Select[UUID], applications: Sequence[UUID]) -> Select[Any]:
    """Applications with a standing award in these tracks, and those asked about, with what limits count of them."""
    award = (
        select(DecisionLine.id, DecisionLine.application_id)
        .join(AwardDecision, AwardDecision.id == DecisionLine.decision_id)
        .where(
            AwardDecision.tender_track_id.in_(places),
            AwardDecision.signed_at.is_not(None),
            DecisionLine.outcome == Award.AWARD,
            ~superseded(signed=True),
        )
        .subquery()
    )
    amounts = (
        select(func.jsonb_object_agg(AwardAmount.year, AwardAmount.amount))
        .where(AwardAmount.line_id == award.c.id)
        .scalar_subquery()
    )
    columns = (
        Application.id,
        Application.track,
        Organisation.region,
        Organisation.sme,
        Cluster.code,
        TAKE_PART.label("members"),
        amounts.label("amounts"),
    )
    standing_award = award.c.id.is_not(None) & (Application.state != State.RENOUNCED)
    return (
        select(*columns)
        .select_from(Application)
        .join(Organisation, Organisation.id == Application.initiator_id)
        .join(Cluster, Cluster.id == Application.cluster_id)
        .outerjoin(award, award.c.application_id == Application.id)
        .where(Application.tender_track_id.in_(places), standing_award | Application.id.in_(applications))
    )


def _candidate(row: Any) -> Candidate:
    return Candidate(
        key=str(row.id),
        number="",
        track=row.track,
        place=0,
        points=Decimal(0),
        asked={int(year): Decimal(str(amount)) for year, amount in (row.amounts or {}).items()},
        organisations=frozenset(row.members or ()),
        region=row.region,
        cluster=row.code,
        categories=categories_of(row.sme),
    )


def _titles(limits: Sequence[AllocationLimit], prefix: str = "") -> dict[str, Mapping[str, str]]:
    return {prefix + item.code: {"ru": item.title.ru, "en": item.title.en} for item in limits}


def _groups(limit: Limit, candidates: Iterable[Candidate]) -> list[str]:
    wanted = SME if limit.field == SME else limit.value
    if wanted != EACH:
        return [wanted]
    inside = (each for each in candidates if limit.track in ("", each.track))
    return sorted(set().union(*(each.groups(limit.field) for each in inside)))


def _used(limit: Limit, group: str, candidates: Iterable[Candidate]) -> Decimal:
    """Projects, or roubles over all years, that count under a group of a limit."""
    inside = [
        each
        for each in candidates
        if each.asked and limit.track in ("", each.track) and group in each.groups(limit.field)
    ]
    if limit.unit == PROJECTS:
        return Decimal(len(inside))
    return sum((amount for each in inside for amount in each.asked.values()), Decimal(0))
