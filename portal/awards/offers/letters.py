"""What is said of an offer of a part: to the initiator's owners and signatories, and to those who draft decisions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.following.letters import title_of
from portal.applications.models import Application
from portal.awards.offers.models import AwardOffer, OfferState
from portal.core.figures import roubles
from portal.core.formats import format_datetime
from portal.core.language import LOCALES, N_, Message
from portal.identity.models import Membership, OrgRole, Role, RoleGrant, User
from portal.notifications.kinds import Topic, declare
from portal.notifications.service import tell
from portal.tenders.models import Tender

OFFER: Final = declare("award_offer", Topic.DECISION, N_("A part of the subsidy is offered"), obligatory=True)
ANSWERED: Final = declare(
    "award_offer_answered", Topic.DECISION, N_("An offer of a part is answered"), important=True, staff=True
)
STAFF: Final = (Role.OFFICER, Role.CHAIR)


def sent(session: Session, offer: AwardOffer, application: Application) -> int:
    """The offer year by year; ``amounts`` are loaded, so below."""
    said = [
        N_(
            "Your project “%(title)s” was recommended, but the money that is left suffices for a part of it.",
            title=title_of(application),
        ),
        *per_year(offer),
        N_(
            "Together: %(offered)s of %(asked)s. The rest, %(own)s, the project would have to pay from its own funds.",
            offered=roubles(offer.offered),
            asked=roubles(offer.asked),
            own=roubles(offer.asked - offer.offered),
        ),
        N_("Please answer before %(instant)s.", instant=due(session, offer, application)),
        N_("Without a yes in time the project goes to the reserve list, and the money to the next project."),
    ]
    subject = N_("Application %(number)s: a part of the subsidy is offered", number=application.number or "")
    return _tell(session, offer, application, OFFER, "sent", subject, said)


def per_year(offer: AwardOffer) -> list[Message]:
    """What is offered of what was asked for, a sentence for each year."""
    return [
        N_(
            "%(year)s: %(offered)s of %(asked)s",
            year=each.year,
            offered=roubles(each.offered),
            asked=roubles(each.asked),
        )
        for each in offer.amounts
    ]


def answered(session: Session, offer: AwardOffer) -> None:
    """The fund learns the answer, the initiator that it is registered. ``application`` is loaded, so below."""
    agreed = offer.state == OfferState.ACCEPTED
    own = (
        N_("Your yes to the offered part is registered. You will be told the decision when it is published.")
        if agreed
        else N_("Your no to the offered part is registered. The project goes to the reserve list.")
    )
    subject = N_("Application %(number)s: your answer is registered", number=offer.application.number or "")
    _tell(session, offer, offer.application, OFFER, "answered", subject, [own])
    told = (
        N_("The initiator agrees to the part that was offered.")
        if agreed
        else N_("The initiator does not agree to the part that was offered. The list has to be drafted anew.")
    )
    reasons = [N_("Why: %(reason)s", reason=offer.reason)] if offer.reason else []
    _tell_staff(session, offer, [told, *reasons])


def expired(session: Session, offer: AwardOffer) -> None:
    """Nobody answered in time."""
    subject = N_("Application %(number)s: the offer has expired", number=offer.application.number or "")
    said = N_("Nobody answered in time, which counts as no. The project goes to the reserve list.")
    _tell(session, offer, offer.application, OFFER, "expired", subject, [said])
    told = N_("The initiator did not answer in time, which counts as no. The list has to be drafted anew.")
    _tell_staff(session, offer, [told])


def withdrawn(session: Session, offer: AwardOffer) -> None:
    """The list was put away before anybody answered."""
    subject = N_("Application %(number)s: the offer is withdrawn", number=offer.application.number or "")
    said = N_(
        "The fund has put away the list that the offer belonged to: you need not answer. If a part is offered anew,"
        " you will be told."
    )
    _tell(session, offer, offer.application, OFFER, "withdrawn", subject, [said])


def people_of(session: Session, application: Application) -> Sequence[User]:
    """Who may answer for the initiator: its owners and signatories who can sign in."""
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


def path(application: Application) -> str:
    """The page of the offer."""
    return f"/applications/{application.id}/offer"


def instant(at: datetime, zone: str) -> dict[str, str]:
    """An instant with its zone in both languages."""
    return {locale: format_datetime(at, ZoneInfo(zone), locale) for locale in LOCALES}


def due(session: Session, offer: AwardOffer, application: Application) -> dict[str, str]:
    """When an offer has to be answered, with the zone of its tender."""
    return instant(offer.due_at, session.get_one(Tender, application.tender_id).zone)


def _tell(
    session: Session,
    offer: AwardOffer,
    application: Application,
    kind: str,
    what: str,
    subject: Message,
    said: Sequence[Message],
) -> int:
    return tell(
        session,
        people_of(session, application),
        kind=kind,
        key=f"offer:{offer.id}:{what}",
        subject=subject,
        paragraphs=said,
        link=(N_("Open the offer"), path(application)),
        about=("application", application.id),
    )


def _tell_staff(session: Session, offer: AwardOffer, said: Sequence[Message]) -> None:
    held = select(RoleGrant.user_id).where(RoleGrant.role.in_(STAFF))
    people = session.scalars(select(User).where(User.id.in_(held), User.active).order_by(User.id)).all()
    tell(
        session,
        people,
        kind=ANSWERED,
        key=f"offer:{offer.id}:staff",
        subject=N_("Application %(number)s: answer to the offer of a part", number=offer.application.number or ""),
        paragraphs=said,
        link=(N_("Open the decision"), f"/staff/decisions/tracks/{offer.tender_track_id}"),
        about=("application", offer.application_id),
    )
