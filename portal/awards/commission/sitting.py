"""A meeting takes place: who is there, who may not vote, votes, their outcome.

Locks are taken in one order: people, meeting, item, ballot. Nothing that is written when somebody votes in secret
says how: the ballot is a row of counts (:class:`~portal.awards.commission.models.SecretBallot`), the audit trail gets
the item only, and the page leaves the choice out of the form's hash.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.audit.service import record
from portal.awards import decision_letters
from portal.awards.commission.appeal_models import Appeal
from portal.awards.commission.appeals import involved
from portal.awards.commission.meetings import conducted, locked_item
from portal.awards.commission.models import (
    AgendaItem,
    Choice,
    ItemKind,
    ItemState,
    Meeting,
    MeetingMember,
    MeetingState,
    MemberVote,
    Recusal,
    SecretBallot,
)
from portal.awards.commission.rules import Count, outcome
from portal.awards.models import Award, AwardDecision, DecisionLine
from portal.awards.offers import service as offers
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.core.language import N_, both
from portal.identity.policy import Actor, Permission, authorize
from portal.review import barring
from portal.review.conflict_graph import IN_PLAY
from portal.review.conflict_queries import barring as kept_conflicts
from portal.tenders.ruleset import Ballot

MAX_REASON: Final = 500
GAINING: Final = (Award.AWARD, Award.RESERVE)


def open_meeting(session: Session, actor: Actor, meeting_id: UUID) -> Meeting:
    """The chair or the secretary opens the meeting. Conflict when it was opened already."""
    meeting = conducted(session, actor, meeting_id)
    if meeting.state != MeetingState.PLANNED:
        raise Conflict(N_("This meeting was opened already."))
    meeting.state, meeting.opened_at = MeetingState.OPEN, now(session)
    session.flush()
    record(session, actor, "awards:meeting:open", "meeting", meeting.id, {"number": meeting.number})
    return meeting


def attend(session: Session, actor: Actor, meeting_id: UUID, user_id: UUID, *, present: bool) -> MeetingMember:
    """A member has come, or has left. Conflict unless the meeting is open."""
    meeting = _open(conducted(session, actor, meeting_id))
    member = next((held for held in meeting.members if held.user_id == user_id), None)
    if member is None:
        raise NotFound
    member.present = present
    session.flush()
    changes = {"person": user_id, "present": present}
    record(session, actor, "awards:meeting:attend", "meeting", meeting.id, changes)
    return member


def declare(session: Session, actor: Actor, item_id: UUID, *, reason: str) -> Recusal:
    """A member declares a conflict of interest: it neither votes nor counts on this item.

    Problems without a reason; Conflict after its own vote or the end of the vote, and when it is recused already.
    """
    authorize(actor, Permission.MEETING_VOTE)
    item = locked_item(session, item_id, share=True)
    member = _member(session, actor, item)
    text = " ".join(reason.replace("\x00", "").split())
    if not 0 < len(text) <= MAX_REASON:
        raise Problems.one("required", "reason", N_("Give the reason in 1 to %(limit)s characters.", limit=MAX_REASON))
    if item.state not in (ItemState.WAITING, ItemState.VOTING):
        raise Conflict(N_("The vote on this question is over."))
    if _has_voted(session, item, member.user_id):
        raise Conflict(N_("You have voted on this question already."))
    row = Recusal(item_id=item.id, user_id=member.user_id, source="declared", reason={"ru": text, "en": text})
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise Conflict(N_("You do not take part in this question already.")) from error
    changes = {"item": item.id, "reason": text}
    record(session, actor, "awards:item:recuse", "meeting", item.meeting_id, changes)
    return row


def open_item(session: Session, actor: Actor, item_id: UUID) -> AgendaItem:
    """Put a question to the vote. Members whom the graph of conflicts bars are recused with its words.

    Conflict unless the meeting is open, the question waits, and no other one is being voted on.
    """
    seats = select(MeetingMember.user_id).join(AgendaItem, AgendaItem.meeting_id == MeetingMember.meeting_id)
    people = list(session.scalars(seats.where(AgendaItem.id == item_id)))
    place = session.get(AgendaItem, item_id)
    if place is None:
        raise NotFound
    applications = _at_stake(session, place)
    if applications:
        barring.refresh(session, people, applications)
    meeting = _open(conducted(session, actor, place.meeting_id))
    item = locked_item(session, item_id)
    if item.state != ItemState.WAITING:
        raise Conflict(N_("This question was put to the vote already."))
    if any(held.state in (ItemState.VOTING, ItemState.TIED) for held in meeting.items):
        raise Conflict(N_("Another question is being voted on. End that vote first."))
    decision = session.get(AwardDecision, item.decision_id) if item.decision_id is not None else None
    if decision is not None:
        offers.require_consent(session, decision)
    away = set(session.scalars(select(Recusal.user_id).where(Recusal.item_id == item.id)))
    for row in kept_conflicts(session, people, applications) if applications else ():
        if row.user_id not in away:
            away.add(row.user_id)
            reason = both(barring.barred_words(row))
            session.add(Recusal(item_id=item.id, user_id=row.user_id, source="graph", reason=reason))
    for person in _who_decided(session, item) & set(people) - away:
        away.add(person)
        reason = both(N_("Made the decision that is appealed against"))
        session.add(Recusal(item_id=item.id, user_id=person, source="graph", reason=reason))
    item.state, item.opened_at = ItemState.VOTING, now(session)
    session.flush()
    if item.ballot == Ballot.CLOSED:
        session.add(SecretBallot(item_id=item.id))
        session.flush()
    changes = {"item": item.id, "ballot": item.ballot, "recused": len(away)}
    record(session, actor, "awards:item:open", "meeting", meeting.id, changes)
    return item


def vote(session: Session, actor: Actor, item_id: UUID, *, choice: str) -> AgendaItem:
    """A member's vote, once.

    Problems without a choice; Conflict when the vote is not going on or the member has voted; Refused for a member
    who is not present or is recused, or whom the graph of conflicts bars by now.
    """
    authorize(actor, Permission.MEETING_VOTE)
    place = session.get(AgendaItem, item_id)
    if place is None:
        raise NotFound
    member = _member(session, actor, place)
    if choice not in set(Choice):
        raise Problems.one("required", "choice", N_("Choose how you vote."))
    barring.refuse_barred(session, [member.user_id], _at_stake(session, place))
    item = locked_item(session, item_id, share=True)
    if item.state != ItemState.VOTING:
        raise Conflict(N_("This question is not being voted on."))
    if not member.present:
        raise Refused(N_("The secretary has not noted you as present."))
    if _recusal(session, item.id, member.user_id) is not None:
        raise Refused(N_("You do not take part in this question."))
    if item.ballot == Ballot.OPEN:
        _vote_openly(session, item, member.user_id, choice)
        record(session, actor, "awards:vote:cast", "meeting", item.meeting_id, {"item": item.id, "choice": choice})
    else:
        _vote_secretly(session, item, member.user_id, choice)
        record(session, actor, "awards:vote:cast", "meeting", item.meeting_id, {"item": item.id})
    return item


def close_item(session: Session, actor: Actor, item_id: UUID) -> AgendaItem:
    """End the vote and write down its outcome. Conflict when it is not going on."""
    place = session.get(AgendaItem, item_id)
    if place is None:
        raise NotFound
    meeting = conducted(session, actor, place.meeting_id)
    item = locked_item(session, item_id)
    if item.state != ItemState.VOTING:
        raise Conflict(N_("This question is not being voted on."))
    away = set(session.scalars(select(Recusal.user_id).where(Recusal.item_id == item.id)))
    entitled = {held.user_id for held in meeting.members} - away
    secret = item.ballot == Ballot.CLOSED
    voters, yes, no, abstained = _votes(session, item)
    there = {held.user_id for held in meeting.members if held.present or held.user_id in voters} & entitled
    count = Count(len(entitled), len(there), yes, no, abstained)
    chair = None
    if secret and meeting.chair_id in there:
        chair = Choice.YES
    elif not secret:
        own = session.get(MemberVote, (item.id, meeting.chair_id))
        chair = Choice(own.choice) if own is not None else None
    instant = now(session)
    item.entitled, item.present = count.entitled, count.present
    item.yes, item.no, item.abstained = yes, no, abstained
    item.state = outcome(count, (item.quorum_parts, item.quorum_of), chair, secret=secret)
    half = 2 * yes == count.present and item.state != ItemState.NO_QUORUM
    if half and not secret and chair in (Choice.YES, Choice.NO):
        item.casting = chair
    if item.state != ItemState.TIED:
        item.closed_at = instant
    session.flush()
    _note_end(session, actor, item)
    return item


def cast(session: Session, actor: Actor, item_id: UUID, *, choice: str) -> AgendaItem:
    """The chair's casting vote after a secret ballot with exactly half in favour; it is given openly.

    Problems without yes or no, Conflict when no casting vote is due, Refused for anybody but the chair.
    """
    place = session.get(AgendaItem, item_id)
    if place is None:
        raise NotFound
    meeting = conducted(session, actor, place.meeting_id)
    if actor.user_id != meeting.chair_id:
        raise Refused(N_("The casting vote is the chair's."))
    item = locked_item(session, item_id)
    if item.state != ItemState.TIED:
        raise Conflict(N_("No casting vote is due on this question."))
    if choice not in (Choice.YES, Choice.NO):
        raise Problems.one("required", "choice", N_("Choose how you vote."))
    item.casting, item.closed_at = choice, now(session)
    item.state = ItemState.ADOPTED if choice == Choice.YES else ItemState.REJECTED
    session.flush()
    _note_end(session, actor, item)
    return item


def close_meeting(session: Session, actor: Actor, meeting_id: UUID) -> Meeting:
    """End the meeting; what was not voted on is taken off. Conflict while a vote is going on."""
    meeting = _open(conducted(session, actor, meeting_id))
    if any(held.state in (ItemState.VOTING, ItemState.TIED) for held in meeting.items):
        raise Conflict(N_("A question is being voted on. End that vote first."))
    for item in meeting.items:
        if item.state == ItemState.WAITING:
            item.state = ItemState.WITHDRAWN
    meeting.state, meeting.closed_at = MeetingState.CLOSED, now(session)
    session.flush()
    record(session, actor, "awards:meeting:close", "meeting", meeting.id, {"number": meeting.number})
    return meeting


def _vote_openly(session: Session, item: AgendaItem, user_id: UUID, choice: str) -> None:
    try:
        with session.begin_nested():
            session.add(MemberVote(item_id=item.id, user_id=user_id, choice=choice))
    except IntegrityError as error:
        raise Conflict(N_("You have voted on this question already.")) from error


def _vote_secretly(session: Session, item: AgendaItem, user_id: UUID, choice: str) -> None:
    """Both what is known (who) and what is not (how) move in one row, the voters in the order of their keys."""
    ballot = session.scalars(
        select(SecretBallot)
        .where(SecretBallot.item_id == item.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    if user_id in ballot.voters:
        raise Conflict(N_("You have voted on this question already."))
    ballot.voters = sorted([*ballot.voters, user_id])
    if choice == Choice.YES:
        ballot.yes += 1
    elif choice == Choice.NO:
        ballot.no += 1
    else:
        ballot.abstained += 1
    session.flush()


def _votes(session: Session, item: AgendaItem) -> tuple[set[UUID], int, int, int]:
    """Who has voted; votes in favour, against, abstentions."""
    if item.ballot == Ballot.CLOSED:
        ballot = session.get_one(SecretBallot, item.id, populate_existing=True)
        return set(ballot.voters), ballot.yes, ballot.no, ballot.abstained
    rows = session.execute(select(MemberVote.user_id, MemberVote.choice).where(MemberVote.item_id == item.id)).all()
    held = [choice for _person, choice in rows]
    return (
        {person for person, _choice in rows},
        held.count(Choice.YES),
        held.count(Choice.NO),
        held.count(Choice.ABSTAIN),
    )


def _has_voted(session: Session, item: AgendaItem, user_id: UUID) -> bool:
    if item.ballot == Ballot.CLOSED:
        # Waits for a vote of the same person that is on its way.
        ballot = session.get(SecretBallot, item.id, populate_existing=True, with_for_update=True)
        return ballot is not None and user_id in ballot.voters
    return session.get(MemberVote, (item.id, user_id), populate_existing=True) is not None


def _recusal(session: Session, item_id: UUID, user_id: UUID) -> UUID | None:
    return session.scalar(select(Recusal.id).where(Recusal.item_id == item_id, Recusal.user_id == user_id))


def _member(session: Session, actor: Actor, item: AgendaItem) -> MeetingMember:
    """The actor's seat in the meeting of an item; for others there is no such item."""
    assert actor.user_id is not None
    member = session.get(MeetingMember, (item.meeting_id, actor.user_id), populate_existing=True)
    if member is None:
        raise NotFound
    return member


