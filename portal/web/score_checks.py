"""The manifest of a scoring run, and running it again to compare."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, Response, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.core.canonical import canonical_json
from portal.core.db import session
from portal.core.errors import Problems
from portal.core.jobs import Task
from portal.identity.policy import Permission
from portal.scoring import checks, manifests, queries
from portal.web.forms import ActionForm
from portal.web.language import say
from portal.web.page import current_actor, page

pages = Blueprint("score_checks", __name__, url_prefix="/staff/scoring/runs/<uuid:run_id>")


@page(pages, "/manifest", get=Permission.SCORE_VIEW)
def manifest(run_id: UUID) -> ResponseReturnValue:
    """What the run was made of, and how often it came out the same."""
    found = queries.run_with_task(session(), run_id)
    return render_template(
        "scoring/manifest.html",
        found=found,
        manifest=manifests.manifest_of(session(), run_id),
        checks=checks.checks_of(session(), run_id),
        form=ActionForm(),
    )


@page(pages, "/manifest.json", get=Permission.SCORE_VIEW)
def as_json(run_id: UUID) -> ResponseReturnValue:
    """The manifest with the digests of all inputs and scores, as canonical JSON."""
    content = manifests.document(session(), run_id)
    response = Response(canonical_json(content), mimetype="application/json")
    response.headers.set("Content-Disposition", "attachment", filename=f"run-{run_id}.json")
    response.headers["Cache-Control"] = "private, no-store"
    return response


@page(pages, "/checks", post=Permission.SCORE_CHECK)
def start(run_id: UUID) -> ResponseReturnValue:
    """Run again and compare."""
    try:
        check = checks.start_check(session(), current_actor(), run_id)
    except Problems as problems:
        flash(say(problems.problems[0].message), "warning")
        return redirect(url_for(".manifest", run_id=run_id), 303)
    return redirect(url_for(".show", run_id=run_id, check_id=check.id), 303)


@page(pages, "/checks/<uuid:check_id>", get=Permission.SCORE_VIEW)
def show(run_id: UUID, check_id: UUID) -> ResponseReturnValue:
    """How far the comparison is, and what it found; htmx asks for the box alone."""
    check = checks.check_of(session(), run_id, check_id)
    task = session().get(Task, check.task_id) if check.task_id else None
    if request.headers.get("HX-Request"):
        return render_template("scoring/_check.html", check=check, task=task)
    found = queries.run_with_task(session(), run_id)
    return render_template("scoring/check.html", check=check, task=task, found=found)
