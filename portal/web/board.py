"""The board of needs and offers: the list, a post with what answers it, posting, and asking for contact."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import RadioField, SelectField, StringField, TextAreaField

from portal.applications.partners import prospects
from portal.clusters import board, board_queries, queries
from portal.clusters.board_models import BoardPost, PostKind, PostState, Side, Visibility
from portal.clusters.models import Cluster
from portal.core import formats, regions
from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import Conflict, NotFound, Problems
from portal.core.language import N_
from portal.identity.models import Organisation, Role
from portal.identity.policy import FUND, Actor, Permission, allowed, authorize, find
from portal.web.cluster_frame import frame, region_name
from portal.web.forms import ActionForm, PortalForm, as_choices, uuid_argument
from portal.web.language import locale
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset
from portal.web.templating import localised

pages = Blueprint("board", __name__, url_prefix="/board")

MAX_SEARCH: Final = 100
SHOWN_ANSWERS: Final = 8
SUGGESTED_DAYS: Final = 60
SIDES: Final = {Side.NEED: _l("A need"), Side.OFFER: _l("An offer")}
KINDS: Final = {
    PostKind.SUPPLY: _l("Supply of a product"),
    PostKind.COMPONENT: _l("Component, open product chain"),
    PostKind.LOGISTICS: _l("Logistics"),
    PostKind.WAREHOUSE: _l("Warehouse"),
    PostKind.MARKET: _l("Sales and market access"),
    PostKind.RETRAINING: _l("Retraining places"),
}
VISIBILITIES: Final = {
    Visibility.CLUSTER: _l("Members of this cluster"),
    Visibility.MEMBERS: _l("Members of all clusters"),
    Visibility.PUBLIC: _l("Everybody; those outside see a teaser without the name of the organisation"),
}
_TEXTS: Final = ("side", "kind", "title", "text", "okpd2", "region", "volume", "visibility", "valid_until")


class PostForm(PortalForm):
    """A need or an offer as texts; ``place`` is an organisation in one of its clusters."""

    place = SelectField(_l("In the name of"), validate_choice=False)
    side = RadioField(_l("Need or offer"), validate_choice=False)
    kind = SelectField(_l("Kind"), validate_choice=False)
    title = StringField(_l("What in a few words"))
    text = TextAreaField(_l("More about it"), description=_l("Requirements, dates, terms; nothing confidential"))
    okpd2 = StringField(_l("OKPD 2"), description=_l("For products: the code or its beginning, for example 24.51"))
    region = SelectField(_l("Region"), validate_choice=False)
    volume = StringField(_l("Volume"), description=_l("For example 120 t a year, or 15 places"))
    visibility = RadioField(_l("Who reads it"), validate_choice=False)
    valid_until = StringField(_l("Stands until"), description=_l("No longer than 180 days"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.side.choices = as_choices([(side.value, str(name)) for side, name in SIDES.items()])
        self.kind.choices = as_choices([(kind.value, str(name)) for kind, name in KINDS.items()])
        self.visibility.choices = as_choices([(seen.value, str(name)) for seen, name in VISIBILITIES.items()])
        self.region.choices = as_choices([("", _("Any region")), *regions.choices(locale())])


class ContactForm(PortalForm):
    """A message to those who posted."""

    organisation_id = SelectField(_l("In the name of"), validate_choice=False)
    message = TextAreaField(
        _l("Message"), description=_l("They get your name, your e-mail address and this message, and answer to you.")
    )


class RenewForm(PortalForm):
    """A new end of a post."""

    valid_until = StringField(_l("Stands until"), description=_l("No longer than 180 days"))


class ReasonForm(PortalForm):
    """Why a post is taken off."""

    reason = TextAreaField(_l("Reason"), description=_l("The organisation reads this word for word."))


@page(pages, "/", get=Permission.PUBLIC)
def index() -> ResponseReturnValue:
    """Needs and offers, newest first, narrowed by what the reader chooses; in a cluster's tab, its own."""
    actor, current = current_actor(), session()
    chosen = _filters(actor)
    cluster = find(current, actor, Cluster, chosen["cluster_id"]) if chosen["cluster_id"] else None
    standing = board_queries.standing(current, actor)
    found: Page[BoardPost] = keyset(
        current,
        board_queries.posts(actor, today(current), **chosen),
        (BoardPost.id,),
        lambda row: (row.id,),
        request.args.get("cursor"),
    )
    around = frame(actor, cluster, "board") if cluster else {"cluster": None, "region_name": region_name}
    return render_template(
        "board/index.html",
        **around,
        **_words(),
        found=found,
        chosen=chosen,
        narrowed=any(value for name, value in chosen.items() if name != "cluster_id"),
        whole={row.id for row in found.rows if _reads_whole(actor, standing, row)},
        posts=bool(standing) and allowed(actor, Permission.BOARD_POST),
        regions=regions.choices(locale()),
        day=today(current),
    )


