"""Questions of reviewers to the applicant, through the officer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "desk_inquiries"
down_revision = "commission_counts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "review_inquiry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("assignment_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("passed_text", sa.String(), nullable=True),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("answer", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("state in ('asked', 'passed', 'declined', 'answered')", name=op.f("ck_review_inquiry_state")),
        sa.CheckConstraint("length(text) > 0", name=op.f("ck_review_inquiry_text")),
        sa.CheckConstraint(
            "(state = 'asked') = (decided_at is null) and (decided_at is null) = (decided_by is null)",
            name=op.f("ck_review_inquiry_decided"),
        ),
        sa.CheckConstraint(
            "(state in ('passed', 'answered')) = (message_id is not null)"
            " and (message_id is null) = (passed_text is null)",
            name=op.f("ck_review_inquiry_passed"),
        ),
        sa.CheckConstraint(
            "(state in ('declined', 'answered')) = (answer is not null)"
            " and (state = 'answered') = (answered_at is not null)",
            name=op.f("ck_review_inquiry_answered"),
        ),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name=op.f("fk_review_inquiry_submission_id")),
        sa.ForeignKeyConstraint(["application_id"], ["application.id"], name=op.f("fk_review_inquiry_application_id")),
        sa.ForeignKeyConstraint(["assignment_id"], ["assignment.id"], name=op.f("fk_review_inquiry_assignment_id")),
        sa.ForeignKeyConstraint(["message_id"], ["application_message.id"], name=op.f("fk_review_inquiry_message_id")),
        sa.ForeignKeyConstraint(["decided_by"], ["user_account.id"], name=op.f("fk_review_inquiry_decided_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_inquiry")),
    )
    op.create_index("ix_review_inquiry_submission", "review_inquiry", ["submission_id", "id"])
    op.create_index(op.f("ix_review_inquiry_assignment_id"), "review_inquiry", ["assignment_id"])
    op.create_index(op.f("ix_review_inquiry_application_id"), "review_inquiry", ["application_id"])


def downgrade() -> None:
    op.drop_table("review_inquiry")
