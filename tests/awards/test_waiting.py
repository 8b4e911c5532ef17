"""Who is told that a decision waits for a signature."""

from __future__ import annotations

from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Proof
from portal.applications.signatures.signing import Shown
from portal.awards import amending, decision_letters, service
from portal.awards.amendment_checks import Change
from portal.awards.models import Award, DecisionKind
from portal.awards.offers import service as offers
from portal.identity.models import Membership, OrgRole, Role
from portal.identity.policy import Actor
from portal.notifications.models import Notice
from tests.factories import awards, commission, identity
from tests.factories.awards import ruled


def told(session: Session, actor: Actor) -> int:
    """How often somebody was told that a decision waits."""
    wanted = select(Notice.id).where(Notice.user_id == actor.user_id, Notice.kind == decision_letters.WAITS)
    return len(session.scalars(wanted).all())


def test_a_drafted_list_waits_for_the_commission_but_not_for_its_drafter(session: Session) -> None:
    made = awards.stage(session, [{2018: 60}], {2018: 100})
    second = awards.person(session, Role.CHAIR)
    decision = service.draft(session, made.chair, made.track.id)
    assert [told(session, actor) for actor in (made.chair, made.member, second, made.officer)] == [0, 1, 1, 0]
    notice = session.scalars(select(Notice).where(Notice.user_id == made.member.user_id)).one()
    assert "RUB\u00a060" in notice.paragraphs["en"][0]
    assert notice.path == f"/staff/decisions/tracks/{made.track.id}"
    service.sign(session, made.member, decision.id)
    service.publish(session, made.officer, decision.id)
    assert decision_letters.waits(session, decision) == 0
    change = Change(made.applications[0], Award.AWARD, {2018: Decimal(50)})
    amending.amend(
        session, made.chair, made.track.id, kind=DecisionKind.CORRECTION, changes=[change], grounds="An appeal"
    )
    assert told(session, made.member) == 2


def test_signers_are_told_after_the_meeting_has_adopted_it(session: Session) -> None:
    made = commission.stage(session, [{2018: 400_000_000}])
    people = [awards.person(session, role) for role in (Role.DIRECTOR, Role.FINANCE, Role.CHAIR)]
    decision = service.draft(session, made.officer, made.track.id)
    assert [told(session, person) for person in people] == [0, 0, 0]
    commission.adopted(made, decision)
    assert [told(session, person) for person in people] == [1, 1, 1]
    assert told(session, made.officer) == 0


def test_a_list_with_parts_waits_for_its_signature_after_the_last_yes(session: Session) -> None:
    made = awards.stage(session, [{2018: 60}, {2018: 50}], {2018: 100})
    ruled(made, allotment="partial")
    (offer,) = offers.send(session, made.chair, service.draft(session, made.chair, made.track.id).id)
    assert told(session, made.member) == 0
    person = identity.user(session)
    organisation = made.application(1).initiator_id
    session.add(Membership(user_id=person.id, organisation_id=organisation, role=OrgRole.OWNER))
    session.flush()
    owner = identity.actor(session, person)
    offers.answer(session, owner, offer.id, agree=True, reason="", shown=Shown(Proof.WORD))
    assert told(session, made.member) == 1
