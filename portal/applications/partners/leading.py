"""Handing the lead over to another participant, and the roles of people for one application."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.applications.following import letters
from portal.applications.models import PartGrant, Participant, ParticipantRole, ParticipantState, PartRole
from portal.applications.partners.participation import part_of, record
from portal.applications.policy import Part
from portal.applications.service import require_editable
from portal.audit import service as audit
from portal.core.errors import Conflict, NotFound, Refused
from portal.core.language import N_
from portal.identity.models import Membership, OrgRole
from portal.identity.policy import Actor, Permission, authorize


def offer_lead(session: Session, actor: Actor, *, participant_id: UUID) -> Participant:
    """The initiator offers the lead to another participant, which accepts or not; taken back by offering it anew."""
    dossier, part = part_of(session, participant_id)
    authorize(actor, Permission.APPLICATION_SUBMIT, dossier.application)
    require_editable(dossier)
    if part.state != ParticipantState.ACCEPTED or part.role == ParticipantRole.INITIATOR:
        raise Conflict(N_("The lead can be handed over to another participant only."))
    for other in dossier.accepted:
        other.lead_offered_at = dossier.intake.now if other is part and part.lead_offered_at is None else None
    session.flush()
    record(session, actor, "offer_lead" if part.lead_offered_at else "take_back_lead", part)
    if part.lead_offered_at:
        letters.write_to(
            session,
            [part.organisation_id],
            application_id=dossier.application.id,
            key=f"lead:{part.id}:{dossier.intake.now.isoformat()}",
            kind=letters.LEAD,
            subject=N_(
                "You are offered the lead of a joint project: %(title)s", title=letters.title_of(dossier.application)
            ),
            paragraphs=[
                N_(
                    "%(initiator)s offers your organisation to lead the project: to fill in its common sections, to"
                    " invite and to submit. Accept or decline on the page of the participants.",
                    initiator=letters.name_of(dossier.application.initiator),
                )
            ],
            link=(N_("Open the participants"), letters.path(dossier.application.id, "participants")),
        )
    return part


def answer_lead(session: Session, actor: Actor, *, participant_id: UUID, accept: bool) -> Participant:
    """The participant takes the lead over, or declines it. Taking it over changes the roles, so all sign anew."""
    dossier, part = part_of(session, participant_id)
    authorize(actor, Permission.APPLICATION_CONFIRM, Part(dossier.application, part))
    require_editable(dossier)
    if part.lead_offered_at is None:
        raise Conflict(N_("The lead is not offered to your organisation any more."))
    part.lead_offered_at = None
    before = dossier.initiator
    if accept:
        before.role = ParticipantRole.PARTICIPANT
        session.flush()
        part.role = ParticipantRole.INITIATOR
        dossier.application.initiator_id = part.organisation_id
    session.flush()
    record(session, actor, "take_lead" if accept else "decline_lead", part)
    name = letters.name_of(part.organisation)
    letters.write_to(
        session,
        [before.organisation_id],
        application_id=dossier.application.id,
        key=f"lead_answered:{part.id}:{dossier.intake.now.isoformat()}",
        kind=letters.LEAD,
        subject=N_("%(organisation)s leads your joint project now", organisation=name)
        if accept
        else N_("%(organisation)s declines the lead of your joint project", organisation=name),
        paragraphs=[N_("This concerns the project %(title)s.", title=letters.title_of(dossier.application))],
        link=(N_("Open the participants"), letters.path(dossier.application.id, "participants")),
    )
    return part


def give_role(
    session: Session, actor: Actor, *, participant_id: UUID, user_id: UUID, role: PartRole | None
) -> PartGrant | None:
    """Give one of the organisation's people a role for this application; None takes back to the organisation's own.

    Only an owner makes or unmakes a signatory. Raises :class:`NotFound` for people of other organisations.
    """
    dossier, part = part_of(session, participant_id)
    authorize(actor, Permission.APPLICATION_ROLES, Part(dossier.application, part))
    held = session.scalar(
        select(Membership.role).where(Membership.user_id == user_id, Membership.organisation_id == part.organisation_id)
    )
    if held is None:
        raise NotFound
    if held == OrgRole.OWNER:
        raise Conflict(N_("An owner of the organisation may do everything; this cannot be changed here."))
    row = session.scalar(
        select(PartGrant).where(PartGrant.participant_id == part.id, PartGrant.user_id == user_id).with_for_update()
    )
    signs = PartRole.SIGNATORY in (role, row.role if row else None) or held == OrgRole.SIGNATORY
    if signs and not actor.acts_for(part.organisation_id, OrgRole.OWNER):
        raise Refused(N_("Only an owner of the organisation decides who signs for it."))
    assert actor.user_id is not None
    if role is None:
        if row is not None:
            session.delete(row)
    elif row is None:
        row = PartGrant(participant_id=part.id, user_id=user_id, role=role, granted_by=actor.user_id)
        session.add(row)
    else:
        row.role, row.granted_by = role, actor.user_id
    session.flush()
    audit.record(
        session,
        actor,
        "applications:participant:assign",
        "application",
        part.application_id,
        {"participant": part.id, "user": user_id, "role": role},
    )
    return row if role is not None else None
