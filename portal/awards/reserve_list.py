"""The reserve list moves up by itself, as a proposal: money returns, the portal says who is next, a person decides.

A trigger writes the task ``propose_reserve`` for each posting that gives money back to an envelope's account
"available" (release, restored returns), whoever made it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, joinedload

from portal.applications.models import Application, State
from portal.audit.service import record
from portal.awards import amending, basis, later_limits
from portal.awards.amendment_checks import MAX_GROUNDS, Change
from portal.awards.later_limits import Counted, Standing
from portal.awards.models import Award, AwardDecision, DecisionKind, DecisionLine
from portal.awards.reserve_models import ProposalState, ReserveProposal
from portal.budget import queries as budget
from portal.budget.models import Envelope, Posting, PostingLine
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problems
from portal.core.language import N_
from portal.identity.models import Role, RoleGrant, User
from portal.identity.policy import Actor, Permission, authorize, system_actor
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell
from portal.scoring.models import Score
from portal.scoring.queries import rules_of
from portal.tenders.models import Tender, TenderTrack, Track
from portal.tenders.rules import TRACK_NAMES

PROPOSE: Final = "propose_reserve"
ACTOR: Final = system_actor("reserve")
PROPOSED: Final = declare(
    "reserve_proposed",
    Topic.DECISION,
    N_("Money has returned: the reserve list can move up"),
    important=True,
    staff=True,
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A project of the reserve list; ``amounts``: what it asks for, year -> roubles."""

    application_id: UUID
    number: str
    title_ru: str
    title_en: str
    place: int
    total: Decimal | None
    amounts: Mapping[int, Decimal]


def next_in_line(
    waiting: Sequence[Waiting], available: Mapping[int, Decimal], held: Standing | None = None
) -> list[Waiting]:
    """Who can be awarded, in the order of the list; it ends with the first whose amounts do not fit into every year.

    Whoever would break a maximum of the limits is passed over; ``held``: what they count now.
    """
    left, found, stands = dict(available), [], held or Standing()
    for item in waiting:
        if stands.over({item.application_id: item.amounts}):
            continue
        if any(amount > left.get(year, Decimal(0)) for year, amount in item.amounts.items()):
            break
        left = {year: amount - item.amounts.get(year, Decimal(0)) for year, amount in left.items()}
        stands = stands.granting({item.application_id: item.amounts})
        found.append(item)
    return found


def passed_over(waiting: Sequence[Waiting], found: Sequence[Waiting], held: Standing) -> list[tuple[Waiting, Counted]]:
    """Who stands before the last of ``found`` and is not among them, each with the limit that it would break."""
    passed, stands, taken = [], held, {item.application_id for item in found}
    for item in waiting:
        granted = {item.application_id: item.amounts}
        if item.application_id in taken:
            taken.remove(item.application_id)
            stands = stands.granting(granted)
        elif taken and (broken := stands.over(granted)):
            passed.append((item, broken[0]))
    return passed


def standing_of(session: Session, track: TenderTrack, waiting: Sequence[Waiting]) -> Standing:
    """What the limits count of these projects and of the awards that stand; ``track`` with its tender."""
    rules = rules_of(session, track.id)
    return later_limits.standing(session, track, rules, [item.application_id for item in waiting])


def waiting_of(session: Session, tender_track_id: UUID) -> list[Waiting]:
    """The reserve list of a track in its order: what was published last and still stands."""
    lines = amending.in_force(session, tender_track_id)
    held = [
        line for line in lines.values() if line.outcome == Award.RESERVE and line.application.state == State.RESERVE
    ]
    if not held:
        return []
    rows = session.execute(
        select(DecisionLine.id, Score.amounts)
        .join(AwardDecision, AwardDecision.id == DecisionLine.decision_id)
        .join(Application, Application.id == DecisionLine.application_id)
        .join(Score, and_(Score.run_id == AwardDecision.run_id, Score.submission_id == Application.submission_id))
        .where(DecisionLine.id.in_([line.id for line in held]))
    )
    asked = {key: {int(year): Decimal(amount) for year, amount in amounts.items()} for key, amounts in rows}
    return [
        Waiting(
            line.application_id,
            line.application.number or "",
            line.application.title_ru,
            line.application.title_en,
            line.place,
            line.total,
            {year: amount for year, amount in asked.get(line.id, {}).items() if amount},
        )
        for line in held
        if asked.get(line.id)
    ]


