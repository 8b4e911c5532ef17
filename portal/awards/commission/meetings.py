"""A meeting is planned: when, who sits in it, and what is on its agenda.

Votes are taken in :mod:`portal.awards.commission.sitting`, the minutes are in :mod:`portal.awards.commission.minutes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

import portal.awards.policy  # noqa: F401 - registers the room's rules
from portal.applications.models import Application
from portal.audit.service import record
from portal.awards.commission.appeal_models import Appeal, AppealState
from portal.awards.commission.models import AgendaItem, ItemKind, ItemState, Meeting, MeetingMember, MeetingState
from portal.awards.commission.rules import MOST_ITEMS, MOST_MEMBERS
from portal.awards.models import AwardDecision
from portal.core.errors import Conflict, NotFound, Problem, Problems, Refused
from portal.core.language import N_, Message
from portal.identity.models import Role, RoleGrant, User
from portal.identity.policy import Actor, Permission, authorize
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell
from portal.scoring.queries import rules_of
from portal.tenders.models import Tender, TenderTrack
from portal.tenders.ruleset import Ballot

INVITED: Final = declare("meeting", Topic.REVIEW, N_("A meeting of the commission"), important=True, staff=True)
LIVE: Final = (ItemState.WAITING, ItemState.VOTING, ItemState.TIED, ItemState.ADOPTED)
MAX_TITLE: Final = 300
PLAIN_QUORUM: Final = (2, 3)
"""Of questions that belong to no rules; programme parameter."""


@dataclass(frozen=True, slots=True)
class MeetingValues:
    """What is typed of a meeting; ``members`` are those with a vote besides the chair."""

    starts_at: datetime | None
    place: str
    chair_id: UUID | None
    secretary_id: UUID | None
    members: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Question:
    """What is put on the agenda: a decision, a track, an appeal, or a question in words."""

    kind: ItemKind
    decision_id: UUID | None = None
    tender_track_id: UUID | None = None
    appeal_id: UUID | None = None
    title: str = ""


def plan(session: Session, actor: Actor, tender_id: UUID, values: MeetingValues) -> Meeting:
    """Plan a meeting over a tender and invite its members.

    Raises :class:`Problems` with all that is missing, NotFound for a tender that is not published.
    """
    authorize(actor, Permission.MEETING_CONDUCT)
    # One after the other, so that the numbers follow each other.
    tender = session.scalar(select(Tender).where(Tender.id == tender_id).with_for_update())
    if tender is None or tender.published_at is None:
        raise NotFound
    place = " ".join(values.place.replace("\x00", "").split())
    problems = _problems(session, values, place)
    if problems or values.starts_at is None or values.chair_id is None or values.secretary_id is None:
        raise Problems(problems)
    last = session.scalar(select(func.max(Meeting.number)).where(Meeting.tender_id == tender_id)) or 0
    meeting = Meeting(
        tender_id=tender_id,
        number=last + 1,
        starts_at=values.starts_at,
        place=place,
        chair_id=values.chair_id,
        secretary_id=values.secretary_id,
    )
    session.add(meeting)
    session.flush()
    seated = {values.chair_id, *values.members}
    session.add_all(MeetingMember(meeting_id=meeting.id, user_id=person) for person in seated)
    session.flush()
    changes = {"tender": tender.code, "number": meeting.number, "starts_at": meeting.starts_at, "members": len(seated)}
    record(session, actor, "awards:meeting:plan", "meeting", meeting.id, changes)
    _invite(session, meeting, tender, seated)
    return meeting


def add_item(session: Session, actor: Actor, meeting_id: UUID, question: Question) -> AgendaItem:
    """Put a question on the agenda; ballot and quorum are those of the track's rules.

    Raises :class:`Problems` for what cannot be chosen, :class:`Conflict` when the meeting is over, the agenda is
    full, or the decision is on an agenda already.
    """
    meeting = conducted(session, actor, meeting_id)
    if meeting.state == MeetingState.CLOSED:
        raise Conflict(N_("This meeting is over."))
    if len(meeting.items) >= MOST_ITEMS:
        raise Conflict(N_("An agenda has at most %(most)s questions.", most=MOST_ITEMS))
    track_id = _track_of(session, meeting, question)
    title = " ".join(question.title.replace("\x00", "").split())
    if question.kind is ItemKind.OTHER and not 0 < len(title) <= MAX_TITLE:
        raise Problems.one("required", "title", N_("Name the question in 1 to %(limit)s characters.", limit=MAX_TITLE))
    commission = rules_of(session, track_id).commission if track_id else None
    ballot = commission.ballot if commission else Ballot.OPEN
    parts, of = commission.quorum if commission else PLAIN_QUORUM
    item = AgendaItem(
        meeting_id=meeting.id,
        place=max((held.place for held in meeting.items), default=0) + 1,
        kind=question.kind,
        tender_track_id=track_id,
        decision_id=question.decision_id if question.kind is ItemKind.DECISION else None,
        appeal_id=question.appeal_id if question.kind is ItemKind.APPEAL else None,
        title=title if question.kind is ItemKind.OTHER else "",
        ballot=ballot,
        quorum_parts=parts,
        quorum_of=of,
    )
    session.add(item)
    session.flush()
    changes = {"item": item.id, "kind": item.kind, "decision": item.decision_id, "ballot": item.ballot}
    record(session, actor, "awards:item:add", "meeting", meeting.id, changes)
    return item


def withdraw_item(session: Session, actor: Actor, item_id: UUID) -> AgendaItem:
    """Take a question off the agenda before it is voted on. Conflict afterwards."""
    item = locked_item(session, item_id)
    conducted(session, actor, item.meeting_id)
    if item.state != ItemState.WAITING:
        raise Conflict(N_("Only a question that was not voted on is taken off the agenda."))
    item.state = ItemState.WITHDRAWN
    session.flush()
    record(session, actor, "awards:item:withdraw", "meeting", item.meeting_id, {"item": item.id})
    return item


def locked_item(session: Session, item_id: UUID, *, share: bool = False) -> AgendaItem:
    """An item of an agenda, locked; ``share``: votes do not wait for each other, the end of the vote waits for all."""
    item = session.scalar(
        select(AgendaItem)
        .where(AgendaItem.id == item_id)
        .with_for_update(read=share)
        .execution_options(populate_existing=True)
    )
    if item is None:
        raise NotFound
    return item


def conducted(session: Session, actor: Actor, meeting_id: UUID) -> Meeting:
    """The meeting, locked, with members and agenda; only its chair and its secretary conduct it."""
    authorize(actor, Permission.MEETING_CONDUCT)
    meeting = session.scalar(
        select(Meeting)
        .where(Meeting.id == meeting_id)
        .options(selectinload(Meeting.members), selectinload(Meeting.items), joinedload(Meeting.tender))
        .with_for_update(of=Meeting)
        .execution_options(populate_existing=True)
    )
    if meeting is None:
        raise NotFound
    if actor.user_id not in (meeting.chair_id, meeting.secretary_id):
        raise Refused(N_("The chair and the secretary of this meeting do this."))
    return meeting


def _track_of(session: Session, meeting: Meeting, question: Question) -> UUID | None:
    """The track whose rules count for a question; Problems when it is none of this tender, Conflict for a taken one."""
    nothing = Problems.one("required", "question", N_("Choose what is put to the vote."))
    if question.kind is ItemKind.OTHER:
        return None
    tracks = select(TenderTrack.id).where(TenderTrack.tender_id == meeting.tender_id)
    if question.kind is ItemKind.TRACK:
        found = session.scalar(tracks.where(TenderTrack.id == question.tender_track_id))
        if found is None:
            raise nothing
        return found
    if question.kind is ItemKind.APPEAL:
        return _track_of_appeal(session, meeting, question.appeal_id)
    decision = session.scalar(
        select(AwardDecision)
        .where(AwardDecision.id == question.decision_id, AwardDecision.tender_track_id.in_(tracks))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if decision is None:
        raise nothing
    if decision.signed_at is not None or decision.discarded_at is not None:
        raise Conflict(N_("This list is signed or was discarded."))
    if on_agenda(session, decision.id) is not None:
        raise Conflict(N_("This list is on an agenda already, or was adopted."))
    return decision.tender_track_id


def _track_of_appeal(session: Session, meeting: Meeting, appeal_id: UUID | None) -> UUID:
    """The track of an admitted appeal of the meeting's tender; Problems for none, Conflict for one on an agenda."""
    row = session.execute(
        select(Application.tender_track_id, Appeal.id)
        .join(Application, Application.id == Appeal.application_id)
        .where(
            Appeal.id == appeal_id,
            Appeal.state == AppealState.ADMITTED,
            Application.tender_id == meeting.tender_id,
        )
        .with_for_update(of=Appeal)
    ).one_or_none()
    if row is None:
        raise Problems.one("required", "question", N_("Choose what is put to the vote."))
    taken = select(AgendaItem.id).where(AgendaItem.appeal_id == appeal_id, AgendaItem.state.in_(LIVE))
    if session.scalar(taken) is not None:
        raise Conflict(N_("This appeal is on an agenda already."))
    return UUID(str(row.tender_track_id))


