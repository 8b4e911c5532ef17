"""Payments as the treasury tells of them, and what each was booked as."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "ledger_treasury"
down_revision = "desk_inquiries"
branch_labels = None
depends_on = None

# What the table said never changes, and what is booked stays as it is.
GUARD = """
create function guard_treasury_payment() returns trigger language plpgsql as $$
declare
    ours text[] := '{match,said,tranche_id,recovery_id,posting_id,booked_at}';
begin
    if tg_op = 'DELETE' or to_jsonb(new) - ours <> to_jsonb(old) - ours or old.posting_id is not null then
        raise exception 'treasury_payment % is closed', old.id using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end $$
"""


def upgrade() -> None:
    op.create_table(
        "treasury_statement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("uploaded_by", sa.Uuid(), nullable=False),
        sa.Column("known", sa.Integer(), server_default="0", nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False),
        sa.CheckConstraint("known >= 0", name=op.f("ck_treasury_statement_known")),
        sa.CheckConstraint(
            "length(name) > 0 and sha256 ~ '^[0-9a-f]{64}$'", name=op.f("ck_treasury_statement_file")
        ),
        sa.ForeignKeyConstraint(["uploaded_by"], ["user_account.id"], name=op.f("fk_treasury_statement_uploaded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treasury_statement")),
    )
    op.create_index("ix_treasury_statement_listed", "treasury_statement", ["created_at", "id"])
    op.create_table(
        "treasury_payment",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("statement_id", sa.Uuid(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("paid_on", sa.Date(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("payee_inn", sa.String(), nullable=False),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("match", sa.String(), nullable=False),
        sa.Column("said", postgresql.JSONB(), nullable=False),
        sa.Column("tranche_id", sa.Uuid(), nullable=True),
        sa.Column("recovery_id", sa.Uuid(), nullable=True),
        sa.Column("posting_id", sa.Uuid(), nullable=True),
        sa.Column("booked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("amount <> 0", name=op.f("ck_treasury_payment_amount")),
        sa.CheckConstraint("length(number) > 0", name=op.f("ck_treasury_payment_number")),
        sa.CheckConstraint(
            "match in ('matched', 'differing', 'unmatched', 'booked')", name=op.f("ck_treasury_payment_match")
        ),
        sa.CheckConstraint(
            "(match = 'booked') = (posting_id is not null)", name=op.f("ck_treasury_payment_booked")
        ),
        sa.CheckConstraint(
            "tranche_id is null or recovery_id is null", name=op.f("ck_treasury_payment_one_target")
        ),
        sa.CheckConstraint(
            "match <> 'matched' or tranche_id is not null or recovery_id is not null",
            name=op.f("ck_treasury_payment_matched"),
        ),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_treasury_payment_{column}"))
            for column, table in (
                ("statement_id", "treasury_statement"),
                ("tranche_id", "tranche"),
                ("recovery_id", "recovery"),
                ("posting_id", "posting"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_treasury_payment")),
        sa.UniqueConstraint(
            "number",
            "paid_on",
            "amount",
            "payee_inn",
            name=op.f("uq_treasury_payment_number_paid_on_amount_payee_inn"),
        ),
        sa.UniqueConstraint("posting_id", name=op.f("uq_treasury_payment_posting_id")),
    )
    op.create_index("ix_treasury_payment_statement", "treasury_payment", ["statement_id", "match", "line"])
    op.execute(GUARD)
    op.execute(
        "create trigger guard_treasury_payment before update or delete on treasury_payment"
        " for each row execute function guard_treasury_payment()"
    )
    op.execute(
        "create trigger never_truncated before truncate on treasury_payment"
        " for each statement execute function refuse_change()"
    )


def downgrade() -> None:
    op.drop_table("treasury_payment")
    op.execute("drop function guard_treasury_payment()")
    op.drop_table("treasury_statement")
