"""Alarms of the envelopes with their crossings, and statements made in the background."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "budget_room"
down_revision = "commission_appeals"
branch_labels = None
depends_on = None


def _created() -> sa.Column:
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False)


def upgrade() -> None:
    op.create_table(
        "budget_alarm",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("track", sa.String(), nullable=True),
        sa.Column("year", sa.Integer(), nullable=True),
        sa.Column("share", sa.Numeric(5, 2), nullable=False),
        sa.Column("set_by", sa.Uuid(), nullable=False),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        _created(),
        sa.CheckConstraint("track in ('export', 'import_substitution')", name=op.f("ck_budget_alarm_track")),
        sa.CheckConstraint("share > 0 and share < 100", name=op.f("ck_budget_alarm_share")),
        sa.CheckConstraint("year between 2000 and 2100", name=op.f("ck_budget_alarm_year")),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_budget_alarm_programme_id")),
        sa.ForeignKeyConstraint(["set_by"], ["user_account.id"], name=op.f("fk_budget_alarm_set_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_alarm")),
    )
    op.create_index(
        "uq_budget_alarm_live",
        "budget_alarm",
        ["programme_id", sa.text("coalesce(track, '')"), sa.text("coalesce(year, 0)"), "share"],
        unique=True,
        postgresql_where=sa.text("removed_at is null"),
    )
    op.create_table(
        "alarm_crossing",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alarm_id", sa.Uuid(), nullable=False),
        sa.Column("envelope_id", sa.Uuid(), nullable=False),
        sa.Column("crossed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("available", sa.Numeric(18, 2), nullable=False),
        sa.Column("appropriated", sa.Numeric(18, 2), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["alarm_id"], ["budget_alarm.id"], name=op.f("fk_alarm_crossing_alarm_id")),
        sa.ForeignKeyConstraint(["envelope_id"], ["envelope.id"], name=op.f("fk_alarm_crossing_envelope_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm_crossing")),
    )
    op.create_index(
        "uq_alarm_crossing_open",
        "alarm_crossing",
        ["alarm_id", "envelope_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_table(
        "statement_export",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("requested_by", sa.Uuid(), nullable=False),
        sa.Column("filters", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("format", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("made_key", sa.String(), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("size", sa.Integer(), nullable=True),
        sa.Column("sha256", sa.String(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        _created(),
        sa.CheckConstraint("format in ('xlsx', 'pdf')", name=op.f("ck_statement_export_format")),
        sa.CheckConstraint("locale in ('ru', 'en')", name=op.f("ck_statement_export_locale")),
        sa.CheckConstraint(
            "(made_key is null) = (made_at is null) and (made_at is null) = (size is null)"
            " and (size is null) = (sha256 is null)",
            name=op.f("ck_statement_export_made"),
        ),
        sa.ForeignKeyConstraint(["programme_id"], ["programme.id"], name=op.f("fk_statement_export_programme_id")),
        sa.ForeignKeyConstraint(["requested_by"], ["user_account.id"], name=op.f("fk_statement_export_requested_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_export")),
    )
    op.create_index("ix_statement_export_person", "statement_export", ["requested_by", "id"])
    op.create_index("ix_statement_export_expires", "statement_export", ["expires_at"])


def downgrade() -> None:
    for table in ("statement_export", "alarm_crossing", "budget_alarm"):
        op.drop_table(table)
