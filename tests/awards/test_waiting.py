"""Who is told what waits: decisions for a signature, reports of agreements before and after their day."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.applications.models import Proof
from portal.applications.signatures.signing import Shown
from portal.awards import amending, decision_letters, service
from portal.awards.amending import Change
from portal.awards.models import Award, DecisionKind
from portal.awards.offers import reminders
from portal.awards.offers import service as offers
from portal.core.clock import MOSCOW
from portal.identity.models import Membership, OrgRole, Role
from portal.identity.policy import Actor
from portal.notifications.models import Notice
from tests.factories import agreements, awards, commission, identity
from tests.factories.awards import ruled

DUE = date(2019, 7, 20)


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


def days_from(days: int) -> datetime:
    """Ten in the morning in Moscow, so many days after a report was due."""
    return datetime.combine(DUE + timedelta(days=days), time(10), MOSCOW)


STAGES = (
    (-15, None), (-14, "14"), (-8, "14"), (-7, "7"), (-1, "1"), (0, "1"), (1, "late-1"), (2, None), (7, "late-7"),
    (30, "late-30"), (31, None),
)  # fmt: skip


def test_reports_are_reminded_of_before_and_after_their_day(session: Session) -> None:
    agreed = agreements.awarded(session, [{2018: 100}])
    recipient = agreed.recipient()
    row = agreements.signed(agreed, [(date(2018, 12, 20), 100)])
    for days, stage in STAGES:
        found = list(reminders.reports(session, days_from(days)))
        assert [each.key.rpartition(":")[2] for each in found] == ([stage] if stage else []), days
        for each in found:
            assert recipient.id in [reader.id for reader in each.readers]
            assert each.link[1] == f"/applications/{agreed.stage.applications[0]}/agreement"
    session.execute(text("update agreement_due set received_on = due_on where agreement_id = :key"), {"key": row.id})
    assert list(reminders.reports(session, days_from(-1))) == []


def test_a_viewer_and_other_organisations_are_not_reminded(session: Session) -> None:
    agreed = agreements.awarded(session, [{2018: 100}, {2018: 50}])
    outsider = agreed.recipient(1)
    viewer = identity.user(session)
    organisation = agreed.stage.application(0).initiator_id
    session.add(Membership(user_id=viewer.id, organisation_id=organisation, role=OrgRole.VIEWER))
    session.flush()
    agreements.signed(agreed, [(date(2018, 12, 20), 100)])
    (found,) = reminders.reports(session, days_from(-1))
    readers = {reader.id for reader in found.readers}
    assert viewer.id not in readers
    if agreed.stage.application(1).initiator_id != organisation:
        assert outsider.id not in readers


def test_a_draft_of_an_agreement_asks_for_nothing(session: Session) -> None:
    agreed = agreements.awarded(session, [{2018: 100}])
    agreements.agreements.start(session, agreed.officer, agreed.lines[0])
    session.execute(text("update agreement_due set due_on = :day"), {"day": DUE})
    assert list(reminders.reports(session, days_from(-1))) == []
