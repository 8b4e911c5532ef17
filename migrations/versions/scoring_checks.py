"""Runs computed again and compared; dry runs of edited rules."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "scoring_checks"
down_revision = "conflicts_graph"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB(astext_type=sa.Text())
NOW = sa.text("portal_now()")


def upgrade() -> None:
    op.create_table(
        "run_check",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("last_number", sa.String(), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=True),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("libraries", JSON, nullable=False),
        sa.Column("first", JSON, nullable=True),
        sa.Column("differing", JSON, nullable=False),
        sa.Column("reviews_since", sa.Integer(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("output_digest", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("done between 0 and total", name=op.f("ck_run_check_progress")),
        sa.CheckConstraint("(ended_at is null) = (output_digest is null)", name=op.f("ck_run_check_ended")),
        sa.ForeignKeyConstraint(["run_id"], ["score_run.id"], name=op.f("fk_run_check_run_id")),
        sa.ForeignKeyConstraint(["started_by"], ["user_account.id"], name=op.f("fk_run_check_started_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_check")),
    )
    op.create_index("ix_run_check_run", "run_check", ["run_id", "id"])
    op.create_index(
        "uq_run_check_unfinished", "run_check", ["run_id"], unique=True, postgresql_where=sa.text("ended_at is null")
    )
    op.create_table(
        "dry_run",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("rule_set_id", sa.Uuid(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("rules_digest", sa.String(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("last_number", sa.String(), nullable=False),
        sa.Column("started_by", sa.Uuid(), nullable=True),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.CheckConstraint("done between 0 and total", name=op.f("ck_dry_run_progress")),
        sa.ForeignKeyConstraint(["rule_set_id"], ["rule_set.id"], name=op.f("fk_dry_run_rule_set_id")),
        sa.ForeignKeyConstraint(["run_id"], ["score_run.id"], name=op.f("fk_dry_run_run_id")),
        sa.ForeignKeyConstraint(["started_by"], ["user_account.id"], name=op.f("fk_dry_run_started_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dry_run")),
    )
    op.create_index("ix_dry_run_rule_set", "dry_run", ["rule_set_id", "id"])
    op.create_table(
        "dry_run_line",
        sa.Column("dry_run_id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("total_before", sa.Numeric(7, 4), nullable=True),
        sa.Column("total_after", sa.Numeric(7, 4), nullable=True),
        sa.Column("objective_before", sa.Numeric(7, 4), nullable=False),
        sa.Column("objective_after", sa.Numeric(7, 4), nullable=False),
        sa.Column("recommended_before", sa.Boolean(), nullable=True),
        sa.Column("recommended_after", sa.Boolean(), nullable=True),
        sa.Column("place_before", sa.Integer(), nullable=True),
        sa.Column("place_after", sa.Integer(), nullable=True),
        sa.Column("changes", JSON, nullable=False),
        sa.ForeignKeyConstraint(
            ["dry_run_id"], ["dry_run.id"], name=op.f("fk_dry_run_line_dry_run_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_dry_run_line_submission_id")),
        sa.PrimaryKeyConstraint("dry_run_id", "submission_id", name=op.f("pk_dry_run_line")),
    )
    op.create_index("ix_dry_run_line_place", "dry_run_line", ["dry_run_id", "place_after"])


def downgrade() -> None:
    for table in ("dry_run_line", "dry_run", "run_check"):
        op.drop_table(table)
