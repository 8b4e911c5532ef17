"""Tables of the treasury are read and booked in the background."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "treasury_work"
down_revision = "budget_room"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "treasury_work",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=True),
        sa.Column("statement_id", sa.Uuid(), nullable=True),
        sa.Column("started_by", sa.Uuid(), nullable=False),
        sa.Column("progress_done", sa.Integer(), nullable=False),
        sa.Column("progress_total", sa.Integer(), nullable=False),
        sa.Column("report", postgresql.JSONB(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind in ('read', 'book')", name=op.f("ck_treasury_work_kind")),
        sa.CheckConstraint(
            "state in ('waiting', 'running', 'done', 'failed')", name=op.f("ck_treasury_work_state")
        ),
        sa.CheckConstraint("progress_done between 0 and progress_total", name=op.f("ck_treasury_work_progress")),
        sa.CheckConstraint("(kind = 'read') = (file_id is not null)", name=op.f("ck_treasury_work_file")),
        sa.CheckConstraint(
            "statement_id is not null or (kind = 'read' and state <> 'done')",
            name=op.f("ck_treasury_work_statement"),
        ),
        sa.CheckConstraint(
            "(ended_at is not null) = (state in ('done', 'failed'))", name=op.f("ck_treasury_work_ended")
        ),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_treasury_work_{column}"))
            for column, table in (
                ("file_id", "stored_file"),
                ("statement_id", "treasury_statement"),
                ("started_by", "user_account"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treasury_work")),
    )
    op.create_index(
        "uq_treasury_work_booking",
        "treasury_work",
        ["statement_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'book' and ended_at is null"),
    )
    op.create_index(
        "ix_treasury_work_waiting",
        "treasury_work",
        ["id"],
        postgresql_where=sa.text("kind = 'read' and state <> 'done'"),
    )


def downgrade() -> None:
    op.drop_table("treasury_work")
