"""Scoring runs, the ranking, and the explained score of one submission."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from portal.core.db import session
from portal.core.errors import NotFound, Problems
from portal.identity.policy import Permission
from portal.scoring import queries, service
from portal.web.forms import ActionForm
from portal.web.language import say
from portal.web.page import current_actor, page
from portal.web.score_words import lines_above

pages = Blueprint("scoring", __name__, url_prefix="/staff/scoring")

PLACES: Final = 50


@page(pages, "", get=Permission.SCORE_VIEW)
def index() -> ResponseReturnValue:
    tracks = queries.tracks(session())
    runs = queries.latest_runs(session(), [track.id for track in tracks])
    return render_template("scoring/index.html", tracks=tracks, runs=runs, form=ActionForm())


@page(pages, "/tracks/<uuid:track_id>/run", post=Permission.SCORE_RUN)
def start(track_id: UUID) -> ResponseReturnValue:
    try:
        run = service.start_run(session(), current_actor(), track_id)
    except Problems as problems:
        flash(say(problems.problems[0].message), "warning")
        return redirect(url_for("scoring.index"), 303)
    return redirect(url_for("scoring.run", run_id=run.id), 303)


@page(pages, "/runs/<uuid:run_id>", get=Permission.SCORE_VIEW)
def run(run_id: UUID) -> ResponseReturnValue:
    found = queries.run_with_task(session(), run_id)
    if found.run.ended_at is not None and not request.headers.get("HX-Request"):
        return _ranking(found)
    template = "scoring/progress.html" if request.headers.get("HX-Request") else "scoring/run.html"
    return render_template(template, found=found, form=ActionForm())


def _ranking(found: queries.RunWithTask) -> ResponseReturnValue:
    ranking = queries.ranking(session(), found.run)
    first = max(request.args.get("from", 1, type=int), 1)
    shown = ranking.shown[first - 1 : first - 1 + PLACES]
    return render_template(
        "scoring/ranking.html",
        found=found,
        ranking=ranking,
        shown=shown,
        criteria=ranking.rules.criteria,
        first=first,
        earlier=max(first - PLACES, 1) if first > 1 else None,
        later=first + PLACES if first - 1 + PLACES < len(ranking.places) else None,
        previous=queries.run_before(session(), found.run),
        form=ActionForm(),
    )


@page(pages, "/submissions/<uuid:submission_id>", get=Permission.SCORE_VIEW)
def sheet(submission_id: UUID) -> ResponseReturnValue:
    found = queries.explained(session(), submission_id)
    if found is None:
        flash(_("This submission has not been scored yet. Scoring starts by itself when it arrives."), "info")
        raise NotFound
    return render_template("scoring/sheet.html", found=found, sheet=found.sheet, above=lines_above(found))
