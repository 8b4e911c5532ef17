"""Refusals as pages: what happened, what to do, and, where something was typed, all of it."""

from __future__ import annotations

from typing import Final

from flask import Flask, current_app, g, render_template, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException

from portal.core.db import session
from portal.core.errors import Conflict, NotFound, Problems, Refused
from portal.core.language import DEFAULT_LOCALE, LOCALES, N_, Message
from portal.identity.policy import ANONYMOUS
from portal.web.language import COOKIE, say
from portal.web.page import current_actor
from portal.web.problem_json import problem, speaks_json
from portal.web.resending import resendable

PAGES: Final = (400, 403, 404, 405, 409, 413, 429, 500, 503)
SECRET_FIELDS: Final = frozenset({"csrf_token", "idempotency_key", "password", "password_confirm", "new_password"})
MACHINE_FIELDS: Final = frozenset(
    {"marks", "version", "then", "save", "more", "acknowledged", "submission_id", "digest"}
)


def init_errors(app: Flask) -> None:
    """Register the handlers; each rolls back first, so that the page is drawn from committed data."""
    app.before_request(_refuse_nul)
    app.register_error_handler(NotFound, _not_found)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(Conflict, _conflict)
    app.register_error_handler(StaleDataError, _stale)
    app.register_error_handler(Problems, _problems)
    app.register_error_handler(CSRFError, _expired)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(OperationalError, _unavailable)
    app.register_error_handler(InterfaceError, _unavailable)
    app.register_error_handler(Exception, _failed)


def _refuse_nul() -> None:
    """A NUL character is in no text that anybody types, and PostgreSQL keeps none: refused at the door."""
    if "\0" in request.path or any("\0" in part for pair in request.args.items(multi=True) for part in pair):
        raise NotFound
    if request.method == "POST" and any("\0" in part for pair in request.form.items(multi=True) for part in pair):
        raise Problems.one(
            "nul", "", N_("The text has a character that cannot be kept (NUL). Type it anew instead of pasting it.")
        )


def typed() -> list[tuple[str, str]]:
    """What the person had typed, by field, without secrets; shown again on every refusal."""
    return [
        (name, value)
        for name, value in request.form.items(multi=True)
        if value and name not in SECRET_FIELDS | MACHINE_FIELDS and "password" not in name
    ]


def _kept(reason: Message, status: int, code: str) -> ResponseReturnValue:
    session().rollback()
    if speaks_json():
        return problem(status, code, reason)
    if request.method != "POST":
        return render_template(f"errors/{status}.html", reason=reason), status
    return render_template("errors/kept.html", reason=reason, typed=typed(), sign_in=False), status


def _not_found(error: Exception) -> ResponseReturnValue:
    session().rollback()
    if speaks_json():
        return problem(404, "not_found", N_("There is no such page, or it is not open to you."))
    return render_template("errors/404.html"), 404


def _refused(error: Refused) -> ResponseReturnValue:
    return _kept(error.reason, 403, "refused")


def _conflict(error: Conflict) -> ResponseReturnValue:
    return _kept(error.reason, 409, "conflict")


def _stale(error: Exception) -> ResponseReturnValue:
    reason = N_("Somebody else changed this at the same moment. Open the page again and repeat your change.")
    return _kept(reason, 409, "conflict")


def _expired(error: Exception) -> ResponseReturnValue:
    reason = N_("The form was open for too long, or you signed in anew. Open the page again and send it.")
    if speaks_json():
        return _kept(reason, 400, "expired")
    session().rollback()
    away = not current_actor().is_authenticated and request.blueprint != "security"
    return render_template(
        "errors/kept.html",
        reason=N_("You have been signed out.") if away else reason,
        typed=typed(),
        sign_in=away,
        again=resendable(),
    ), 401 if away else 400


def _problems(error: Problems) -> ResponseReturnValue:
    session().rollback()
    if speaks_json():
        found = [{"code": item.code, "field": item.field, "message": say(item.message)} for item in error.problems]
        return problem(422, "problems", error.problems[0].message if found else "", problems=found)
    return render_template("errors/kept.html", problems=error.problems, typed=typed(), sign_in=False), 422


def _http(error: HTTPException) -> ResponseReturnValue:
    if error.code is None or error.code < 400:
        return error
    session().rollback()
    if speaks_json():
        return problem(error.code, "http", error.description or "")
    page = error.code if error.code in PAGES else 400
    answer = app_answer(page)
    status_headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return answer, error.code, status_headers


def app_answer(page: int) -> str:
    """The error page of a status; what was typed stays readable on it."""
    kept = typed() if page != 413 and request.method == "POST" else []
    return render_template(f"errors/{page}.html", typed=kept)


def _without_database() -> None:
    """Let the page be drawn without asking the database who is reading."""
    g.actor = ANONYMOUS
    g.locale = request.accept_languages.best_match(LOCALES) or DEFAULT_LOCALE
    if request.cookies.get(COOKIE) in LOCALES:
        g.locale = request.cookies[COOKIE]


def _unavailable(error: Exception) -> ResponseReturnValue:
    current_app.logger.error("the database is away on %s: %s", request.path, error)
    _without_database()
    if speaks_json():
        return problem(503, "unavailable")
    return render_template("errors/503.html", typed=typed()), 503, {"Retry-After": "10"}


def _failed(error: Exception) -> ResponseReturnValue:
    current_app.logger.exception("unexpected error on %s", request.path)
    _without_database()
    if speaks_json():
        return problem(500, "failed")
    return render_template("errors/500.html", typed=typed()), 500
