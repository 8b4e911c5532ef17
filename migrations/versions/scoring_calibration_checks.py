"""Calibrations are computed again and compared."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "scoring_calibration_checks"
down_revision = "blind_copies"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calibration_check",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.Column("calibration_id", sa.Uuid(), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=True),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("libraries", postgresql.JSONB(), nullable=False),
        sa.Column("first", postgresql.JSONB(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("output_digest", sa.String(), nullable=True),
        sa.CheckConstraint("(ended_at is null) = (output_digest is null)", name=op.f("ck_calibration_check_ended")),
        sa.CheckConstraint("first is null or ended_at is not null", name=op.f("ck_calibration_check_first")),
        sa.ForeignKeyConstraint(
            ["calibration_id"], ["review_calibration.id"], name=op.f("fk_calibration_check_calibration_id")
        ),
        sa.ForeignKeyConstraint(["started_by"], ["user_account.id"], name=op.f("fk_calibration_check_started_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calibration_check")),
    )
    op.create_index("ix_calibration_check_calibration", "calibration_check", ["calibration_id", "id"])
    op.create_index(
        "uq_calibration_check_unfinished",
        "calibration_check",
        ["calibration_id"],
        unique=True,
        postgresql_where=sa.text("ended_at is null"),
    )


def downgrade() -> None:
    op.drop_table("calibration_check")