@page(pages, "/new", get=Permission.BOARD_POST, post=Permission.BOARD_POST)
def new() -> ResponseReturnValue:
    """Post a need or an offer."""
    actor, current = current_actor(), session()
    places = board_queries.places(
        current, [key for key in actor.memberships if allowed(actor, Permission.BOARD_POST, Organisation(id=key))]
    )
    form, status = PostForm(data=_suggested(today(current))), 200
    form.place.choices = as_choices([(f"{row.id}:{cluster.id}", _place(row, cluster)) for row, cluster in places])
    if form.validate_on_submit():
        try:
            organisation_id, cluster_id = _chosen_place(form.place.data, places)
            row = board.post(
                current,
                actor,
                cluster_id=cluster_id,
                organisation_id=organisation_id,
                values={name: form[name].data or "" for name in _TEXTS},
            )
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("It is on the board."), "success")
            return redirect(url_for(".show", post_id=row.id), 303)
    elif form.is_submitted():
        status = 422
    return render_template("board/new.html", form=form, places=places), status


@page(pages, "/<uuid:post_id>", get=Permission.PUBLIC)
def show(post_id: UUID) -> ResponseReturnValue:
    """A post: the whole of it or a teaser, what answers it, and for its own people who asked for contact."""
    return _post_page(post_id)


@page(pages, "/<uuid:post_id>/contact", post=Permission.BOARD_POST)
def contact(post_id: UUID) -> ResponseReturnValue:
    """Ask those who posted to get in touch."""
    actor, current = current_actor(), session()
    form = ContactForm()
    try:
        board.contact(
            current,
            actor,
            post_id=post_id,
            organisation_id=_key(form.organisation_id.data),
            message=form.message.data or "",
        )
    except Problems as problems:
        form.attach(problems.problems)
        return _post_page(post_id, form), 422
    flash(_("Your message was sent. The organisation's people will answer to you."), "success")
    return redirect(url_for(".show", post_id=post_id), 303)


@page(pages, "/<uuid:post_id>/close", post=Permission.BOARD_POST)
def close(post_id: UUID) -> ResponseReturnValue:
    """Close an own post."""
    board.close(session(), current_actor(), post_id=post_id)
    flash(_("The post is closed."), "success")
    return redirect(url_for(".show", post_id=post_id), 303)


@page(pages, "/<uuid:post_id>/renew", get=Permission.BOARD_POST, post=Permission.BOARD_POST)
def renew(post_id: UUID) -> ResponseReturnValue:
    """Let a post stand longer, or open a closed one again."""
    actor, current = current_actor(), session()
    row = board_queries.post_of(current, actor, post_id)
    authorize(actor, Permission.BOARD_POST, row.organisation)
    form, status = RenewForm(data=_suggested(today(current))), 200
    if form.validate_on_submit():
        try:
            board.renew(current, actor, post_id=post_id, valid_until=form.valid_until.data or "")
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The post stands until the new day."), "success")
            return redirect(url_for(".show", post_id=post_id), 303)
    elif form.is_submitted():
        status = 422
    return render_template("board/renew.html", form=form, post=row), status


@page(pages, "/<uuid:post_id>/remove", get=Permission.BOARD_MODERATE, post=Permission.BOARD_MODERATE)
def remove(post_id: UUID) -> ResponseReturnValue:
    """Take a post off the board with a reason."""
    actor, current = current_actor(), session()
    row = board_queries.post_of(current, actor, post_id)
    authorize(actor, Permission.BOARD_MODERATE, row.cluster)
    if row.state == PostState.REMOVED:
        raise Conflict(N_("This post was taken off the board already."))
    form, status = ReasonForm(), 200
    if form.validate_on_submit():
        try:
            board.remove(current, actor, post_id=post_id, reason=form.reason.data or "")
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The post is off the board, and the organisation has been told why."), "success")
            return redirect(url_for(".index"), 303)
    elif form.is_submitted():
        status = 422
    return render_template("board/remove.html", form=form, post=row), status


