"""Who is told that a report of an agreement is due, before and after its day."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from portal.agreements import reminders
from portal.core.clock import MOSCOW
from portal.identity.models import Membership, OrgRole
from tests.factories import agreements, identity

DUE = date(2019, 7, 20)


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
