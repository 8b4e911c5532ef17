"""Who else is in a section: a beat every few seconds from each open page, forgotten after a minute.

Only people who may write a part beat in it, and only they see who else does: all of them are of the organisation
whose part it is. Rights are asked at each beat and at each reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import and_, delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session, contains_eager, selectinload

from portal.applications.drafts.saving import definition_of
from portal.applications.models import Application, Participant, ParticipantState, Presence
from portal.applications.models import Section as Row
from portal.applications.policy import Part
from portal.applications.rules import EDITABLE
from portal.applications.service import NOT_EDITABLE
from portal.core.errors import Conflict, NotFound
from portal.identity.models import Membership, Organisation, User
from portal.identity.policy import Actor, Permission, authorize
from portal.tenders.kept_rules import rules_in
from portal.tenders.models import TenderTrack

LASTS: Final = timedelta(seconds=60)
_FORGOTTEN: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person who has the section open for writing."""

    name: str
    organisation: Organisation


@dataclass(frozen=True, slots=True)
class Opened:
    """A section as its open page asks for it: three small queries instead of the whole dossier."""

    application: Application
    row: Row | None


def open_to_write(
    session: Session, actor: Actor, *, application_id: UUID, participant_id: UUID | None, section: str
) -> Opened:
    """A section for those who may write it now. Raises as :func:`portal.applications.service.save_fields` does."""
    definition = definition_of(section, participant_id)
    application = session.scalar(
        select(Application)
        .join(Application.tender)
        .join(Application.tender_track)
        .join(TenderTrack.rule_set)
        .options(
            contains_eager(Application.tender),
            contains_eager(Application.tender_track).contains_eager(TenderTrack.rule_set),
            selectinload(Application.participants),
        )
        .where(Application.id == application_id)
    )
    if application is None:
        raise NotFound
    if participant_id is None:
        authorize(actor, Permission.APPLICATION_EDIT, application)
    else:
        authorize(actor, Permission.APPLICATION_VIEW, application)
        authorize(actor, Permission.APPLICATION_EDIT, Part(application, _part(application, participant_id)))
    if not definition.present(rules_in(application.tender_track.rule_set)):
        raise NotFound
    if application.state not in EDITABLE:
        raise Conflict(NOT_EDITABLE)
    row = session.scalar(
        select(Row).where(
            Row.application_id == application_id,
            Row.participant_id.is_(None) if participant_id is None else Row.participant_id == participant_id,
            Row.name == section,
        )
    )
    return Opened(application, row)


def _part(application: Application, participant_id: UUID) -> Participant:
    for part in application.participants:
        if part.id == participant_id and part.state == ParticipantState.ACCEPTED:
            return part
    raise NotFound


def beat(
    session: Session, actor: Actor, application: Application, participant_id: UUID | None, section: str
) -> datetime:
    """Note that the actor has the section open, and give the present instant; the caller has authorised."""
    assert actor.user_id is not None
    owner = application.initiator_id
    if participant_id is not None:
        owner = _part(application, participant_id).organisation_id
    place = f"{participant_id or ''}:{section}"
    values = {
        "application_id": application.id,
        "place": place,
        "user_id": actor.user_id,
        "organisation_id": owner,
        "seen_at": func.portal_now(),
    }
    statement = (
        insert(Presence)
        .values(values)
        .on_conflict_do_update(
            index_elements=[Presence.application_id, Presence.place, Presence.user_id],
            set_={"seen_at": func.portal_now(), "organisation_id": owner},
        )
        .returning(Presence.seen_at)
    )
    now = session.execute(statement).scalar_one()
    session.execute(
        delete(Presence).where(
            Presence.application_id == application.id, Presence.seen_at < func.portal_now() - _FORGOTTEN
        )
    )
    return now


def others(
    session: Session, actor: Actor, application: Application, participant_id: UUID | None, section: str
) -> list[Somebody]:
    """Who else has had the section open within the last minute and still belongs to its organisation."""
    statement = (
        select(User.full_name, User.email, Organisation)
        .select_from(Presence)
        .join(User, and_(User.id == Presence.user_id, User.active))
        .join(Organisation, Organisation.id == Presence.organisation_id)
        .join(
            Membership,
            and_(Membership.user_id == Presence.user_id, Membership.organisation_id == Presence.organisation_id),
        )
        .where(
            Presence.application_id == application.id,
            Presence.place == f"{participant_id or ''}:{section}",
            Presence.user_id != actor.user_id,
            Presence.seen_at > func.portal_now() - LASTS,
        )
        .order_by(User.full_name, User.id)
        .limit(20)
    )
    return [Somebody(name or email, organisation) for name, email, organisation in session.execute(statement)]
