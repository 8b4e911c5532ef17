"""The application factory: the one place where the rooms, the pages and the libraries meet."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from flask import Flask
from flask_wtf.csrf import CSRFProtect
from jinja2 import StrictUndefined
from redis import Redis
from werkzeug.middleware.proxy_fix import ProxyFix

from config import ROOT, Config
from portal.cli import register_commands
from portal.core import jobs, signing
from portal.core.db import db
from portal.documents import service as documents
from portal.documents.signatures import cms
from portal.notifications import jobs as notifications
from portal.notifications import letters, tokens
from portal.web import register_pages
from portal.web.errors import init_errors
from portal.web.headers import init_headers
from portal.web.language import init_language
from portal.web.limits import init_limits
from portal.web.page import check_routes, views_of_letters
from portal.web.routes import init_routes
from portal.web.security import LIBRARY_ROUTES, init_security
from portal.web.sessions import DatabaseSessions
from portal.web.static_files import init_static_files
from portal.web.templating import init_templating

HANDLERS: Final = (
    "portal.applications.papers.exports",
    "portal.applications.jobs",
    "portal.applications.papers.refused_files",
    "portal.applications.following.reminders",
    "portal.audit.heads",
    "portal.agreements.jobs",
    "portal.agreements.reminders",
    "portal.awards.proof.bundles",
    "portal.awards.jobs",
    "portal.awards.offers.reminders",
    "portal.budget.alarms",
    "portal.budget.reminders",
    "portal.budget.statement_files",
    "portal.clusters.jobs",
    "portal.documents.jobs",
    "portal.identity.jobs",
    "portal.identity.reminders",
    "portal.notifications.jobs",
    "portal.notifications.reminders",
    "portal.review.jobs",
    "portal.review.reminders",
    "portal.scoring.jobs",
    "portal.web.export_jobs",
)
"""The modules that register kinds of background work, or sources of reminders."""
MAX_UPLOAD = 25 * 1024 * 1024


def create_app(config: Config | None = None) -> Flask:
    """Build the application. Raises when configuration, routes or permissions are incomplete."""
    config = config or Config.from_env()
    _register_handlers()
    app = Flask(
        "portal",
        root_path=str(Path(__file__).resolve().parent),
        template_folder=str(ROOT / "templates"),
        static_folder=str(Path(__file__).resolve().parent / "static"),
    )
    init_routes(app)
    app.config.update(_settings(config))
    app.extensions["portal"] = config
    app.jinja_env.undefined = StrictUndefined
    app.session_interface = DatabaseSessions()
    if config.proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, config.proxies, config.proxies, config.proxies, config.proxies)  # type: ignore[method-assign]
    db.init_app(app)
    configure_rooms(config)
    csrf = CSRFProtect(app)
    init_static_files(app)
    init_language(app)
    init_templating(app)
    init_security(app)
    app.extensions["portal_demo_sign_ins"] = _demo_sign_ins() if config.demo else []
    register_pages(app)
    for view in views_of_letters(app):
        csrf.exempt(view)
    init_limits(app, config.redis_url)
    init_errors(app)
    init_headers(app)
    register_commands(app)
    check_routes(app, LIBRARY_ROUTES)
    return app


def configure_rooms(config: Config) -> None:
    """Tell the rooms what they need to know of the machine: addresses, keys, folders."""
    notifications.configure(config.mail_url, config.mail_from)
    letters.configure(config.public_url)
    tokens.configure(config.secret_key)
    signing.configure(config.signing_key)
    documents.configure(config.files_url, config.clamd_url)
    cms.configure(config.signing_roots)
    jobs.connect(Redis.from_url(config.redis_url, socket_timeout=2, socket_connect_timeout=1))


def _register_handlers() -> None:
    """Import every room's jobs: each process writes tasks of their kinds, the workers do them."""
    for name in HANDLERS:
        import_module(name)


def _demo_sign_ins() -> list[dict[str, str]]:
    """``{email, label_ru, label_en, password}`` of each role, shown on the sign-in page of the demo mode."""
    if find_spec("portal.demo.sign_ins") is None:
        return []
    found: list[dict[str, str]] = import_module("portal.demo.sign_ins").SIGN_INS
    return found


def _settings(config: Config) -> dict[str, Any]:
    return {
        "SECRET_KEY": config.secret_key,
        "SQLALCHEMY_DATABASE_URI": config.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "pool_size": 8,
            "max_overflow": 4,
            "pool_timeout": 5,
            "connect_args": {
                "application_name": "portal",
                "options": "-c statement_timeout=15000 -c lock_timeout=5000 -c timezone=UTC",
            },
        },
        "MAX_CONTENT_LENGTH": MAX_UPLOAD,
        "MAX_FORM_MEMORY_SIZE": 2 * 1024 * 1024,
        "MAX_FORM_PARTS": 3000,
        "WTF_CSRF_TIME_LIMIT": None,
        "SESSION_COOKIE_NAME": "portal_session",
        "SESSION_COOKIE_SECURE": config.secure_cookies,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "TEMPLATES_AUTO_RELOAD": False,
    }
