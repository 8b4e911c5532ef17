"""What the recipient of a subsidy is told: the agreement is signed, a tranche is paid, money is asked back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.agreements.models import Agreement, Recovery, Tranche
from portal.core.figures import roubles
from portal.core.formats import format_date
from portal.core.language import LOCALES, N_, Message
from portal.identity.models import Membership, OrgRole, User
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell

AGREEMENT: Final = declare("agreement", Topic.DECISION, N_("The agreement and its payments"), important=True)
DEMAND: Final = declare("recovery", Topic.DECISION, N_("Money that the fund asks back"), obligatory=True)


def signed(session: Session, row: Agreement) -> int:
    """The agreement with its schedule. ``line.application`` and ``tranches`` are loaded; so below."""
    said = [
        N_(
            "The agreement No. %(number)s of %(day)s on your project %(project)s is signed.",
            number=row.number or "",
            day=_day(row.signed_on),
            project=row.line.application.number or "",
        ),
        *(
            N_("%(day)s: %(amount)s", day=_day(tranche.planned_on), amount=roubles(tranche.amount))
            for tranche in row.tranches
        ),
        N_("The page of the agreement shows what is due from you, and by when."),
    ]
    return _tell(session, row, AGREEMENT, f"agreement:{row.id}", N_("The agreement is signed"), said)


def paid(session: Session, row: Agreement, tranche: Tranche) -> int:
    said = [
        N_(
            "%(amount)s was paid to you on %(day)s under the agreement No. %(number)s.",
            amount=roubles(tranche.amount),
            day=_day(tranche.paid_on),
            number=row.number or "",
        )
    ]
    return _tell(session, row, AGREEMENT, f"tranche:{tranche.id}", N_("A tranche was paid"), said)


def demanded(session: Session, row: Agreement, recovery: Recovery) -> int:
    said = [
        N_(
            "The fund asks back %(amount)s that was paid under the agreement No. %(number)s.",
            amount=roubles(recovery.amount),
            number=row.number or "",
        ),
        N_("Why: %(reason)s", reason=recovery.reason),
        N_("Return it by %(day)s.", day=_day(recovery.due_on)),
    ]
    return _tell(session, row, DEMAND, f"recovery:{recovery.id}", N_("The fund asks money back"), said)


def _tell(session: Session, row: Agreement, kind: str, key: str, subject: Message, said: Sequence[Message]) -> int:
    path = f"/applications/{row.line.application_id}/agreement"
    return tell(
        session,
        session.scalars(
            select(User)
            .join(Membership, Membership.user_id == User.id)
            .where(
                Membership.organisation_id == row.organisation_id,
                Membership.role.in_((OrgRole.OWNER, OrgRole.SIGNATORY)),
                User.active,
                User.confirmed_at.is_not(None),
            )
            .order_by(User.id)
        ).all(),
        kind=kind,
        key=key,
        subject=subject,
        paragraphs=said,
        link=(N_("Open the agreement"), path),
        about=("application", row.line.application_id),
    )


def _day(day: date | None) -> dict[str, str]:
    return {locale: format_date(day, locale) if day else "" for locale in LOCALES}