def _post_page(post_id: UUID, form: ContactForm | None = None) -> str:
    actor, current = current_actor(), session()
    row = board_queries.post_of(current, actor, post_id)
    day = today(current)
    standing = board_queries.standing(current, actor)
    own = actor.acts_for(row.organisation_id)
    writes = allowed(actor, Permission.BOARD_POST, row.organisation)
    opened = row.state == PostState.OPEN and row.valid_until >= day
    asks = form or ContactForm(formdata=None)
    writers = [key for key in actor.memberships if allowed(actor, Permission.BOARD_POST, Organisation(id=key))]
    mine = _organisations(writers) if opened and not own else []
    asks.organisation_id.choices = as_choices([(str(item.id), localised(item, "name")) for item in mine])
    found = board_queries.answers(current, actor, row, day) if opened else []
    whole = _reads_whole(actor, standing, row)
    drafts = prospects.open_drafts(current, actor) if whole and not own else []
    belongs = queries.confirmed_clusters_of(current, [row.organisation_id] if drafts else [])
    return render_template(
        "board/show.html",
        **_words(),
        post=row,
        whole=whole,
        drafts=drafts,
        belongs={cluster.id for found_in in belongs.values() for cluster in found_in},
        whole_of={other.id for other, _match in found if _reads_whole(actor, standing, other)},
        open=opened,
        own=own,
        writes=writes,
        moderates=allowed(actor, Permission.BOARD_MODERATE, row.cluster) and row.state != PostState.REMOVED,
        answers=found[:SHOWN_ANSWERS],
        contacts=board_queries.contacts_of(current, post_id) if own else [],
        form=asks,
        may_ask=bool(mine),
        region_name=region_name,
        action=ActionForm(formdata=None),
        day=day,
    )


def _reads_whole(actor: Actor, standing: frozenset[UUID], row: BoardPost) -> bool:
    """A public post shows its organisation and its text to members of any cluster, and to the fund."""
    return bool(standing) or actor.acts_for(row.organisation_id) or actor.has(*(FUND - {Role.REVIEWER}))


def _organisations(keys: list[UUID]) -> list[Organisation]:
    found = (session().get(Organisation, key) for key in keys)
    return sorted((row for row in found if row is not None), key=lambda row: row.name_ru)


def _filters(actor: Actor) -> dict[str, Any]:
    """What the list is narrowed by; what is none of the choices does not narrow it."""
    given = request.args
    side, kind, region = given.get("side", ""), given.get("kind", ""), given.get("region", "")
    return {
        "side": side if side in set(Side) else "",
        "kind": kind if kind in set(PostKind) else "",
        "region": region if regions.find(region) else "",
        "okpd2": given.get("okpd2", "").replace("\x00", "").strip()[:12],
        "text": given.get("q", "").replace("\x00", "").strip()[:MAX_SEARCH],
        "cluster_id": uuid_argument("cluster_id"),
        "mine": "mine" in given and actor.is_authenticated,
    }


def _words() -> dict[str, Any]:
    return {
        "side_names": SIDES,
        "kind_names": KINDS,
        "visibility_names": VISIBILITIES,
        "side_choices": [(side.value, str(name)) for side, name in SIDES.items()],
        "kind_choices": [(kind.value, str(name)) for kind, name in KINDS.items()],
    }


def _suggested(day: date) -> dict[str, str]:
    until = formats.format_date(day + timedelta(days=SUGGESTED_DAYS), "ru")
    return {"valid_until": until, "visibility": Visibility.MEMBERS.value, "side": Side.NEED.value}


def _place(row: Organisation, cluster: Cluster) -> str:
    return f"{localised(row, 'name')} · {localised(cluster, 'name')}"


def _chosen_place(text: str | None, places: list[tuple[Organisation, Cluster]]) -> tuple[UUID, UUID]:
    """The keys of the organisation and the cluster that were chosen. Raises :class:`Problems` (``place``)."""
    for row, cluster in places:
        if text == f"{row.id}:{cluster.id}":
            return row.id, cluster.id
    raise Problems.one("unknown", "place", N_("Choose the organisation."))


def _key(text: str | None) -> UUID:
    try:
        return UUID(text or "")
    except ValueError:
        raise NotFound from None
