"""Orders with two signatures; the kinds that they post need one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ledger_orders"
down_revision = "sealed_tenders"
branch_labels = None
depends_on = None

FUNCTIONS = (
    # What was drafted never changes, and an order ends once.
    """
    create function guard_budget_order() returns trigger language plpgsql as $$
    declare
        ends text[] := '{signed_by,signed_at,posting_id,discarded_by,discarded_at}';
    begin
        if tg_op = 'DELETE' or to_jsonb(new) - ends <> to_jsonb(old) - ends
            or old.signed_at is not null or old.discarded_at is not null then
            raise exception 'budget_order % is closed', old.id using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    # Both envelopes are of the order's programme; a year's money is carried to the next one of its track.
    """
    create function guard_new_budget_order() returns trigger language plpgsql as $$
    begin
        if not exists (select from envelope where id = new.source_id and programme_id = new.programme_id)
            or new.target_id is not null and not exists (
                select from envelope as target join envelope as source on source.id = new.source_id
                where target.id = new.target_id and target.programme_id = new.programme_id and (
                    new.kind <> 'carry_over' or target.track = source.track and target.year = source.year + 1
                )
            ) then
            raise exception 'these envelopes do not go together'
                using errcode = 'check_violation', constraint = 'budget_order_envelopes';
        end if;
        return new;
    end $$
    """,
    # At the end of the transaction a posting of these kinds is that of a signed order, to the kopeck.
    """
    create function check_posting_signed() returns trigger language plpgsql as $$
    begin
        if not exists (
            select from budget_order
            join posting_line as given on given.posting_id = new.id and given.envelope_id = budget_order.source_id
                and given.account = case new.kind when 'restore' then 'returned' else 'available' end
                and given.amount = -budget_order.amount
            where budget_order.posting_id = new.id and budget_order.kind = new.kind
                and (select count(distinct envelope_id) from posting_line where posting_id = new.id)
                    = case new.kind when 'restore' then 1 else 2 end
                and (budget_order.target_id is null or exists (
                    select from posting_line
                    where posting_id = new.id and envelope_id = budget_order.target_id
                        and account = 'available' and amount = budget_order.amount
                ))
        ) then
            raise exception 'posting % has no signed order', new.id
                using errcode = 'check_violation', constraint = 'ledger_unsigned';
        end if;
        return null;
    end $$
    """,
)


def upgrade() -> None:
    op.create_table(
        "budget_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("programme_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=False),
        sa.Column("target_id", sa.Uuid(), nullable=True),
        sa.Column("amount", sa.Numeric(18, 2), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("drafted_by", sa.Uuid(), nullable=False),
        sa.Column(
            "drafted_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.Column("signed_by", sa.Uuid(), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("discarded_by", sa.Uuid(), nullable=True),
        sa.Column("discarded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("posting_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint("kind in ('reallocate', 'carry_over', 'restore')", name=op.f("ck_budget_order_kind")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_budget_order_amount")),
        sa.CheckConstraint("length(number) > 0 and length(reason) > 0", name=op.f("ck_budget_order_words")),
        sa.CheckConstraint("(kind = 'restore') = (target_id is null)", name=op.f("ck_budget_order_target")),
        sa.CheckConstraint("source_id <> target_id", name=op.f("ck_budget_order_two_envelopes")),
        sa.CheckConstraint(
            "(signed_by is null) = (signed_at is null) and (signed_by is null) = (posting_id is null)",
            name=op.f("ck_budget_order_signed"),
        ),
        sa.CheckConstraint("signed_by <> drafted_by", name=op.f("ck_budget_order_second_person")),
        sa.CheckConstraint(
            "(discarded_by is null) = (discarded_at is null)", name=op.f("ck_budget_order_discarded")
        ),
        sa.CheckConstraint("signed_at is null or discarded_at is null", name=op.f("ck_budget_order_one_end")),
        *(
            sa.ForeignKeyConstraint([column], [f"{table}.id"], name=op.f(f"fk_budget_order_{column}"))
            for column, table in (
                ("programme_id", "programme"),
                ("source_id", "envelope"),
                ("target_id", "envelope"),
                ("drafted_by", "user_account"),
                ("signed_by", "user_account"),
                ("discarded_by", "user_account"),
                ("posting_id", "posting"),
            )
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_budget_order")),
        sa.UniqueConstraint("posting_id", name=op.f("uq_budget_order_posting_id")),
    )
    op.create_index("ix_budget_order_programme", "budget_order", ["programme_id", "id"])
    op.create_index(
        "ix_budget_order_waiting",
        "budget_order",
        ["id"],
        postgresql_where=sa.text("signed_at is null and discarded_at is null"),
    )
    for statement in FUNCTIONS:
        op.execute(statement)
    for name, event in (
        ("guard_budget_order", "before update or delete"),
        ("guard_new_budget_order", "before insert"),
    ):
        op.execute(f"create trigger {name} {event} on budget_order for each row execute function {name}()")
    op.execute(
        "create trigger never_truncated before truncate on budget_order"
        " for each statement execute function refuse_change()"
    )
    op.execute(
        "create constraint trigger posting_signed after insert on posting deferrable initially deferred"
        " for each row when (new.kind in ('reallocate', 'carry_over', 'restore'))"
        " execute function check_posting_signed()"
    )


def downgrade() -> None:
    op.execute("drop trigger posting_signed on posting")
    op.drop_table("budget_order")
    for name in ("check_posting_signed", "guard_new_budget_order", "guard_budget_order"):
        op.execute(f"drop function {name}()")
