"""The roadmap of a cluster: its versions, what changed between two of them, and for its keepers the draft."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import SelectField, StringField, TextAreaField

from portal.clusters import queries, roadmap
from portal.clusters.profile_models import ActionState, Roadmap, RoadmapAction, RoadmapState
from portal.clusters.roadmap_diff import Change, compare
from portal.core import formats
from portal.core.db import session
from portal.core.errors import NotFound, Problems
from portal.identity.policy import Permission, allowed, authorize
from portal.web.cluster_frame import ACTION_KINDS, ACTION_STATES, frame, opened, organisation_name
from portal.web.forms import ActionForm, PortalForm, as_choices
from portal.web.page import page

pages = Blueprint("cluster_roadmap", __name__, url_prefix="/clusters/<uuid:cluster_id>/roadmap")

FIELD_NAMES: Final = {
    "kind": _l("Kind"),
    "title_ru": _l("Title in Russian"),
    "title_en": _l("Title in English"),
    "responsible_id": _l("Responsible"),
    "starts_on": _l("Beginning"),
    "ends_on": _l("End"),
    "indicator_ru": _l("Indicator in Russian"),
    "indicator_en": _l("Indicator in English"),
    "state": _l("State"),
}
_ACTION: Final = tuple(FIELD_NAMES)


class StartForm(PortalForm):
    """Why a new version is begun."""

    reason_ru = TextAreaField(
        _l("Why the roadmap is adjusted, in Russian"), description=_l("For example, after which session or decision")
    )
    reason_en = TextAreaField(_l("The same in English"))


class ActionEditForm(PortalForm):
    """An action as texts."""

    kind = SelectField(_l("Kind"), validate_choice=False)
    title_ru = StringField(_l("Title in Russian"))
    title_en = StringField(_l("Title in English"))
    responsible_id = SelectField(_l("Responsible"), validate_choice=False)
    starts_on = StringField(_l("Beginning"), description=_l("For example 01.06.2016"))
    ends_on = StringField(_l("End"))
    indicator_ru = StringField(_l("Indicator in Russian"), description=_l("What shows that it is done"))
    indicator_en = StringField(_l("Indicator in English"))
    state = SelectField(_l("State"), validate_choice=False)


@page(pages, "", get=Permission.PUBLIC)
def show(cluster_id: UUID) -> ResponseReturnValue:
    """A version with its actions (the newest, or the one asked for), and the list of all versions."""
    actor, cluster = opened(cluster_id)
    found = roadmap.versions(session(), actor, cluster_id)
    published = [row for row in found if row.state == RoadmapState.PUBLISHED]
    return render_template(
        "cluster_roadmap/show.html",
        **frame(actor, cluster, "roadmap"),
        **_words(),
        versions=found,
        chosen=_chosen(found, request.args.get("version"), published[0] if published else None),
        draft=next((row for row in found if row.state == RoadmapState.DRAFT), None),
        publishes=allowed(actor, Permission.CLUSTER_PUBLISH, cluster),
        action_form=ActionForm(formdata=None),
    )


@page(pages, "/changes", get=Permission.PUBLIC)
def changes(cluster_id: UUID) -> ResponseReturnValue:
    """What changed between two versions: by default the newest that can be seen and the one before."""
    actor, cluster = opened(cluster_id)
    found = roadmap.versions(session(), actor, cluster_id)
    if len(found) < 2:
        raise NotFound
    after = _chosen(found, request.args.get("after"), found[0])
    assert after is not None
    earlier = [row for row in found if row.number < after.number]
    if not earlier:
        raise NotFound
    before = _chosen(earlier, request.args.get("before"), earlier[0])
    assert before is not None
    compared = compare(before.actions, after.actions)
    return render_template(
        "cluster_roadmap/changes.html",
        **frame(actor, cluster, "roadmap"),
        **_words(),
        before=before,
        after=after,
        versions=found,
        compared=[row for row in compared if row.change != Change.SAME],
        same=sum(row.change == Change.SAME for row in compared),
        shown=_shown,
        field_names=FIELD_NAMES,
    )


@page(pages, "/new", get=Permission.CLUSTER_KEEP, post=Permission.CLUSTER_KEEP)
def start(cluster_id: UUID) -> ResponseReturnValue:
    """Begin the next version as a copy of the last one."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    form, status = StartForm(), 200
    if form.validate_on_submit():
        try:
            row = roadmap.start_version(
                session(),
                actor,
                cluster_id=cluster_id,
                reason_ru=form.reason_ru.data or "",
                reason_en=form.reason_en.data or "",
            )
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The draft of the next version is begun."), "success")
            return redirect(url_for(".show", cluster_id=cluster_id, version=row.number), 303)
    elif form.is_submitted():
        status = 422
    return render_template("cluster_roadmap/start.html", form=form, **frame(actor, cluster, "roadmap")), status


