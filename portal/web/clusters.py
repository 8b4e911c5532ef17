"""The public register of clusters, a cluster's page, and asking to join it."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, RadioField, SelectChoice, StringField  # type: ignore[attr-defined]  # the published types are older
from wtforms.validators import InputRequired, Length

from portal.clusters import queries, service
from portal.clusters.models import Cluster, ClusterMember, MembershipState
from portal.clusters.rules import MAX_PRODUCT
from portal.core import regions
from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import Problems
from portal.identity.models import Organisation
from portal.identity.policy import Permission, allowed, authorize, find, scope
from portal.web.forms import ActionForm, PortalForm, uuid_argument
from portal.web.language import locale
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset

pages = Blueprint("clusters", __name__, url_prefix="/clusters")

LIST_LIMIT: Final = 500
MEMBERS_PAGE: Final = 100
MAX_SEARCH: Final = 100


class JoinForm(PortalForm):
    """A request in the name of one of the reader's organisations."""

    organisation_id = RadioField(_l("Organisation"), validators=[InputRequired(_l("Choose the organisation."))])
    product = StringField(
        _l("What it makes for the cluster"),
        [InputRequired(_l("Enter what the organisation makes for the cluster.")), Length(max=MAX_PRODUCT)],
        description=_l("Products or services that other members use, or the cluster's final product"),
    )
    final_producer = BooleanField(_l("It makes the cluster's final product"))


@page(pages, "/", get=Permission.PUBLIC)
def register() -> ResponseReturnValue:
    """The clusters of the register, narrowed by region and text; above them the reader's own."""
    actor, current = current_actor(), session()
    text = request.args.get("q", "").replace("\x00", "").strip()[:MAX_SEARCH]
    region = request.args.get("region", "")
    region = region if regions.find(region) else ""
    statement = queries.listed(scope(actor, Cluster), text=text, region=region, locale=locale())
    mine = list(actor.memberships)
    return render_template(
        "clusters/register.html",
        rows=queries.register(current, statement, LIST_LIMIT),
        text=text,
        region=region,
        regions=regions.choices(locale()),
        region_name=region_name,
        today=today(current),
        memberships=queries.memberships_of(current, mine) if mine else [],
        run=queries.run_by(current, mine) if mine else [],
    )


@page(pages, "/<uuid:cluster_id>", get=Permission.PUBLIC)
def show(cluster_id: UUID) -> ResponseReturnValue:
    """One cluster: its entry, conformity and members; for a member's people their own membership."""
    actor, current = current_actor(), session()
    cluster = find(current, actor, Cluster, cluster_id)
    members: Page[ClusterMember] = keyset(
        current,
        queries.members_of(cluster_id),
        queries.FINAL_PRODUCERS_FIRST,
        lambda row: (int(row.final_producer), row.id),
        request.args.get("cursor"),
        MEMBERS_PAGE,
    )
    own = [row for row in queries.memberships_of(current, actor.memberships) if row.cluster_id == cluster_id]
    return render_template(
        "clusters/show.html",
        cluster=cluster,
        spec_org=current.get(Organisation, cluster.spec_org_id) if cluster.spec_org_id else None,
        members=members,
        conformity=queries.conformity_of(current, cluster_id),
        own=own,
        may_leave={row.id for row in own if allowed(actor, Permission.CLUSTER_JOIN, row.organisation)},
        joins=bool(cluster.spec_org_id) and allowed(actor, Permission.CLUSTER_JOIN),
        confirms=allowed(actor, Permission.CLUSTER_CONFIRM_MEMBER, cluster),
        region_name=region_name,
        today=today(current),
        action=ActionForm(),
    )


@page(pages, "/<uuid:cluster_id>/join", get=Permission.CLUSTER_JOIN, post=Permission.CLUSTER_JOIN)
def join(cluster_id: UUID) -> ResponseReturnValue:
    """Ask for a membership."""
    actor, current = current_actor(), session()
    cluster = find(current, actor, Cluster, cluster_id)
    candidates = queries.candidates(current, actor, cluster_id)
    form = JoinForm()
    form.organisation_id.choices = [SelectChoice(str(row.id), _named(row)) for row in candidates]
    asked_for = uuid_argument("organisation")
    if not form.is_submitted() and asked_for:
        form.organisation_id.data = str(asked_for)
    elif not form.is_submitted() and len(candidates) == 1:
        form.organisation_id.data = str(candidates[0].id)
    status = 200
    if form.validate_on_submit():
        try:
            service.request_membership(
                current,
                actor,
                cluster_id=cluster_id,
                organisation_id=UUID(form.organisation_id.data),
                product=form.product.data or "",
                final_producer=bool(form.final_producer.data),
            )
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The request was sent. The cluster's specialised organisation will answer it."), "success")
            return redirect(url_for(".show", cluster_id=cluster_id), 303)
    elif form.is_submitted():
        status = 422
    return render_template("clusters/join.html", form=form, cluster=cluster, candidates=candidates), status


@page(pages, "/memberships/<uuid:member_id>/leave", get=Permission.CLUSTER_JOIN, post=Permission.CLUSTER_JOIN)
def leave(member_id: UUID) -> ResponseReturnValue:
    """End a membership or take a request back, after asking once more."""
    actor, current = current_actor(), session()
    row = queries.with_names(current, find(current, actor, ClusterMember, member_id))
    authorize(actor, Permission.CLUSTER_JOIN, row.organisation)
    form = ActionForm()
    if form.validate_on_submit():
        service.leave(current, actor, member_id=member_id)
        flash(_("The membership has ended."), "success")
        return redirect(url_for(".show", cluster_id=row.cluster_id), 303)
    waiting = row.state == MembershipState.REQUESTED
    return render_template("clusters/leave.html", form=form, row=row, waiting=waiting)


def region_name(code: str) -> str:
    """The region in the language of the page; the code itself where it is unknown."""
    region = regions.find(code)
    return region.name_in(locale()) if region else code


def _named(row: Organisation) -> str:
    name = row.name_ru if locale() == "ru" else row.name_en or row.name_ru
    return str(_("%(name)s, INN %(inn)s", name=name, inn=row.inn))
