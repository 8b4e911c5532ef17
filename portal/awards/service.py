"""The decision on a track: drafted from the ranking, signed by others, booked, published.

The room's only writer. Locks are taken in one order: decision, track, tender, its lines by place, each with its
application and its envelopes; so decisions never wait for each other in a circle.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

import portal.awards.policy  # noqa: F401 - registers the room's rules
from portal.applications.models import Application, State
from portal.audit.service import record
from portal.awards import basis, decision_letters, joint, later_limits, reserve_list, sign_offs
from portal.awards.booking import book_award, carry_out
from portal.awards.commission.meetings import on_agenda
from portal.awards.commission.models import ItemState
from portal.awards.locks import lock_together, locked_decision, locked_track
from portal.awards.models import Award, AwardAmount, AwardDecision, DecisionKind, DecisionLine, DecisionSignature
from portal.awards.offers import service as offers
from portal.awards.policy import Signing, interest_refusal
from portal.awards.proof import bundles
from portal.awards.queries import interests
from portal.awards.scenarios import service as scenario_service
from portal.core import jobs
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.core.language import N_, Message, both
from portal.identity.policy import Actor, Permission, authorize
from portal.review import barring
from portal.scoring.queries import rules_of
from portal.tenders import rules as tender_rules
from portal.tenders import service as tenders
from portal.tenders.models import Tender, TenderTrack
from portal.tenders.rules import TenderStatus
from portal.tenders.ruleset import RuleSet

LETTERS: Final = "award_letters"
MAX_REASON: Final = 2_000
GAINING: Final = (Award.AWARD, Award.RESERVE)
"""Outcomes that bring money, or may still bring it: nobody decides on them with a conflict of interest."""
CHANGED: Final = N_(
    "Since this list was drafted, %(what)s. Discard it and draft it anew, so that you sign what is true now."
)


def draft(session: Session, actor: Actor, tender_track_id: UUID) -> AwardDecision:
    """The award list that follows from the newest scoring run and the money left now.

    Raises :class:`Problems` with everything that is still open (no run, applications not checked, scores not
    complete), :class:`Conflict` when there is a list already or intake is not over, :class:`Refused` when the
    drafter belongs to an organisation that would win, or has a conflict of interest with an award or a reserve.
    """
    authorize(actor, Permission.AWARD_DRAFT)
    track = locked_track(session, tender_track_id)
    _require_evaluation(session, track.tender)
    live = select(AwardDecision.id).where(
        AwardDecision.tender_track_id == track.id, AwardDecision.discarded_at.is_(None)
    )
    if session.scalar(live) is not None:
        raise Conflict(N_("There is a list for this track already. Discard it before you draft another one."))
    found = basis.present(session, track)
    refusal = interest_refusal(
        actor.user_id, interests(session, [actor.user_id], found.winners) if actor.user_id else ()
    )
    if refusal:
        raise Refused(refusal)
    assert actor.user_id is not None
    paid = [UUID(line.application_id) for line in found.lines if line.outcome in GAINING]
    barring.refuse_barred(session, [actor.user_id], paid)
    decision = AwardDecision(
        tender_track_id=track.id,
        run_id=found.run_id,
        digest=found.digest,
        available=basis.as_text(found.available),
        drafted_by=actor.user_id,
    )
    session.add(decision)
    session.flush()
    for line in found.lines:
        row = DecisionLine(
            decision_id=decision.id,
            application_id=UUID(line.application_id),
            place=line.place,
            outcome=line.outcome,
            total=found.totals[line.application_id],
            reason=both(line.reason),
        )
        session.add(row)
        session.flush()
        session.add_all(AwardAmount(line_id=row.id, year=year, amount=a) for year, a in line.amounts.items())
    session.flush()
    changes = {"track": track.track, "tender": track.tender.code, "run": found.run_id, "digest": found.digest}
    record(session, actor, "awards:decision:draft", "award_decision", decision.id, changes)
    scenario_service.cite(session, actor, decision, found.lines)
    offers.take_over(session, actor, decision)
    decision_letters.waits(session, decision)
    return decision


def redraft(session: Session, actor: Actor, decision_id: UUID, *, expected_version: int | None = None) -> AwardDecision:
    """Put a draft away and draft the list as it follows now; offers of the amounts that it gives as well stay open.

    Raises as :func:`discard` and :func:`draft` do; Conflict for a later decision.
    """
    old = _put_away(session, actor, decision_id, expected_version)
    if old.number > 1:
        raise Conflict(N_("A later decision does not follow from the ranking: discard it."))
    return draft(session, actor, old.tender_track_id)


def discard(session: Session, actor: Actor, decision_id: UUID, *, expected_version: int | None = None) -> AwardDecision:
    """Put a draft away; it stays on record, and offers that wait are withdrawn.

    Conflict when it is signed or was discarded already, or the commission votes on it.
    """
    decision = _put_away(session, actor, decision_id, expected_version)
    if decision.number == 1:
        offers.withdraw_all(session, actor, decision)
    return decision


def _put_away(session: Session, actor: Actor, decision_id: UUID, expected_version: int | None) -> AwardDecision:
    authorize(actor, Permission.AWARD_DRAFT)
    decision = locked_decision(session, decision_id, expected_version)
    if decision.signed_at is not None:
        raise Conflict(N_("A signed decision is not discarded."))
    item = on_agenda(session, decision.id)
    if item is not None and item.state in (ItemState.VOTING, ItemState.TIED):
        raise Conflict(N_("The commission is voting on this list."))
    if item is not None and item.state == ItemState.WAITING:
        item.state = ItemState.WITHDRAWN
    decision.discarded_at = now(session)
    session.flush()
    if decision.kind == DecisionKind.SUPPLEMENTARY:
        reserve_list.reopen(session, decision)
    record(session, actor, "awards:decision:discard", "award_decision", decision.id, {"digest": decision.digest})
    return decision


def sign(session: Session, actor: Actor, decision_id: UUID, *, expected_version: int | None = None) -> AwardDecision:
    """A signature; the last one that the amount asks for books every award and gives each application its outcome.

    Where the tender has limits over its tracks, the lists of all tracks take effect together, with the last signature
    of all. All of it or nothing. Raises :class:`Refused` for the drafter, for those whose signature is not asked for,
    for anybody of a winning organisation, and when the drafter is of one; :class:`Conflict` when it is signed already,
    by this person or in this capacity, or when the ranking or the money has changed since the draft;
    :class:`~portal.budget.ledger.Overdrawn` when an envelope lacks money.
    """
    authorize(actor, Permission.AWARD_SIGN)
    together = lock_together(session, decision_id)
    decision = locked_decision(session, decision_id, expected_version)
    winners = [line.application_id for line in decision.lines if line.outcome == Award.AWARD]
    signatures = sign_offs.given(session, decision.id)
    signers = [row.signed_by for row in signatures]
    people = [person for person in (actor.user_id, decision.drafted_by) if person is not None]
    paid = [line.application_id for line in decision.lines if line.outcome in GAINING]
    authorize(actor, Permission.AWARD_SIGN, Signing(decision, interests(session, people, winners)))
    barring.refuse_barred(session, [*people, *signers], paid)
    if decision.signed_at is not None:
        raise Conflict(N_("This decision is signed already."))
    rules = _require_ready(session, decision)
    needed = sign_offs.listed(rules, sign_offs.awarded(decision), signatures)
    office = sign_offs.office_for(actor, needed)
    assert actor.user_id is not None
    session.add(
        DecisionSignature(decision_id=decision.id, office=office, signed_by=actor.user_id, digest=decision.digest)
    )
    session.flush()
    missing = [item.office for item in needed if not item.given and item.office != office]
    others = joint.others_to_sign(session, decision, together)
    if missing or (together and not joint.all_signed(session, decision, others)):
        step = {"digest": decision.digest, "office": office, "missing": ", ".join(missing)}
        record(session, actor, "awards:decision:sign_off", "award_decision", decision.id, step)
        return decision
    for other in others:
        try:
            _require_ready(session, other)
        except Conflict as refusal:
            message = N_(
                "The list of the other track has to be drafted and signed anew first. %(why)s", why=refusal.reason
            )
            raise Conflict(message) from refusal
    for each in sorted([decision, *others], key=lambda held: held.id):
        _take_effect(session, actor, each)
    return decision


def _require_ready(session: Session, decision: AwardDecision) -> RuleSet:
    """Nothing but signatures is missing: the list follows, parts are agreed to, the commission has adopted it."""
    track = locked_track(session, decision.tender_track_id)
    rules = rules_of(session, track.id)
    if decision.number == 1:
        _require_evaluation(session, track.tender)
        what = changed(session, track, decision, rules)
        if what is not None:
            raise Conflict(what)
        offers.require_consent(session, decision)
    else:
        _require_limits(session, track, decision, rules)
    item = on_agenda(session, decision.id)
    if rules.commission and (item is None or item.state != ItemState.ADOPTED):
        raise Conflict(N_("The commission has not adopted this list yet: it is signed after the meeting."))
    return rules


def _require_limits(session: Session, track: TenderTrack, decision: AwardDecision, rules: RuleSet) -> None:
    """A later decision breaks no limit that it gives no reason for, as the awards stand now. Raises Conflict."""
    if track.tender.joint_limits:
        # Another track of the tender counts its awards after this one, or before.
        session.scalars(select(Tender.id).where(Tender.id == track.tender_id).with_for_update()).one()
    what = later_limits.changed(session, track, decision, rules)
    if what is not None:
        raise Conflict(what)


def _take_effect(session: Session, actor: Actor, decision: AwardDecision) -> None:
    """Every signature is given: book the awards and give each application its outcome; ``actor`` signed last of all."""
    last = sign_offs.given(session, decision.id)[-1]
    decision.signed_by, decision.signed_at = last.signed_by, now(session)
    session.flush()
    for line in decision.lines:
        carry_out(session, actor, decision, line)
    changes = {
        "digest": decision.digest,
        "drafted_by": decision.drafted_by,
        "office": last.office,
        "awards": sum(line.outcome == Award.AWARD for line in decision.lines),
        "lines": len(decision.lines),
    }
    record(session, actor, "awards:decision:sign", "award_decision", decision.id, changes)


def changed(
    session: Session, track: TenderTrack, decision: AwardDecision, rules: RuleSet | None = None
) -> Message | None:
    """Why a drafted list is not signed any more: what has changed since; None while it still follows.

    ``rules``: those of the track, where they are read already; then five queries at most. A later decision (lines and
    amounts loaded) does not follow from the ranking: of it only the limits are looked at.
    """
    if decision.number != 1:
        return later_limits.changed(session, track, decision, rules or rules_of(session, track.id))
    what = basis.difference(session, track, decision, rules)
    return None if what is None else N_(CHANGED.msgid, what=what)


def approve(session: Session, actor: Actor, line_id: UUID) -> DecisionLine:
    """Book one award of a signed decision and make its application an awarded one. Again: nothing more happens.

    Raises :class:`~portal.budget.ledger.Overdrawn` when an envelope lacks money, :class:`Conflict` for a line
    that is no award of a signed decision, :class:`Refused` for people of a winning organisation.
    """
    authorize(actor, Permission.AWARD_SIGN)
    line = session.scalar(
        select(DecisionLine)
        .where(DecisionLine.id == line_id)
        .with_for_update(of=DecisionLine)
        .options(selectinload(DecisionLine.amounts), joinedload(DecisionLine.decision))
        .execution_options(populate_existing=True)
    )
    if line is None:
        raise NotFound
    decision = line.decision
    if line.outcome != Award.AWARD or decision.signed_at is None or decision.discarded_at is not None:
        raise Conflict(N_("Only an award of a signed decision can be booked."))
    people = [person for person in (actor.user_id, decision.drafted_by) if person is not None]
    authorize(
        actor,
        Permission.AWARD_SIGN,
        Signing(decision, interests(session, people, [line.application_id])),
    )
    barring.refuse_barred(session, people, [line.application_id])
    if line.approved_at is None:
        book_award(session, actor, decision, line)
    return line


def publish(session: Session, actor: Actor, decision_id: UUID, *, expected_version: int | None = None) -> AwardDecision:
    """Make a signed decision public and write to every applicant; the last one of a tender ends the tender.

    Where the tender has limits over its tracks, the first decisions on all of them become public together. The letters
    wait for as long as the rules say, and can be stopped meanwhile (:func:`stop_letters`). Conflict when it is not
    signed, or published already.
    """
    authorize(actor, Permission.AWARD_PUBLISH)
    together = lock_together(session, decision_id)
    decision = locked_decision(session, decision_id, expected_version)
    if decision.signed_at is None:
        raise Conflict(N_("A decision is published after it is signed."))
    if decision.published_at is not None:
        raise Conflict(N_("This decision is published already."))
    track = locked_track(session, decision.tender_track_id)
    # Decisions on the tracks of a tender are published one after the other, so that one of them is the last.
    session.scalars(select(Tender.id).where(Tender.id == track.tender_id).with_for_update()).one()
    _make_public(session, actor, decision, track)
    for other in joint.others_to_publish(session, decision, together):
        _make_public(session, actor, other, locked_track(session, other.tender_track_id))
    if track.tender.results_published_at is None and not _open_tracks(session, track.tender_id):
        tenders.note_results(session, actor, track.tender_id)
    return decision


def _make_public(session: Session, actor: Actor, decision: AwardDecision, track: TenderTrack) -> None:
    decision.published_at = now(session)
    commission = rules_of(session, track.id).commission
    held = commission.letters_held_minutes if commission else 0
    if held:
        decision.letters_at = decision.published_at + timedelta(minutes=held)
    session.flush()
    payload = {"decision_id": str(decision.id)}
    jobs.enqueue(session, LETTERS, payload, key=f"{LETTERS}:{decision.id}", after=decision.letters_at)
    bundles.make_later(session, track.tender_id, decision.id)
    changes = {"tender": track.tender.code, "track": track.track, "digest": decision.digest}
    record(session, actor, "awards:decision:publish", "award_decision", decision.id, changes)


def stop_letters(
    session: Session, actor: Actor, decision_id: UUID, *, reason: str, expected_version: int | None = None
) -> AwardDecision:
    """Stop the letters of a published decision while they are held. What is published stays published.

    Problems without a reason; Conflict when none are held, when their time has come, or they are stopped already.
    """
    authorize(actor, Permission.AWARD_PUBLISH)
    decision = locked_decision(session, decision_id, expected_version)
    text = " ".join(reason.replace("\x00", "").split())
    if not text or len(text) > MAX_REASON:
        raise Problems.one("required", "reason", N_("Give the reason in 1 to %(limit)s characters.", limit=MAX_REASON))
    if decision.letters_at is None:
        raise Conflict(N_("No letters of this decision are held."))
    if decision.letters_stopped_at is not None:
        raise Conflict(N_("The letters are stopped already."))
    instant = now(session)
    if instant >= decision.letters_at:
        raise Conflict(N_("The time to stop the letters is over: they are being written."))
    decision.letters_stopped_at, decision.letters_stopped_by = instant, actor.user_id
    decision.letters_stop_reason = text
    session.flush()
    changes = {"reason": text, "digest": decision.digest}
    record(session, actor, "awards:letters:stop", "award_decision", decision.id, changes)
    return decision


def send_letters(
    session: Session, actor: Actor, decision_id: UUID, *, expected_version: int | None = None
) -> AwardDecision:
    """Let letters that were stopped go out now. Conflict when they are not stopped."""
    authorize(actor, Permission.AWARD_PUBLISH)
    decision = locked_decision(session, decision_id, expected_version)
    if decision.letters_stopped_at is None:
        raise Conflict(N_("The letters of this decision are not stopped."))
    decision.letters_stopped_at = decision.letters_stopped_by = decision.letters_stop_reason = None
    decision.letters_at = now(session)
    session.flush()
    key = f"{LETTERS}:{decision.id}:{decision.version}"
    jobs.enqueue(session, LETTERS, {"decision_id": str(decision.id)}, key=key)
    record(session, actor, "awards:letters:send", "award_decision", decision.id, {"digest": decision.digest})
    return decision


def _require_evaluation(session: Session, tender: Tender) -> None:
    status = tender_rules.status(tender, now(session))
    if status is not TenderStatus.CLOSED:
        raise Conflict(
            N_("Decisions are made after intake has closed; this tender: %(status)s.", status=status.wording)
        )


def _open_tracks(session: Session, tender_id: UUID) -> Sequence[UUID]:
    """The tracks of a tender with applications in play that have no published decision."""
    decided = select(AwardDecision.tender_track_id).where(
        AwardDecision.published_at.is_not(None), AwardDecision.discarded_at.is_(None)
    )
    in_play = (State.SUBMITTED, State.RETURNED, State.EXPERTISE, State.AWARDED, State.RESERVE, State.DECLINED)
    return session.scalars(
        select(Application.tender_track_id)
        .where(
            Application.tender_id == tender_id,
            Application.state.in_(in_play),
            Application.tender_track_id.not_in(decided),
        )
        .distinct()
    ).all()