@page(pages, "/actions/new", get=Permission.CLUSTER_KEEP, post=Permission.CLUSTER_KEEP)
def add(cluster_id: UUID) -> ResponseReturnValue:
    """Add an action to the draft."""
    return _edit(cluster_id, None)


@page(pages, "/actions/<action_code>", get=Permission.CLUSTER_KEEP, post=Permission.CLUSTER_KEEP)
def edit(cluster_id: UUID, action_code: str) -> ResponseReturnValue:
    """Change an action of the draft."""
    return _edit(cluster_id, action_code)


@page(pages, "/actions/<action_code>/remove", post=Permission.CLUSTER_KEEP)
def remove(cluster_id: UUID, action_code: str) -> ResponseReturnValue:
    """Take an action out of the draft."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    roadmap.remove_action(session(), actor, cluster_id=cluster_id, code=action_code)
    flash(_("The action is out of the draft."), "success")
    return _to_draft(cluster_id)


@page(pages, "/publish", post=Permission.CLUSTER_PUBLISH)
def publish(cluster_id: UUID) -> ResponseReturnValue:
    """Publish the draft, for good."""
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_PUBLISH, cluster)
    try:
        row = roadmap.publish(session(), actor, cluster_id=cluster_id)
    except Problems as problems:
        found = roadmap.versions(session(), actor, cluster_id)
        draft = next((row for row in found if row.state == RoadmapState.DRAFT), None)
        return render_template(
            "cluster_roadmap/show.html",
            **frame(actor, cluster, "roadmap"),
            **_words(),
            versions=found,
            chosen=draft,
            draft=draft,
            publishes=True,
            action_form=ActionForm(formdata=None),
            problems=problems.problems,
        ), 422
    flash(_("The version is published. It can no longer be changed."), "success")
    return redirect(url_for(".show", cluster_id=cluster_id, version=row.number), 303)


def _edit(cluster_id: UUID, code: str | None) -> ResponseReturnValue:
    actor, cluster = opened(cluster_id)
    authorize(actor, Permission.CLUSTER_KEEP, cluster)
    held = roadmap.action_of_draft(session(), actor, cluster_id, code) if code else None
    form, status = ActionEditForm(data=_typed(held)), 200
    members = queries.confirmed_members(session(), cluster_id)
    form.kind.choices = as_choices([(kind.value, str(name)) for kind, name in ACTION_KINDS.items()])
    form.state.choices = as_choices([(state.value, str(name)) for state, name in ACTION_STATES.items()])
    form.responsible_id.choices = as_choices(
        [
            ("", _("Specialised organisation")),
            *((str(row.organisation_id), organisation_name(row.organisation)) for row in members),
        ]
    )
    if form.validate_on_submit():
        values = {name: form[name].data or "" for name in _ACTION}
        try:
            roadmap.set_action(session(), actor, cluster_id=cluster_id, code=code, values=values)
        except Problems as problems:
            form.attach(problems.problems)
            status = 422
        else:
            flash(_("The action is in the draft."), "success")
            return _to_draft(cluster_id)
    elif form.is_submitted():
        status = 422
    variables = frame(actor, cluster, "roadmap")
    return render_template("cluster_roadmap/action.html", form=form, code=code, **variables), status


def _typed(held: RoadmapAction | None) -> dict[str, Any]:
    if held is None:
        return {"state": ActionState.PLANNED.value}
    return {
        **{name: getattr(held, name) for name in _ACTION},
        "responsible_id": str(held.responsible_id or ""),
        "starts_on": formats.format_date(held.starts_on, "ru"),
        "ends_on": formats.format_date(held.ends_on, "ru"),
    }


def _to_draft(cluster_id: UUID) -> ResponseReturnValue:
    return redirect(url_for(".show", cluster_id=cluster_id, version="draft"), 303)


def _chosen(found: list[Roadmap], asked: str | None, otherwise: Roadmap | None) -> Roadmap | None:
    for row in found:
        if asked == str(row.number) or (asked == "draft" and row.state == RoadmapState.DRAFT):
            return row
    return otherwise or (found[0] if found else None)


def _words() -> dict[str, Any]:
    return {"kind_names": ACTION_KINDS, "state_names": ACTION_STATES}


def _shown(action: RoadmapAction, name: str) -> str:
    """A field of an action as text, for the table of changes."""
    value = getattr(action, name)
    if name == "kind":
        return str(ACTION_KINDS[value])
    if name == "state":
        return str(ACTION_STATES[value])
    if name == "responsible_id":
        return organisation_name(action.responsible) if action.responsible else str(_("Specialised organisation"))
    if name in ("starts_on", "ends_on"):
        return formats.format_date(value, "ru")
    return str(value)
