"""Reading meetings: the list, one with all that its page shows, and the money as the commission decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.applications.models import Application
from portal.awards.commission import minutes
from portal.awards.commission.appeal_models import Appeal, AppealState
from portal.awards.commission.meetings import LIVE
from portal.awards.commission.models import (
    AgendaItem,
    ItemKind,
    ItemState,
    Meeting,
    MeetingMember,
    MeetingState,
    MemberVote,
    Minutes,
    SecretBallot,
)
from portal.awards.models import AwardDecision, DecisionLine
from portal.budget.models import Envelope
from portal.core.errors import NotFound
from portal.identity.models import Role, RoleGrant, User
from portal.identity.policy import Actor, scope
from portal.scoring.queries import parsed_rules
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import Ballot

ZERO = Decimal("0.00")
COUNTED = (ItemState.TIED, ItemState.ADOPTED, ItemState.REJECTED, ItemState.NO_QUORUM)


def listed(actor: Actor) -> Select[Any]:
    """Rows (meeting with tender, number of questions); page by (starts_at, id)."""
    counted = (
        select(AgendaItem.meeting_id, func.count().label("count"))
        .where(AgendaItem.state != ItemState.WITHDRAWN)
        .group_by(AgendaItem.meeting_id)
        .subquery()
    )
    return (
        scope(actor, Meeting)
        .options(joinedload(Meeting.tender, innerjoin=True), joinedload(Meeting.chair, innerjoin=True))
        .outerjoin(counted, counted.c.meeting_id == Meeting.id)
        .add_columns(func.coalesce(counted.c.count, 0))
    )


@dataclass(frozen=True, slots=True)
class ItemView:
    """A question as its page shows it. ``voted``: who has voted; ``choices``: how, of an open ballot that is over."""

    item: AgendaItem
    title: Mapping[str, str]
    voted: frozenset[UUID]
    choices: Mapping[UUID, str]

    @property
    def recused(self) -> frozenset[UUID]:
        return frozenset(row.user_id for row in self.item.recusals)


@dataclass(frozen=True, slots=True)
class MeetingView:
    meeting: Meeting
    members: Sequence[MeetingMember]
    items: Sequence[ItemView]
    minutes: Minutes | None

    @property
    def voting(self) -> ItemView | None:
        """The question that is being voted on, or waits for the casting vote."""
        return next((held for held in self.items if held.item.state in (ItemState.VOTING, ItemState.TIED)), None)

    def seat(self, user_id: UUID | None) -> MeetingMember | None:
        return next((held for held in self.members if held.user_id == user_id), None)

    def may_vote(self, item: ItemView, user_id: UUID | None) -> bool:
        """Whether this member's vote on an item is awaited."""
        seat = self.seat(user_id)
        return (
            seat is not None
            and seat.present
            and self.meeting.state == MeetingState.OPEN
            and item.item.state == ItemState.VOTING
            and seat.user_id not in item.voted
            and seat.user_id not in item.recused
        )


def meeting_view(session: Session, actor: Actor, meeting_id: UUID) -> MeetingView:
    """One meeting with members, questions, votes and minutes, through the scope; eight queries."""
    meeting = session.scalar(
        scope(actor, Meeting)
        .where(Meeting.id == meeting_id)
        .options(*minutes.WHOLE)
        .execution_options(populate_existing=True)
    )
    if meeting is None:
        raise NotFound
    keys = [item.id for item in meeting.items]
    votes = session.execute(
        select(MemberVote.item_id, MemberVote.user_id, MemberVote.choice).where(MemberVote.item_id.in_(keys))
    ).all()
    # Who has voted, and nothing else of the row.
    secret = dict(
        session.execute(select(SecretBallot.item_id, SecretBallot.voters).where(SecretBallot.item_id.in_(keys))).all()
    )
    items = []
    for item in meeting.items:
        held = {person: choice for key, person, choice in votes if key == item.id}
        voted = frozenset(secret.get(item.id, ()) if item.ballot == Ballot.CLOSED else held)
        items.append(ItemView(item, minutes.title_of(item), voted, held if item.state in COUNTED else {}))
    members = sorted(meeting.members, key=lambda one: (one.user_id != meeting.chair_id, minutes.name(one.user)))
    return MeetingView(meeting, members, items, minutes.of_meeting(session, meeting.id))


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """A track and year, roubles: what the envelope holds now, what the commission has adopted and nobody has signed
    to the end yet, and what the lists that still wait for its vote would take."""

    track: str
    year: int
    available: Decimal
    adopted: Decimal
    waiting: Decimal

    @property
    def left(self) -> Decimal:
        return self.available - self.adopted

    @property
    def last(self) -> Decimal:
        return self.left - self.waiting


