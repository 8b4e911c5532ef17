"""Background work for the administrator: what waits, what failed and why, and the button to try again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import func, select

from portal.audit.service import record
from portal.core import jobs
from portal.core.db import session
from portal.core.errors import Conflict
from portal.core.jobs import Task
from portal.core.language import N_
from portal.identity.policy import Permission
from portal.web.forms import ActionForm
from portal.web.page import current_actor, page
from portal.web.paging import keyset
from portal.web.trail_words import KINDS

pages = Blueprint("jobs", __name__, url_prefix="/staff/jobs")

STATES = {
    "parked": Task.parked_at.is_not(None),
    "waiting": Task.done_at.is_(None) & Task.parked_at.is_(None),
    "done": Task.done_at.is_not(None),
}


@page(pages, "", get=Permission.JOBS_MANAGE)
def index() -> ResponseReturnValue:
    state = request.args.get("state", "")
    statement = select(Task)
    if state in STATES:
        statement = statement.where(STATES[state])
    found = keyset(session(), statement, (Task.number,), _place, request.args.get("cursor"))
    counted = (func.count().filter(rule).label(name) for name, rule in STATES.items())
    counts = session().execute(select(*counted, func.clock_timestamp().label("now"))).one()
    return render_template(
        "jobs/index.html", page=found, counts=counts, now=counts.now, state=state, form=ActionForm(), kinds=KINDS
    )


def _place(task: Task) -> tuple[Any, ...]:
    return (task.number,)


@page(pages, "/<uuid:task_id>/retry", post=Permission.JOBS_MANAGE)
def retry(task_id: UUID) -> ResponseReturnValue:
    task = jobs.retry(session(), task_id)
    if task is None:
        raise Conflict(N_("This task is not parked: it was taken up again already, or it is done."))
    record(session(), current_actor(), "core:task:retry", "task", task.id, {"kind": task.kind})
    flash(_("The task is taken up again."), "success")
    return redirect(url_for("jobs.index", state="waiting"), 303)
