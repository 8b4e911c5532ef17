"""A recipient's people are reminded of what an agreement asks of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal.agreements.models import Agreement, AgreementDue, AgreementState
from portal.core.clock import MOSCOW
from portal.core.language import N_
from portal.identity.models import Membership, OrgRole, User
from portal.notifications.kinds import Topic, declare
from portal.notifications.reminders import Reminder, source

REPORT_DAYS: Final = (14, 7, 1)
REPORT_DAYS_LATE: Final = (1, 7, 14, 30)
"""Days after the day of a report on which its recipient is reminded."""
REPORT: Final = declare("reminder_report", Topic.DEADLINES, N_("What an agreement asks for is due"), important=True)
PREPARING: Final = (OrgRole.OWNER, OrgRole.SIGNATORY, OrgRole.EDITOR)


@source("agreements.report")
def reports(session: Session, at: datetime) -> Iterator[Reminder]:
    """What signed agreements ask for and has not come: the recipient's people, before its day and after it."""
    window = ((at - timedelta(days=max(REPORT_DAYS_LATE) + 2)).date(), (at + timedelta(days=max(REPORT_DAYS))).date())
    statement = (
        select(AgreementDue, Agreement)
        .join(Agreement, Agreement.id == AgreementDue.agreement_id)
        .where(
            Agreement.state == AgreementState.SIGNED,
            AgreementDue.received_on.is_(None),
            AgreementDue.due_on.between(*window),
        )
        .options(joinedload(Agreement.line, innerjoin=True))
        .order_by(AgreementDue.due_on, AgreementDue.id)
    )
    for due, agreement in session.execute(statement):
        days = (at.astimezone(MOSCOW).date() - due.due_on).days
        step = _report_stage(days)
        if step is None:
            continue
        named = {"number": agreement.number or "", "title": due.title}
        late = days > 0
        subject = (
            N_("Agreement No. %(number)s: “%(title)s” is overdue", **named)
            if late
            else N_("Agreement No. %(number)s: “%(title)s” is due soon", **named)
        )
        said = (
            N_("It was due by %(day)s and has not come.", day=due.due_on)
            if late
            else N_("Hand it in by %(day)s.", day=due.due_on)
        )
        yield Reminder(
            f"{REPORT}:{due.id}:{due.due_on.isoformat()}:{step}",
            REPORT,
            _recipients(session, agreement.organisation_id),
            subject,
            [said, N_("The page of the agreement shows what is due from you, and by when.")],
            (N_("Open the agreement"), f"/applications/{agreement.line.application_id}/agreement"),
            ("application", agreement.line.application_id),
        )


def _report_stage(days: int) -> str | None:
    """The present stage, ``days`` after the day of a report (before it: less than zero); None between stages."""
    if days > 0:
        return f"late-{days}" if days in REPORT_DAYS_LATE else None
    return str(min(stage for stage in REPORT_DAYS if -days <= stage))


def _recipients(session: Session, organisation_id: UUID) -> Sequence[User]:
    """Who prepares and signs for the recipient, and can sign in."""
    return session.scalars(
        select(User)
        .join(Membership, Membership.user_id == User.id)
        .where(
            Membership.organisation_id == organisation_id,
            Membership.role.in_(PREPARING),
            User.active,
            User.confirmed_at.is_not(None),
        )
        .order_by(User.id)
    ).all()
