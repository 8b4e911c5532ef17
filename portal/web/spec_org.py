"""The specialised organisation's desk: requests to join, its members' projects, the board, and deadlines."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

import portal.applications.jobs  # noqa: F401 - confirming writes a task of this kind
from portal.applications.following import pipeline
from portal.applications.models import Application
from portal.applications.partners import fit
from portal.applications.queries import open_tracks
from portal.applications.rules import public_state
from portal.clusters import board_queries, queries, service
from portal.clusters.models import ClusterMember, MembershipState
from portal.clusters.rules import MAX_REASON
from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import Conflict, Problems
from portal.core.language import N_
from portal.identity.models import OrgRole
from portal.identity.policy import Actor, Permission, allowed, authorize, find
from portal.tenders.rules import TRACK_NAMES
from portal.web.board import KINDS, SIDES
from portal.web.forms import ActionForm, PortalForm
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset

pages = Blueprint("spec_org", __name__, url_prefix="/spec-org")

PROJECTS: Final = 25
LETTERS: Final = 100


def _signs_for(actor: Actor) -> list[UUID]:
    return [key for key in actor.memberships if actor.acts_for(key, OrgRole.SIGNATORY)]


class RefusalForm(PortalForm):
    """Why a request is refused."""

    reason = TextAreaField(
        _l("Reason"),
        [InputRequired(_l("Enter the reason: the organisation will read it.")), Length(max=MAX_REASON)],
        description=_l("The organisation reads this word for word and can ask again."),
    )


@page(pages, "/", get=Permission.CLUSTER_CONFIRM_MEMBER)
def index() -> ResponseReturnValue:
    """The desk: what waits for an answer, the clusters' state, their projects, the board, and the deadlines."""
    actor, current = current_actor(), session()
    run = queries.run_by(current, actor.memberships)
    mine = [(c, count) for c, count in run if allowed(actor, Permission.CLUSTER_CONFIRM_MEMBER, c)]
    clusters = [cluster for cluster, _count in mine]
    keys = [cluster.id for cluster in clusters]
    day = today(current)
    found: Page[Application] = keyset(
        current,
        pipeline.projects(clusters),
        (Application.received_at, Application.id),
        lambda row: (row.received_at, row.id),
        request.args.get("cursor"),
        PROJECTS,
    )
    return render_template(
        "spec_org/index.html",
        letters_due=list(current.scalars(fit.due(_signs_for(actor)).limit(LETTERS))),
        run=mine,
        waiting=queries.waiting_requests(current, keys),
        projects=found,
        public_state=public_state,
        track_names=TRACK_NAMES,
        board=board_queries.waiting_on_board(current, keys, day) if keys else [],
        side_names=SIDES,
        kind_names=KINDS,
        deadlines=open_tracks(current) if keys else [],
        day=day,
        action=ActionForm(),
    )


@page(pages, "/<uuid:member_id>/confirm", post=Permission.CLUSTER_CONFIRM_MEMBER)
def confirm(member_id: UUID) -> ResponseReturnValue:
    """Confirm one request."""
    service.confirm_membership(session(), current_actor(), member_id=member_id)
    flash(_("The membership is confirmed, and the organisation has been told."), "success")
    return redirect(url_for(".index"), 303)


@page(
    pages,
    "/<uuid:member_id>/refuse",
    get=Permission.CLUSTER_CONFIRM_MEMBER,
    post=Permission.CLUSTER_CONFIRM_MEMBER,
)
def refuse(member_id: UUID) -> ResponseReturnValue:
    """Refuse one request with a reason."""
    actor, current = current_actor(), session()
    row = queries.with_names(current, find(current, actor, ClusterMember, member_id))
    authorize(actor, Permission.CLUSTER_CONFIRM_MEMBER, row.cluster)
    if row.state != MembershipState.REQUESTED:
        raise Conflict(N_("This request has been answered already."))
    form, status = RefusalForm(), 200
    if form.validate_on_submit():
        try:
            service.refuse_membership(current, actor, member_id=member_id, reason=form.reason.data or "")
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The request is refused, and the organisation has been told why."), "success")
            return redirect(url_for(".index"), 303)
    elif form.is_submitted():
        status = 422
    return render_template("spec_org/refuse.html", form=form, row=row), status
