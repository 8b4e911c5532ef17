"""Reading decisions: the list of tracks, one decision with all that it says, and what is public."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, select
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, selectinload
from sqlalchemy.orm.attributes import set_committed_value

from portal.applications.models import Application, Participant, ParticipantState, State
from portal.awards import sign_offs
from portal.awards.models import Award, AwardDecision, DecisionLine
from portal.awards.policy import Interest
from portal.awards.reserve_models import ProposalState, ReserveProposal
from portal.awards.sign_offs import SignOff
from portal.core.errors import NotFound
from portal.identity.models import Membership, Organisation, User
from portal.identity.policy import Actor, scope
from portal.scoring.models import Score
from portal.tenders.kept_rules import rules_with
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import RuleSet

IN_PLAY = (State.SUBMITTED, State.RETURNED, State.EXPERTISE, State.AWARDED, State.RESERVE, State.DECLINED)
_LIVE = aliased(AwardDecision)


def interests(session: Session, user_ids: Iterable[UUID], application_ids: Iterable[UUID]) -> list[Interest]:
    """Which of these people belong to an organisation that takes part in one of these applications."""
    rows = session.execute(
        select(User.id, User.full_name, Application.number, Organisation.name_ru, Organisation.name_en)
        .join(Membership, Membership.user_id == User.id)
        .join(Organisation, Organisation.id == Membership.organisation_id)
        .join(Participant, Participant.organisation_id == Organisation.id)
        .join(Application, Application.id == Participant.application_id)
        .where(
            User.id.in_(list(user_ids)),
            Application.id.in_(list(application_ids)),
            Participant.state == ParticipantState.ACCEPTED,
        )
        .order_by(Application.number, Organisation.name_ru, User.id)
    )
    return [Interest(user, person, number or "", russian, english) for user, person, number, russian, english in rows]


@dataclass(frozen=True, slots=True)
class TrackRow:
    """A track of a tender with its latest decision, how many applications are in play, and the proposal from its
    reserve list that waits for a person, if any."""

    track: TenderTrack
    decision: AwardDecision | None
    applications: int
    proposal_id: UUID | None


@dataclass(frozen=True, slots=True)
class TrackNow(TrackRow):
    """A track as its pages show it. ``now``: the database's clock; ``next_up``: how many projects the proposal moves
    up; ``people``: the names that the decision gives."""

    rules: RuleSet
    now: datetime
    next_up: int
    people: Mapping[UUID, str]


def tracks(actor: Actor) -> Select[Any]:
    """The columns of :class:`TrackRow` for the tracks of published tenders; page by (closes_at, track id)."""
    counted = (
        select(Application.tender_track_id, func.count().label("count"))
        .where(Application.state.in_(IN_PLAY))
        .group_by(Application.tender_track_id)
        .subquery()
    )
    later = aliased(AwardDecision)
    last = ~(
        select(later.id)
        .where(
            later.tender_track_id == _LIVE.tender_track_id,
            later.discarded_at.is_(None),
            later.number > _LIVE.number,
        )
        .exists()
    )
    return (
        scope(actor, TenderTrack)
        .where(Tender.published_at.is_not(None), Tender.cancelled_at.is_(None))
        .options(contains_eager(TenderTrack.tender))
        .outerjoin(_LIVE, and_(_LIVE.tender_track_id == TenderTrack.id, _LIVE.discarded_at.is_(None), last))
        .outerjoin(counted, counted.c.tender_track_id == TenderTrack.id)
        .outerjoin(
            ReserveProposal,
            and_(ReserveProposal.tender_track_id == TenderTrack.id, ReserveProposal.state == ProposalState.OPEN),
        )
        .add_columns(_LIVE, func.coalesce(counted.c.count, 0), ReserveProposal.id)
    )


def track_of(session: Session, actor: Actor, tender_track_id: UUID) -> TrackNow:
    """One track with its live decision, in one query; NotFound through the scope."""
    return _track_now(session, actor, TenderTrack.id == tender_track_id)


def track_deciding(session: Session, actor: Actor, decision_id: UUID) -> TrackNow:
    """The track that a decision is about, with its live decision, in one query; NotFound through the scopes."""
    return _track_now(session, actor, TenderTrack.id.in_(_track_id(actor, decision_id)))


def _track_now(session: Session, actor: Actor, which: ColumnElement[bool]) -> TrackNow:
    wanted = (
        tracks(actor)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .where(which)
        .add_columns(func.portal_now(), func.jsonb_array_length(ReserveProposal.lines), _names(_LIVE))
    )
    found = rules_with(session, wanted)
    if not found:
        raise NotFound
    rules, (track, decision, applications, proposal_id, instant, next_up, names) = found[0]
    return TrackNow(track, decision, applications, proposal_id, rules, instant, next_up or 0, _by_id(names))


def _names(decision: type[AwardDecision]) -> ScalarSelect[Any]:
    """The names of the people that a decision names, by id, as JSON."""
    people = [decision.drafted_by, decision.signed_by, decision.letters_stopped_by]
    name = func.coalesce(func.nullif(User.full_name, ""), User.email)
    return select(func.json_object_agg(User.id, name)).where(User.id.in_(people)).correlate(decision).scalar_subquery()


def _by_id(names: Mapping[str, str] | None) -> dict[UUID, str]:
    return {UUID(key): name for key, name in (names or {}).items()}


def _track_id(actor: Actor, decision_id: UUID) -> Select[UUID]:
    every = scope(actor, AwardDecision).where(AwardDecision.id == decision_id)
    return every.with_only_columns(AwardDecision.tender_track_id)


def decision_track(session: Session, actor: Actor, decision_id: UUID) -> UUID:
    """The track that a decision is about; NotFound through the scope."""
    found = session.scalar(_track_id(actor, decision_id))
    if found is None:
        raise NotFound
    return found


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A line of a decision as the pages show it. ``asked``: requested roubles by year; ``left``: what each
    envelope has after this line."""

    line: DecisionLine
    asked: Mapping[int, Decimal]
    left: Mapping[int, Decimal]

    @property
    def application(self) -> Application:
        return self.line.application

    @property
    def part(self) -> Mapping[int, Decimal]:
        """What it gets of each year where that is less than asked for, otherwise nothing."""
        given = {amount.year: amount.amount for amount in self.line.amounts}
        wanted = {year: amount for year, amount in self.asked.items() if amount}
        less = given and wanted and given != wanted
        return {year: given.get(year, Decimal("0.00")) for year in wanted} if less else {}

    @property
    def requested(self) -> Decimal:
        return sum(self.asked.values(), Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class DecisionView:
    """A decision with its lines in order. ``before`` and ``after``: roubles by year in the envelopes.

    ``signatures``: all that its amount asks for, given or not. ``freed``: what awards held that it changes, by year.
    ``commission``: whether a commission adopts it before it is signed.
    """

    decision: AwardDecision
    rows: Sequence[DecisionRow]
    before: Mapping[int, Decimal]
    after: Mapping[int, Decimal]
    people: Mapping[UUID, str]
    years: Sequence[int] = field(default_factory=list)
    signatures: Sequence[SignOff] = field(default_factory=list)
    freed: Mapping[int, Decimal] = field(default_factory=dict)
    commission: bool = False

    @property
    def winners(self) -> list[UUID]:
        return [row.line.application_id for row in self.rows if row.line.outcome == Award.AWARD]

    def count(self, outcome: str) -> int:
        return sum(row.line.outcome == outcome for row in self.rows)

    @property
    def awarded(self) -> Decimal:
        """All awards together, roubles."""
        return sum((self.booked(year) for year in self.before), Decimal("0.00"))

    def booked(self, year: int) -> Decimal:
        """The awards of a year, roubles."""
        return self.before[year] + self.freed.get(year, Decimal("0.00")) - self.after[year]


def decision_view(session: Session, actor: Actor, decision_id: UUID) -> DecisionView:
    """A decision with lines, amounts, applications, and the running rest of each envelope.

    Four queries, one more for a later decision. NotFound through the scope.
    """
    wanted = (
        scope(actor, AwardDecision)
        .join(TenderTrack, TenderTrack.id == AwardDecision.tender_track_id)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .where(AwardDecision.id == decision_id)
        .add_columns(_names(AwardDecision))
    )
    found = rules_with(session, wanted)
    if not found:
        raise NotFound
    rules, (decision, names) = found[0]
    return _view(session, decision, rules, _by_id(names))


def live_view(session: Session, row: TrackNow) -> DecisionView | None:
    """The same of a track's live decision, where it has one: three queries, one more for a later decision."""
    return None if row.decision is None else _view(session, row.decision, row.rules, row.people)


def _view(session: Session, decision: AwardDecision, rules: RuleSet, people: Mapping[UUID, str]) -> DecisionView:
    lines = session.scalars(
        select(DecisionLine)
        .where(DecisionLine.decision_id == decision.id)
        .options(
            joinedload(DecisionLine.amounts),
            joinedload(DecisionLine.application, innerjoin=True).joinedload(Application.initiator, innerjoin=True),
        )
        .order_by(DecisionLine.place)
    ).unique()
    set_committed_value(decision, "lines", lines.all())
    asked = _asked(session, decision)
    before = {int(year): Decimal(amount) for year, amount in decision.available.items()}
    freed = _freed(session, decision)
    granted = (amount.year for line in decision.lines for amount in line.amounts)
    wanted = (year for amounts in asked.values() for year, amount in amounts.items() if amount)
    # The envelopes of other tenders' years stay as they are.
    years = sorted({*freed, *granted, *wanted}) or sorted(before)
    nothing = Decimal("0.00")
    freed = {year: freed.get(year, nothing) for year in years} if freed else {}
    left = {year: before.get(year, nothing) + freed.get(year, nothing) for year in years}
    rows = []
    for line in decision.lines:
        for amount in line.amounts:
            left[amount.year] -= amount.amount
        rows.append(DecisionRow(line, asked.get(line.application_id, {}), dict(left)))
    signatures = sign_offs.listed(rules, sign_offs.awarded(decision), sign_offs.given(session, decision.id))
    held = {year: before.get(year, Decimal("0.00")) for year in years}
    commission = rules.commission is not None
    return DecisionView(decision, rows, held, left, people, years, signatures, freed, commission)


def _freed(session: Session, decision: AwardDecision) -> dict[int, Decimal]:
    """What a later decision takes back: the awards that stood before it of the applications it has lines for."""
    if decision.number == 1:
        return {}
    lines = session.scalars(
        select(DecisionLine)
        .join(DecisionLine.decision)
        .where(
            AwardDecision.tender_track_id == decision.tender_track_id,
            AwardDecision.discarded_at.is_(None),
            AwardDecision.number < decision.number,
            DecisionLine.application_id.in_([line.application_id for line in decision.lines]),
        )
        .options(joinedload(DecisionLine.amounts))
        .order_by(AwardDecision.number)
    )
    stood = {line.application_id: line for line in lines.unique()}
    freed: dict[int, Decimal] = {}
    for line in stood.values():
        for amount in line.amounts:
            freed[amount.year] = freed.get(amount.year, Decimal("0.00")) + amount.amount
    return freed


def _asked(session: Session, decision: AwardDecision) -> dict[UUID, dict[int, Decimal]]:
    rows = session.execute(
        select(Application.id, Score.amounts)
        .join(Score, Score.submission_id == Application.submission_id)
        .where(Score.run_id == decision.run_id)
    )
    return {
        application_id: {int(year): Decimal(amount) for year, amount in amounts.items()}
        for application_id, amounts in rows
    }


def lowest_awarded(session: Session, tender_track_id: UUID) -> Decimal | None:
    """The lowest total that was awarded by the signed decision on a track; None without one."""
    return session.scalar(lowest_total(tender_track_id))


def lowest_total(tender_track_id: UUID) -> Select[Decimal | None]:
    """The same as a statement."""
    decision = aliased(AwardDecision)
    return (
        select(func.min(DecisionLine.total))
        .join(decision, decision.id == DecisionLine.decision_id)
        .where(
            decision.tender_track_id == tender_track_id,
            decision.signed_at.is_not(None),
            decision.discarded_at.is_(None),
            DecisionLine.outcome == Award.AWARD,
        )
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """The published outcome of one application."""

    outcome: Award
    place: int
    total: Decimal | None
    reason: Mapping[str, str]
    amounts: Mapping[int, Decimal]
    published_at: datetime


def outcome_of(session: Session, application_id: UUID) -> Outcome | None:
    """The published outcome of an application; None before publication. The caller authorises."""
    row = session.execute(
        select(DecisionLine, AwardDecision.published_at)
        .join(DecisionLine.decision)
        .where(
            DecisionLine.application_id == application_id,
            AwardDecision.published_at.is_not(None),
            AwardDecision.discarded_at.is_(None),
        )
        .options(selectinload(DecisionLine.amounts))
        .order_by(AwardDecision.number.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    line, published_at = row
    assert published_at is not None
    amounts = {amount.year: amount.amount for amount in line.amounts}
    return Outcome(Award(line.outcome), line.place, line.total, line.reason, amounts, published_at)
