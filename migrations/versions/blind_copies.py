"""Reviewers of a blind tender get copies of the files, without what their properties tell."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "blind_copies"
down_revision = "scoring_texts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "blind_copy",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("copy_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("fault", sa.String(), nullable=False),
        sa.Column("places", postgresql.JSONB(), nullable=False),
        sa.Column("allowed_by", sa.Uuid(), nullable=True),
        sa.Column("allowed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        *(
            sa.CheckConstraint(rule, name=op.f(f"ck_blind_copy_{name}"))
            for name, rule in (
                ("state", "state in ('ready', 'held', 'failed')"),
                ("copy", "(state = 'failed') = (copy_id is null)"),
                ("fault", "(state = 'failed') = (fault <> '')"),
                ("places", "(state = 'held') = (jsonb_array_length(places) > 0)"),
                ("allowed", "(allowed_at is null) = (allowed_by is null)"),
                ("allowed_of_held", "allowed_at is null or state = 'held'"),
            )
        ),
        *(
            sa.ForeignKeyConstraint([name], [f"{table}.id"], name=f"fk_blind_copy_{name}")
            for name, table in (
                ("submission_id", "submission"),
                ("application_id", "application"),
                ("file_id", "stored_file"),
                ("copy_id", "stored_file"),
                ("allowed_by", "user_account"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name="pk_blind_copy"),
        sa.UniqueConstraint("submission_id", "file_id", name="uq_blind_copy_submission_id_file_id"),
    )
    op.create_index("ix_blind_copy_application", "blind_copy", ["application_id"])


def downgrade() -> None:
    op.drop_table("blind_copy")
