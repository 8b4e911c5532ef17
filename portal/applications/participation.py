"""Who takes part: invitations to other members of the cluster, their answers, and leaving."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from portal.applications import letters
from portal.applications.dossier import Dossier, load
from portal.applications.models import Participant, ParticipantRole, ParticipantState, VoidReason
from portal.applications.package import requested
from portal.applications.policy import Part
from portal.applications.queries import is_member
from portal.applications.service import require_editable
from portal.applications.signing import end as end_signature
from portal.applications.signing import latest
from portal.audit import service as audit
from portal.core.errors import Conflict, NotFound, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize

MAX_PARTICIPANTS: Final = 30


def invite(session: Session, actor: Actor, *, application_id: UUID, organisation_id: UUID) -> Participant:
    """Ask another confirmed member of the cluster to take part; its people get a letter.

    Raises :class:`Problems` (field ``organisation``) when it is no member, is already asked, or there are
    too many; one that declined or was removed may be asked again.
    """
    dossier = load(session, application_id, lock=True)
    application = dossier.application
    authorize(actor, Permission.APPLICATION_INVITE, application)
    require_editable(dossier)
    if not is_member(session, organisation_id, application.cluster_id):
        message = N_("Only confirmed members of the project's cluster can take part.")
        raise Problems.one("not_a_member", "organisation", message)
    part = next((row for row in application.participants if row.organisation_id == organisation_id), None)
    if part is not None and part.state in (ParticipantState.INVITED, ParticipantState.ACCEPTED):
        raise Problems.one("already_asked", "organisation", N_("This organisation has already been invited."))
    if len(dossier.accepted) + len(dossier.invited) >= MAX_PARTICIPANTS:
        message = N_("A project can have no more than %(limit)s participants.", limit=MAX_PARTICIPANTS)
        raise Problems.one("too_many", "organisation", message)
    assert actor.user_id is not None
    if part is None:
        part = Participant(
            application_id=application_id,
            organisation_id=organisation_id,
            role=ParticipantRole.PARTICIPANT,
            state=ParticipantState.INVITED,
            invited_by=actor.user_id,
        )
        session.add(part)
    part.state, part.invited_by = ParticipantState.INVITED, actor.user_id
    part.responded_at = part.responded_by = None
    session.flush()
    _record(session, actor, "invite", part)
    letters.write_to(
        session,
        [organisation_id],
        application_id=application_id,
        key=f"invited:{part.id}:{dossier.intake.now.isoformat()}",
        kind=letters.INVITED,
        subject=N_("Invitation to a joint project: %(title)s", title=letters.title_of(application)),
        paragraphs=[
            N_(
                "%(initiator)s invites your organisation to take part in a joint project of the cluster %(cluster)s.",
                initiator=letters.name_of(application.initiator),
                cluster=letters.name_of(application.cluster),
            ),
            N_(
                "Read what it is about and answer. If you accept, your people fill in your own costs,"
                " financing, documents and declarations, and confirm them before the project is submitted."
            ),
        ],
        link=(N_("Read the invitation and answer"), letters.path(application_id, "invitation")),
    )
    return part


def respond(session: Session, actor: Actor, *, participant_id: UUID, accept: bool) -> Participant:
    """Accept or decline an invitation. Raises :class:`Conflict` when it has been answered or taken back."""
    dossier, part = _part(session, participant_id)
    authorize(actor, Permission.APPLICATION_RESPOND, Part(dossier.application, part))
    require_editable(dossier)
    if part.state != ParticipantState.INVITED:
        raise Conflict(N_("This invitation has already been answered or taken back."))
    if accept and part.organisation_id not in dossier.members:
        raise Conflict(N_("Only confirmed members of the project's cluster can take part."))
    part.state = ParticipantState.ACCEPTED if accept else ParticipantState.DECLINED
    part.responded_at, part.responded_by = dossier.intake.now, actor.user_id
    _recount(dossier)
    session.flush()
    _record(session, actor, "accept" if accept else "decline", part)
    name = letters.name_of(part.organisation)
    subject = (
        N_("%(organisation)s takes part in your joint project", organisation=name)
        if accept
        else N_("%(organisation)s does not take part in your joint project", organisation=name)
    )
    letters.write_to(
        session,
        [dossier.application.initiator_id],
        application_id=dossier.application.id,
        key=f"answered:{part.id}:{dossier.intake.now.isoformat()}",
        kind=letters.ANSWERED,
        subject=subject,
        paragraphs=[
            N_(
                "The invitation to the project %(title)s has been answered.",
                title=letters.title_of(dossier.application),
            )
        ],
        link=(N_("Open the participants"), letters.path(dossier.application.id, "participants")),
    )
    return part


def remove(session: Session, actor: Actor, *, participant_id: UUID) -> Participant:
    """Take an invitation back, or leave a participant out; what it typed stays, should it be asked again."""
    dossier, part = _part(session, participant_id)
    authorize(actor, Permission.APPLICATION_INVITE, dossier.application)
    return _end(session, actor, dossier, part, "remove")


def leave(session: Session, actor: Actor, *, participant_id: UUID) -> Participant:
    """A participant's own decision not to go on, before submission; signed like a confirmation."""
    dossier, part = _part(session, participant_id)
    authorize(actor, Permission.APPLICATION_CONFIRM, Part(dossier.application, part))
    return _end(session, actor, dossier, part, "leave")


def _end(session: Session, actor: Actor, dossier: Dossier, part: Participant, verb: str) -> Participant:
    require_editable(dossier)
    if part.role == ParticipantRole.INITIATOR:
        raise Conflict(N_("The initiator cannot be left out: without it there is no application."))
    if part.state not in (ParticipantState.INVITED, ParticipantState.ACCEPTED):
        raise Conflict(N_("This organisation no longer takes part."))
    part.state = ParticipantState.REMOVED
    live = latest(dossier, part)
    if live is not None and live.void is None:
        end_signature(session, live, dossier, VoidReason.LEFT, actor)
    _recount(dossier)
    session.flush()
    _record(session, actor, verb, part)
    told = part.organisation_id if verb == "remove" else dossier.application.initiator_id
    letters.write_to(
        session,
        [told],
        application_id=dossier.application.id,
        key=f"{verb}:{part.id}:{dossier.intake.now.isoformat()}",
        kind=letters.LEFT,
        subject=N_(
            "%(organisation)s no longer takes part in a joint project",
            organisation=letters.name_of(part.organisation),
        ),
        paragraphs=[
            N_(
                "This concerns the project %(title)s of %(initiator)s.",
                title=letters.title_of(dossier.application),
                initiator=letters.name_of(dossier.application.initiator),
            )
        ],
        link=(N_("Open my applications"), "/applications/"),
    )
    return part


def _part(session: Session, participant_id: UUID) -> tuple[Dossier, Participant]:
    found = session.get(Participant, participant_id)
    if found is None:
        raise NotFound
    dossier = load(session, found.application_id, lock=True)
    part = next(row for row in dossier.application.participants if row.id == participant_id)
    return dossier, part


def _recount(dossier: Dossier) -> None:
    application = dossier.application
    application.requested_total = requested(dossier.typed, application.participants, dossier.rules)


def _record(session: Session, actor: Actor, verb: str, part: Participant) -> None:
    audit.record(
        session,
        actor,
        f"applications:participant:{verb}",
        "application",
        part.application_id,
        {"participant": part.id, "organisation": part.organisation_id, "state": part.state},
    )
