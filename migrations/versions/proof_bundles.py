"""Results bundles, signed heads of the audit trail, and salts that let its rows be shown in part."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "proof_bundles"
down_revision = "assignment_accepted"
branch_labels = None
depends_on = None

APPEND_ONLY = ("audit_head", "results_bundle")


def upgrade() -> None:
    op.add_column("audit_event", sa.Column("salt", sa.String(), nullable=True))
    op.create_table(
        "audit_head",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_audit_head_seq")),
        sa.CheckConstraint(
            "hash ~ '^[0-9a-f]{64}$' and public_key ~ '^[0-9a-f]{64}$'", name=op.f("ck_audit_head_digests")
        ),
        sa.CheckConstraint("signature ~ '^[0-9a-f]{128}$'", name=op.f("ck_audit_head_signature")),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_audit_head")),
    )
    op.create_table(
        "results_bundle",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_id", sa.Uuid(), nullable=False),
        sa.Column("decisions", sa.String(), nullable=False),
        sa.Column("head", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("decisions ~ '^[0-9a-f]{64}$'", name=op.f("ck_results_bundle_decisions")),
        sa.CheckConstraint("head >= 1", name=op.f("ck_results_bundle_head")),
        sa.ForeignKeyConstraint(["file_id"], ["stored_file.id"], name=op.f("fk_results_bundle_file_id")),
        sa.ForeignKeyConstraint(["tender_id"], ["tender.id"], name=op.f("fk_results_bundle_tender_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_results_bundle")),
        sa.UniqueConstraint("tender_id", "decisions", name=op.f("uq_results_bundle_tender_id_decisions")),
    )
    for table in APPEND_ONLY:
        op.execute(
            f"create trigger append_only before update or delete on {table}"
            " for each row execute function refuse_change()"
        )
        op.execute(
            f"create trigger never_truncated before truncate on {table}"
            " for each statement execute function refuse_change()"
        )


def downgrade() -> None:
    for table in reversed(APPEND_ONLY):
        op.drop_table(table)
    op.drop_column("audit_event", "salt")
