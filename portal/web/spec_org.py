"""The specialised organisation's desk: requests to join its clusters."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import TextAreaField
from wtforms.validators import InputRequired, Length

from portal.clusters import queries, service
from portal.clusters.models import ClusterMember, MembershipState
from portal.clusters.rules import MAX_REASON
from portal.core.db import session
from portal.core.errors import Conflict, Problems
from portal.core.language import N_
from portal.identity.policy import Permission, allowed, authorize, find
from portal.web.forms import ActionForm, PortalForm
from portal.web.page import current_actor, page

pages = Blueprint("spec_org", __name__, url_prefix="/spec-org")


class RefusalForm(PortalForm):
    """Why a request is refused."""

    reason = TextAreaField(
        _l("Reason"),
        [InputRequired(_l("Enter the reason: the organisation will read it.")), Length(max=MAX_REASON)],
        description=_l("The organisation reads this word for word and can ask again."),
    )


@page(pages, "/", get=Permission.CLUSTER_CONFIRM_MEMBER)
def index() -> ResponseReturnValue:
    """Clusters that the reader's organisations run, and the requests that wait."""
    actor, current = current_actor(), session()
    run = queries.run_by(current, actor.memberships)
    mine = [(c, count) for c, count in run if allowed(actor, Permission.CLUSTER_CONFIRM_MEMBER, c)]
    waiting = queries.waiting_requests(current, [cluster.id for cluster, _count in mine])
    return render_template("spec_org/index.html", run=mine, waiting=waiting, action=ActionForm())


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
