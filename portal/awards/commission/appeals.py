"""Appeals of applicants: filed in time, examined, decided, by others than those who made the decision.

The time is a period of working days after publication (articles 190 to 194 of the Civil Code), from the rule set's
``appeal_days``; rules without a commission give ten. An appeal that is upheld changes nothing by itself: it leads
to the draft of a correction, prefilled, which cites the old decision (:mod:`portal.awards.amending`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased, joinedload

from portal.applications.models import Application
from portal.audit.service import record
from portal.awards.commission.appeal_models import Appeal, AppealState
from portal.awards.models import AwardDecision, DecisionLine, DecisionSignature
from portal.awards.queries import lowest_total
from portal.core.calendar import deadline
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problems, Refused, Stale
from portal.core.language import N_, Message
from portal.identity.models import Membership, OrgRole, Role, RoleGrant, User
from portal.identity.policy import Actor, Permission, authorize
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell
from portal.review import barring
from portal.scoring.queries import rules_of
from portal.tenders.models import Tender
from portal.tenders.ruleset import RuleSet

APPEAL_DAYS: Final = 10
MAX_TEXT: Final = 5_000
TOLD: Final = declare("appeal", Topic.DECISION, N_("What becomes of an appeal"), obligatory=True)
FILED: Final = declare("appeal_filed", Topic.DECISION, N_("An appeal is filed"), important=True, staff=True)
STAFF: Final = (Role.OFFICER, Role.CHAIR, Role.DIRECTOR)


def due(rules: RuleSet, decision: AwardDecision, tender: Tender) -> datetime:
    """The instant from which it is too late to appeal against a published decision, by the rules of its track."""
    assert decision.published_at is not None
    zone = ZoneInfo(tender.zone)
    days = rules.commission.appeal_days if rules.commission else APPEAL_DAYS
    return deadline(decision.published_at.astimezone(zone).date(), days, zone)


@dataclass(frozen=True, slots=True)
class Standing:
    """An application's appeals, the earliest first, and whether its initiator may file one, before ``until``.

    ``lowest``: the total of the last award of its track.
    """

    decision: AwardDecision
    rows: Sequence[Appeal]
    until: datetime
    may: bool
    lowest: Decimal | None


def standing(session: Session, application: Application, rules: RuleSet) -> Standing | None:
    """How an application stands with appeals; None before a decision on it is published. The tender is loaded.

    One statement; ``rules`` are those of its track.
    """
    filed = aliased(Appeal)
    rows = session.execute(
        _decisions(application.id)
        .outerjoin(filed, filed.application_id == application.id)
        .add_columns(filed, func.portal_now(), lowest_total(application.tender_track_id).scalar_subquery())
        .order_by(AwardDecision.number.desc(), filed.filed_at)
    ).all()
    if not rows:
        return None
    decision, _, instant, lowest = rows[0]
    found = [appeal for held, appeal, *_ in rows if held is decision and appeal is not None]
    until = due(rules, decision, application.tender)
    may = instant < until and all(row.decision_id != decision.id for row in found)
    return Standing(decision, found, until, may, lowest)


def decision_on(session: Session, application_id: UUID) -> AwardDecision | None:
    """The last published decision on an application."""
    wanted = _decisions(application_id).order_by(AwardDecision.number.desc()).limit(1)
    return session.scalars(wanted).first()


def _decisions(application_id: UUID) -> Select[Any]:
    """The published decisions on an application."""
    return (
        select(AwardDecision)
        .join(DecisionLine, DecisionLine.decision_id == AwardDecision.id)
        .where(
            DecisionLine.application_id == application_id,
            AwardDecision.published_at.is_not(None),
            AwardDecision.discarded_at.is_(None),
        )
    )


def file(session: Session, actor: Actor, application_id: UUID, *, text: str) -> Appeal:
    """Appeal against the last published decision on an application.

    Only an owner or signatory of the initiator (NotFound, Refused). Problems without a text; Conflict when nothing is
    published, when time is over, and for a second appeal against the same decision.
    """
    application = session.get(Application, application_id)
    if application is None:
        raise NotFound
    authorize(actor, Permission.APPEAL_FILE, application)
    decision = decision_on(session, application.id)
    if decision is None:
        raise Conflict(N_("There is no published decision on this application."))
    plain = text.replace("\x00", "").strip()
    if not 0 < len(plain) <= MAX_TEXT:
        message = N_("Say in 1 to %(limit)s characters what you appeal against and why.", limit=MAX_TEXT)
        raise Problems.one("required", "text", message)
    rules = rules_of(session, decision.tender_track_id)
    at, until = now(session), due(rules, decision, session.get_one(Tender, application.tender_id))
    if at >= until:
        raise Conflict(N_("The time to appeal is over."))
    assert actor.user_id is not None
    row = Appeal(
        application_id=application.id,
        decision_id=decision.id,
        text=plain,
        filed_by=actor.user_id,
        filed_at=at,
        due_at=until,
    )
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise Conflict(N_("You have appealed against this decision already.")) from error
    changes = {"appeal": row.id, "decision": decision.id}
    record(session, actor, "awards:appeal:file", "application", application.id, changes)
    _tell_staff(session, application, row)
    said = [N_("Your appeal is registered. The fund first looks whether it can be examined, then decides on it.")]
    _tell_applicant(session, application, row, said)
    return row


def examine(
    session: Session, actor: Actor, appeal_id: UUID, *, admit: bool, reason: str, expected_version: int
) -> Appeal:
    """Admit an appeal, or not, with a reason.

    Problems without a reason, Conflict when that was done, Stale, Refused for who made the decision or has a conflict.
    """
    row, text = _held(session, actor, appeal_id, reason, expected_version)
    if row.state != AppealState.FILED:
        raise Conflict(N_("This appeal was examined already."))
    row.examined_by, row.examined_at, row.examination = actor.user_id, now(session), text
    row.state = AppealState.ADMITTED if admit else AppealState.INADMISSIBLE
    session.flush()
    changes = {"appeal": row.id, "state": row.state, "reason": text}
    record(session, actor, "awards:appeal:examine", "application", row.application_id, changes)
    outcome = N_("Your appeal is admitted.") if admit else N_("Your appeal is not admitted.")
    _tell_applicant(session, row.application, row, [outcome, N_("Why: %(reason)s", reason=text)])
    return row


def decide(
    session: Session, actor: Actor, appeal_id: UUID, *, uphold: bool, reason: str, expected_version: int
) -> Appeal:
    """Uphold an admitted appeal, or dismiss it, with a reason; raises as :func:`examine` does."""
    row, text = _held(session, actor, appeal_id, reason, expected_version)
    if row.state != AppealState.ADMITTED:
        raise Conflict(N_("Only an appeal that was admitted is decided, once."))
    row.decided_by, row.decided_at, row.ruling = actor.user_id, now(session), text
    row.state = AppealState.UPHELD if uphold else AppealState.DISMISSED
    session.flush()
    changes = {"appeal": row.id, "state": row.state, "reason": text}
    record(session, actor, "awards:appeal:decide", "application", row.application_id, changes)
    outcome = (
        N_("Your appeal is upheld. The published result is corrected by a new decision.")
        if uphold
        else N_("Your appeal is dismissed. The published result stands.")
    )
    _tell_applicant(session, row.application, row, [outcome, N_("Why: %(reason)s", reason=text)])
    return row


def involved(session: Session, decision_id: UUID) -> set[UUID]:
    """Who made a decision: its drafter and its signers."""
    drafter = select(AwardDecision.drafted_by).where(AwardDecision.id == decision_id)
    signers = select(DecisionSignature.signed_by).where(DecisionSignature.decision_id == decision_id)
    return set(session.scalars(drafter.union(signers)))


def refusal_of(session: Session, actor: Actor, row: Appeal) -> Message | None:
    """Why the actor does not decide on an appeal: it concerns its own decision."""
    if actor.user_id in involved(session, row.decision_id):
        return N_("You drafted or signed the decision that is appealed against. Somebody else decides on this appeal.")
    return None


def _held(session: Session, actor: Actor, appeal_id: UUID, reason: str, expected_version: int) -> tuple[Appeal, str]:
    """The appeal, locked, and the reason; everything that speaks against the actor."""
    authorize(actor, Permission.APPEAL_DECIDE)
    row = session.scalar(
        select(Appeal)
        .where(Appeal.id == appeal_id)
        .options(joinedload(Appeal.application, innerjoin=True))
        .with_for_update(of=Appeal)
        .execution_options(populate_existing=True)
    )
    if row is None:
        raise NotFound
    if row.version != expected_version:
        message = N_("Somebody else changed this since you opened it. Open the page again and repeat your change.")
        raise Stale(message, row.version)
    refusal = refusal_of(session, actor, row)
    if refusal is not None:
        raise Refused(refusal)
    assert actor.user_id is not None
    barring.refuse_barred(session, [actor.user_id], [row.application_id])
    text = reason.replace("\x00", "").strip()
    if not 0 < len(text) <= MAX_TEXT:
        raise Problems.one("required", "reason", N_("Give the reason in 1 to %(limit)s characters.", limit=MAX_TEXT))
    return row, text


def _tell_applicant(session: Session, application: Application, row: Appeal, said: list[Message]) -> None:
    people = session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organisation_id == application.initiator_id,
            Membership.role.in_((OrgRole.OWNER, OrgRole.SIGNATORY)),
            User.active,
            User.confirmed_at.is_not(None),
        )
        .order_by(User.id)
    ).all()
    tell(
        session,
        people,
        kind=TOLD,
        key=f"appeal:{row.id}:{row.state}",
        subject=N_("Appeal on application %(number)s", number=application.number or ""),
        paragraphs=said,
        link=(N_("Open the appeal"), f"/applications/{application.id}/appeal"),
        about=("application", application.id),
    )


def _tell_staff(session: Session, application: Application, row: Appeal) -> None:
    held = select(RoleGrant.user_id).where(RoleGrant.role.in_(STAFF))
    people = session.scalars(select(User).where(User.id.in_(held), User.active).order_by(User.id)).all()
    tell(
        session,
        people,
        kind=FILED,
        key=f"appeal_filed:{row.id}",
        subject=N_("Appeal on application %(number)s", number=application.number or ""),
        paragraphs=[N_("The initiator appeals against the published decision.")],
        link=(N_("Open the appeal"), f"/staff/appeals/{row.id}"),
        about=("application", application.id),
    )
