"""Who takes part: inviting members of the cluster, answering, leaving out, and leaving."""

from __future__ import annotations

from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications import participation
from portal.applications.dossier import Dossier, load
from portal.applications.models import Participant, ParticipantState
from portal.applications.policy import Part
from portal.applications.queries import invitable
from portal.applications.rules import EDITABLE
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.identity.policy import Permission, allowed, authorize
from portal.web.application_frame import Tasks, blueprint, confirmations, opened, section_url
from portal.web.forms import ActionForm, uuid_argument
from portal.web.page import page


@page(
    blueprint,
    "/<uuid:application_id>/participants",
    get=Permission.APPLICATION_VIEW,
    post=Permission.APPLICATION_INVITE,
)
def participants(application_id: UUID) -> ResponseReturnValue:
    """The participants and, for the initiator's people, the members that can be invited."""
    dossier = opened(application_id)
    if request.method == "GET":
        return _participants(dossier)
    organisation_id = _uuid(request.form.get("organisation", ""))
    if organisation_id is None:
        raise NotFound
    try:
        part = participation.invite(session(), g.actor, application_id=application_id, organisation_id=organisation_id)
    except Problems as refused:
        return _participants(dossier, refused.problems), 422
    session().refresh(part, ["organisation"])
    flash(_("The invitation has been sent."), "success")
    return redirect(section_url(dossier, "participants", None), 303)


def _participants(dossier: Dossier, problems: tuple[Problem, ...] = ()) -> str:
    words = request.args.get("words", "")[:100]
    may_invite = dossier.application.state in EDITABLE and allowed(
        g.actor, Permission.APPLICATION_INVITE, dossier.application
    )
    current = ("participants", None)
    return render_template(
        "applications/participants.html",
        dossier=dossier,
        application=dossier.application,
        problems=problems,
        words=words,
        may_invite=may_invite,
        found=invitable(session(), dossier, words) if may_invite else [],
        leaving=[part for part in dossier.accepted if _may_leave(dossier, part)],
        confirmations=confirmations(dossier),
        action_form=ActionForm(formdata=None),
        tasks=Tasks(dossier, current=current).mine(),
        following=Tasks(dossier).following("participants", None),
    )


def _may_leave(dossier: Dossier, part: Participant) -> bool:
    return (
        dossier.application.state in EDITABLE
        and part.organisation_id != dossier.application.initiator_id
        and allowed(g.actor, Permission.APPLICATION_CONFIRM, Part(dossier.application, part))
    )


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/remove",
    post=Permission.APPLICATION_INVITE,
)
def remove_participant(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """Take back an invitation or leave a participant out."""
    dossier = opened(application_id)
    participation.remove(session(), g.actor, participant_id=_of(dossier, participant_id).id)
    flash(_("The organisation no longer takes part."), "success")
    return redirect(section_url(dossier, "participants", None), 303)


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/leave",
    post=Permission.APPLICATION_CONFIRM,
)
def leave(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """Leave the project, on one's own decision."""
    dossier = opened(application_id)
    participation.leave(session(), g.actor, participant_id=_of(dossier, participant_id).id)
    flash(_("Your organisation no longer takes part in this project."), "success")
    return redirect(url_for("applications.index"), 303)


@page(
    blueprint,
    "/<uuid:application_id>/invitation",
    get=Permission.APPLICATION_RESPOND,
    post=Permission.APPLICATION_RESPOND,
)
def invitation(application_id: UUID) -> ResponseReturnValue:
    """What an invited organisation may know of the project, and its answer."""
    dossier = load(session(), application_id)
    part = _invited(dossier)
    if part is None:
        authorize(g.actor, Permission.APPLICATION_VIEW, dossier.application)
        return redirect(section_url(dossier, "overview", None), 303)
    if request.method == "POST":
        accept = request.form.get("answer") == "accept"
        participation.respond(session(), g.actor, participant_id=part.id, accept=accept)
        if not accept:
            flash(_("The invitation has been declined."), "success")
            return redirect(url_for("applications.index"), 303)
        flash(_("Your organisation takes part. Fill in your own part now."), "success")
        return redirect(section_url(dossier, "overview", None), 303)
    product = dossier.sections.get((None, "product"))
    return render_template(
        "applications/invitation.html",
        dossier=dossier,
        application=dossier.application,
        part=part,
        product=product.data if product else {},
        may_answer=dossier.application.state in EDITABLE
        and allowed(g.actor, Permission.APPLICATION_RESPOND, Part(dossier.application, part)),
        action_form=ActionForm(formdata=None),
    )


def _invited(dossier: Dossier) -> Participant | None:
    """The open invitation of one of the reader's organisations; the one asked for by ``?part=`` first."""
    mine = [part for part in dossier.invited if g.actor.acts_for(part.organisation_id)]
    wanted = uuid_argument("part")
    return next((part for part in mine if part.id == wanted), mine[0] if mine else None)


def _of(dossier: Dossier, participant_id: UUID) -> Participant:
    for part in dossier.application.participants:
        if part.id == participant_id and part.state in (ParticipantState.INVITED, ParticipantState.ACCEPTED):
            return part
    raise NotFound


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
