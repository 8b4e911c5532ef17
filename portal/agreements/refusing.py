"""The initiator does not take an award: before an agreement, with a reason; the money goes back to the envelopes."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.agreements.models import Agreement, AgreementState
from portal.applications import service as applications
from portal.applications.models import Application, State
from portal.audit.service import record
from portal.awards import amending
from portal.awards.models import Award, AwardDecision, DecisionLine
from portal.awards.proof import bundles
from portal.awards.proof.trail import REFUSE as REFUSE_TAG
from portal.awards.reserve_models import AwardRefusal
from portal.core.errors import Conflict, NotFound, Problems
from portal.core.language import N_, render
from portal.identity.models import Role, RoleGrant, User
from portal.identity.policy import Actor, Permission, authorize
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell
from portal.tenders.models import Tender

MAX_REASON: Final = 2_000
REFUSED: Final = declare("award_refused", Topic.DECISION, N_("An award is refused by its initiator"), staff=True)


def refuse(session: Session, actor: Actor, application_id: UUID, *, reason: str) -> AwardRefusal:
    """Refuse a published award; frees all that is reserved for it, so that the reserve list may move up.

    Only an owner or signatory of the initiator (NotFound, Refused). Problems without a reason; Conflict when there is
    no published award, or an agreement binds it already.
    """
    application = session.scalar(
        select(Application)
        .where(Application.id == application_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if application is None:
        raise NotFound
    authorize(actor, Permission.AWARD_REFUSE, application)
    line = awarded_line(session, application)
    if line is None:
        raise Conflict(N_("This application has no award that can be refused."))
    text = " ".join(reason.replace("\x00", "").split())
    if not 0 < len(text) <= MAX_REASON:
        raise Problems.one("required", "reason", N_("Give the reason in 1 to %(limit)s characters.", limit=MAX_REASON))
    assert actor.user_id is not None
    row = AwardRefusal(line_id=line.id, reason=text, refused_by=actor.user_id)
    session.add(row)
    session.flush()
    tender = session.get_one(Tender, application.tender_id)
    amending.release(
        session,
        actor,
        line,
        key=f"refusal:{line.id}",
        programme_id=tender.programme_id,
        track=application.track,
        reason=render(N_("Initiator of %(number)s refuses the award", number=application.number or ""), "ru"),
        document=render(N_("Refusal of the initiator"), "ru"),
    )
    applications.renounce(session, actor, application.id)
    changes = {"line": line.id, "reason": text}
    record(session, actor, REFUSE_TAG, "application", application.id, changes)
    bundles.make_later(session, application.tender_id, line.id)
    _tell(session, application, line)
    return row


def awarded_line(session: Session, application: Application) -> DecisionLine | None:
    """The published award of an application that stands and is bound by no agreement, with its amounts."""
    if application.state != State.AWARDED:
        return None
    bound = select(Agreement.line_id).where(Agreement.state.in_((AgreementState.SIGNED, AgreementState.ENDED)))
    return session.scalars(
        select(DecisionLine)
        .join(DecisionLine.decision)
        .where(
            DecisionLine.id.not_in(bound),
            DecisionLine.application_id == application.id,
            DecisionLine.outcome == Award.AWARD,
            DecisionLine.approved_at.is_not(None),
            AwardDecision.published_at.is_not(None),
            AwardDecision.discarded_at.is_(None),
        )
        .options(selectinload(DecisionLine.amounts), joinedload(DecisionLine.decision))
        .order_by(AwardDecision.number.desc())
        .limit(1)
    ).first()


def _tell(session: Session, application: Application, line: DecisionLine) -> None:
    officers = select(RoleGrant.user_id).where(RoleGrant.role.in_((Role.OFFICER, Role.CHAIR)))
    people = session.scalars(select(User).where(User.id.in_(officers), User.active).order_by(User.id)).all()
    tell(
        session,
        people,
        kind=REFUSED,
        key=f"refusal:{line.id}",
        subject=N_("Application %(number)s: the award is refused", number=application.number or ""),
        paragraphs=[
            N_("The initiator does not take the subsidy. The money is available again; see who is next on the list.")
        ],
        link=(N_("Open the decision"), f"/staff/decisions/tracks/{application.tender_track_id}"),
        about=("application", application.id),
    )