def on_agenda(session: Session, decision_id: UUID) -> AgendaItem | None:
    """The item with which a decision waits for a vote, is voted on, or was adopted."""
    return session.scalar(
        select(AgendaItem)
        .where(AgendaItem.decision_id == decision_id, AgendaItem.state.in_(LIVE))
        .execution_options(populate_existing=True)
    )


def _problems(session: Session, values: MeetingValues, place: str) -> list[Problem]:
    found = []
    if values.starts_at is None:
        found.append(Problem("required", "starts_at", N_("Give the date and time of the meeting.")))
    if not 0 < len(place) <= MAX_TITLE:
        message = N_("Say in 1 to %(limit)s characters where the commission meets.", limit=MAX_TITLE)
        found.append(Problem("required", "place", message))
    held = _roles(session, [values.chair_id, values.secretary_id, *values.members])
    if values.chair_id is None or Role.CHAIR not in held.get(values.chair_id, ()):
        found.append(Problem("required", "chair", N_("Choose who chairs the meeting.")))
    if values.secretary_id is None or Role.OFFICER not in held.get(values.secretary_id, ()):
        found.append(Problem("required", "secretary", N_("Choose an officer as secretary.")))
    elif values.secretary_id == values.chair_id or values.secretary_id in values.members:
        found.append(Problem("secretary", "secretary", N_("The secretary is not a member of the commission.")))
    seats = set(values.members) - {values.chair_id}
    judging = all({Role.CHAIR, Role.COMMISSION} & set(held.get(person, ())) for person in seats)
    if not 0 < len(seats) < MOST_MEMBERS or not judging:
        message = N_("Choose from 1 to %(most)s members of the commission besides the chair.", most=MOST_MEMBERS - 1)
        found.append(Problem("members", "members", message))
    return found


