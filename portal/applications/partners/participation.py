"""Who takes part: invitations to other members of the cluster, their answers, and leaving."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from portal.applications.drafts.values import tidy
from portal.applications.figures.facts import facts
from portal.applications.following import letters
from portal.applications.following.dossier import Dossier, load
from portal.applications.models import (
    Participant,
    ParticipantRole,
    ParticipantState,
    VoidReason,
)
from portal.applications.policy import Part
from portal.applications.queries import is_member
from portal.applications.service import require_editable
from portal.applications.signatures.signing import Confirmation, confirmation, latest
from portal.applications.signatures.signing import end as end_signature
from portal.applications.submissions.package import requested
from portal.audit import service as audit
from portal.core.errors import Conflict, NotFound, Problems
from portal.core.language import N_
from portal.identity.policy import Actor, Permission, authorize

MAX_PARTICIPANTS: Final = 30
MAX_RESENT: Final = 3
MAX_REASON: Final = 1000
OPEN_FOR: Final = timedelta(days=14)
"""How long an invitation can be answered, by the database's clock."""


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
    part.responded_at = part.responded_by = part.decline_reason = None
    part.expires_at, part.resent = dossier.intake.now + OPEN_FOR, 0
    session.flush()
    record(session, actor, "invite", part)
    _send_invitation(session, dossier, part)
    return part


def resend(session: Session, actor: Actor, *, participant_id: UUID) -> Participant:
    """Send an invitation again, expired or not: it can then be answered for :data:`OPEN_FOR` from now.

    Raises :class:`Conflict` when it has been answered, or was sent again :data:`MAX_RESENT` times.
    """
    dossier, part = part_of(session, participant_id)
    authorize(actor, Permission.APPLICATION_INVITE, dossier.application)
    require_editable(dossier)
    if part.state != ParticipantState.INVITED:
        raise Conflict(N_("This invitation has already been answered or taken back."))
    if part.resent >= MAX_RESENT:
        raise Conflict(
            N_(
                "The invitation has been sent again %(limit)s times. Take it back, or call the organisation.",
                limit=MAX_RESENT,
            )
        )
    part.resent += 1
    part.expires_at = dossier.intake.now + OPEN_FOR
    session.flush()
    record(session, actor, "resend", part)
    _send_invitation(session, dossier, part)
    return part


def _send_invitation(session: Session, dossier: Dossier, part: Participant) -> None:
    application = dossier.application
    assert part.expires_at is not None
    letters.write_to(
        session,
        [part.organisation_id],
        application_id=application.id,
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
                " financing, documents and declarations, and sign before the project is submitted."
            ),
            N_(
                "The invitation can be answered until %(instant)s.",
                instant=letters.minute(part.expires_at, application.tender.zone),
            ),
        ],
        link=(N_("Read the invitation and answer"), letters.path(application.id, "invitation")),
    )


def respond(session: Session, actor: Actor, *, participant_id: UUID, accept: bool, reason: str = "") -> Participant:
    """Accept or decline an invitation, with a ``reason`` if one is given.

    Raises :class:`Conflict` when it has been answered or taken back, or has expired.
    """
    dossier, part = part_of(session, participant_id)
    authorize(actor, Permission.APPLICATION_RESPOND, Part(dossier.application, part))
    require_editable(dossier)
    if part.state != ParticipantState.INVITED:
        raise Conflict(N_("This invitation has already been answered or taken back."))
    if dossier.expired(part):
        raise Conflict(N_("The invitation has expired. Ask the initiator to send it again."))
    reason = tidy(reason).strip()
    if len(reason) > MAX_REASON:
        raise Problems.one("too_long", "reason", N_("No more than %(limit)s characters.", limit=MAX_REASON))
    if accept and part.organisation_id not in dossier.members:
        raise Conflict(N_("Only confirmed members of the project's cluster can take part."))
    part.state = ParticipantState.ACCEPTED if accept else ParticipantState.DECLINED
    part.responded_at, part.responded_by = dossier.intake.now, actor.user_id
    part.decline_reason = None if accept else reason or None
    _recount(dossier)
    session.flush()
    record(session, actor, "accept" if accept else "decline", part)
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
            ),
            *([N_("The reason given: %(reason)s", reason=reason)] if part.decline_reason else []),
        ],
        link=(N_("Open the participants"), letters.path(dossier.application.id, "participants")),
    )
    return part


