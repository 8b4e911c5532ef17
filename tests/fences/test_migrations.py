"""Migrations make exactly the schema of the models, from nothing and back."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect

from portal.core.db import Base, db


def test_models_and_migrations_agree(fresh_app: Flask) -> None:
    with fresh_app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_run_back_to_nothing_and_again(fresh_app: Flask) -> None:
    with fresh_app.app_context():
        downgrade(revision="base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
        upgrade()
        assert "posting_line" in inspect(db.engine).get_table_names()


def test_every_table_has_a_primary_key() -> None:
    without = [table.name for table in Base.metadata.tables.values() if not table.primary_key.columns]
    assert without == []
