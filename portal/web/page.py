"""The door of every page: permission, transaction, commit.

One order for every request: load, permit, act, commit, then effects. :func:`page` declares a route with the
permission of each of its methods; a route without one does not start (:func:`check_routes`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import UUID

from flask import Blueprint, Flask, Response, g, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user
from sqlalchemy.orm import Session

from portal.core import idempotency
from portal.core.db import read_only, session, transaction
from portal.core.errors import Problems
from portal.core.language import N_
from portal.identity.policy import ANONYMOUS, Actor, Permission, authorize
from portal.identity.queries import load_actor
from portal.web.problem_json import problem, speaks_json
from portal.web.resending import resendable
from portal.web.sessions import SAFE

View = Callable[..., ResponseReturnValue]

OPEN: Final = frozenset({Permission.PUBLIC, Permission.DEMO_MAIL})
"""Permissions for which nobody has to sign in."""
IDEMPOTENCY_FIELD: Final = "idempotency_key"


class _Abandon(Exception):
    """The view answered with an error page: its transaction is rolled back, its answer is sent."""

    def __init__(self, response: Response) -> None:
        self.response = response


def current_actor() -> Actor:
    """The actor of this request; rights are read once per request from present memberships."""
    if "actor" not in g:
        g.actor = _actor() if current_user.is_authenticated else ANONYMOUS
    actor: Actor = g.actor
    return actor


def _actor() -> Actor:
    """From what the session's own query has read; anew for a person who has just signed in."""
    reader = g.get("reader")
    if reader is not None and reader.actor is not None and reader.actor.user_id == current_user.id:
        actor: Actor = reader.actor
        return actor
    return load_actor(session(), current_user)


def unread(kind: str = "") -> int:
    """How many notices the reader of this request has not read, all or of one kind, as the session's query found."""
    reader = g.get("reader")
    if reader is None or not current_actor().is_authenticated:
        return 0
    return int(reader.unread.get(kind, 0) if kind else sum(reader.unread.values()))


def waiting() -> Mapping[str, int]:
    """How many rows wait behind a link of the navigation, by endpoint, as the session's query found; officers only."""
    reader = g.get("reader")
    return reader.waiting if reader is not None and current_actor().is_authenticated else {}


def page(
    blueprint: Blueprint,
    rule: str,
    *,
    get: Permission | None = None,
    post: Permission | None = None,
    patch: Permission | None = None,
    endpoint: str | None = None,
    writes: bool = False,
    from_letters: bool = False,
    repeatable: bool = False,
    unhashed: tuple[str, ...] = (),
) -> Callable[[View], View]:
    """Declare a page with the permission of each method.

    The permission is asked without an object first (may this actor ever?), the view asks with the object at hand.
    A POST commits when it answers below 400; a GET commits only where it ``writes`` (logged downloads). A POST
    carries an idempotency key, except where its verb is ``repeatable``: doing it twice is doing it once. A PATCH is
    a script's: it carries no form and no key, and says itself what it continues.
    ``from_letters``: mail programs send the POST, with neither idempotency key nor CSRF token (RFC 8058); such a view
    acts on nothing but the signed token in its address and changes nothing the second time. ``unhashed``: fields that
    stay out of the hash of the body, because whoever knows the form could find out by it what was chosen.
    """
    given = (("GET", get), ("POST", post), ("PATCH", patch))
    permissions = {method: held for method, held in given if held is not None}

    def register(view: View) -> View:
        @functools.wraps(view)
        def guarded(**values: Any) -> ResponseReturnValue:
            permission = permissions["GET" if request.method in SAFE else request.method]
            actor = current_actor()
            if not actor.is_authenticated and permission not in OPEN:
                return _sign_in_first()
            authorize(actor, permission)
            commits = writes or request.method not in SAFE
            keyed = not (from_letters or repeatable)
            return _run(view, values, actor, commits=commits, keyed=keyed, unhashed=unhashed)

        guarded.permissions = permissions  # type: ignore[attr-defined]
        guarded.from_letters = from_letters  # type: ignore[attr-defined]
        blueprint.add_url_rule(rule, endpoint or view.__name__, guarded, methods=list(permissions))
        return guarded

    return register


