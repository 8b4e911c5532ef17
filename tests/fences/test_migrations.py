"""Migrations make exactly the schema of the models, from nothing and back."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import inspect

from config import ROOT
from portal.core.db import Base, db
from portal.schema import downgrade, upgrade


def test_models_and_migrations_agree(fresh_app: Flask) -> None:
    with fresh_app.app_context(), db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_migrations_run_back_to_nothing_and_again(fresh_app: Flask) -> None:
    with fresh_app.app_context():
        downgrade("base")
        assert inspect(db.engine).get_table_names() == ["alembic_version"]
        upgrade()
        assert "posting_line" in inspect(db.engine).get_table_names()


def test_an_operator_reads_the_history(fresh_app: Flask) -> None:
    for command in ("history", "current"):
        result = fresh_app.test_cli_runner().invoke(args=["db", command])
        assert result.exception is None
    assert len(ScriptDirectory(str(ROOT / "migrations")).get_heads()) == 1


def test_every_table_has_a_primary_key() -> None:
    without = [table.name for table in Base.metadata.tables.values() if not table.primary_key.columns]
    assert without == []
