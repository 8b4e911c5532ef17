"""The public register of clusters, a cluster's page, and asking to join it."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, RadioField, SelectChoice, StringField  # type: ignore[attr-defined]  # the published types are older
from wtforms.validators import InputRequired, Length

from portal.clusters import profile_queries, queries, service
from portal.clusters.models import Cluster, ClusterMember, MembershipState
from portal.clusters.profile_models import Programme
from portal.clusters.rules import MAX_PRODUCT
from portal.core import regions
from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import Problems
from portal.identity.models import Organisation
from portal.identity.policy import Permission, allowed, authorize, find, scope
from portal.web.cluster_frame import (
    INFRASTRUCTURE,
    PAPERS,
    PROGRAMMES,
    frame,
    opened,
    organisation_name,
    region_name,
)
from portal.web.forms import ActionForm, PortalForm, uuid_argument
from portal.web.language import locale
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset
from portal.web.tiles import tile_map

pages = Blueprint("clusters", __name__, url_prefix="/clusters")

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
    """The clusters of the register, narrowed by region, sector, programme and text; above them the reader's own."""
    actor, current = current_actor(), session()
    day = today(current)
    chosen = _filters()
    statement = queries.listed(scope(actor, Cluster), **chosen, locale=locale())
    found: Page[Any] = keyset(
        current,
        statement,
        queries.by_name(locale()),
        lambda row: (row[3], row[0].id),
        request.args.get("cursor"),
        rising=True,
    )
    rows = [queries.Listed(cluster, members, waiting) for cluster, members, waiting, _name in found.rows]
    mine = list(actor.memberships)
    sectors = queries.sectors(current)
    return render_template(
        "clusters/register.html",
        rows=rows,
        found=found,
        chosen=chosen,
        badges=profile_queries.badges(current, [row.cluster for row in rows], day),
        programmes=[(programme.value, str(name)) for programme, name in PROGRAMMES.items()],
        programme_names=PROGRAMMES,
        sectors=[(ru, ru if locale() == "ru" else en) for ru, en in sectors],
        regions=regions.choices(locale()),
        tiles=tile_map(queries.region_counts(current), region_name),
        region_name=region_name,
        today=day,
        memberships=queries.memberships_of(current, mine) if mine else [],
        run=queries.run_by(current, mine) if mine else [],
    )


def _filters() -> dict[str, str]:
    """What the list is narrowed by; what is none of the choices does not narrow it."""
    text = request.args.get("q", "").replace("\x00", "").strip()[:MAX_SEARCH]
    region, programme = request.args.get("region", ""), request.args.get("programme", "")
    return {
        "text": text,
        "region": region if regions.find(region) else "",
        "sector": request.args.get("sector", "").replace("\x00", "")[:MAX_SEARCH],
        "programme": programme if programme in set(Programme) else "",
    }


@page(pages, "/programmes", get=Permission.PUBLIC)
def programmes() -> ResponseReturnValue:
    """The three programmes of cluster policy beside each other."""
    return render_template("clusters/programmes.html", programme_names=PROGRAMMES)


@page(pages, "/<uuid:cluster_id>", get=Permission.PUBLIC)
def show(cluster_id: UUID) -> ResponseReturnValue:
    """One cluster: its entry, profile, documents and members; for a member's people their own membership."""
    actor, cluster = opened(cluster_id)
    current = session()
    members: Page[ClusterMember] = keyset(
        current,
        queries.members_of(cluster_id),
        queries.FINAL_PRODUCERS_FIRST,
        lambda row: (int(row.final_producer), row.id),
        request.args.get("cursor"),
        MEMBERS_PAGE,
    )
    confirms = allowed(actor, Permission.CLUSTER_CONFIRM_MEMBER, cluster)
    own = [row for row in queries.memberships_of(current, actor.memberships) if row.cluster_id == cluster_id]
    return render_template(
        "clusters/show.html",
        **frame(actor, cluster, "show"),
        profile=profile_queries.profile_of(current, cluster_id),
        spec_org=current.get(Organisation, cluster.spec_org_id) if cluster.spec_org_id else None,
        members=members,
        tiles=tile_map(dict.fromkeys(cluster.regions, 1), region_name),
        infrastructure=profile_queries.infrastructure_of(current, cluster_id),
        infrastructure_names=INFRASTRUCTURE,
        documents=profile_queries.documents_of(current, cluster_id),
        paper_names=PAPERS,
        own=own,
        may_leave={row.id for row in own if allowed(actor, Permission.CLUSTER_JOIN, row.organisation)},
        joins=bool(cluster.spec_org_id) and not confirms and allowed(actor, Permission.CLUSTER_JOIN),
        confirms=confirms,
        action=ActionForm(),
    )


@page(pages, "/<uuid:cluster_id>/join", get=Permission.CLUSTER_JOIN, post=Permission.CLUSTER_JOIN)
def join(cluster_id: UUID) -> ResponseReturnValue:
    """Ask for a membership."""
    actor, current = current_actor(), session()
    cluster = find(current, actor, Cluster, cluster_id)
    candidates = queries.candidates(current, actor, cluster_id)
    form = JoinForm()
    form.organisation_id.choices = [SelectChoice(str(row.id), organisation_name(row)) for row in candidates]
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