def _at_stake(session: Session, item: AgendaItem) -> list[UUID]:
    """The projects that an item gives money to or may still; of a track all in play; of an appeal its own."""
    if item.kind == ItemKind.DECISION:
        gaining = select(DecisionLine.application_id).where(
            DecisionLine.decision_id == item.decision_id, DecisionLine.outcome.in_(GAINING)
        )
        return list(session.scalars(gaining))
    if item.kind == ItemKind.APPEAL:
        return list(session.scalars(select(Appeal.application_id).where(Appeal.id == item.appeal_id)))
    if item.kind == ItemKind.TRACK:
        return list(
            session.scalars(
                select(Application.id).where(
                    Application.tender_track_id == item.tender_track_id, Application.state.in_(IN_PLAY)
                )
            )
        )
    return []


def _who_decided(session: Session, item: AgendaItem) -> set[UUID]:
    """Of an appeal: who drafted or signed the decision that it is against."""
    if item.appeal_id is None:
        return set()
    return involved(session, session.scalars(select(Appeal.decision_id).where(Appeal.id == item.appeal_id)).one())


def _open(meeting: Meeting) -> Meeting:
    if meeting.state != MeetingState.OPEN:
        raise Conflict(N_("This is done while the meeting is open."))
    return meeting


def _note_end(session: Session, actor: Actor, item: AgendaItem) -> None:
    changes = {
        "item": item.id,
        "state": item.state,
        "entitled": item.entitled,
        "present": item.present,
        "yes": item.yes,
        "no": item.no,
        "abstained": item.abstained,
        "casting": item.casting,
    }
    record(session, actor, "awards:item:close", "meeting", item.meeting_id, changes)
    decision = session.get(AwardDecision, item.decision_id) if item.decision_id is not None else None
    if decision is not None:
        decision_letters.waits(session, decision)
