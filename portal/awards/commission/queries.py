"""Reading meetings: the list, one with all that its page shows, and the money as the commission decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Select, desc, func, literal, null, select, union_all
from sqlalchemy.orm import Session, joinedload

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
from portal.awards.models import AwardAmount, AwardDecision, DecisionLine
from portal.budget.models import Envelope
from portal.core.errors import NotFound
from portal.identity.models import Role, RoleGrant, User
from portal.identity.policy import Actor, scope
from portal.tenders.kept_rules import rules_with
from portal.tenders.models import RuleSetVersion, Tender, TenderTrack
from portal.tenders.ruleset import Ballot

ZERO = Decimal("0.00")
COUNTED = (ItemState.TIED, ItemState.ADOPTED, ItemState.REJECTED, ItemState.NO_QUORUM)
QUESTION_KINDS = (ItemKind.DECISION, ItemKind.APPEAL, ItemKind.TRACK)


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
    """One meeting with members, questions, votes and, once it is over, minutes, through the scope; seven queries."""
    meeting = session.scalar(
        scope(actor, Meeting)
        .where(Meeting.id == meeting_id)
        .options(*minutes.WHOLE)
        .execution_options(populate_existing=True)
    )
    if meeting is None:
        raise NotFound
    keys = [item.id for item in meeting.items]
    # Of a secret ballot who has voted, and nothing else of the row.
    votes = session.execute(
        select(MemberVote.item_id, MemberVote.user_id, MemberVote.choice)
        .where(MemberVote.item_id.in_(keys))
        .union_all(
            select(SecretBallot.item_id, func.unnest(SecretBallot.voters), null()).where(SecretBallot.item_id.in_(keys))
        )
    ).all()
    items = []
    for item in meeting.items:
        held = {person: choice for key, person, choice in votes if key == item.id}
        shown = held if item.state in COUNTED and item.ballot == Ballot.OPEN else {}
        items.append(ItemView(item, minutes.title_of(item), frozenset(held), shown))
    members = sorted(meeting.members, key=lambda one: (one.user_id != meeting.chair_id, minutes.name(one.user)))
    written = minutes.of_meeting(session, meeting.id) if meeting.state == MeetingState.CLOSED else None
    return MeetingView(meeting, members, items, written)


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
    """The envelopes of the tender as they stand this moment, for the years of its rules; three queries.

    The tender is loaded.
    """
    sums = session.execute(
        select(TenderTrack.track, AwardAmount.year, AgendaItem.state, func.sum(AwardAmount.amount))
        .select_from(AgendaItem)
        .join(AwardDecision, AwardDecision.id == AgendaItem.decision_id)
        .join(TenderTrack, TenderTrack.id == AwardDecision.tender_track_id)
        .join(DecisionLine, DecisionLine.decision_id == AwardDecision.id)
        .join(AwardAmount, AwardAmount.line_id == DecisionLine.id)
        .where(
            AgendaItem.meeting_id == meeting.id,
            AgendaItem.state.in_(LIVE),
            AwardDecision.signed_at.is_(None),
        )
        .group_by(TenderTrack.track, AwardAmount.year, AgendaItem.state)
    )
    taken: dict[tuple[str, int, bool], Decimal] = {}
    for track, year, state, amount in sums:
        key = (track, year, state == ItemState.ADOPTED)
        taken[key] = taken.get(key, ZERO) + amount
    wanted = (
        select(TenderTrack.track)
        .join(RuleSetVersion, RuleSetVersion.id == TenderTrack.rule_set_id)
        .where(TenderTrack.tender_id == meeting.tender_id)
    )
    years = {track: rules.years for rules, (track,) in rules_with(session, wanted)}
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


def questions(session: Session, tender_id: UUID) -> Sequence[tuple[ItemKind, UUID, str]]:
    """What of a tender can be put on an agenda: (kind, key, track or number of the application); one query.

    Lists that are not signed, then admitted appeals, unless they are on an agenda; then the tracks.
    """
    live = AgendaItem.state.in_(LIVE)
    lists = (
        select(
            literal(ItemKind.DECISION.value).label("kind"), AwardDecision.id, TenderTrack.track, null().label("number")
        )
        .join(TenderTrack, TenderTrack.id == AwardDecision.tender_track_id)
        .where(
            TenderTrack.tender_id == tender_id,
            AwardDecision.signed_at.is_(None),
            AwardDecision.discarded_at.is_(None),
            AwardDecision.id.not_in(select(AgendaItem.decision_id).where(AgendaItem.kind == ItemKind.DECISION, live)),
        )
    )
    appeals = (
        select(literal(ItemKind.APPEAL.value), Appeal.id, null(), Application.number)
        .join(Application, Application.id == Appeal.application_id)
        .where(
            Application.tender_id == tender_id,
            Appeal.state == AppealState.ADMITTED,
            Appeal.id.not_in(select(AgendaItem.appeal_id).where(AgendaItem.kind == ItemKind.APPEAL, live)),
        )
    )
    tracks = select(literal(ItemKind.TRACK.value), TenderTrack.id, TenderTrack.track, null()).where(
        TenderTrack.tender_id == tender_id
    )
    rows: Sequence[Any] = session.execute(union_all(lists, appeals, tracks).order_by(desc("track"), "number")).all()
    found = [(ItemKind(kind), key, track or number or "") for kind, key, track, number in rows]
    return sorted(found, key=lambda row: QUESTION_KINDS.index(row[0]))


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
