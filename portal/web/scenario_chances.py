"""How sure ranking and money are if the weights were others: the simulation of a track, or of a scenario."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

import portal.awards.jobs  # noqa: F401 - a large simulation writes a task
from portal.awards.allocation.words import POLICY_NAMES
from portal.awards.scenarios import simulating
from portal.awards.scenarios.changes import Changes, Ground, policy_of, read_changes
from portal.awards.scenarios.models import Scenario
from portal.awards.scenarios.outcome import limit_name
from portal.awards.scenarios.queries import Standing, room, scenario_of, standing
from portal.core.db import session
from portal.core.errors import NotFound
from portal.identity.policy import Permission
from portal.scoring.evaluation import Place
from portal.web import scenario_picture as picture
from portal.web.forms import PortalForm, uuid_argument
from portal.web.language import say
from portal.web.page import page
from portal.web.register import as_table
from portal.web.scenarios import frame

pages = Blueprint("scenario_chances", __name__, url_prefix="/staff/scenarios")

EVERY: Final = "all"


@pages.context_processor
def _words() -> dict[str, Any]:
    return {"band_name": picture.band_name}


@page(
    pages,
    "/tracks/<uuid:track_id>/acceptability",
    get=Permission.SCENARIO_VIEW,
    post=Permission.SCENARIO_VIEW,
)
def show(track_id: UUID) -> ResponseReturnValue:
    """How ranking and money would stand if the weights were others; a POST has a large track simulated."""
    current = session()
    place = room(current, g.actor, track_id, Permission.SCENARIO_VIEW)
    held, scenario, changes = _supposed(place)
    reach = _reach()
    if request.method == "POST":
        simulating.ask(current, place, changes, reach)
        flash(_("The simulation runs in the background: open the page again in a minute."), "info")
        return redirect(url_for(".show", track_id=track_id, **_arguments(scenario, reach)), 303)
    asked = simulating.question(held.ground, changes, reach)
    found = None if asked is None else simulating.found(current, asked)
    return render_template(
        "scenarios/acceptability.html",
        **frame(place, held),
        held=held,
        scenario=scenario,
        reach=reach,
        reaches=(*simulating.REACHES, None),
        arguments=lambda other: _arguments(scenario, other),
        asked=asked,
        found=found,
        heat=picture.heat(found) if found else [],
        funded=picture.funded(found) if found else [],
        **_given_out(held.ground, changes, asked),
        left_out=len(held.ground.projects) - (len(asked.numbers) if asked else 0),
        form=PortalForm(formdata=None),
    )


@page(pages, "/tracks/<uuid:track_id>/acceptability.csv", get=Permission.SCENARIO_VIEW)
def download(track_id: UUID) -> ResponseReturnValue:
    """The simulation as a table."""
    current = session()
    place = room(current, g.actor, track_id, Permission.SCENARIO_VIEW)
    held, _scenario, changes = _supposed(place)
    asked = simulating.question(held.ground, changes, _reach())
    found = None if asked is None else simulating.found(current, asked)
    if found is None:
        raise NotFound
    return as_table(picture.chances(found, held.names), f"{place.code}-{place.track}-acceptability", "csv")


def _supposed(place: Place) -> tuple[Standing, Scenario | None, Changes]:
    """What the simulation starts from: the present rules, or the scenario that the address names."""
    held = standing(session(), place)
    if held is None:
        raise NotFound
    key = uuid_argument("scenario")
    if key is None:
        return held, None, Changes()
    scenario = scenario_of(session(), g.actor, key)
    if scenario.tender_track_id != place.id:
        raise NotFound
    return held, scenario, read_changes(scenario.changes)


def _given_out(ground: Ground, changes: Changes, asked: simulating.Asked | None) -> dict[str, Any]:
    """How each draw gives the money out, in words, and whether that is not how the scenario does."""
    if asked is None:
        return {"given_out": "", "limits": [], "otherwise": False}
    policy, limits = simulating.terms(ground, changes, len(asked.numbers))
    return {
        "given_out": say(POLICY_NAMES[policy]),
        "limits": [say(limit_name(limit)) for limit in limits],
        "otherwise": policy is not (changes.policy or policy_of(ground.rules)),
        "most": simulating.BEST_MOST,
    }


def _reach() -> int | None:
    """How many points the weights may differ, as the address says; five where it says nothing we know."""
    said = request.args.get("reach", "")
    if said == EVERY:
        return None
    return int(said) if said in map(str, simulating.REACHES) else simulating.REACHES[1]


def _arguments(scenario: Scenario | None, reach: int | None) -> dict[str, Any]:
    found: dict[str, Any] = {"reach": EVERY if reach is None else str(reach)}
    return found if scenario is None else found | {"scenario": str(scenario.id)}
