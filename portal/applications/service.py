"""Starting and filling in an application, and what the fund decides about one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, contains_eager

from portal.applications.drafts.saving import Change, Saved, definition_of, kept, merge, merged, too_long, write
from portal.applications.drafts.sections import Section as Definition
from portal.applications.following.dossier import Dossier, intake_open, later_closing_for, load
from portal.applications.models import (
    Application,
    Participant,
    ParticipantRole,
    ParticipantState,
    Section,
    State,
)
from portal.applications.policy import Part
from portal.applications.queries import is_member
from portal.applications.rules import EDITABLE, TRANSITIONS
from portal.audit import service as audit
from portal.core.clock import now
from portal.core.errors import Conflict, NotFound, Problem, Problems, Stale
from portal.core.language import N_
from portal.identity.models import Organisation
from portal.identity.policy import Actor, Permission, authorize
from portal.tenders.models import Tender, TenderTrack

CHOOSE_TRACK: Final = N_("Choose a tender and its track.")
CHOOSE_ORGANISATION: Final = N_("Choose the organisation that files the application.")
NOT_EDITABLE: Final = N_("The application has been submitted: what was typed can no longer be changed.")


def start(session: Session, actor: Actor, *, track_id: UUID, organisation_id: UUID, cluster_id: UUID) -> Application:
    """A new draft on a track of an open tender, with the organisation as its initiator.

    Raises :class:`NotFound` for a track or organisation that the actor may not know of, :class:`Problems`
    with the reasons otherwise.
    """
    organisation = session.get(Organisation, organisation_id)
    if organisation is None:
        raise NotFound
    authorize(actor, Permission.APPLICATION_START, organisation)
    found = session.execute(
        select(TenderTrack, intake_open(later_closing_for(organisation_id)))
        .join(TenderTrack.tender)
        .options(contains_eager(TenderTrack.tender))
        .where(TenderTrack.id == track_id, Tender.published_at <= func.portal_now())
    ).one_or_none()
    if found is None:
        raise NotFound
    track, is_open = found
    problems = []
    if not is_open:
        problems.append(Problem("not_open", "track", N_("This tender does not take applications at the moment.")))
    if not is_member(session, organisation_id, cluster_id):
        problems.append(
            Problem(
                "not_a_member",
                "organisation",
                N_("The organisation is not a confirmed member of this cluster."),
            )
        )
    if problems:
        raise Problems(problems)
    assert actor.user_id is not None
    application = Application(
        tender_id=track.tender_id,
        tender_track_id=track.id,
        track=track.track,
        cluster_id=cluster_id,
        initiator_id=organisation_id,
        created_by=actor.user_id,
        state=State.DRAFT,
        sealed=track.tender.sealed,
    )
    session.add(application)
    session.flush()
    session.add(
        Participant(
            application_id=application.id,
            organisation_id=organisation_id,
            role=ParticipantRole.INITIATOR,
            state=ParticipantState.ACCEPTED,
            invited_by=actor.user_id,
            responded_at=now(session),
            responded_by=actor.user_id,
        )
    )
    changes = {"tender": track.tender.code, "track": track.track, "initiator": organisation_id}
    audit.record(session, actor, "applications:application:start", "application", application.id, changes)
    session.flush()
    return application


def save_section(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    participant_id: UUID | None,
    section: str,
    values: Mapping[str, str],
    expected_version: int,
) -> Section:
    """Keep what was typed into one section, whatever it is; ``expected_version`` is 0 for the first time.

    Only keys of the section are kept, and all of them are replaced. Raises :class:`Problems` for texts that
    are too long, :class:`Stale` when somebody saved the section since it was opened, :class:`Conflict` when
    the application can no longer be changed.
    """
    definition = definition_of(section, participant_id)
    dossier = load(session, application_id, lock=True)
    authorize_edit(actor, dossier, participant_id)
    if not definition.present(dossier.rules):
        raise NotFound
    require_editable(dossier)
    data = _kept(definition, values, dossier, participant_id)
    row = dossier.sections.get((participant_id, section))
    current = row.version if row else 0
    if current != expected_version:
        raise Stale(
            N_("Somebody saved this section after you opened it. Compare both versions and save again."),
            current,
        )
    before = row.data if row else {}
    changed = [key for key in {*before, *data} if before.get(key) != data.get(key)]
    return write(session, actor, dossier, definition, participant_id, data, changed)


def save_fields(
    session: Session,
    actor: Actor,
    *,
    application_id: UUID,
    participant_id: UUID | None,
    section: str,
    changes: Mapping[str, Change],
) -> Saved:
    """Keep the changed fields of one section, each by itself; keys that the section has not are left out.

    A clash and a text that is too long stop that field alone, and are told in what is returned. Raises
    :class:`NotFound` and :class:`Refused` as reading and writing the part do, :class:`Conflict` when the
    application can no longer be changed.
    """
    definition = definition_of(section, participant_id)
    dossier = load(session, application_id, lock=True)
    authorize_edit(actor, dossier, participant_id)
    if not definition.present(dossier.rules):
        raise NotFound
    require_editable(dossier)
    fresh, clashes, problems = merge(definition, dossier, participant_id, changes)
    row = dossier.sections.get((participant_id, section))
    if fresh:
        data = merged(row.data if row else {}, fresh)
        row = write(session, actor, dossier, definition, participant_id, data, fresh)
    return Saved(dossier, row, tuple(fresh), tuple(clashes), tuple(problems))


def authorize_edit(actor: Actor, dossier: Dossier, participant_id: UUID | None) -> None:
    """Refuse those who may not write this part."""
    if participant_id is None:
        authorize(actor, Permission.APPLICATION_EDIT, dossier.application)
        return
    authorize(actor, Permission.APPLICATION_VIEW, dossier.application)
    part = Part(dossier.application, dossier.participant(participant_id))
    authorize(actor, Permission.APPLICATION_EDIT, part)


def require_editable(dossier: Dossier) -> None:
    """Raise :class:`Conflict` once the application is with the fund."""
    if dossier.application.state not in EDITABLE:
        raise Conflict(NOT_EDITABLE)


def _kept(
    definition: Definition, values: Mapping[str, str], dossier: Dossier, participant_id: UUID | None
) -> dict[str, str]:
    texts = {key: (kind, kept(values.get(key, ""))) for key, kind in definition.keys(dossier.rules)}
    found = [too_long(definition, participant_id, key, kind, text) for key, (kind, text) in texts.items()]
    problems = [problem for problem in found if problem is not None]
    if problems:
        raise Problems(problems)
    return {key: text for key, (_, text) in texts.items() if text}


def admit(session: Session, actor: Actor, application_id: UUID) -> Application:
    """The formal check is passed: the application goes to the experts. The caller authorises."""
    return _move(session, actor, application_id, "admit")


def refuse(session: Session, actor: Actor, application_id: UUID, *, reasons: Sequence[str] = ()) -> Application:
    """The formal check is failed, with reason codes (R01...). The caller authorises and keeps the reasons."""
    return _move(session, actor, application_id, "refuse", reasons=list(reasons))


def return_for_correction(session: Session, actor: Actor, application_id: UUID, *, due_on: date) -> Application:
    """Give it back once: it may be sent again until the end of ``due_on`` in the tender's zone."""
    return _move(session, actor, application_id, "return", due_on=due_on)


