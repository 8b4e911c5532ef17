"""Projects that are alike: traces, pairs with an officer's verdict; an organisation says the same in a tender once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "questions_similar"
down_revision = "clusters_board"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("application", sa.Column("content_sha256", sa.String(), nullable=True))
    op.create_index(
        "uq_application_content", "application", ["tender_id", "initiator_id", "content_sha256"], unique=True
    )
    texts = postgresql.ARRAY(sa.Text())
    op.create_table(
        "project_trace",
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("submission_id", sa.Uuid(), nullable=False),
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        *(sa.Column(name, texts, nullable=False) for name in ("inns", "codes", "lines", "files")),
        sa.Column("bands", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("content", postgresql.JSONB(), nullable=False),
        sa.Column("compared", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["application_id"], ["application.id"], name="fk_project_trace_application_id"),
        sa.ForeignKeyConstraint(["submission_id"], ["submission.id"], name="fk_project_trace_submission_id"),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name="fk_project_trace_tender_id"),
        sa.PrimaryKeyConstraint("application_id", name="pk_project_trace"),
        sa.UniqueConstraint("submission_id", name="uq_project_trace_submission_id"),
    )
    op.create_index("ix_project_trace_tender", "project_trace", ["tender_id"])
    op.create_index(
        "ix_project_trace_tokens",
        "project_trace",
        ["inns", "codes", "lines", "files", "bands"],
        postgresql_using="gin",
    )
    op.create_table(
        "similar_pair",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        *(
            sa.Column(name, sa.Uuid(), nullable=False)
            for name in ("first_id", "second_id", "first_submission_id", "second_submission_id")
        ),
        sa.Column("score", sa.Numeric(4, 3), nullable=False),
        sa.Column("reasons", postgresql.JSONB(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("first_id < second_id", name=op.f("ck_similar_pair_order")),
        sa.CheckConstraint("score between 0 and 1", name=op.f("ck_similar_pair_score")),
        sa.CheckConstraint(
            "verdict is null or verdict in ('no_concern', 'same_project', 'double_funding')",
            name=op.f("ck_similar_pair_verdict"),
        ),
        sa.CheckConstraint(
            "(verdict is null) = (decided_at is null) and (verdict is null) = (decided_by is null)",
            name=op.f("ck_similar_pair_decided"),
        ),
        sa.CheckConstraint(
            "verdict is null or verdict = 'no_concern' or length(note) > 0", name=op.f("ck_similar_pair_note")
        ),
        *(
            sa.ForeignKeyConstraint([name], [f"{table}.id"], name=f"fk_similar_pair_{name}")
            for name, table in (
                ("first_id", "application"),
                ("second_id", "application"),
                ("first_submission_id", "submission"),
                ("second_submission_id", "submission"),
                ("decided_by", "user_account"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name="pk_similar_pair"),
        sa.UniqueConstraint("first_id", "second_id", name="uq_similar_pair_first_id_second_id"),
    )
    op.create_index("ix_similar_pair_second", "similar_pair", ["second_id"])
    op.create_index("ix_similar_pair_list", "similar_pair", ["score", "id"])
    op.create_index(
        "ix_similar_pair_open", "similar_pair", ["score", "id"], postgresql_where=sa.text("verdict is null")
    )


def downgrade() -> None:
    op.drop_table("similar_pair")
    op.drop_table("project_trace")
    op.drop_index("uq_application_content", table_name="application")
    op.drop_column("application", "content_sha256")
