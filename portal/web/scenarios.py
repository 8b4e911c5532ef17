"""The what-if room of a track: scenarios side by side, one of them, its form, and what is done with it."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import StringField, TextAreaField

from portal.awards.allocation.problem import PERCENT, PROJECTS, ROUBLES, Policy
from portal.awards.allocation.words import POLICY_NAMES
from portal.awards.scenarios import service
from portal.awards.scenarios.changes import Changes, Result, difference, read_changes, read_result
from portal.awards.scenarios.models import Scenario
from portal.awards.scenarios.outcome import as_it_is
from portal.awards.scenarios.queries import Standing, listed, room, scenario_of, standing, with_results
from portal.core.db import session
from portal.core.errors import Conflict, NotFound, Problem, Problems
from portal.identity.policy import Permission, allowed
from portal.scoring.evaluation import Place
from portal.tenders.models import Track
from portal.tenders.rules import TRACK_NAMES
from portal.web import scenario_picture as picture
from portal.web.forms import PortalForm
from portal.web.language import say
from portal.web.page import page
from portal.web.paging import Page, keyset
from portal.web.register import as_table
from portal.web.scenario_form import Reading, limit_rows, rows_of, typed_of

pages = Blueprint("scenarios", __name__, url_prefix="/staff/scenarios")

MOST_TYPED: Final = 4_000


class ScenarioForm(PortalForm):
    """A scenario; the inputs of its changes follow from the rule set (:mod:`portal.web.scenario_form`)."""

    name = StringField(_l("Name of the scenario"), description=_l("For example: more weight on private money"))


class AdoptForm(PortalForm):
    """What the commission concludes."""

    words = TextAreaField(
        _l("What the commission concludes from it"),
        description=_l("Kept for good with the scenario's digest, and cited by the next draft of the decision."),
    )


@page(pages, "/tracks/<uuid:track_id>", get=Permission.SCENARIO_VIEW)
def index(track_id: UUID) -> ResponseReturnValue:
    """The scenarios of a track, and up to four of them beside the present list; fifty places at a time."""
    current = session()
    place = room(current, g.actor, track_id, Permission.SCENARIO_VIEW)
    held = standing(current, place)
    rows = _listed(track_id)
    if held is None:
        return render_template("scenarios/index.html", **frame(place, held), held=None, listed=rows, form=_action())
    present = as_it_is(held.ground)
    columns = _columns(held, present, _chosen(track_id, rows))
    shown, pages_of = _from(picture.lines(present, columns, held))
    return render_template(
        "scenarios/index.html",
        **pages_of,
        **frame(place, held),
        held=held,
        listed=rows,
        form=_action(),
        present=present,
        columns=columns,
        chosen=[str(each.scenario.id) for each in columns if each.scenario is not None],
        shown=shown,
        bars=picture.bars([(_("now"), present), *((each.title, each.result) for each in columns)]),
    )


@page(pages, "/tracks/<uuid:track_id>/comparison.csv", get=Permission.SCENARIO_VIEW)
def comparison(track_id: UUID) -> ResponseReturnValue:
    """The whole comparison as a table."""
    current = session()
    place = room(current, g.actor, track_id, Permission.SCENARIO_VIEW)
    held = standing(current, place)
    if held is None:
        raise NotFound
    present = as_it_is(held.ground)
    columns = _columns(held, present, _chosen(track_id, _listed(track_id)))
    return as_table(picture.compared(present, columns, held), f"{place.code}-{place.track}-scenarios", "csv")


@page(pages, "/tracks/<uuid:track_id>/new", get=Permission.SCENARIO_EDIT, post=Permission.SCENARIO_EDIT)
def new(track_id: UUID) -> ResponseReturnValue:
    """A new scenario: typed, looked at as often as one likes, then saved."""
    current = session()
    place = room(current, g.actor, track_id, Permission.SCENARIO_EDIT)
    held = standing(current, place)
    if held is None:
        raise Conflict(service.NO_RUN)
    if request.method == "GET":
        return _form_page(place, held, None, ScenarioForm(), typed_of(held.ground, Changes()))
    return _posted(place, held, None)


@page(pages, "/<uuid:scenario_id>/edit", get=Permission.SCENARIO_EDIT, post=Permission.SCENARIO_EDIT)
def edit(scenario_id: UUID) -> ResponseReturnValue:
    """Change a scenario of one's own."""
    current = session()
    scenario = scenario_of(current, g.actor, scenario_id)
    place = room(current, g.actor, scenario.tender_track_id, Permission.SCENARIO_EDIT)
    service.require_own(g.actor, scenario)
    held = standing(current, place)
    if held is None:
        raise Conflict(service.NO_RUN)
    if request.method == "GET":
        form = ScenarioForm()
        form.version.data = scenario.version
        return _form_page(place, held, scenario, form, typed_of(held.ground, read_changes(scenario.changes)))
    return _posted(place, held, scenario)