def award(session: Session, actor: Actor, application_id: UUID) -> Application:
    """Supported. The caller authorises, and books the money in the same transaction."""
    return _move(session, actor, application_id, "award")


def reserve(session: Session, actor: Actor, application_id: UUID) -> Application:
    """On the reserve list. The caller authorises."""
    return _move(session, actor, application_id, "reserve")


def decline(session: Session, actor: Actor, application_id: UUID) -> Application:
    """Not supported. The caller authorises."""
    return _move(session, actor, application_id, "decline")


def revise(session: Session, actor: Actor, application_id: UUID, outcome: str) -> Application:
    """What a later decision makes of a decided application: ``award``, ``reserve`` or ``decline``.

    The caller authorises, and books or frees the money in the same transaction.
    """
    return _move(session, actor, application_id, f"revise_{outcome}")


def renounce(session: Session, actor: Actor, application_id: UUID) -> Application:
    """The initiator does not take the award. The caller authorises, and frees the money."""
    return _move(session, actor, application_id, "renounce")


def _move(session: Session, actor: Actor, application_id: UUID, verb: str, **facts: object) -> Application:
    application = session.scalar(
        select(Application)
        .where(Application.id == application_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if application is None:
        raise NotFound
    before = State(application.state)
    application.state = TRANSITIONS.after(verb, before)
    due_on = facts.get("due_on")
    application.correction_due = due_on if isinstance(due_on, date) else None
    audit.record(
        session,
        actor,
        f"applications:application:{verb}",
        "application",
        application_id,
        {"from": before, "to": application.state, **facts},
    )
    session.flush()
    return application
