"""Scores keep codes and the reviews used; measurements are kept; each run has a manifest."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "scoring_runs"
down_revision = "assignment_lanes"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    op.add_column("score_run", sa.Column("code", sa.String(), nullable=True))
    op.add_column("score", sa.Column("reviews", JSON, nullable=False, server_default="[]"))
    op.add_column("score", sa.Column("inputs", sa.String(), nullable=True))
    op.create_table(
        "measurement",
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("rules_digest", sa.String(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("figures", JSON, nullable=False),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_measurement_submission_id")),
        sa.PrimaryKeyConstraint("submission_id", "rules_digest", "code", name=op.f("pk_measurement")),
    )
    op.create_table(
        "score_manifest",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("content", JSON, nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_score_manifest_digest")),
        sa.ForeignKeyConstraint(["run_id"], ["score_run.id"], name=op.f("fk_score_manifest_run_id")),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_score_manifest")),
    )
    op.execute(
        "create trigger append_only before update or delete on score_manifest"
        " for each row execute function refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("score_manifest")
    op.drop_table("measurement")
    op.drop_column("score", "inputs")
    op.drop_column("score", "reviews")
    op.drop_column("score_run", "code")
