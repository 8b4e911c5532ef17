"""Letters of fit of the specialised organisation: asked for, signed or refused."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "signing_letters"
down_revision = "calls_of_tenders"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "fit_letter",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by", sa.Uuid(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("signature_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("state in ('asked', 'signed', 'refused')", name=op.f("ck_fit_letter_state")),
        sa.CheckConstraint("(state = 'asked') = (answered_at is null)", name=op.f("ck_fit_letter_answered")),
        sa.CheckConstraint("(state = 'signed') = (signature_id is not null)", name=op.f("ck_fit_letter_signed")),
        sa.CheckConstraint("(state = 'refused') = (reason is not null)", name=op.f("ck_fit_letter_refused")),
        sa.ForeignKeyConstraint(["application_id"], ["application.id"], name=op.f("fk_fit_letter_application_id")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_fit_letter_organisation_id")),
        sa.ForeignKeyConstraint(["asked_by"], ["user_account.id"], name=op.f("fk_fit_letter_asked_by")),
        sa.ForeignKeyConstraint(["answered_by"], ["user_account.id"], name=op.f("fk_fit_letter_answered_by")),
        sa.ForeignKeyConstraint(["signature_id"], ["signature.id"], name=op.f("fk_fit_letter_signature_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fit_letter")),
    )
    op.create_index(
        "uq_fit_letter_open",
        "fit_letter",
        ["application_id"],
        unique=True,
        postgresql_where=sa.text("state = 'asked'"),
    )
    op.create_index("ix_fit_letter_application", "fit_letter", ["application_id", "id"])
    op.create_index("ix_fit_letter_due", "fit_letter", ["organisation_id", "state", "id"])


def downgrade() -> None:
    op.drop_table("fit_letter")
