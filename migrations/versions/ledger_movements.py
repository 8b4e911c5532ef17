"""What is held for a subject, recipes and order in time kept by the database; balances after each posting."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "ledger_movements"
down_revision = "commission_signatures"
branch_labels = None
depends_on = None

ACCOUNTS = ("appropriation", "available", "reserved", "committed", "paid", "returned", "carried_over")
FLOORED = ACCOUNTS[1:]
OLD_KINDS = "'appropriate', 'adjust', 'reserve', 'commit', 'pay', 'release', 'return', 'carry_over', 'reverse'"
KINDS = (
    "'appropriate', 'adjust', 'reserve', 'commit', 'pay', 'release', 'return',"
    " 'reallocate', 'carry_over', 'restore', 'reverse'"
)
ORDERED = "'appropriate', 'adjust', 'reallocate', 'carry_over', 'restore'"
HELD = "'reserve', 'commit', 'pay', 'release', 'return'"

SUMS = ", ".join(f"coalesce(sum(amount) filter (where account = '{a}'), 0) as {a}" for a in ACCOUNTS)
MOVES = ", ".join(f"{a} = {a} + moved.{a}" for a in ACCOUNTS)
GUARDS = " and ".join(f"{a} + moved.{a} >= 0" for a in FLOORED)
NAMES = ", ".join(ACCOUNTS)

FUNCTIONS = (
    # One guarded update for each envelope of each posting, in the order of the ids, and the row of what it holds
    # after it. Numbers and instants rise together in an envelope, so that a balance as of an instant is one row.
    f"""
    create or replace function move_balance() returns trigger language plpgsql as $$
    declare
        moved record;
        held envelope;
    begin
        for moved in
            select envelope_id, number, at, {SUMS}
            from fresh join posting on posting.id = fresh.posting_id
            group by envelope_id, number, at order by envelope_id, number
        loop
            update envelope set {MOVES}, moved_at = moved.at
            where id = moved.envelope_id and {GUARDS} and coalesce(moved_at <= moved.at, true)
            returning * into held;
            if not found then
                if exists (select from envelope where id = moved.envelope_id and moved_at > moved.at) then
                    raise exception 'posting % is dated before the last one', moved.number
                        using errcode = 'check_violation', constraint = 'ledger_backdated';
                end if;
                raise exception 'envelope % has not enough', moved.envelope_id
                    using errcode = 'check_violation', constraint = 'ledger_overdraw';
            end if;
            insert into envelope_balance (envelope_id, number, at, {NAMES})
            values (held.id, moved.number, moved.at, {", ".join(f"held.{a}" for a in ACCOUNTS)});
        end loop;
        -- The envelopes are locked now: nothing else moves what is held for the same subject in them.
        if exists (
            select from (select distinct posting_id from fresh) as moving
            join posting mine on mine.id = moving.posting_id
            join posting other on other.subject_type = mine.subject_type and other.subject_id = mine.subject_id
            join posting_line line on line.posting_id = other.id
            where line.account in ('reserved', 'committed', 'paid')
            group by other.subject_type, other.subject_id, line.envelope_id, line.account
            having sum(line.amount) < 0
        ) then
            raise exception 'less is held for the subject'
                using errcode = 'check_violation', constraint = 'ledger_not_held';
        end if;
        return null;
    end $$
    """,
    """
    create function guard_envelope_balance() returns trigger language plpgsql as $$
    begin
        if pg_trigger_depth() < 2 then
            raise exception 'balances move with postings only' using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    # Between which accounts each kind of posting moves money; a reversal is checked against what it reverses.
    """
    create function posting_moves(kind text) returns text[] language sql immutable as $$
        select case kind
            when 'appropriate' then '{-appropriation,+available}'
            when 'adjust' then '{-appropriation,+appropriation,-available,+available}'
            when 'reserve' then '{-available,+reserved}'
            when 'commit' then '{-reserved,+committed}'
            when 'pay' then '{-committed,+paid}'
            when 'release' then '{-reserved,-committed,+available}'
            when 'return' then '{-paid,+returned}'
            when 'reallocate' then '{-appropriation,+appropriation,-available,+available}'
            when 'carry_over' then '{-appropriation,-available,+available,+carried_over}'
            when 'restore' then '{-returned,+available}'
        end::text[]
    $$
    """,
    """
    create or replace function check_posting_balanced() returns trigger language plpgsql as $$
    begin
        if exists (
            select from posting_line where posting_id = new.id
            group by envelope_id having sum(amount) <> 0
        ) or not exists (select from posting_line where posting_id = new.id) then
            raise exception 'posting % does not balance', new.id
                using errcode = 'check_violation', constraint = 'ledger_unbalanced';
        end if;
        if new.kind = 'reverse' then
            if not exists (
                select from posting where id = new.reverses_id and kind in ('appropriate', 'adjust')
            ) or exists (
                select from posting_line where posting_id in (new.id, new.reverses_id)
                group by envelope_id, account having sum(amount) <> 0
            ) then
                raise exception 'posting % is not the opposite of one that may be reversed', new.id
                    using errcode = 'check_violation', constraint = 'ledger_recipe';
            end if;
        elsif exists (
            select from posting_line where posting_id = new.id
                and case when amount < 0 then '-' else '+' end || account <> all (posting_moves(new.kind))
        ) or new.kind in ('reallocate', 'carry_over') and (
            select sum(amount) from posting_line
            where posting_id = new.id and account in ('appropriation', 'carried_over')
        ) <> 0 then
            raise exception 'posting % moves other accounts than its kind', new.id
                using errcode = 'check_violation', constraint = 'ledger_recipe';
        end if;
        return null;
    end $$
    """,
)

