"""Notices in the portal, what each person wants to get, and when the daily digest comes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "following_notices"
down_revision = "questions_attachment_codes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("subject", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("paragraphs", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("path", sa.String(), nullable=True),
        sa.Column("about_type", sa.String(), nullable=True),
        sa.Column("about_id", sa.Uuid(), nullable=True),
        sa.Column("in_portal", sa.Boolean(), nullable=False),
        sa.Column("for_digest", sa.Boolean(), nullable=False),
        sa.Column("digest_id", sa.Uuid(), nullable=True),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("in_portal or for_digest", name=op.f("ck_notice_somewhere")),
        sa.CheckConstraint("for_digest or digest_id is null", name=op.f("ck_notice_digest")),
        sa.CheckConstraint(r"path ~ '^/([^/\\]|$)'", name=op.f("ck_notice_path")),
        sa.ForeignKeyConstraint(["digest_id"], ["letter.id"], name=op.f("fk_notice_digest_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_notice_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("key", name=op.f("uq_notice_key")),
    )
    op.create_index("ix_notice_inbox", "notice", ["user_id", "id"], postgresql_where=sa.text("in_portal"))
    op.create_index(
        "ix_notice_unread", "notice", ["user_id", "kind"], postgresql_where=sa.text("in_portal and read_at is null")
    )
    op.create_index(
        "ix_notice_digest", "notice", ["user_id", "id"], postgresql_where=sa.text("for_digest and digest_id is null")
    )
    op.create_index("ix_notice_about", "notice", ["about_type", "about_id"])
    op.create_table(
        "notice_preference",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("portal", sa.Boolean(), nullable=False),
        sa.Column("mail", sa.String(), nullable=False),
        sa.CheckConstraint("mail in ('now', 'digest', 'none')", name=op.f("ck_notice_preference_mail")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_notice_preference_user_id")),
        sa.PrimaryKeyConstraint("user_id", "kind", name=op.f("pk_notice_preference")),
    )
    op.create_table(
        "digest_time",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=True),
        sa.CheckConstraint("hour between 0 and 23", name=op.f("ck_digest_time_hour")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_digest_time_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_digest_time")),
    )


def downgrade() -> None:
    op.drop_table("digest_time")
    op.drop_table("notice_preference")
    op.drop_table("notice")