def money(session: Session, meeting: Meeting) -> list[MoneyRow]:
    """The envelopes of the tender as they stand this moment, for the years of its rules; four queries.

    The tender is loaded.
    """
    decisions = session.execute(
        select(AgendaItem.state, TenderTrack.track, AwardDecision)
        .join(AwardDecision, AwardDecision.id == AgendaItem.decision_id)
        .join(TenderTrack, TenderTrack.id == AwardDecision.tender_track_id)
        .where(AgendaItem.meeting_id == meeting.id, AwardDecision.signed_at.is_(None))
        .options(selectinload(AwardDecision.lines).selectinload(DecisionLine.amounts))
    ).all()
    taken: dict[tuple[str, int, bool], Decimal] = {}
    for state, track, decision in decisions:
        if state in (ItemState.REJECTED, ItemState.NO_QUORUM, ItemState.WITHDRAWN):
            continue
        for line in decision.lines:
            for amount in line.amounts:
                key = (track, amount.year, state == ItemState.ADOPTED)
                taken[key] = taken.get(key, ZERO) + amount.amount
    rules = session.execute(
        select(TenderTrack.track, RuleSetVersion.content)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .where(TenderTrack.tender_id == meeting.tender_id)
    )
    years = {track: parsed_rules(content).years for track, content in rules}
    found = session.execute(
        select(Envelope.track, Envelope.year, Envelope.available)
        .where(Envelope.programme_id == meeting.tender.programme_id, Envelope.track.in_(years))
        .order_by(Envelope.track.desc(), Envelope.year)
    )
    return [
        MoneyRow(track, year, held, taken.get((track, year, True), ZERO), taken.get((track, year, False), ZERO))
        for track, year, held in found
        if year in years[track]
    ]


def open_decisions(session: Session, tender_id: UUID) -> Sequence[tuple[UUID, str]]:
    """Lists of a tender that can be put on an agenda: (decision, track)."""
    taken = select(AgendaItem.decision_id).where(
        AgendaItem.kind == ItemKind.DECISION,
        AgendaItem.state.in_(LIVE),
    )
    rows = session.execute(
        select(AwardDecision.id, TenderTrack.track)
        .join(TenderTrack, TenderTrack.id == AwardDecision.tender_track_id)
        .where(
            TenderTrack.tender_id == tender_id,
            AwardDecision.signed_at.is_(None),
            AwardDecision.discarded_at.is_(None),
            AwardDecision.id.not_in(taken),
        )
        .order_by(TenderTrack.track.desc())
    )
    return [(key, track) for key, track in rows]


def open_appeals(session: Session, tender_id: UUID) -> Sequence[tuple[UUID, str]]:
    """Admitted appeals of a tender that are on no agenda: (appeal, number of the application)."""
    taken = select(AgendaItem.appeal_id).where(AgendaItem.kind == ItemKind.APPEAL, AgendaItem.state.in_(LIVE))
    rows = session.execute(
        select(Appeal.id, Application.number)
        .join(Application, Application.id == Appeal.application_id)
        .where(Application.tender_id == tender_id, Appeal.state == AppealState.ADMITTED, Appeal.id.not_in(taken))
        .order_by(Application.number)
    )
    return [(key, number or "") for key, number in rows]


def track_keys(session: Session, tender_id: UUID) -> Sequence[tuple[UUID, str]]:
    """The tracks of a tender: (id, track)."""
    statement = select(TenderTrack.id, TenderTrack.track).where(TenderTrack.tender_id == tender_id)
    return [(key, track) for key, track in session.execute(statement.order_by(TenderTrack.track.desc()))]


def holders(session: Session, *roles: Role) -> Sequence[tuple[UUID, str]]:
    """Active people with one of these roles: (id, name), by name."""
    rows = session.execute(
        select(User.id, User.full_name, User.email)
        .where(User.id.in_(select(RoleGrant.user_id).where(RoleGrant.role.in_(roles))), User.active)
        .order_by(User.full_name, User.id)
    )
    return [(key, name or email) for key, name, email in rows]


def tenders_to_meet_on(session: Session, actor: Actor) -> Sequence[Tender]:
    """Published tenders that are not cancelled, the latest closing first."""
    statement = scope(actor, Tender).where(Tender.published_at.is_not(None), Tender.cancelled_at.is_(None))
    return session.scalars(statement.order_by(Tender.closes_at.desc()).limit(50)).all()
