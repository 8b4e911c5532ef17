"""Subsidy agreements: tranches, results, what is due, money asked back; frozen once signed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "agreements"
down_revision = "whatif_scenarios"
branch_labels = None
depends_on = None

TABLES = (
    "agreement_change",
    "recovery_receipt",
    "recovery",
    "agreement_due",
    "agreement_result",
    "tranche",
    "agreement",
)
APPEND_ONLY = ("recovery", "recovery_receipt", "agreement_change")

FUNCTIONS = (
    # The schedule belongs to the paper: written while it is a draft, then a tranche is paid once or shrinks.
    """
    create function guard_agreement_part() returns trigger language plpgsql as $$
    declare
        held text;
    begin
        select state into held from agreement where id = coalesce(new.agreement_id, old.agreement_id);
        if held <> 'draft' then
            raise exception 'the agreement is signed: % does not change', tg_table_name
                using errcode = 'integrity_constraint_violation';
        end if;
        return coalesce(new, old);
    end $$
    """,
    """
    create function guard_signed_tranche() returns trigger language plpgsql as $$
    declare
        held text;
    begin
        select state into held from agreement where id = old.agreement_id;
        if held <> 'draft' and (
            (new.agreement_id, new.place, new.year, new.planned_on, new.planned, new.condition)
                is distinct from (old.agreement_id, old.place, old.year, old.planned_on, old.planned, old.condition)
            or new.released < old.released
            or old.paid_on is not null
            or held <> 'signed'
        ) then
            raise exception 'tranche % is frozen', old.id using errcode = 'integrity_constraint_violation';
        end if;
        if held = 'draft' and (new.paid_on is not null or new.released <> 0) then
            raise exception 'tranche % is not signed yet', old.id using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    """
    create function check_tranches_fit() returns trigger language plpgsql as $$
    begin
        if exists (
            select from tranche t join agreement a on a.id = t.agreement_id
            left join award_amount w on w.line_id = a.line_id and w.year = t.year
            where t.agreement_id = new.agreement_id
            group by t.year, w.amount having sum(t.planned) > coalesce(w.amount, 0)
        ) then
            raise exception 'the tranches of agreement % are above its award', new.agreement_id
                using errcode = 'check_violation', constraint = 'agreement_above_award';
        end if;
        return null;
    end $$
    """,
    """
    create function guard_agreement() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' or old.state in ('ended', 'discarded')
            or (old.state = 'signed' and (
                new.state not in ('signed', 'ended')
                or (new.line_id, new.organisation_id, new.number, new.signed_on, new.signed_at, new.signed_by,
                    new.drafted_by, new.fund_signatory, new.recipient_signatory)
                is distinct from (old.line_id, old.organisation_id, old.number, old.signed_on, old.signed_at,
                    old.signed_by, old.drafted_by, old.fund_signatory, old.recipient_signatory)))
        then
            raise exception 'agreement % is frozen', old.id using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    # Never more asked back than was paid of the tranche, never more received than was asked; the rows that are
    # compared are locked, so that two of them do not both fit.
    """
    create function check_recovery() returns trigger language plpgsql as $$
    declare
        held record;
    begin
        select planned - released as paid, paid_on into held from tranche where id = new.tranche_id for update;
        if held.paid_on is null
            or (select sum(amount) from recovery where tranche_id = new.tranche_id) > held.paid then
            raise exception 'more is asked back than was paid' using errcode = 'check_violation',
                constraint = 'recovery_above_paid';
        end if;
        return null;
    end $$
    """,
    """
    create function check_receipt() returns trigger language plpgsql as $$
    declare
        asked numeric;
    begin
        select amount into asked from recovery where id = new.recovery_id for update;
        if (select sum(amount) from recovery_receipt where recovery_id = new.recovery_id) > asked then
            raise exception 'more is received than was asked' using errcode = 'check_violation',
                constraint = 'receipt_above_recovery';
        end if;
        return null;
    end $$
    """,
)

TRIGGERS = (
    "create trigger guard_agreement before update or delete on agreement"
    " for each row execute function guard_agreement()",
    "create trigger guard_agreement_part before insert or delete on tranche"
    " for each row execute function guard_agreement_part()",
    "create trigger guard_agreement_part before insert or update or delete on agreement_result"
    " for each row execute function guard_agreement_part()",
    "create trigger guard_signed_tranche before update on tranche"
    " for each row execute function guard_signed_tranche()",
    "create constraint trigger tranches_fit after insert or update on tranche deferrable initially deferred"
    " for each row execute function check_tranches_fit()",
    "create trigger check_recovery after insert on recovery for each row execute function check_recovery()",
    "create trigger check_receipt after insert on recovery_receipt for each row execute function check_receipt()",
)


def _created() -> sa.Column:
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False)


def _money(name: str, **options: object) -> sa.Column:
    return sa.Column(name, sa.Numeric(18, 2), nullable=False, **options)


def upgrade() -> None:
    op.create_table(
        "agreement",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("fund_signatory", sa.String(), server_default="", nullable=False),
        sa.Column("recipient_signatory", sa.String(), server_default="", nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("drafted_by", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=True),
        sa.Column("signed_on", sa.Date(), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("signed_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_document", sa.String(), nullable=True),
        sa.Column("end_reason", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        _created(),
        sa.CheckConstraint("state in ('draft', 'signed', 'ended', 'discarded')", name=op.f("ck_agreement_state")),
        sa.CheckConstraint(
            "(signed_at is null) = (state in ('draft', 'discarded')) and (signed_at is null) = (signed_on is null)"
            " and (signed_at is null) = (signed_by is null) and (signed_at is null) = (number is null)",
            name=op.f("ck_agreement_signed"),
        ),
        sa.CheckConstraint("number is null or length(number) > 0", name=op.f("ck_agreement_number")),
        sa.CheckConstraint("signed_by is null or signed_by <> drafted_by", name=op.f("ck_agreement_two_persons")),
        sa.CheckConstraint(
            "(state = 'ended') = (ended_at is not null) and (ended_at is null) = (end_document is null)",
            name=op.f("ck_agreement_ended"),
        ),
        sa.ForeignKeyConstraint(["line_id"], ["decision_line.id"], name=op.f("fk_agreement_line_id")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_agreement_organisation_id")),
        sa.ForeignKeyConstraint(["drafted_by"], ["user_account.id"], name=op.f("fk_agreement_drafted_by")),
        sa.ForeignKeyConstraint(["signed_by"], ["user_account.id"], name=op.f("fk_agreement_signed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement")),
    )
    op.create_index(
        "uq_agreement_line", "agreement", ["line_id"], unique=True, postgresql_where=sa.text("state <> 'discarded'")
    )
    op.create_index("uq_agreement_number", "agreement", ["number"], unique=True)
    op.create_index("ix_agreement_listed", "agreement", ["created_at", "id"])
    op.create_table(
        "tranche",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("year", sa.Integer(), nullable=False),
        sa.Column("planned_on", sa.Date(), nullable=False),
        _money("planned"),
        sa.Column("condition", sa.String(), server_default="", nullable=False),
        _money("released", server_default="0"),
        sa.Column("paid_on", sa.Date(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payment_document", sa.String(), nullable=True),
        sa.CheckConstraint("planned > 0", name=op.f("ck_tranche_planned")),
        sa.CheckConstraint("released between 0 and planned", name=op.f("ck_tranche_released")),
        sa.CheckConstraint("year between 2000 and 2100", name=op.f("ck_tranche_year")),
        sa.CheckConstraint(
            "(paid_on is null) = (paid_at is null) and (paid_on is null) = (payment_document is null)"
            " and (paid_on is null or released < planned)",
            name=op.f("ck_tranche_paid"),
        ),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_tranche_agreement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tranche")),
        sa.UniqueConstraint("agreement_id", "place", name=op.f("uq_tranche_agreement_id_place")),
    )
    op.create_index(
        "ix_tranche_open",
        "tranche",
        ["planned_on", "id"],
        postgresql_where=sa.text("paid_on is null and released < planned"),
    )
    op.create_table(
        "agreement_result",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.CheckConstraint("length(title) > 0", name=op.f("ck_agreement_result_title")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_agreement_result_agreement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_result")),
        sa.UniqueConstraint("agreement_id", "place", name=op.f("uq_agreement_result_agreement_id_place")),
    )
    op.create_table(
        "agreement_due",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=True),
        sa.CheckConstraint("kind in ('report', 'evidence')", name=op.f("ck_agreement_due_kind")),
        sa.CheckConstraint("length(title) > 0", name=op.f("ck_agreement_due_title")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_agreement_due_agreement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_due")),
    )
    op.create_index("ix_agreement_due_agreement", "agreement_due", ["agreement_id", "due_on"])
    op.create_index(
        "ix_agreement_due_open", "agreement_due", ["due_on", "id"], postgresql_where=sa.text("received_on is null")
    )
    op.create_table(
        "recovery",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tranche_id", sa.Uuid(), nullable=False),
        _money("amount"),
        sa.Column("demanded_on", sa.Date(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("demanded_by", sa.Uuid(), nullable=False),
        _created(),
        sa.CheckConstraint("amount > 0", name=op.f("ck_recovery_amount")),
        sa.CheckConstraint("due_on >= demanded_on", name=op.f("ck_recovery_due")),
        sa.CheckConstraint("length(document) > 0 and length(reason) > 0", name=op.f("ck_recovery_said")),
        sa.ForeignKeyConstraint(["tranche_id"], ["tranche.id"], name=op.f("fk_recovery_tranche_id")),
        sa.ForeignKeyConstraint(["demanded_by"], ["user_account.id"], name=op.f("fk_recovery_demanded_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery")),
    )
    op.create_index("ix_recovery_tranche", "recovery", ["tranche_id"])
    op.create_table(
        "recovery_receipt",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("recovery_id", sa.Uuid(), nullable=False),
        _money("amount"),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        _created(),
        sa.CheckConstraint("amount > 0", name=op.f("ck_recovery_receipt_amount")),
        sa.CheckConstraint("length(document) > 0", name=op.f("ck_recovery_receipt_document")),
        sa.ForeignKeyConstraint(["recovery_id"], ["recovery.id"], name=op.f("fk_recovery_receipt_recovery_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_receipt")),
    )
    op.create_index("ix_recovery_receipt_recovery", "recovery_receipt", ["recovery_id"])
    op.create_table(
        "agreement_change",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("agreement_id", sa.Uuid(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("released", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        _created(),
        sa.CheckConstraint("length(document) > 0 and length(reason) > 0", name=op.f("ck_agreement_change_said")),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreement.id"], name=op.f("fk_agreement_change_agreement_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_agreement_change")),
    )
    op.create_index("ix_agreement_change_agreement", "agreement_change", ["agreement_id", "id"])
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
    for table in TABLES:
        op.drop_table(table)
    for name in (
        "guard_agreement",
        "guard_agreement_part",
        "guard_signed_tranche",
        "check_tranches_fit",
        "check_recovery",
        "check_receipt",
    ):
        op.execute(f"drop function {name}()")