def remove(session: Session, actor: Actor, *, participant_id: UUID) -> Participant:
    """Take an invitation back, or leave a participant out; what it typed stays, should it be asked again."""
    dossier, part = part_of(session, participant_id)
    authorize(actor, Permission.APPLICATION_INVITE, dossier.application)
    return _end(session, actor, dossier, part, "remove")


def leave(session: Session, actor: Actor, *, participant_id: UUID) -> Participant:
    """A participant's own decision not to go on, before submission; signed like a confirmation."""
    dossier, part = part_of(session, participant_id)
    authorize(actor, Permission.APPLICATION_CONFIRM, Part(dossier.application, part))
    return _end(session, actor, dossier, part, "leave")


def replace(session: Session, actor: Actor, *, participant_id: UUID, organisation_id: UUID) -> Participant:
    """Leave a participant out and invite another member in its place, both or neither."""
    removed = remove(session, actor, participant_id=participant_id)
    return invite(session, actor, application_id=removed.application_id, organisation_id=organisation_id)


@dataclass(frozen=True, slots=True)
class Effects:
    """What happens when a participant goes: sums in roubles before and after, what is dropped, who signs anew."""

    sections: int
    documents: int
    costs: tuple[Decimal, Decimal]
    eligible: tuple[Decimal, Decimal]
    subsidy: tuple[Decimal, Decimal]
    too_few: bool
    void: tuple[Participant, ...]


def effects(dossier: Dossier, part: Participant) -> Effects:
    """Computed from the package without the participant; nothing is changed."""
    package, key = dossier.package.content, str(part.id)
    without = {**package, "participants": [item for item in package["participants"] if item["id"] != key]}
    before, after = facts(package, dossier.rules), facts(without, dossier.rules)
    zero = Decimal("0.00")
    return Effects(
        sections=sum(1 for owner, _name in dossier.sections if owner == part.id),
        documents=sum(1 for item in dossier.attachments if item.participant_id == part.id and item.removed_at is None),
        costs=(before.costs_total or zero, after.costs_total or zero),
        eligible=(before.eligible or zero, after.eligible or zero),
        subsidy=(before.subsidy or zero, after.subsidy or zero),
        too_few=after.participant_count < dossier.rules.min_participants,
        void=tuple(item for item in dossier.accepted if confirmation(dossier, item) == Confirmation.GIVEN)
        if part.state == ParticipantState.ACCEPTED
        else (),
    )


def _end(session: Session, actor: Actor, dossier: Dossier, part: Participant, verb: str) -> Participant:
    require_editable(dossier)
    if part.role == ParticipantRole.INITIATOR:
        raise Conflict(N_("The initiator cannot leave: hand the lead over to another participant first."))
    if part.state not in (ParticipantState.INVITED, ParticipantState.ACCEPTED):
        raise Conflict(N_("This organisation no longer takes part."))
    part.state = ParticipantState.REMOVED
    part.lead_offered_at = None
    live = latest(dossier, part)
    if live is not None and live.void is None:
        end_signature(session, live, dossier, VoidReason.LEFT, actor)
    _recount(dossier)
    session.flush()
    record(session, actor, verb, part)
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


def part_of(session: Session, participant_id: UUID) -> tuple[Dossier, Participant]:
    """A participant with its application, locked. Raises :class:`NotFound`."""
    found = session.get(Participant, participant_id)
    if found is None:
        raise NotFound
    dossier = load(session, found.application_id, lock=True)
    part = next(row for row in dossier.application.participants if row.id == participant_id)
    return dossier, part


def _recount(dossier: Dossier) -> None:
    application = dossier.application
    application.requested_total = requested(dossier.typed, application.participants, dossier.rules)


def record(session: Session, actor: Actor, verb: str, part: Participant) -> None:
    """Note a verb of the participants in the audit trail."""
    audit.record(
        session,
        actor,
        f"applications:participant:{verb}",
        "application",
        part.application_id,
        {"participant": part.id, "organisation": part.organisation_id, "state": part.state},
    )
