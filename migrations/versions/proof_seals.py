"""Seals of rows: what every row of a protected table says is written down as a digest when it is written."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "proof_seals"
down_revision = "ledger_treasury"
branch_labels = None
depends_on = None

# Table -> its primary key, and the columns that are left out. Updates of these alone are no changes of the row.
SEALED = {
    "agenda_item": (("id",), ()),
    "agreement": (("id",), ()),
    "agreement_change": (("id",), ()),
    "agreement_due": (("id",), ()),
    "agreement_result": (("id",), ()),
    "appeal": (("id",), ()),
    "application": (
        ("id",),
        ("title_ru", "title_en", "requested_total", "correction_due", "content_sha256", "version"),
    ),
    "assignment": (("id",), ("draft", "draft_saved_at", "version")),
    "award_amount": (("line_id", "year"), ()),
    "award_decision": (("id",), ()),
    "award_refusal": (("id",), ()),
    "budget_order": (("id",), ()),
    "deadline_exception": (("id",), ()),
    "decision_line": (("id",), ()),
    "decision_signature": (("id",), ()),
    "draw_commitment": (("id",), ()),
    "draw_outcome": (("commitment_id",), ()),
    "mark": (("id",), ()),
    "meeting": (("id",), ()),
    "meeting_member": (("meeting_id", "user_id"), ()),
    "member_vote": (("item_id", "user_id"), ()),
    "minutes": (("id",), ()),
    "minutes_signature": (("id",), ()),
    "recovery": (("id",), ()),
    "recovery_receipt": (("id",), ()),
    "recusal": (("id",), ()),
    "reserve_proposal": (("id",), ()),
    "results_bundle": (("id",), ()),
    "review_calibration": (("id",), ()),
    "review_version": (("id",), ()),
    "rule_set": (("id",), ()),
    "score": (("id",), ("current",)),
    "score_manifest": (("run_id",), ()),
    "score_run": (("id",), ("done", "task_id")),
    "signature": (("id",), ()),
    "signature_void": (("id",), ()),
    "submission": (("id",), ()),
    "tender": (("id",), ()),
    "tender_amendment": (("id",), ()),
    "tender_track": (("id",), ("last_number",)),
    "tranche": (("id",), ()),
    "treasury_payment": (("id",), ()),
    "treasury_statement": (("id",), ()),
}

APPEND_ONLY = ("row_seal", "row_layout")

FUNCTIONS = (
    # The batch of the present transaction, named at its first seal; the audit trail takes its digest at the commit.
    """
    create function seal_batch() returns uuid language plpgsql as $$
    declare
        batch text := nullif(current_setting('portal.seal_batch', true), '');
    begin
        if batch is null then
            batch := gen_random_uuid()::text;
            perform set_config('portal.seal_batch', batch, true);
        end if;
        return batch::uuid;
    end $$
    """,
    # Which columns a seal covers: a column that is added later changes no seal of before.
    """
    create function seal_layout(relation oid, place text, omitted text[]) returns integer language plpgsql as $$
    declare
        held text[] := array(
            select attname::text from pg_attribute
            where attrelid = relation and attnum > 0 and not attisdropped and attname::text <> all (omitted)
            order by attname::text collate "C"
        );
        found integer;
    begin
        select id into found from row_layout where row_layout.place = seal_layout.place and covers = held;
        if found is null then
            insert into row_layout (place, covers) values (seal_layout.place, held) on conflict do nothing;
            select id into found from row_layout where row_layout.place = seal_layout.place and covers = held;
        end if;
        return found;
    end $$
    """,
    # Arguments of the triggers: the columns left out, as an array, then the primary key.
    """
    create function seal_rows() returns trigger language plpgsql set timezone = 'UTC' as $$
    declare
        omitted text[] := tg_argv[0]::text[];
        batch uuid := seal_batch();
        layout integer := seal_layout(tg_relid, tg_table_name, omitted);
    begin
        if tg_op = 'DELETE' then
            insert into row_seal (batch, place, layout, key, digest)
            select batch, tg_table_name, layout, concat_ws('/', said ->> tg_argv[1], said ->> tg_argv[2]), null
            from (select to_jsonb(gone) as said from gone) as rows;
        else
            insert into row_seal (batch, place, layout, key, digest)
            select batch, tg_table_name, layout, concat_ws('/', said ->> tg_argv[1], said ->> tg_argv[2]),
                encode(sha256(convert_to((said - omitted)::text, 'UTF8')), 'hex')
            from (select to_jsonb(fresh) as said from fresh) as rows;
        end if;
        return null;
    end $$
    """,
    """
    create function seal_row() returns trigger language plpgsql set timezone = 'UTC' as $$
    declare
        omitted text[] := tg_argv[0]::text[];
        said jsonb := to_jsonb(new);
        known jsonb := to_jsonb(old);
    begin
        if said - omitted is distinct from known - omitted then
            if concat_ws('/', said ->> tg_argv[1], said ->> tg_argv[2])
                <> concat_ws('/', known ->> tg_argv[1], known ->> tg_argv[2]) then
                raise exception 'the key of a row of % stays', tg_table_name
                    using errcode = 'integrity_constraint_violation';
            end if;
            insert into row_seal (batch, place, layout, key, digest)
            values (
                seal_batch(), tg_table_name, seal_layout(tg_relid, tg_table_name, omitted),
                concat_ws('/', said ->> tg_argv[1], said ->> tg_argv[2]),
                encode(sha256(convert_to((said - omitted)::text, 'UTF8')), 'hex')
            );
        end if;
        return null;
    end $$
    """,
)


def _arguments(table: str) -> str:
    key, omitted = SEALED[table]
    return ", ".join(f"'{each}'" for each in ("{" + ",".join(omitted) + "}", *key))


def _columns(table: str) -> str:
    """The columns whose updates are looked at."""
    found = op.get_bind().scalars(
        sa.text(
            "select attname from pg_attribute where attrelid = cast(:name as regclass) and attnum > 0"
            " and not attisdropped and attname <> all (:omitted) order by attnum"
        ),
        {"name": table, "omitted": list(SEALED[table][1])},
    )
    return ", ".join(f'"{name}"' for name in found)


def upgrade() -> None:
    op.add_column("audit_event", sa.Column("batch", sa.Uuid(), nullable=True))
    op.add_column("audit_event", sa.Column("rows", sa.String(), nullable=True))
    op.create_unique_constraint("uq_audit_event_batch", "audit_event", ["batch"])
    op.create_check_constraint(op.f("ck_audit_event_batch"), "audit_event", "(batch is null) = (rows is null)")
    op.create_table(
        "row_layout",
        sa.Column("id", sa.Integer(), sa.Identity(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("covers", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_row_layout")),
        sa.UniqueConstraint("place", "covers", name=op.f("uq_row_layout_place_covers")),
    )
    op.create_table(
        "row_seal",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("batch", sa.Uuid(), nullable=False),
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("layout", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["layout"], ["row_layout.id"], name=op.f("fk_row_seal_layout")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_row_seal")),
    )
    op.create_index("ix_row_seal_batch", "row_seal", ["batch"])
    for statement in FUNCTIONS:
        op.execute(statement)
    for table in SEALED:
        arguments = _arguments(table)
        op.execute(
            f"create trigger seal_new after insert on {table} referencing new table as fresh"
            f" for each statement execute function seal_rows({arguments})"
        )
        op.execute(
            f"create trigger seal_gone after delete on {table} referencing old table as gone"
            f" for each statement execute function seal_rows({arguments})"
        )
        op.execute(
            f"create trigger seal_changed after update of {_columns(table)} on {table}"
            f" for each row execute function seal_row({arguments})"
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
    _seal_what_is_there()


def _seal_what_is_there() -> None:
    """Rows of before, in one batch that the trail takes up with the next published head."""
    op.execute("set local timezone = 'UTC'")
    for table, (key, omitted) in SEALED.items():
        omit = "{" + ",".join(omitted) + "}"
        keys = ", ".join(f"said ->> '{name}'" for name in key)
        op.execute(
            "insert into row_seal (batch, place, layout, key, digest)"
            f" select '00000000-0000-0000-0000-000000000000', '{table}',"
            f" (select seal_layout('{table}'::regclass, '{table}', '{omit}'::text[])), concat_ws('/', {keys}),"
            f" encode(sha256(convert_to((said - '{omit}'::text[])::text, 'UTF8')), 'hex')"
            f" from (select to_jsonb({table}) as said from {table}) as rows"
        )


def downgrade() -> None:
    for table in SEALED:
        for trigger in ("seal_new", "seal_gone", "seal_changed"):
            op.execute(f"drop trigger {trigger} on {table}")
    for function in ("seal_row()", "seal_rows()", "seal_layout(oid, text, text[])", "seal_batch()"):
        op.execute(f"drop function {function}")
    for table in APPEND_ONLY:
        op.drop_table(table)
    op.drop_constraint(op.f("ck_audit_event_batch"), "audit_event", type_="check")
    op.drop_constraint("uq_audit_event_batch", "audit_event", type_="unique")
    op.drop_column("audit_event", "rows")
    op.drop_column("audit_event", "batch")
