"""Which language a page is in: the link just followed, then the person's choice, then the browser's wish."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from babel.support import NullTranslations
from flask import Flask, Response, g, has_request_context, request, url_for
from flask_babel import Babel
from flask_login import current_user
from markupsafe import Markup

from portal.core.language import CATALOGUES, DEFAULT_LOCALE, LOCALES, Message, catalogue, render, translated

COOKIE = "portal_language"


class _Catalogues:
    """The library's domain: the same catalogues as everything else, without its search for the locale."""

    def get_translations(self) -> NullTranslations:
        return catalogue(locale())

    def gettext(self, text: str, **values: Any) -> str:
        said = translated(text, locale())
        return said % values if values else said

    def ngettext(self, singular: str, plural: str, num: int, **values: Any) -> str:
        return str(self.get_translations().ngettext(singular, plural, num)) % {"num": num, **values}


def init_language(app: Flask) -> None:
    """Give the application Babel with the portal's catalogues, and remember a language that was asked for."""
    app.config["BABEL_TRANSLATION_DIRECTORIES"] = str(CATALOGUES)
    app.config["BABEL_DEFAULT_LOCALE"] = DEFAULT_LOCALE
    app.config["BABEL_DEFAULT_TIMEZONE"] = "Europe/Moscow"
    babel = Babel(app, locale_selector=locale)
    babel.domain_instance = _Catalogues()
    app.jinja_env.globals.update(_=_gettext, gettext=_gettext)

    @app.after_request
    def remember(response: Response) -> Response:
        asked = request.args.get("lang")
        if asked in LOCALES and asked != request.cookies.get(COOKIE):
            secure = app.config["SESSION_COOKIE_SECURE"]
            response.set_cookie(COOKIE, asked, max_age=365 * 86400, secure=secure, samesite="Lax", httponly=True)
        return response


@lru_cache(maxsize=8192)
def _said(text: str, reading: str) -> Markup:
    return Markup(translated(text, reading))


def _gettext(text: str, /, **values: Any) -> Markup:
    """A template's string, straight from the catalogue: a page asks for a hundred of them.

    As Jinja's own does, it takes the string for markup and for a format, and escapes the values.
    """
    said = _said(text, locale())
    return said % values if values or "%" in said else said


def locale() -> str:
    """'ru' or 'en' for the present request; Russian outside of one."""
    if not has_request_context():
        return DEFAULT_LOCALE
    # A page asks five hundred times: what it holds is looked up once, not through the proxy three times.
    held = g._get_current_object()
    chosen: str | None = held.get("locale")
    if chosen is None:
        chosen = held.locale = _chosen()
    return chosen


def _chosen() -> str:
    for wish in (request.args.get("lang"), request.cookies.get(COOKIE)):
        if wish in LOCALES:
            return wish
    reader = g.get("reader")
    if reader is not None and reader.actor is not None:
        # Not the person's row: after a rollback, as of every refusal, it would be read once more.
        return str(reader.actor.locale)
    if current_user and current_user.is_authenticated:
        return str(current_user.locale)
    return request.accept_languages.best_match(LOCALES) or DEFAULT_LOCALE


def language_url(wish: str) -> str:
    """The present page in another language; a page that answers only POST leads to the front page."""
    if request.method != "GET" or not request.endpoint:
        return url_for("public.home", lang=wish)
    arguments: dict[str, Any] = {**request.args.to_dict(), **(request.view_args or {}), "lang": wish}
    return url_for(request.endpoint, **arguments)


def say(message: Message | str) -> str:
    """A room's sentence in the language of the page."""
    return render(message, locale()) if isinstance(message, Message) else message