def _posted(place: Place, held: Standing, scenario: Scenario | None) -> ResponseReturnValue:
    form = ScenarioForm()
    typed = {name: text[:MOST_TYPED] for name, text in request.form.items()}
    read = Reading(held.ground, typed)
    current, saves = session(), request.form.get("do") != "try"
    try:
        if unread := read.wrong():
            raise Problems(unread)
        if not saves:
            _held, _changes, result = service.computed(current, place, read.changes)
            form.attach(())
            return _form_page(place, held, scenario, form, typed, looked=result)
        if scenario is None:
            saved = service.create(current, g.actor, place.id, name=form.name.data or "", changes=read.changes)
        else:
            saved = service.change(
                current, g.actor, scenario.id, changes=read.changes, expected_version=form.version.data
            )
    except Problems as refusal:
        found = [read.placed(each) for each in refusal.problems]
        return _form_page(place, held, scenario, form, typed, found, 422)
    except Conflict as refusal:
        return _form_page(place, held, scenario, form, typed, [Problem("conflict", "", refusal.reason)], 409)
    flash(
        _("The scenario is saved. Nobody else sees it before you share it.") if scenario is None else _("Saved."),
        "success",
    )
    return redirect(url_for(".show", scenario_id=saved.id), 303)


def _form_page(
    place: Place,
    held: Standing,
    scenario: Scenario | None,
    form: ScenarioForm,
    typed: dict[str, str],
    problems: list[Problem] | None = None,
    code: int = 200,
    *,
    looked: Result | None = None,
) -> ResponseReturnValue:
    found = problems or []
    form.attach(each for each in found if each.field == "name")
    errors: dict[str, list[str]] = {}
    for each in found:
        errors.setdefault(each.field, []).append(say(each.message))
    column, lines = None, list[picture.Line]()
    if looked is not None:
        present = as_it_is(held.ground)
        column = picture.Column(_("Here"), looked, difference(present, looked))
        lines = picture.lines(present, [column], held)[: picture.PLACES]
    return render_template(
        "scenarios/edit.html",
        **frame(place, held),
        held=held,
        scenario=scenario,
        form=form,
        typed=typed,
        rows=rows_of(typed),
        limit_rows=limit_rows(typed),
        groups=picture.groups(held.ground),
        policies=[(each.value, say(POLICY_NAMES[each])) for each in Policy],
        units=[(PROJECTS, _("projects")), (ROUBLES, _("roubles")), (PERCENT, _("percent of the money"))],
        problems=found,
        errors=errors,
        looked=column,
        lines=lines,
    ), code


@page(pages, "/<uuid:scenario_id>", get=Permission.SCENARIO_VIEW)
def show(scenario_id: UUID) -> ResponseReturnValue:
    """One scenario: what it changes, the list that would follow, and what can be done with it."""
    return _show(scenario_id)


def _show(
    scenario_id: UUID, problems: list[Problem] | None = None, code: int = 200, words: str = "", called: str = ""
) -> ResponseReturnValue:
    current = session()
    scenario = scenario_of(current, g.actor, scenario_id)
    place = room(current, g.actor, scenario.tender_track_id, Permission.SCENARIO_VIEW)
    held = standing(current, place)
    if held is None:
        raise NotFound
    present, result = as_it_is(held.ground), read_result(scenario.result)
    changes = read_changes(scenario.changes)
    own = scenario.author_id == g.actor.user_id and allowed(g.actor, Permission.SCENARIO_EDIT)
    form, adoption = ScenarioForm(formdata=None), AdoptForm(formdata=None)
    form.version.data = adoption.version.data = scenario.version
    form.name.data, adoption.words.data = called or scenario.name, words
    decided = held.decision is not None and held.decision.signed_at is not None
    column = picture.column(scenario, result, present, held)
    shown, pages_of = _from(picture.lines(present, [column], held))
    return render_template(
        "scenarios/show.html",
        **pages_of,
        **frame(place, held),
        held=held,
        scenario=scenario,
        result=result,
        present=present,
        change=column.difference,
        stale=column.stale,
        lines=shown,
        changed=picture.told(held.ground, changes),
        money=picture.money_told(held.ground, changes),
        limits=picture.limits_told(changes),
        scores=picture.scores_told(held.ground, changes),
        departures=changes.departures,
        bars=picture.bars([(_("now"), present), (scenario.name, result)]),
        own=own,
        decided=decided,
        may_adopt=allowed(g.actor, Permission.SCENARIO_ADOPT),
        form=form,
        adoption=adoption,
        problems=problems or [],
    ), code


@page(pages, "/<uuid:scenario_id>/copy", post=Permission.SCENARIO_EDIT)
def copy(scenario_id: UUID) -> ResponseReturnValue:
    """The same changes as a scenario of one's own."""
    form = ScenarioForm()
    try:
        made = service.copy(session(), g.actor, scenario_id, name=form.name.data or "")
    except (Problems, Conflict) as refusal:
        return _refused(scenario_id, refusal, called=form.name.data or "")
    flash(_("This is your copy. Nobody else sees it before you share it."), "success")
    return redirect(url_for(".show", scenario_id=made.id), 303)


