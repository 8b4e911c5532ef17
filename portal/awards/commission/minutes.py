"""The minutes of a meeting: written down once from what is kept, signed by secretary and chair.

They are JSON in both languages under one digest, so that paper in either language says the same. Names are those of
the day they were written.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.audit.service import record
from portal.awards import grounds
from portal.awards.commission.appeal_models import Appeal
from portal.awards.commission.meetings import conducted
from portal.awards.commission.models import (
    AgendaItem,
    ItemKind,
    ItemState,
    Meeting,
    MeetingMember,
    MeetingState,
    MemberVote,
    Minutes,
    MinutesSignature,
    Recusal,
)
from portal.awards.models import Award, AwardDecision, DecisionKind, DecisionLine
from portal.core.canonical import digest
from portal.core.errors import Conflict, NotFound, Refused, Stale
from portal.core.language import N_, both
from portal.identity.models import User
from portal.identity.policy import Actor, Permission, authorize
from portal.tenders.models import TenderTrack, Track
from portal.tenders.rules import TRACK_NAMES
from portal.tenders.ruleset import Ballot

CHAIR: Final = "chair"
SECRETARY: Final = "secretary"
WHOLE: Final = (
    joinedload(Meeting.tender, innerjoin=True),
    joinedload(Meeting.chair, innerjoin=True),
    joinedload(Meeting.secretary, innerjoin=True),
    selectinload(Meeting.members).joinedload(MeetingMember.user, innerjoin=True),
    selectinload(Meeting.items).options(
        joinedload(AgendaItem.tender_track),
        joinedload(AgendaItem.appeal).joinedload(Appeal.application, innerjoin=True),
        selectinload(AgendaItem.recusals).joinedload(Recusal.user, innerjoin=True),
    ),
)
"""How a meeting is loaded with all that its page and its minutes say of it."""


def write(session: Session, actor: Actor, meeting_id: UUID) -> Minutes:
    """Write the minutes of a closed meeting. Conflict before its end, and when they are written already."""
    meeting = conducted(session, actor, meeting_id)
    if meeting.state != MeetingState.CLOSED:
        raise Conflict(N_("The minutes are written after the meeting."))
    content = content_of(session, meeting.id)
    assert actor.user_id is not None
    row = Minutes(meeting_id=meeting.id, content=content, digest=digest(content), drafted_by=actor.user_id)
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise Conflict(N_("The minutes are written already.")) from error
    changes = {"number": meeting.number, "digest": row.digest}
    record(session, actor, "awards:minutes:write", "meeting", meeting.id, changes)
    return row


def sign(session: Session, actor: Actor, meeting_id: UUID, *, seen: str) -> MinutesSignature:
    """The secretary's or the chair's signature under the digest that they have ``seen``.

    Refused for anybody else, Conflict before the minutes are written and for a second signature, Stale for another
    digest.
    """
    authorize(actor, Permission.MEETING_CONDUCT)
    meeting = conducted(session, actor, meeting_id)
    row = of_meeting(session, meeting.id)
    if row is None:
        raise Conflict(N_("The minutes are not written yet."))
    capacities = {meeting.chair_id: CHAIR, meeting.secretary_id: SECRETARY}
    capacity = capacities.get(actor.user_id) if actor.user_id else None
    if capacity is None or actor.user_id is None:
        raise Refused(N_("The chair and the secretary of this meeting do this."))
    if seen != row.digest:
        raise Stale(N_("These are not the minutes that you have read. Open the page again."), 1)
    signature = MinutesSignature(minutes_id=row.id, capacity=capacity, signed_by=actor.user_id, digest=row.digest)
    try:
        with session.begin_nested():
            session.add(signature)
    except IntegrityError as error:
        raise Conflict(N_("You have signed these minutes already.")) from error
    changes = {"digest": row.digest, "capacity": capacity}
    record(session, actor, "awards:minutes:sign", "meeting", meeting.id, changes)
    return signature


def of_meeting(session: Session, meeting_id: UUID) -> Minutes | None:
    """The minutes with their signatures and signers."""
    return session.scalar(
        select(Minutes)
        .where(Minutes.meeting_id == meeting_id)
        .options(selectinload(Minutes.signatures).joinedload(MinutesSignature.signer))
        .execution_options(populate_existing=True)
    )


def content_of(session: Session, meeting_id: UUID) -> dict[str, Any]:
    """What the minutes say, as JSON. Of a secret ballot there are counts only."""
    meeting = session.scalar(
        select(Meeting)
        .where(Meeting.id == meeting_id)
        .options(
            *WHOLE,
            selectinload(Meeting.items)
            .joinedload(AgendaItem.decision)
            .selectinload(AwardDecision.lines)
            .options(selectinload(DecisionLine.amounts), joinedload(DecisionLine.application, innerjoin=True)),
        )
        .execution_options(populate_existing=True)
    )
    if meeting is None:
        raise NotFound
    votes = session.scalars(
        select(MemberVote)
        .join(AgendaItem, AgendaItem.id == MemberVote.item_id)
        .where(AgendaItem.meeting_id == meeting.id)
        .options(joinedload(MemberVote.user, innerjoin=True))
    ).all()
    seated = sorted(meeting.members, key=lambda held: (name(held.user), held.user_id))
    return {
        "format": 1,
        "number": meeting.number,
        "tender": {"code": meeting.tender.code, "ru": meeting.tender.title_ru, "en": meeting.tender.title_en},
        "zone": meeting.tender.zone,
        "starts_at": meeting.starts_at.isoformat(),
        "opened_at": meeting.opened_at.isoformat() if meeting.opened_at else None,
        "closed_at": meeting.closed_at.isoformat() if meeting.closed_at else None,
        "place": meeting.place,
        "chair": name(meeting.chair),
        "secretary": name(meeting.secretary),
        "members": [{"name": name(held.user), "present": held.present} for held in seated],
        "items": [
            _item(item, [row for row in votes if row.item_id == item.id])
            for item in meeting.items
            if item.state != ItemState.WITHDRAWN
        ],
    }


def name(user: User) -> str:
    return user.full_name or user.email


def _item(item: AgendaItem, votes: list[MemberVote]) -> dict[str, Any]:
    said: dict[str, Any] = {
        "place": item.place,
        "title": title_of(item),
        "ballot": item.ballot,
        "quorum": [item.quorum_parts, item.quorum_of],
        "entitled": item.entitled,
        "present": item.present,
        "yes": item.yes,
        "no": item.no,
        "abstained": item.abstained,
        "casting": item.casting,
        "outcome": item.state,
        "recused": [{"name": name(row.user), "reason": dict(row.reason)} for row in item.recusals],
    }
    if item.ballot == Ballot.OPEN:
        said["votes"] = sorted(
            ({"name": name(row.user), "choice": row.choice} for row in votes), key=lambda one: one["name"]
        )
    if item.decision is not None:
        said["decision"] = _decision(item.decision)
    return said


def _decision(decision: AwardDecision) -> dict[str, Any]:
    lines = [
        {
            "place": line.place,
            "number": line.application.number or "",
            "outcome": line.outcome,
            "amounts": {str(amount.year): f"{amount.amount:.2f}" for amount in line.amounts},
        }
        for line in decision.lines
    ]
    total = sum((amount.amount for line in decision.lines for amount in line.amounts), Decimal("0.00"))
    awards = sum(line.outcome == Award.AWARD for line in decision.lines)
    said: dict[str, Any] = {"digest": decision.digest, "awards": awards, "amount": f"{total:.2f}", "lines": lines}
    if decision.kind != DecisionKind.FIRST:
        said["kind"] = decision.kind
        said["grounds"] = grounds.in_both(decision.grounds)
    return said


def title_of(item: AgendaItem) -> Mapping[str, str]:
    """What a question is called, in both languages; its track is loaded, and the application of its appeal."""
    if item.kind == ItemKind.OTHER:
        return {"ru": item.title, "en": item.title}
    track: TenderTrack | None = item.tender_track
    assert track is not None
    words = TRACK_NAMES[Track(track.track)]
    if item.appeal is not None:
        return both(N_("Appeal on application %(number)s", number=item.appeal.application.number or ""))
    if item.kind == ItemKind.TRACK:
        return both(N_("Ranking of the projects: %(track)s", track=words))
    return both(N_("Award list: %(track)s", track=words))
