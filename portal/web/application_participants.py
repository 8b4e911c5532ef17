"""Who takes part: inviting members of the cluster, answering, leaving out, and leaving."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from flask import flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.applications.following.dossier import Dossier, load
from portal.applications.models import Participant, ParticipantState, PartRole
from portal.applications.partners import leading, participation
from portal.applications.policy import Part
from portal.applications.queries import invitable
from portal.applications.rules import EDITABLE
from portal.applications.submissions.package import part_of
from portal.core.db import session
from portal.core.errors import NotFound, Problem, Problems
from portal.core.language import N_
from portal.identity.policy import Permission, allowed, authorize
from portal.identity.queries import people_of
from portal.web.application_frame import Tasks, blueprint, confirmations, opened, section_url
from portal.web.forms import ActionForm, uuid_argument
from portal.web.frozen import laid_out
from portal.web.language import say
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
        managing=[
            part
            for part in dossier.accepted
            if allowed(g.actor, Permission.APPLICATION_ROLES, Part(dossier.application, part))
        ],
        may_hand_over=dossier.application.state in EDITABLE
        and allowed(g.actor, Permission.APPLICATION_SUBMIT, dossier.application),
        answering=[part for part in dossier.accepted if part.lead_offered_at and _may_leave(dossier, part)],
        max_resent=participation.MAX_RESENT,
        confirmations=confirmations(dossier),
        action_form=ActionForm(formdata=None),
        tasks=Tasks(dossier, current=current).mine(),
        following=Tasks(dossier).following("participants", None),
    )


def _may_manage(dossier: Dossier, part: Participant) -> bool:
    return allowed(g.actor, Permission.APPLICATION_ROLES, Part(dossier.application, part))


def _may_leave(dossier: Dossier, part: Participant) -> bool:
    return (
        dossier.application.state in EDITABLE
        and part.organisation_id != dossier.application.initiator_id
        and allowed(g.actor, Permission.APPLICATION_CONFIRM, Part(dossier.application, part))
    )


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/remove",
    get=Permission.APPLICATION_INVITE,
    post=Permission.APPLICATION_INVITE,
)
def remove_participant(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """Take back an invitation, or leave a participant out or replace it, after reading what that means."""
    dossier = opened(application_id)
    authorize(g.actor, Permission.APPLICATION_INVITE, dossier.application)
    part = _of(dossier, participant_id)
    if request.method == "GET":
        return _ending(dossier, part, leaving=False)
    instead = _uuid(request.form.get("instead", ""))
    try:
        if instead is None:
            participation.remove(session(), g.actor, participant_id=part.id)
        else:
            participation.replace(session(), g.actor, participant_id=part.id, organisation_id=instead)
    except Problems as refused:
        return _ending(opened(application_id), part, leaving=False, problems=refused.problems), 422
    flash(
        _("The organisation no longer takes part, and the other one is invited.")
        if instead
        else _("The organisation no longer takes part."),
        "success",
    )
    return redirect(section_url(dossier, "participants", None), 303)


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/leave",
    get=Permission.APPLICATION_CONFIRM,
    post=Permission.APPLICATION_CONFIRM,
)
def leave(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """Leave the project, on one's own decision, after reading what that means."""
    dossier = opened(application_id)
    part = _of(dossier, participant_id)
    authorize(g.actor, Permission.APPLICATION_CONFIRM, Part(dossier.application, part))
    if request.method == "GET":
        return _ending(dossier, part, leaving=True)
    participation.leave(session(), g.actor, participant_id=part.id)
    flash(_("Your organisation no longer takes part in this project."), "success")
    return redirect(url_for("applications.index"), 303)


def _ending(dossier: Dossier, part: Participant, *, leaving: bool, problems: tuple[Problem, ...] = ()) -> str:
    return render_template(
        "applications/leave.html",
        dossier=dossier,
        application=dossier.application,
        part=part,
        leaving=leaving,
        effects=participation.effects(dossier, part),
        others=[] if leaving else invitable(session(), dossier),
        problems=problems,
        action_form=ActionForm(formdata=None),
    )


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/resend",
    post=Permission.APPLICATION_INVITE,
)
def resend(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """Send an invitation again."""
    dossier = opened(application_id)
    participation.resend(session(), g.actor, participant_id=_of(dossier, participant_id).id)
    flash(_("The invitation has been sent again."), "success")
    return redirect(section_url(dossier, "participants", None), 303)


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/lead",
    post=Permission.APPLICATION_VIEW,
)
def lead(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """Offer the lead or take the offer back (the initiator), accept or decline it (the other)."""
    dossier = opened(application_id)
    part = _of(dossier, participant_id)
    answer = request.form.get("answer", "")
    if answer in ("accept", "decline"):
        leading.answer_lead(session(), g.actor, participant_id=part.id, accept=answer == "accept")
        flash(_("Your organisation leads the project now.") if answer == "accept" else _("Declined."), "success")
    else:
        offered = leading.offer_lead(session(), g.actor, participant_id=part.id).lead_offered_at
        flash(_("The lead has been offered.") if offered else _("The offer has been taken back."), "success")
    return redirect(section_url(dossier, "participants", None), 303)


ROLES: Final = {
    PartRole.LEAD: N_("Lead of the part"),
    PartRole.EDITOR: N_("Editor"),
    PartRole.SIGNATORY: N_("Signatory"),
    PartRole.VIEWER: N_("Viewer"),
}


@page(
    blueprint,
    "/<uuid:application_id>/participants/<uuid:participant_id>/people",
    get=Permission.APPLICATION_ROLES,
    post=Permission.APPLICATION_ROLES,
)
def part_people(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """The organisation's people and their roles in this application."""
    dossier = opened(application_id)
    part = dossier.participant(participant_id)
    authorize(g.actor, Permission.APPLICATION_ROLES, Part(dossier.application, part))
    if request.method == "POST":
        user_id, role = _uuid(request.form.get("user", "")), request.form.get("role", "")
        if user_id is None or role not in ("", *PartRole):
            raise NotFound
        leading.give_role(
            session(), g.actor, participant_id=part.id, user_id=user_id, role=PartRole(role) if role else None
        )
        flash(_("Saved."), "success")
        return redirect(
            url_for("applications.part_people", application_id=application_id, participant_id=participant_id), 303
        )
    return render_template(
        "applications/people.html",
        dossier=dossier,
        application=dossier.application,
        part=part,
        people=people_of(session(), part.organisation_id),
        roles={role.value: say(title) for role, title in ROLES.items()},
        action_form=ActionForm(formdata=None),
    )


@page(
    blueprint,
    "/<uuid:application_id>/kept/<uuid:participant_id>",
    get=Permission.APPLICATION_LIST_OWN,
)
def kept_part(application_id: UUID, participant_id: UUID) -> ResponseReturnValue:
    """What an organisation that left had typed, for its own people."""
    dossier = load(session(), application_id)
    part = next((row for row in dossier.application.participants if row.id == participant_id), None)
    if part is None or part.state != ParticipantState.REMOVED or not g.actor.acts_for(part.organisation_id):
        raise NotFound
    content = part_of(part, dossier.typed, dossier.attachments, dossier.rules)
    return render_template(
        "applications/kept.html",
        application=dossier.application,
        part=part,
        own=laid_out({"participants": [content]}, dossier.rules, "").parts[0],
    )


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
        reason = request.form.get("reason", "")
        participation.respond(session(), g.actor, participant_id=part.id, accept=accept, reason=reason)
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
        expired=dossier.expired(part),
        may_answer=dossier.application.state in EDITABLE
        and not dossier.expired(part)
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
