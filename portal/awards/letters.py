"""What an applicant is told about the decision: outcome and why, the total, and the points of each criterion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.models import Application
from portal.awards.models import Award, AwardDecision, DecisionLine
from portal.core.figures import number, roubles
from portal.core.language import N_, Message
from portal.identity.models import Membership, OrgRole, User
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell
from portal.scoring.models import Score
from portal.scoring.queries import rules_of
from portal.scoring.sheets import ToldLine, ToldSheet, told

AWARD: Final = declare("award", Topic.DECISION, N_("The decision on an application"), obligatory=True)

_OUTCOMES: Final = {
    Award.AWARD: N_("The project is awarded a subsidy."),
    Award.RESERVE: N_("The project is on the reserve list."),
    Award.DECLINE: N_("The project is not supported."),
}
_SUBJECT: Final = N_("Application %(number)s: the decision")


def write(session: Session, decision: AwardDecision, line: DecisionLine) -> int:
    """Tell the decision to everyone who signs for the initiator, once each. Returns how many people it was new for.

    ``line.application`` and ``line.amounts`` are loaded.
    """
    sheet = session.scalar(
        select(Score.sheet).where(
            Score.run_id == decision.run_id, Score.submission_id == line.application.submission_id
        )
    )
    subject = N_(_SUBJECT.msgid, number=line.application.number or "")
    rules = rules_of(session, line.application.tender_track_id)
    said = paragraphs(line, told(sheet, rules) if sheet else None)
    link = (N_("Open the application"), f"/applications/{line.application_id}")
    return tell(
        session,
        _people(session, line.application),
        kind=AWARD,
        key=f"award:{line.id}",
        subject=subject,
        paragraphs=said,
        link=link,
        about=("application", line.application_id),
    )


def paragraphs(line: DecisionLine, sheet: ToldSheet | None) -> list[Message]:
    """The sentences of the letter, in order."""
    application = line.application
    title = {
        "ru": application.title_ru or application.title_en,
        "en": application.title_en or application.title_ru,
    }
    said = [
        N_(
            "The decision on your application %(number)s, “%(title)s”, is published.",
            number=application.number or "",
            title=title,
        ),
        _OUTCOMES[Award(line.outcome)],
        N_("Why: %(reason)s", reason=line.reason),
    ]
    said += [N_("%(year)s: %(amount)s", year=amount.year, amount=roubles(amount.amount)) for amount in line.amounts]
    if line.total is not None:
        said.append(
            N_("Place in the ranking: %(place)s. Total: %(total)s of 100.", place=line.place, total=number(line.total))
        )
    said += _criteria(sheet.lines if sheet else ())
    return said


def _criteria(lines: Sequence[ToldLine]) -> list[Message]:
    return [
        N_(
            "%(code)s %(title)s: %(points)s of %(weight)s. %(reason)s",
            code=line.code,
            title=line.title.both(),
            points=number(line.weighted) if line.weighted is not None else "—",
            weight=number(line.weight),
            reason=line.reason,
        )
        for line in lines
    ]


def _people(session: Session, application: Application) -> Sequence[User]:
    """Owners and signatories of the initiator who can sign in."""
    return session.scalars(
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
