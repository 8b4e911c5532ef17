"""A later decision on a track: awards from the reserve list, or the correction of what was published.

What was published is never changed. A later decision follows the last published one, says why, and has lines for the
applications that it decides anew; it is signed, adopted and published as the first one is. What was reserved for an
award that it changes is freed in the same transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.applications.models import Application
from portal.audit.service import record
from portal.awards import amendment_checks as checks
from portal.awards import basis, decision_letters, later_limits
from portal.awards import grounds as usual
from portal.awards.amendment_checks import BOUND, Change
from portal.awards.chain import superseded
from portal.awards.locks import locked_track
from portal.awards.models import Award, AwardAmount, AwardDecision, DecisionKind, DecisionLine
from portal.awards.policy import interest_refusal
from portal.awards.queries import interests
from portal.budget import queries as budget_queries
from portal.budget import service as budget
from portal.core.canonical import digest
from portal.core.errors import Conflict, Problems, Refused
from portal.core.language import N_, Message, both, render
from portal.identity.policy import Actor, Permission, authorize
from portal.review import barring
from portal.scoring.models import Score
from portal.scoring.queries import rules_of
from portal.tenders.models import TenderTrack

GAINING: Final = (Award.AWARD, Award.RESERVE)


def amend(
    session: Session,
    actor: Actor,
    tender_track_id: UUID,
    *,
    kind: DecisionKind,
    changes: Sequence[Change],
    grounds: str,
    beyond: str = "",
) -> AwardDecision:
    """Draft a decision that follows the last published one on a track.

    ``beyond``: why a correction may break a limit of the programme, kept only where it breaks one. Raises
    :class:`Problems` with everything that is wrong, the limits that it breaks among it, :class:`Conflict` while the
    last decision is not published, :class:`Refused` for a drafter who belongs to, or has a conflict with, whoever
    gains by it.
    """
    authorize(actor, Permission.AWARD_DRAFT)
    track = locked_track(session, tender_track_id)
    last = last_decision(session, track.id)
    if last is None or last.published_at is None:
        raise Conflict(N_("A later decision is drafted once the one before it is published."))
    text = " ".join(grounds.replace("\x00", "").split())
    text = usual.kept(kind, text)
    former = in_force(session, track.id, [change.application_id for change in changes])
    problems = checks.faults(changes, former, text)
    if problems:
        raise Problems(problems)
    changes = sorted(changes, key=lambda change: former[change.application_id].place)
    winners = [change.application_id for change in changes if change.outcome is Award.AWARD]
    assert actor.user_id is not None
    refusal = interest_refusal(actor.user_id, interests(session, [actor.user_id], winners))
    if refusal:
        raise Refused(refusal)
    barring.refuse_barred(
        session, [actor.user_id], [change.application_id for change in changes if change.outcome in GAINING]
    )
    held = budget_queries.available(session, track.tender.programme_id, track.track)
    rules = rules_of(session, track.id)
    granted = {change.application_id: change.granted for change in changes}
    counted = later_limits.standing(session, track, rules, granted).after(granted)
    excuse = " ".join(beyond.replace("\x00", "").split())
    problems = [
        *checks.bound(session, former),
        *checks.beyond_request(session, last, changes, former),
        *checks.beyond_money(held, changes, former),
        *checks.beyond_limits(kind, counted, excuse),
    ]
    if problems:
        raise Problems(problems)
    exceeded = checks.excused(counted, excuse)
    available = basis.as_text({year: amount for year, amount in held.items() if year in rules.years})
    decision = AwardDecision(
        tender_track_id=track.id,
        run_id=last.run_id,
        number=last.number + 1,
        kind=kind,
        follows_id=last.id,
        grounds=text,
        beyond=exceeded,
        digest=_digest(last, kind, text, changes, exceeded),
        available=available,
        drafted_by=actor.user_id,
    )
    session.add(decision)
    session.flush()
    for change in changes:
        old = former[change.application_id]
        line = DecisionLine(
            decision_id=decision.id,
            application_id=change.application_id,
            place=old.place,
            outcome=change.outcome,
            total=old.total,
            reason=both(_reason(kind, last.number)),
        )
        session.add(line)
        session.flush()
        amounts = change.amounts.items() if change.outcome is Award.AWARD else ()
        session.add_all(AwardAmount(line_id=line.id, year=year, amount=amount) for year, amount in amounts if amount)
    session.flush()
    facts = {"kind": kind, "number": decision.number, "follows": last.id, "digest": decision.digest}
    record(session, actor, "awards:decision:amend", "award_decision", decision.id, facts)
    decision_letters.waits(session, decision)
    return decision


def last_decision(session: Session, tender_track_id: UUID) -> AwardDecision | None:
    """The latest decision on a track that is not discarded, locked."""
    return session.scalars(
        select(AwardDecision)
        .where(AwardDecision.tender_track_id == tender_track_id, AwardDecision.discarded_at.is_(None))
        .order_by(AwardDecision.number.desc())
        .limit(1)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).first()


def in_force(
    session: Session, tender_track_id: UUID, application_ids: Sequence[UUID] | None = None
) -> dict[UUID, DecisionLine]:
    """What was published of each application last, with its amounts and application; two queries."""
    statement = (
        select(DecisionLine)
        .join(DecisionLine.decision)
        .where(
            AwardDecision.tender_track_id == tender_track_id,
            AwardDecision.published_at.is_not(None),
            AwardDecision.discarded_at.is_(None),
            ~superseded(),
        )
        .options(selectinload(DecisionLine.amounts), joinedload(DecisionLine.application, innerjoin=True))
        .order_by(DecisionLine.place)
        .execution_options(populate_existing=True)
    )
    if application_ids is not None:
        statement = statement.where(DecisionLine.application_id.in_(list(application_ids)))
    return {line.application_id: line for line in session.scalars(statement)}


def better(session: Session, line: DecisionLine) -> Change:
    """What an upheld appeal leads to at first sight: the next better outcome, an award with what was asked for.

    ``line`` stands, with its amounts and application loaded. A person may change it before it is drafted.
    """
    if line.outcome == Award.DECLINE:
        return Change(line.application_id, Award.RESERVE, {})
    if line.outcome == Award.AWARD:
        return Change(line.application_id, Award.AWARD, {amount.year: amount.amount for amount in line.amounts})
    asked = session.scalar(
        select(Score.amounts)
        .join(AwardDecision, AwardDecision.run_id == Score.run_id)
        .where(AwardDecision.id == line.decision_id, Score.submission_id == line.application.submission_id)
    )
    amounts = {int(year): Decimal(amount) for year, amount in (asked or {}).items() if Decimal(amount)}
    return Change(line.application_id, Award.AWARD, amounts)


def free_former(session: Session, actor: Actor, decision: AwardDecision, line: DecisionLine) -> None:
    """Free what is reserved for the award that a line changes. Conflict where an agreement binds the money.

    The track's earlier lines are those in force: this decision is not published yet.
    """
    old = in_force(session, decision.tender_track_id, [line.application_id]).get(line.application_id)
    if old is None or old.outcome != Award.AWARD:
        return
    application = session.get_one(Application, line.application_id)
    track = session.get_one(TenderTrack, decision.tender_track_id, options=[joinedload(TenderTrack.tender)])
    release(
        session,
        actor,
        old,
        key=f"revise:{line.id}",
        programme_id=track.tender.programme_id,
        track=application.track,
        reason=render(N_("Award to %(number)s is changed by a later decision", number=application.number or ""), "ru"),
        document=render(N_("Decision No. %(number)s on the track", number=decision.number), "ru"),
    )


def release(
    session: Session,
    actor: Actor,
    line: DecisionLine,
    *,
    key: str,
    programme_id: UUID,
    track: str,
    reason: str,
    document: str,
) -> None:
    """Give back all that is reserved for an award. Conflict where it is not all there any more."""
    try:
        budget.release(
            session,
            actor,
            key=key,
            programme_id=programme_id,
            track=track,
            amounts={amount.year: amount.amount for amount in line.amounts},
            reason=reason,
            document=document,
            subject=("decision_line", line.id),
        )
    except Problems as problems:
        raise Conflict(BOUND) from problems


def _reason(kind: DecisionKind, follows: int) -> Message:
    if kind is DecisionKind.SUPPLEMENTARY:
        return N_(
            "From the reserve list: money has returned to the envelopes. It follows decision No. %(number)s.",
            number=follows,
        )
    return N_("Correction of the published decision No. %(number)s.", number=follows)


def _digest(
    last: AwardDecision,
    kind: DecisionKind,
    grounds: str,
    changes: Sequence[Change],
    beyond: Mapping[str, Any] | None,
) -> str:
    lines = [
        (change.application_id, change.outcome, change.amounts if change.outcome is Award.AWARD else {})
        for change in changes
    ]
    return digest(_covered(last.digest, last.number + 1, kind, grounds, lines, beyond))


def recorded(decision: AwardDecision, follows: str) -> dict[str, Any]:
    """What the digest of a kept later decision (lines and amounts loaded) covers; ``follows``: the digest before."""
    lines = [
        (line.application_id, Award(line.outcome), {amount.year: amount.amount for amount in line.amounts})
        for line in decision.lines
    ]
    kind = DecisionKind(decision.kind)
    return _covered(follows, decision.number, kind, decision.grounds, lines, decision.beyond)


def _covered(
    follows: str,
    number: int,
    kind: DecisionKind,
    grounds: str,
    lines: Iterable[tuple[UUID, Award, Mapping[int, Decimal]]],
    beyond: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """``lines`` in the order of their places; decisions that break no limit cover what they always did."""
    return {
        "follows": follows,
        "number": number,
        "kind": kind.value,
        "grounds": grounds,
        **({} if beyond is None else {"beyond": dict(beyond)}),
        "lines": [
            {
                "application": str(application_id),
                "outcome": outcome.value,
                "amounts": basis.as_text({year: amount for year, amount in amounts.items() if amount}),
            }
            for application_id, outcome, amounts in lines
        ],
    }