def _run(
    view: View, values: dict[str, Any], actor: Actor, *, commits: bool, keyed: bool, unhashed: tuple[str, ...]
) -> Response:
    try:
        return _done(view, values, actor, commits=commits, keyed=keyed, unhashed=unhashed)
    finally:
        _note_refusals()


def after_refusal(note: Callable[[Session], None]) -> None:
    """Have something noted although the request is refused and its transaction rolled back: in one that follows it.

    For what must leave a trail just because it failed, such as a wrong password.
    """
    g.setdefault("refusals", []).append(note)


def _note_refusals() -> None:
    notes = g.pop("refusals", ())
    if notes:
        with transaction() as current:
            for note in notes:
                note(current)


def _done(
    view: View, values: dict[str, Any], actor: Actor, *, commits: bool, keyed: bool, unhashed: tuple[str, ...]
) -> Response:
    if not commits:
        read_only(session())
        response = make_response(view(**values))
        session().rollback()
        return response
    try:
        with transaction() as current:
            key = _form_key() if keyed else None
            if key is not None:
                place = idempotency.begin(current, key, actor.audit_id, request.path, _body_hash(unhashed))
                if place is not None:
                    raise _Abandon(make_response(redirect(place or request.path)))
            response = make_response(view(**values))
            if response.status_code >= 400:
                raise _Abandon(response)
            if key is not None:
                idempotency.finish(current, key, response.location or request.path)
            return response
    except _Abandon as abandoned:
        return abandoned.response


def _form_key() -> UUID | None:
    if request.method != "POST":
        return None
    try:
        return UUID(request.form[IDEMPOTENCY_FIELD])
    except (KeyError, ValueError):
        problem = N_("The form was sent incompletely. What you typed is below: open the page again and send it anew.")
        raise Problems.one("incomplete_form", "", problem) from None


def _body_hash(unhashed: tuple[str, ...]) -> str:
    # Of a password not even the digest: what is quick to compute is quick to guess.
    left_out = ("csrf_token", *unhashed)
    fields = [
        (name, value)
        for name, value in request.form.items(multi=True)
        if name not in left_out and "password" not in name
    ]
    files = [(name, f"{file.filename}:{file.content_length}") for name, file in request.files.items(multi=True)]
    return idempotency.body_hash(fields + files)


def _sign_in_first() -> ResponseReturnValue:
    if speaks_json():
        return problem(401, "signed_out", N_("You have been signed out."))
    if request.method in SAFE:
        return redirect(url_for("security.login", next=request.full_path.rstrip("?")))
    away = N_("You have been signed out.")
    return render_template("errors/kept.html", reason=away, sign_in=True, again=resendable()), 401


def views_of_letters(app: Flask) -> list[Any]:
    """The views that take a POST from a mail program, without the token of a form of ours."""
    return [view for view in app.view_functions.values() if getattr(view, "from_letters", False)]


def check_routes(app: Flask, declared: dict[str, dict[str, Permission]]) -> None:
    """Refuse to start with a route that declares no permission for one of its methods.

    ``declared`` covers the endpoints of libraries: endpoint -> method -> permission.
    """
    for rule in app.url_map.iter_rules():
        permissions = declared.get(rule.endpoint) or getattr(app.view_functions[rule.endpoint], "permissions", {})
        undeclared = (rule.methods or set()) - {"HEAD", "OPTIONS"} - set(permissions)
        if undeclared:
            raise RuntimeError(f"{rule.endpoint} ({rule.rule}) declares no permission for {sorted(undeclared)}")


def page_permissions(app: Flask, declared: dict[str, dict[str, Permission]]) -> dict[str, dict[str, Permission]]:
    """Endpoint -> method -> permission, for the table of the tests."""
    return {
        endpoint: dict(declared.get(endpoint) or getattr(view, "permissions", {}))
        for endpoint, view in app.view_functions.items()
    }