@page(pages, "/<uuid:scenario_id>/rename", post=Permission.SCENARIO_EDIT)
def rename(scenario_id: UUID) -> ResponseReturnValue:
    """Another name."""
    form = ScenarioForm()
    try:
        service.rename(session(), g.actor, scenario_id, name=form.name.data or "", expected_version=form.version.data)
    except (Problems, Conflict) as refusal:
        return _refused(scenario_id, refusal, called=form.name.data or "")
    flash(_("Renamed."), "success")
    return redirect(url_for(".show", scenario_id=scenario_id), 303)


@page(pages, "/<uuid:scenario_id>/share", post=Permission.SCENARIO_EDIT)
def share(scenario_id: UUID) -> ResponseReturnValue:
    """Show it to the commission, or take it back."""
    shared = request.form.get("shared") == "y"
    try:
        service.share(session(), g.actor, scenario_id, shared=shared, expected_version=ScenarioForm().version.data)
    except Conflict as refusal:
        return _refused(scenario_id, refusal)
    flash(_("The commission sees this scenario now.") if shared else _("Only you see this scenario now."), "success")
    return redirect(url_for(".show", scenario_id=scenario_id), 303)


@page(pages, "/<uuid:scenario_id>/refresh", post=Permission.SCENARIO_EDIT)
def refresh(scenario_id: UUID) -> ResponseReturnValue:
    """Compute it on what holds now."""
    try:
        service.refresh(session(), g.actor, scenario_id, expected_version=ScenarioForm().version.data)
    except (Problems, Conflict) as refusal:
        return _refused(scenario_id, refusal)
    flash(_("Computed on the scores and the money of now."), "success")
    return redirect(url_for(".show", scenario_id=scenario_id), 303)


@page(pages, "/<uuid:scenario_id>/discard", post=Permission.SCENARIO_EDIT)
def discard(scenario_id: UUID) -> ResponseReturnValue:
    """Put it away."""
    try:
        gone = service.discard(session(), g.actor, scenario_id, expected_version=ScenarioForm().version.data)
    except Conflict as refusal:
        return _refused(scenario_id, refusal)
    flash(_("The scenario is discarded."), "success")
    return redirect(url_for(".index", track_id=gone.tender_track_id), 303)


@page(pages, "/<uuid:scenario_id>/adopt", post=Permission.SCENARIO_ADOPT)
def adopt(scenario_id: UUID) -> ResponseReturnValue:
    """Record that the commission adopts it."""
    form = AdoptForm()
    words = form.words.data or ""
    try:
        service.adopt(session(), g.actor, scenario_id, words=words, expected_version=form.version.data)
    except (Problems, Conflict) as refusal:
        return _refused(scenario_id, refusal, words=words)
    flash(_("Adopted: the next draft of the decision cites it. Scores, money and lists are as they were."), "success")
    return redirect(url_for(".show", scenario_id=scenario_id), 303)


def _refused(
    scenario_id: UUID, refusal: Problems | Conflict, *, words: str = "", called: str = ""
) -> ResponseReturnValue:
    session().rollback()
    if isinstance(refusal, Problems):
        return _show(scenario_id, list(refusal.problems), 422, words, called)
    return _show(scenario_id, [Problem("conflict", "", refusal.reason)], 409, words, called)


def _from(lines: list[picture.Line]) -> tuple[list[picture.Line], dict[str, int | None]]:
    """Fifty places from the one that the address names, and where the pages beside begin."""
    first = max(request.args.get("from", 1, type=int), 1)
    after = first + picture.PLACES
    beside = {
        "earlier": max(first - picture.PLACES, 1) if first > 1 else None,
        "later": after if after <= len(lines) else None,
    }
    return lines[first - 1 : after - 1], beside


def _listed(track_id: UUID) -> Page[Scenario]:
    return keyset(
        session(),
        listed(g.actor, track_id),
        (Scenario.id,),
        lambda row: (row.id,),
        request.args.get("cursor"),
    )


def _chosen(track_id: UUID, rows: Page[Scenario]) -> list[Scenario]:
    """The scenarios that the address names, or the newest of the page."""
    keys = request.args.getlist("with", type=UUID)[: picture.MOST_COLUMNS]
    keys = keys or [each.id for each in rows.rows][: picture.MOST_COLUMNS]
    found = {each.id: each for each in session().scalars(with_results(g.actor, track_id, keys))}
    return [found[key] for key in dict.fromkeys(keys) if key in found]


def _columns(held: Standing, present: Result, chosen: list[Scenario]) -> list[picture.Column]:
    return [picture.column(each, read_result(each.result), present, held) for each in chosen]


def frame(place: Place, held: Standing | None = None) -> dict[str, Any]:
    other = held.other if held is not None else None
    return {"place": place, "track_title": say(TRACK_NAMES[Track(place.track)]), "other_track": other}


def _action() -> PortalForm:
    return PortalForm(formdata=None)
