"""The own ties of those who judge: declared at any time, ended when they are over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

import portal.scoring.jobs  # noqa: F401 - a review that is closed enqueues its work
from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import Problem, Problems
from portal.identity.policy import Permission
from portal.review import conflict_queries, ties
from portal.web.conflicts import TypedForm
from portal.web.language import say
from portal.web.page import page

pages = Blueprint("ties", __name__, url_prefix="/ties")

TYPED: Final = ("inn", "name", "kind", "share", "since", "until", "note")


@page(pages, "", get=Permission.TIE_DECLARE, post=Permission.TIE_DECLARE)
def index() -> ResponseReturnValue:
    """What ties me to organisations, and the form for one more."""
    typed = {name: request.form.get(name, "") for name in TYPED}
    form = TypedForm()
    if request.method == "GET":
        return _render(form, typed)
    try:
        ties.declare(session(), g.actor, user_id=g.actor.user_id, values=typed)
    except Problems as refused:
        form.attach(())
        return _render(form, typed, refused.problems), 422
    flash(_("Thank you. The tie is written down; reviews that it bars are closed."), "success")
    return redirect(url_for(".index"), 303)


@page(pages, "/<uuid:tie_id>/end", post=Permission.TIE_DECLARE)
def end(tie_id: UUID) -> ResponseReturnValue:
    """Say when a tie has ended."""
    conflict_queries.tie_of(session(), g.actor.user_id, tie_id)
    try:
        ties.end(session(), g.actor, tie_id=tie_id, until=request.form.get("until", ""))
    except Problems as refused:
        whole = tuple(Problem(each.code, "", each.message) for each in refused.problems)
        return _render(TypedForm(), dict.fromkeys(TYPED, ""), whole, opened=tie_id), 422
    flash(_("The last day of the tie is written down."), "success")
    return redirect(url_for(".index"), 303)


def _render(
    form: TypedForm, typed: Mapping[str, str], problems: tuple[Problem, ...] = (), opened: UUID | None = None
) -> str:
    errors: dict[str, list[str]] = {}
    for problem in problems:
        errors.setdefault(problem.field, []).append(say(problem.message))
    return render_template(
        "ties/index.html",
        ties=conflict_queries.ties_of(session(), g.actor.user_id),
        form=form,
        typed=typed,
        problems=problems,
        errors=errors,
        opened=opened,
        changed={"until": request.form.get("until", "") if opened else ""},
        today=today(session()),
    )