OLD_FUNCTIONS = (
    f"""
    create or replace function move_balance() returns trigger language plpgsql as $$
    declare
        moved record;
    begin
        for moved in select envelope_id, {SUMS} from fresh group by envelope_id order by envelope_id
        loop
            update envelope set {MOVES} where id = moved.envelope_id and {GUARDS};
            if not found then
                raise exception 'envelope % has not enough', moved.envelope_id
                    using errcode = 'check_violation', constraint = 'ledger_overdraw';
            end if;
        end loop;
        return null;
    end $$
    """,
    """
    create or replace function check_posting_balanced() returns trigger language plpgsql as $$
    begin
        if exists (
            select from posting_line where posting_id = new.id
            group by envelope_id having sum(amount) <> 0
        ) or not exists (select from posting_line where posting_id = new.id) then
            raise exception 'posting % does not balance', new.id
                using errcode = 'check_violation', constraint = 'ledger_unbalanced';
        end if;
        return null;
    end $$
    """,
)


def upgrade() -> None:
    for name in ("kind", "order_number"):
        op.drop_constraint(op.f(f"ck_posting_{name}"), "posting", type_="check")
    for name, condition in (
        ("kind", f"kind in ({KINDS})"),
        ("order_number", f"kind not in ({ORDERED}) or length(document) > 0"),
        ("held_for", f"kind not in ({HELD}) or subject_id is not null"),
        ("subject", "(subject_type is null) = (subject_id is null)"),
    ):
        op.create_check_constraint(op.f(f"ck_posting_{name}"), "posting", condition)
    op.add_column("envelope", sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True))
    op.create_table(
        "envelope_balance",
        sa.Column("envelope_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        *(sa.Column(account, sa.Numeric(18, 2), nullable=False) for account in ACCOUNTS),
        *(sa.CheckConstraint(f"{a} >= 0", name=op.f(f"ck_envelope_balance_floor_{a}")) for a in FLOORED),
        sa.CheckConstraint(f"{' + '.join(ACCOUNTS)} = 0", name=op.f("ck_envelope_balance_balanced")),
        sa.ForeignKeyConstraint(["envelope_id"], ["envelope.id"], name=op.f("fk_envelope_balance_envelope_id")),
        sa.ForeignKeyConstraint(["number"], ["posting.number"], name=op.f("fk_envelope_balance_number")),
        sa.PrimaryKeyConstraint("envelope_id", "number", name=op.f("pk_envelope_balance")),
    )
    op.create_index("ix_envelope_balance_at", "envelope_balance", ["envelope_id", "at", "number"])
    _fill()
    for statement in FUNCTIONS:
        op.execute(statement)
    op.execute(
        "create trigger guard_new_balance before insert on envelope_balance"
        " for each row execute function guard_envelope_balance()"
    )
    op.execute(
        "create trigger append_only before update or delete on envelope_balance"
        " for each row execute function refuse_change()"
    )
    op.execute(
        "create trigger never_truncated before truncate on envelope_balance"
        " for each statement execute function refuse_change()"
    )


def _fill() -> None:
    """The balances after the postings that are there; where a clock had stepped back, the later instant stays."""
    running = ", ".join(
        f"sum(sum(amount) filter (where account = '{a}')) over after_each as {a}" for a in ACCOUNTS
    )
    op.execute(
        f"insert into envelope_balance (envelope_id, number, at, {NAMES})"
        f" select envelope_id, number, at, {', '.join(f'coalesce({a}, 0)' for a in ACCOUNTS)} from ("
        f" select envelope_id, number, max(max(at)) over after_each as at, {running}"
        " from posting_line join posting on posting.id = posting_id group by envelope_id, number"
        " window after_each as (partition by envelope_id order by number)) as replayed"
    )
    op.execute("alter table envelope disable trigger guard_envelope")
    op.execute(
        "update envelope set moved_at = (select max(at) from envelope_balance where envelope_id = envelope.id)"
    )
    op.execute("alter table envelope enable trigger guard_envelope")


def downgrade() -> None:
    for statement in OLD_FUNCTIONS:
        op.execute(statement)
    op.execute("drop function posting_moves(text)")
    op.drop_table("envelope_balance")
    op.execute("drop function guard_envelope_balance()")
    op.drop_column("envelope", "moved_at")
    for name in ("subject", "held_for", "order_number", "kind"):
        op.drop_constraint(op.f(f"ck_posting_{name}"), "posting", type_="check")
    op.create_check_constraint(op.f("ck_posting_kind"), "posting", f"kind in ({OLD_KINDS})")
    op.create_check_constraint(
        op.f("ck_posting_order_number"),
        "posting",
        "kind not in ('appropriate', 'adjust') or length(document) > 0",
    )
