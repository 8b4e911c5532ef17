"""The board of needs and offers, and who asked for contact."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "clusters_board"
down_revision = "clusters_profile"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "board_post",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("cluster_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("okpd2", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=False),
        sa.Column("volume", sa.String(), nullable=False),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("removed_reason", sa.String(), nullable=True),
        sa.Column("posted_by", sa.Uuid(), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint(
            "(state = 'removed') = (removed_reason is not null)", name=op.f("ck_board_post_removed_with_reason")
        ),
        sa.CheckConstraint(
            "kind in ('supply', 'component', 'logistics', 'warehouse', 'market', 'retraining')",
            name=op.f("ck_board_post_kind"),
        ),
        sa.CheckConstraint("side in ('need', 'offer')", name=op.f("ck_board_post_side")),
        sa.CheckConstraint("state in ('open', 'closed', 'removed')", name=op.f("ck_board_post_state")),
        sa.CheckConstraint("visibility in ('cluster', 'members', 'public')", name=op.f("ck_board_post_visibility")),
        sa.ForeignKeyConstraint(["cluster_id"], ["cluster.id"], name=op.f("fk_board_post_cluster_id")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_board_post_organisation_id")),
        sa.ForeignKeyConstraint(["posted_by"], ["user_account.id"], name=op.f("fk_board_post_posted_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_post")),
    )
    op.create_index("ix_board_post_cluster", "board_post", ["cluster_id", "id"], unique=False)
    op.create_index("ix_board_post_open", "board_post", ["state", "id"], unique=False)
    op.create_index("ix_board_post_organisation", "board_post", ["organisation_id", "id"], unique=False)
    op.create_table(
        "board_contact",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.ForeignKeyConstraint(["asked_by"], ["user_account.id"], name=op.f("fk_board_contact_asked_by")),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisation.id"], name=op.f("fk_board_contact_organisation_id")
        ),
        sa.ForeignKeyConstraint(["post_id"], ["board_post.id"], name=op.f("fk_board_contact_post_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_board_contact")),
        sa.UniqueConstraint("post_id", "organisation_id", name=op.f("uq_board_contact_post_id_organisation_id")),
    )
    op.create_index("ix_board_contact_organisation", "board_contact", ["organisation_id", "created_at"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_board_contact_organisation", table_name="board_contact")
    op.drop_table("board_contact")
    op.drop_index("ix_board_post_organisation", table_name="board_post")
    op.drop_index("ix_board_post_open", table_name="board_post")
    op.drop_index("ix_board_post_cluster", table_name="board_post")
    op.drop_table("board_post")
