"""The database's schema, by Flask-Migrate. Only who changes it reads this: Alembic is a tenth of a cold start."""

from __future__ import annotations

import flask_migrate
from click import Group
from flask import Flask, current_app

from config import ROOT
from portal.core.db import db


def upgrade() -> None:
    """Migrate the application's database to the newest revision."""
    commands(current_app)
    flask_migrate.upgrade()


def downgrade(revision: str) -> None:
    """Take migrations back to ``revision``; ``base``: all of them."""
    commands(current_app)
    flask_migrate.downgrade(revision=revision)


def commands(app: Flask) -> Group:
    """The commands of ``flask db``, which the library adds to those of the application."""
    flask_migrate.Migrate(app, db, directory=str(ROOT / "migrations"))
    found = app.cli.commands["db"]
    assert isinstance(found, Group)
    return found
