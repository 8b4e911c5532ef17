"""Organisations that are asked into a project before they belong to its cluster."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "clusters_prospects"
down_revision = "tables_owner_shares"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "prospect",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("inn", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("invited_by", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("reason", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("(state = 'stopped') = (reason is not null)", name=op.f("ck_prospect_stopped_with_reason")),
        sa.CheckConstraint("(state = 'waiting') = (ended_at is null)", name=op.f("ck_prospect_ended")),
        sa.CheckConstraint("inn ~ '^([0-9]{10}|[0-9]{12})$'", name=op.f("ck_prospect_inn")),
        sa.CheckConstraint("state in ('waiting', 'invited', 'withdrawn', 'stopped')", name=op.f("ck_prospect_state")),
        sa.ForeignKeyConstraint(["application_id"], ["application.id"], name=op.f("fk_prospect_application_id")),
        sa.ForeignKeyConstraint(["invited_by"], ["user_account.id"], name=op.f("fk_prospect_invited_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_prospect")),
    )
    op.create_index("ix_prospect_email", "prospect", [sa.literal_column("lower(email)")], unique=False)
    op.create_index("ix_prospect_inn", "prospect", ["inn", "state"], unique=False)
    op.create_index(
        "uq_prospect_waiting",
        "prospect",
        ["application_id", "inn"],
        unique=True,
        postgresql_where=sa.text("state = 'waiting'"),
    )


def downgrade() -> None:
    op.drop_index("uq_prospect_waiting", table_name="prospect", postgresql_where=sa.text("state = 'waiting'"))
    op.drop_index("ix_prospect_inn", table_name="prospect")
    op.drop_index("ix_prospect_email", table_name="prospect")
    op.drop_table("prospect")
