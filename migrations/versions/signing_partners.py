"""Invitations that end, roles for one application, and the offer of the lead."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "signing_partners"
down_revision = "questions_similar"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("participant", sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("participant", sa.Column("resent", sa.Integer(), server_default="0", nullable=False))
    op.add_column("participant", sa.Column("decline_reason", sa.String(), nullable=True))
    op.add_column("participant", sa.Column("lead_offered_at", sa.DateTime(timezone=True), nullable=True))
    op.execute("update participant set expires_at = portal_now() + interval '14 days' where state = 'invited'")
    op.alter_column("participant", "resent", server_default=None)
    op.create_check_constraint(
        op.f("ck_participant_invited_until"), "participant", "state != 'invited' or expires_at is not null"
    )
    op.create_check_constraint(
        op.f("ck_participant_lead_offered"),
        "participant",
        "lead_offered_at is null or (state = 'accepted' and role = 'participant')",
    )
    op.create_check_constraint(op.f("ck_participant_resent"), "participant", "resent between 0 and 3")
    op.create_table(
        "part_grant",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("granted_by", sa.Uuid(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("role in ('lead', 'editor', 'viewer', 'signatory')", name=op.f("ck_part_grant_role")),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_part_grant_participant_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_part_grant_user_id")),
        sa.ForeignKeyConstraint(["granted_by"], ["user_account.id"], name=op.f("fk_part_grant_granted_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_part_grant")),
        sa.UniqueConstraint("participant_id", "user_id", name=op.f("uq_part_grant_participant_id_user_id")),
    )
    op.create_index("ix_part_grant_user", "part_grant", ["user_id"])


def downgrade() -> None:
    op.drop_table("part_grant")
    for name in ("resent", "lead_offered", "invited_until"):
        op.drop_constraint(op.f(f"ck_participant_{name}"), "participant")
    for column in ("lead_offered_at", "decline_reason", "resent", "expires_at"):
        op.drop_column("participant", column)