def propose(session: Session, posting_id: UUID) -> list[ReserveProposal]:
    """Write who is next on the reserve lists that the money of a posting may serve, the latest tender's first.

    A proposal that is open already is replaced; where nobody's amounts fit, none is written. Twice is once.
    """
    tracks = _tracks(session, posting_id)
    made = []
    for track in tracks:
        locked = session.scalars(select(TenderTrack.id).where(TenderTrack.id == track.id).with_for_update()).one()
        known = select(ReserveProposal.id).where(
            ReserveProposal.posting_id == posting_id, ReserveProposal.tender_track_id == locked
        )
        if session.scalar(known) is not None:
            continue
        last = amending.last_decision(session, track.id)
        if last is None or last.published_at is None:
            continue
        available = budget.available(session, track.tender.programme_id, track.track)
        waiting = waiting_of(session, track.id)
        found = next_in_line(waiting, available, standing_of(session, track, waiting))
        if not found:
            continue
        for row in session.scalars(
            select(ReserveProposal).where(
                ReserveProposal.tender_track_id == track.id, ReserveProposal.state == ProposalState.OPEN
            )
        ):
            row.state = ProposalState.REPLACED
        session.flush()
        proposal = ReserveProposal(
            tender_track_id=track.id,
            posting_id=posting_id,
            available=basis.as_text(available),
            lines=[_as_json(item) for item in found],
        )
        session.add(proposal)
        session.flush()
        changes = {"posting": posting_id, "applications": ", ".join(item.number for item in found)}
        record(session, ACTOR, "awards:reserve:propose", "reserve_proposal", proposal.id, changes)
        _tell(session, proposal, track, found)
        made.append(proposal)
    return made


def _tell(session: Session, proposal: ReserveProposal, track: TenderTrack, found: Sequence[Waiting]) -> None:
    """Those who may draft a decision learn who is next."""
    held = select(RoleGrant.user_id).where(RoleGrant.role.in_((Role.OFFICER, Role.CHAIR)))
    people = session.scalars(select(User).where(User.id.in_(held), User.active).order_by(User.id)).all()
    tell(
        session,
        people,
        kind=PROPOSED,
        key=f"{PROPOSED}:{proposal.id}",
        subject=N_("Tender %(code)s: the reserve list can move up", code=track.tender.code),
        paragraphs=[
            N_("Money has returned to the envelopes of the track “%(track)s”.", track=TRACK_NAMES[Track(track.track)]),
            N_("Next on the list: %(numbers)s.", numbers=", ".join(item.number for item in found)),
        ],
        link=(N_("Open the proposal"), f"/staff/decisions/reserve/{proposal.id}"),
        about=("reserve_proposal", proposal.id),
    )


def draft(session: Session, actor: Actor, proposal_id: UUID, *, grounds: str) -> AwardDecision:
    """Draft the supplementary decision that a proposal says. Conflict when it is not open or no longer true."""
    authorize(actor, Permission.AWARD_DRAFT)
    proposal = _open(session, proposal_id)
    track = session.get_one(TenderTrack, proposal.tender_track_id, options=[joinedload(TenderTrack.tender)])
    available = budget.available(session, track.tender.programme_id, track.track)
    waiting = waiting_of(session, track.id)
    found = next_in_line(waiting, available, standing_of(session, track, waiting))
    if [_as_json(item) for item in found] != proposal.lines:
        raise Conflict(N_("Since this proposal the list or the money has changed. Dismiss it."))
    changes = [Change(item.application_id, Award.AWARD, item.amounts) for item in found]
    decision = amending.amend(
        session, actor, track.id, kind=DecisionKind.SUPPLEMENTARY, changes=changes, grounds=grounds
    )
    proposal.ended_by, proposal.ended_at = actor.user_id, now(session)
    proposal.state, proposal.decision_id = ProposalState.DRAFTED, decision.id
    session.flush()
    record(session, actor, "awards:reserve:draft", "reserve_proposal", proposal.id, {"decision": decision.id})
    return decision


