"""The pool of reviewers: the officers' list, a reviewer's profile and absences, by officers and by the reviewer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.core.clock import today
from portal.core.db import session
from portal.core.errors import Problem, Problems
from portal.identity.models import User
from portal.identity.policy import Permission, allowed
from portal.review import pool, pool_queries
from portal.review.pool import ProfileValues
from portal.review.pool_models import DEFAULT_LIMIT, MOST_LOAD
from portal.web.forms import ActionForm
from portal.web.language import locale, say
from portal.web.page import current_actor, page
from portal.web.paging import Page, keyset

pages = Blueprint("reviewer_pool", __name__)

MAX_SEARCH: Final = 100
STATES: Final = {"away": _l("Away today"), "full": _l("At the limit"), "silent": _l("Nothing told yet")}
LANGUAGE_NAMES: Final = (("ru", _l("Russian")), ("en", _l("English")))


@page(pages, "/staff/reviewers", get=Permission.REVIEW_POOL_VIEW)
def index() -> ResponseReturnValue:
    """The pool by name, narrowed by text, lane and state."""
    current = session()
    on, lanes = today(current), lane_names()
    words = " ".join(request.args.get("q", "").replace("\x00", "").split())[:MAX_SEARCH]
    lane, state = request.args.get("lane", ""), request.args.get("state", "")
    lane, state = lane if lane in lanes else "", state if state in STATES else ""
    found: Page[Any] = keyset(
        current,
        pool_queries.pool_select(words=words, lane=lane, state=state, on=on),
        (User.full_name, User.id.expression),
        lambda row: (row[0].full_name, row[0].id),
        request.args.get("cursor"),
        rising=True,
    )
    return render_template(
        "reviewer_pool/index.html",
        page=found,
        words=words,
        lane=lane,
        state=state,
        lanes=lanes,
        states=STATES,
        default_limit=DEFAULT_LIMIT,
    )


@page(pages, "/staff/reviewers/<uuid:user_id>", get=Permission.REVIEW_POOL_VIEW, post=Permission.REVIEW_POOL_EDIT)
def show(user_id: UUID) -> ResponseReturnValue:
    """One reviewer, as officers keep them."""
    return _profile(user_id, url_for(".show", user_id=user_id))


@page(pages, "/staff/reviewers/<uuid:user_id>/absences", post=Permission.REVIEW_POOL_EDIT)
def add_absence(user_id: UUID) -> ResponseReturnValue:
    return _add_absence(user_id, url_for(".show", user_id=user_id))


@page(pages, "/staff/reviewers/<uuid:user_id>/absences/<uuid:absence_id>/remove", post=Permission.REVIEW_POOL_EDIT)
def remove_absence(user_id: UUID, absence_id: UUID) -> ResponseReturnValue:
    return _remove_absence(user_id, absence_id, url_for(".show", user_id=user_id))


@page(pages, "/reviews/profile", get=Permission.REVIEW_WRITE, post=Permission.REVIEW_WRITE)
def own() -> ResponseReturnValue:
    """The reader's own profile."""
    return _profile(_me(), url_for(".own"))


@page(pages, "/reviews/profile/absences", post=Permission.REVIEW_WRITE)
def add_own_absence() -> ResponseReturnValue:
    return _add_absence(_me(), url_for(".own"))


@page(pages, "/reviews/profile/absences/<uuid:absence_id>/remove", post=Permission.REVIEW_WRITE)
def remove_own_absence(absence_id: UUID) -> ResponseReturnValue:
    return _remove_absence(_me(), absence_id, url_for(".own"))


def lane_names() -> dict[str, str]:
    """Code -> title of every lane, in the reader's language."""
    return {code: titles[locale()] for code, titles in pool_queries.known_lanes(session()).items()}


def _me() -> UUID:
    key = current_actor().user_id
    assert key is not None, "the permission asks for a reviewer"
    return key


def _profile(user_id: UUID, address: str) -> ResponseReturnValue:
    if request.method == "GET":
        return _show(user_id)
    typed = ProfileValues(
        request.form.get("classes", ""),
        request.form.getlist("lanes"),
        request.form.getlist("languages"),
        request.form.get("load_limit", ""),
    )
    form = ActionForm()
    try:
        pool.save_profile(
            session(), current_actor(), user_id=user_id, values=typed, expected_version=form.version.data or 0
        )
    except Problems as refused:
        return _show(user_id, typed, refused.problems), 422
    flash(_("The profile is saved."), "success")
    return redirect(address, 303)


def _add_absence(user_id: UUID, address: str) -> ResponseReturnValue:
    days = {name: request.form.get(name, "") for name in ("starts_on", "ends_on")}
    try:
        pool.add_absence(session(), current_actor(), user_id=user_id, **days)
    except Problems as refused:
        return _show(user_id, None, refused.problems, days), 422
    flash(_("The absence is noted."), "success")
    return redirect(f"{address}#absences", 303)


def _remove_absence(user_id: UUID, absence_id: UUID, address: str) -> ResponseReturnValue:
    pool.remove_absence(session(), current_actor(), user_id=user_id, absence_id=absence_id)
    flash(_("The absence is removed."), "success")
    return redirect(f"{address}#absences", 303)


def _show(
    user_id: UUID,
    typed: ProfileValues | None = None,
    problems: Sequence[Problem] = (),
    days: dict[str, str] | None = None,
) -> str:
    current, actor = session(), current_actor()
    on = today(current)
    held = pool_queries.pooled(current, user_id, on)
    profile = held.profile
    if typed is None:
        typed = ProfileValues(
            ", ".join(profile.classes) if profile else "",
            profile.lanes if profile else (),
            profile.languages if profile else ("ru",),
            str(profile.load_limit if profile else DEFAULT_LIMIT),
        )
    wrong: dict[str, list[str]] = {}
    for problem in problems:
        wrong.setdefault(problem.field, []).append(say(problem.message))
    mine = request.path.startswith("/reviews/")
    return render_template(
        "reviewer_pool/profile.html",
        held=held,
        mine=mine,
        editable=mine or allowed(actor, Permission.REVIEW_POOL_EDIT),
        typed=typed,
        days=days or {},
        problems=problems,
        wrong=wrong,
        lanes=list(lane_names().items()),
        languages=[(code, str(name)) for code, name in LANGUAGE_NAMES],
        most_load=MOST_LOAD,
        today=on,
        form=ActionForm(formdata=None, version=profile.version if profile else None),
        action_form=ActionForm(formdata=None),
    )
