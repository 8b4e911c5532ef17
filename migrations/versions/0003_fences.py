"""What the database itself refuses: rewriting history, unbalanced or overdrawing postings, changed frozen rules."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

APPEND_ONLY = ("audit_event", "posting", "posting_line", "mark", "award_amount")

FUNCTIONS = (
    """
    create function refuse_change() returns trigger language plpgsql as $$
    begin
        raise exception '% is append-only', tg_table_name using errcode = 'integrity_constraint_violation';
    end $$
    """,
    # The balances move with the lines, by one guarded update for each envelope of the statement: no reader's old
    # value can overwrite them, and no statement but this one may touch a balance. Envelopes in id order, so that
    # two postings never wait for each other in a circle.
    """
    create function move_balance() returns trigger language plpgsql as $$
    declare
        moved record;
    begin
        for moved in
            select envelope_id,
                coalesce(sum(amount) filter (where account = 'appropriation'), 0) as appropriation,
                coalesce(sum(amount) filter (where account = 'available'), 0) as available,
                coalesce(sum(amount) filter (where account = 'reserved'), 0) as reserved,
                coalesce(sum(amount) filter (where account = 'committed'), 0) as committed,
                coalesce(sum(amount) filter (where account = 'paid'), 0) as paid,
                coalesce(sum(amount) filter (where account = 'returned'), 0) as returned,
                coalesce(sum(amount) filter (where account = 'carried_over'), 0) as carried_over
            from fresh group by envelope_id order by envelope_id
        loop
            update envelope set
                appropriation = appropriation + moved.appropriation,
                available = available + moved.available,
                reserved = reserved + moved.reserved,
                committed = committed + moved.committed,
                paid = paid + moved.paid,
                returned = returned + moved.returned,
                carried_over = carried_over + moved.carried_over
            where id = moved.envelope_id
                and available + moved.available >= 0 and reserved + moved.reserved >= 0
                and committed + moved.committed >= 0 and paid + moved.paid >= 0
                and returned + moved.returned >= 0 and carried_over + moved.carried_over >= 0;
            if not found then
                raise exception 'envelope % has not enough', moved.envelope_id
                    using errcode = 'check_violation', constraint = 'ledger_overdraw';
            end if;
        end loop;
        return null;
    end $$
    """,
    """
    create function guard_envelope() returns trigger language plpgsql as $$
    begin
        if pg_trigger_depth() < 2 then
            raise exception 'balances move with postings only' using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    """
    create function guard_new_envelope() returns trigger language plpgsql as $$
    begin
        if (new.appropriation, new.available, new.reserved, new.committed, new.paid, new.returned, new.carried_over)
            is distinct from (0::numeric, 0::numeric, 0::numeric, 0::numeric, 0::numeric, 0::numeric, 0::numeric) then
            raise exception 'an envelope starts empty' using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    """
    create function check_posting_balanced() returns trigger language plpgsql as $$
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
    # Lines belong to the transaction of their posting: none can be added to an old one.
    """
    create function guard_posting_line() returns trigger language plpgsql as $$
    begin
        if not exists (
            select from posting where id = new.posting_id and transaction = txid_current()
        ) then
            raise exception 'posting % is closed', new.posting_id using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    """
    create function guard_frozen_rules() returns trigger language plpgsql as $$
    begin
        if old.frozen_at is not null then
            raise exception 'rule set % is frozen', old.id using errcode = 'integrity_constraint_violation';
        end if;
        return coalesce(new, old);
    end $$
    """,
    """
    create function guard_submission() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' or to_jsonb(new) - 'withdrawn_at' <> to_jsonb(old) - 'withdrawn_at'
            or old.withdrawn_at is not null then
            raise exception 'submission % is frozen', old.id using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
)

TRIGGERS = (
    "create trigger move_balance after insert on posting_line referencing new table as fresh"
    " for each statement execute function move_balance()",
    "create trigger guard_posting_line before insert on posting_line for each row execute function guard_posting_line()",
    "create trigger guard_envelope before update or delete on envelope for each row execute function guard_envelope()",
    "create trigger guard_new_envelope before insert on envelope for each row execute function guard_new_envelope()",
    "create constraint trigger posting_balanced after insert on posting deferrable initially deferred"
    " for each row execute function check_posting_balanced()",
    "create trigger frozen_rules before update or delete on rule_set"
    " for each row execute function guard_frozen_rules()",
    "create trigger frozen_submission before update or delete on submission"
    " for each row execute function guard_submission()",
)


def upgrade() -> None:
    # Application and submission refer to each other; the second reference can only come after both tables.
    op.create_foreign_key("fk_application_submission_id", "application", "submission", ["submission_id"], ["id"])
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(statement)
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
    op.drop_constraint("fk_application_submission_id", "application", type_="foreignkey")
    for table in APPEND_ONLY:
        op.execute(f"drop trigger append_only on {table}")
        op.execute(f"drop trigger never_truncated on {table}")
    for name, table in (
        ("frozen_submission", "submission"),
        ("frozen_rules", "rule_set"),
        ("posting_balanced", "posting"),
        ("guard_new_envelope", "envelope"),
        ("guard_envelope", "envelope"),
        ("guard_posting_line", "posting_line"),
        ("move_balance", "posting_line"),
    ):
        op.execute(f"drop trigger {name} on {table}")
    for function in (
        "guard_submission",
        "guard_frozen_rules",
        "guard_posting_line",
        "check_posting_balanced",
        "guard_new_envelope",
        "guard_envelope",
        "move_balance",
        "refuse_change",
    ):
        op.execute(f"drop function {function}()")
