"""Signatures as rows, append-only; the confirmations of before become rows of them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "signing_signatures"
down_revision = "editing_presence"
branch_labels = None
depends_on = None

TABLES = ("signature", "signature_void")


def upgrade() -> None:
    op.create_table(
        "signature",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("participant_id", sa.Uuid(), nullable=True),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("scope", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("manifest", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("proof", sa.String(), nullable=False),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("signed_by", sa.Uuid(), nullable=False),
        sa.Column("file", sa.LargeBinary(), nullable=True),
        sa.Column("file_sha256", sa.String(), nullable=True),
        sa.Column("cms", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.CheckConstraint("proof in ('password', 'totp', 'confirmation')", name=op.f("ck_signature_proof")),
        sa.CheckConstraint("length(digest) = 64", name=op.f("ck_signature_digest")),
        sa.CheckConstraint(
            "(file is null) = (cms is null) and (file is null) = (file_sha256 is null)", name=op.f("ck_signature_cms")
        ),
        sa.CheckConstraint("length(file) <= 131072", name=op.f("ck_signature_file_size")),
        sa.ForeignKeyConstraint(["application_id"], ["application.id"], name=op.f("fk_signature_application_id")),
        sa.ForeignKeyConstraint(["participant_id"], ["participant.id"], name=op.f("fk_signature_participant_id")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_signature_organisation_id")),
        sa.ForeignKeyConstraint(["signed_by"], ["user_account.id"], name=op.f("fk_signature_signed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signature")),
    )
    op.create_index("ix_signature_application", "signature", ["application_id", "participant_id", "id"])
    op.create_index("ix_signature_organisation", "signature", ["organisation_id"])
    op.create_table(
        "signature_void",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("signature_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("voided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("voided_by", sa.Uuid(), nullable=True),
        sa.Column("author", sa.String(), nullable=False),
        sa.Column("changes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint("reason in ('changed', 'left', 'replaced')", name=op.f("ck_signature_void_reason")),
        sa.ForeignKeyConstraint(["signature_id"], ["signature.id"], name=op.f("fk_signature_void_signature_id")),
        sa.ForeignKeyConstraint(["voided_by"], ["user_account.id"], name=op.f("fk_signature_void_voided_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signature_void")),
        sa.UniqueConstraint("signature_id", name=op.f("uq_signature_void_signature_id")),
    )
    op.execute(
        """
        insert into signature (id, application_id, participant_id, organisation_id, digest, scope, manifest,
            proof, signed_at, signed_by)
        select gen_random_uuid(), application_id, id, organisation_id, confirmed_digest, '{}',
            jsonb_build_object('format', 'package', 'sha256', confirmed_digest),
            'confirmation', confirmed_at, confirmed_by
        from participant where confirmed_digest is not null
        """
    )
    for table in TABLES:
        op.execute(
            f"create trigger append_only before update or delete on {table}"
            " for each row execute function refuse_change()"
        )
        op.execute(
            f"create trigger never_truncated before truncate on {table}"
            " for each statement execute function refuse_change()"
        )
    op.drop_constraint(op.f("ck_participant_confirmed_by_member"), "participant")
    op.drop_constraint(op.f("ck_participant_confirmed"), "participant")
    op.drop_constraint(op.f("fk_participant_confirmed_by"), "participant", type_="foreignkey")
    for column in ("confirmed_digest", "confirmed_at", "confirmed_by"):
        op.drop_column("participant", column)


def downgrade() -> None:
    op.add_column("participant", sa.Column("confirmed_digest", sa.String(), nullable=True))
    op.add_column("participant", sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("participant", sa.Column("confirmed_by", sa.Uuid(), nullable=True))
    op.create_foreign_key(
        op.f("fk_participant_confirmed_by"), "participant", "user_account", ["confirmed_by"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_participant_confirmed"),
        "participant",
        "(confirmed_digest is null) = (confirmed_at is null) and (confirmed_at is null) = (confirmed_by is null)",
    )
    op.create_check_constraint(
        op.f("ck_participant_confirmed_by_member"), "participant", "confirmed_at is null or state = 'accepted'"
    )
    op.execute(
        """
        update participant set confirmed_digest = s.digest, confirmed_at = s.signed_at, confirmed_by = s.signed_by
        from signature s
        where s.participant_id = participant.id and participant.state = 'accepted'
            and not exists (select from signature_void v where v.signature_id = s.id)
        """
    )
    op.drop_table("signature_void")
    op.drop_table("signature")