def reopen(session: Session, decision: AwardDecision) -> None:
    """The draft that was made of a proposal is discarded: it waits for a person again, unless a newer one does."""
    proposal = session.scalar(
        select(ReserveProposal)
        .where(ReserveProposal.decision_id == decision.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if proposal is None or open_proposal(session, proposal.tender_track_id) is not None:
        return
    proposal.state, proposal.decision_id = ProposalState.OPEN, None
    proposal.ended_by = proposal.ended_at = None
    session.flush()


def dismiss(session: Session, actor: Actor, proposal_id: UUID, *, reason: str) -> ReserveProposal:
    """Put a proposal away. Problems without a reason, Conflict when it is not open."""
    authorize(actor, Permission.AWARD_DRAFT)
    proposal = _open(session, proposal_id)
    text = " ".join(reason.replace("\x00", "").split())
    if not 0 < len(text) <= MAX_GROUNDS:
        limit = MAX_GROUNDS
        raise Problems.one("required", "reason", N_("Give the reason in 1 to %(limit)s characters.", limit=limit))
    proposal.ended_by, proposal.ended_at = actor.user_id, now(session)
    proposal.state, proposal.reason = ProposalState.DISMISSED, text
    session.flush()
    record(session, actor, "awards:reserve:dismiss", "reserve_proposal", proposal.id, {"reason": text})
    return proposal


def open_proposal(session: Session, tender_track_id: UUID) -> ReserveProposal | None:
    """The proposal on a track that waits for a person."""
    return session.scalar(
        select(ReserveProposal).where(
            ReserveProposal.tender_track_id == tender_track_id, ReserveProposal.state == ProposalState.OPEN
        )
    )


def _open(session: Session, proposal_id: UUID) -> ReserveProposal:
    proposal = session.scalar(
        select(ReserveProposal)
        .where(ReserveProposal.id == proposal_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if proposal is None:
        raise NotFound
    if proposal.state != ProposalState.OPEN:
        raise Conflict(N_("This proposal was drafted, dismissed or replaced already."))
    return proposal


def _tracks(session: Session, posting_id: UUID) -> Sequence[TenderTrack]:
    """The decided tracks of the envelopes that a posting gave money back to; that of its award alone, if it has one."""
    posting = session.get(Posting, posting_id)
    if posting is None:
        return ()
    statement = (
        select(TenderTrack)
        .join(TenderTrack.tender)
        .options(joinedload(TenderTrack.tender))
        .order_by(Tender.closes_at.desc())
    )
    if posting.subject_type == "decision_line":
        own = (
            select(AwardDecision.tender_track_id)
            .join(DecisionLine, DecisionLine.decision_id == AwardDecision.id)
            .where(DecisionLine.id == posting.subject_id)
        )
        return session.scalars(statement.where(TenderTrack.id.in_(own))).all()
    envelopes = (
        select(Envelope.programme_id, Envelope.track)
        .join(PostingLine, PostingLine.envelope_id == Envelope.id)
        .where(PostingLine.posting_id == posting_id)
        .distinct()
        .subquery()
    )
    decided = select(AwardDecision.tender_track_id).where(AwardDecision.published_at.is_not(None))
    return session.scalars(
        statement.join(
            envelopes,
            (envelopes.c.programme_id == Tender.programme_id) & (envelopes.c.track == TenderTrack.track),
        ).where(TenderTrack.id.in_(decided))
    ).all()


def _as_json(item: Waiting) -> dict[str, Any]:
    return {
        "application": str(item.application_id),
        "number": item.number,
        "title_ru": item.title_ru,
        "title_en": item.title_en,
        "place": item.place,
        "total": None if item.total is None else f"{item.total:.2f}",
        "amounts": basis.as_text(item.amounts),
    }
