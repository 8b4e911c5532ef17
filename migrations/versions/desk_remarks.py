"""The discussion of an application by its reviewers and the officer."""

import sqlalchemy as sa
from alembic import op

revision = "desk_remarks"
down_revision = "desk_reviews"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review_remark",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("length(text) > 0", name=op.f("ck_review_remark_text")),
        sa.ForeignKeyConstraint(["author_id"], ["user_account.id"], name=op.f("fk_review_remark_author_id")),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_review_remark_submission_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_remark")),
    )
    op.create_index("ix_review_remark_submission", "review_remark", ["submission_id", "id"])
    for event, each in (("update or delete", "row"), ("truncate", "statement")):
        name = "append_only" if each == "row" else "never_truncated"
        op.execute(
            f"create trigger {name} before {event} on review_remark for each {each} execute function refuse_change()"
        )


def downgrade() -> None:
    op.drop_table("review_remark")