def _roles(session: Session, people: Sequence[UUID | None]) -> dict[UUID, set[str]]:
    rows = session.execute(
        select(RoleGrant.user_id, RoleGrant.role)
        .join(User, User.id == RoleGrant.user_id)
        .where(RoleGrant.user_id.in_([key for key in people if key is not None]), User.active)
    )
    found: dict[UUID, set[str]] = {}
    for person, role in rows:
        found.setdefault(person, set()).add(role)
    return found


def _invite(session: Session, meeting: Meeting, tender: Tender, seated: set[UUID]) -> None:
    people = session.scalars(select(User).where(User.id.in_([*seated, meeting.secretary_id])).order_by(User.id)).all()
    title = {"ru": tender.title_ru, "en": tender.title_en}
    said: list[Message] = [
        N_("Tender: %(title)s.", title=title),
        N_("Where: %(place)s.", place=meeting.place),
        N_("The agenda, and the place to declare a conflict of interest, are in the portal."),
    ]
    tell(
        session,
        people,
        kind=INVITED,
        key=f"meeting:{meeting.id}",
        subject=N_("Meeting of the commission No. %(number)s", number=meeting.number),
        paragraphs=said,
        link=(N_("Open the agenda"), f"/staff/meetings/{meeting.id}"),
        about=("meeting", meeting.id),
    )
