"""A chain of decisions, refusals of awards, proposals for the reserve list, appeals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "commission_reserve"
down_revision = "commission_meetings"
branch_labels = None
depends_on = None

STATES = (
    "'draft', 'sealed', 'submitted', 'withdrawn', 'returned', 'rejected', 'expertise', 'awarded', 'reserve', 'declined'"
)

FUNCTIONS = (
    # A decision follows the published one before it; nothing of the chain changes afterwards.
    """
    create function guard_chain() returns trigger language plpgsql as $$
    begin
        if tg_op = 'UPDATE' then
            if (new.number, new.kind, new.follows_id, new.grounds, new.tender_track_id, new.digest)
                is distinct from (old.number, old.kind, old.follows_id, old.grounds, old.tender_track_id, old.digest) then
                raise exception 'decision % stays as it was drafted', old.id
                    using errcode = 'integrity_constraint_violation';
            end if;
        elsif new.number > 1 then
            perform from award_decision
                where id = new.follows_id and number = new.number - 1 and tender_track_id = new.tender_track_id
                    and published_at is not null and discarded_at is null;
            if not found then
                raise exception 'decision % does not follow a published one', new.id
                    using errcode = 'check_violation', constraint = 'decision_chain';
            end if;
        end if;
        return new;
    end $$
    """,
    # Money has come back to an envelope: who is next on the reserve list?
    """
    create function reserve_due() returns trigger language plpgsql as $$
    begin
        insert into task (id, kind, lane, payload, key)
        select gen_random_uuid(), 'propose_reserve', 'work', jsonb_build_object('posting_id', posting.id),
            'propose_reserve:' || posting.id
        from (select distinct posting_id from fresh where account = 'available' and amount > 0) as gained
        join posting on posting.id = gained.posting_id
        where posting.kind in ('release', 'return', 'restore')
            and exists (select from decision_line where outcome = 'reserve')
        on conflict (key) do nothing;
        return null;
    end $$
    """,
    """
    create function guard_reserve_proposal() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' or old.state <> 'open'
            or (new.tender_track_id, new.posting_id, new.available, new.lines)
                is distinct from (old.tender_track_id, old.posting_id, old.available, old.lines) then
            raise exception 'proposal % stays as it is', old.id using errcode = 'integrity_constraint_violation';
        end if;
        return new;
    end $$
    """,
    # By others than those who decided; what was written stays.
    """
    create function guard_appeal() returns trigger language plpgsql as $$
    begin
        if tg_op = 'DELETE' or old.state in ('inadmissible', 'upheld', 'dismissed')
            or (new.application_id, new.decision_id, new.text, new.filed_by, new.filed_at, new.due_at)
                is distinct from (old.application_id, old.decision_id, old.text, old.filed_by, old.filed_at, old.due_at)
            or (old.state = 'admitted' and (new.examined_by, new.examination) is distinct from
                (old.examined_by, old.examination)) then
            raise exception 'appeal % stays as it is', old.id using errcode = 'integrity_constraint_violation';
        end if;
        if exists (
            select from award_decision where id = new.decision_id and drafted_by in (new.examined_by, new.decided_by)
        ) or exists (
            select from decision_signature
            where decision_id = new.decision_id and signed_by in (new.examined_by, new.decided_by)
        ) then
            raise exception 'appeal % is decided by others than those who decided', new.id
                using errcode = 'check_violation', constraint = 'appeal_by_others';
        end if;
        return new;
    end $$
    """,
)
TRIGGERS = (
    "create trigger guard_chain before insert or update on award_decision for each row execute function guard_chain()",
    "create trigger reserve_due after insert on posting_line referencing new table as fresh"
    " for each statement execute function reserve_due()",
    "create trigger guard_reserve_proposal before update or delete on reserve_proposal"
    " for each row execute function guard_reserve_proposal()",
    "create trigger guard_appeal before update or delete on appeal for each row execute function guard_appeal()",
    *(
        f"create trigger {name} before {event} on award_refusal for each {each} execute function refuse_change()"
        for name, event, each in (
            ("append_only", "update or delete", "row"),
            ("never_truncated", "truncate", "statement"),
        )
    ),
)


def _person(column: str, table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["user_account.id"], name=op.f(f"fk_{table}_{column}"))


def _now(name: str) -> "sa.Column[object]":
    return sa.Column(name, sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False)


def upgrade() -> None:
    op.drop_constraint(op.f("ck_application_state"), "application", type_="check")
    op.create_check_constraint(op.f("ck_application_state"), "application", f"state in ({STATES}, 'renounced')")
    op.add_column("award_decision", sa.Column("number", sa.Integer(), server_default="1", nullable=False))
    op.add_column("award_decision", sa.Column("kind", sa.String(), server_default="first", nullable=False))
    op.add_column("award_decision", sa.Column("follows_id", sa.Uuid(), nullable=True))
    op.add_column("award_decision", sa.Column("grounds", sa.String(), server_default="", nullable=False))
    op.create_foreign_key(
        op.f("fk_award_decision_follows_id"), "award_decision", "award_decision", ["follows_id"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_award_decision_kind"), "award_decision", "kind in ('first', 'supplementary', 'correction')"
    )
    op.create_check_constraint(
        op.f("ck_award_decision_chain"),
        "award_decision",
        "(number = 1) = (follows_id is null) and (number = 1) = (kind = 'first') and number > 0",
    )
    op.create_check_constraint(
        op.f("ck_award_decision_grounds"), "award_decision", "kind = 'first' or grounds <> ''"
    )
    op.drop_index("uq_award_decision_live", table_name="award_decision")
    op.create_index(
        "uq_award_decision_live",
        "award_decision",
        ["tender_track_id", "number"],
        unique=True,
        postgresql_where=sa.text("discarded_at is null"),
    )
    op.create_table(
        "award_refusal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("refused_by", sa.Uuid(), nullable=False),
        _now("refused_at"),
        sa.CheckConstraint("reason <> ''", name=op.f("ck_award_refusal_reason")),
        sa.ForeignKeyConstraint(["line_id"], ["decision_line.id"], name=op.f("fk_award_refusal_line_id")),
        _person("refused_by", "award_refusal"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_award_refusal")),
        sa.UniqueConstraint("line_id", name=op.f("uq_award_refusal_line_id")),
    )
    _proposals()
    _appeals()
    for statement in (*FUNCTIONS, *TRIGGERS):
        op.execute(statement)


def _proposals() -> None:
    op.create_table(
        "reserve_proposal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("posting_id", sa.Uuid(), nullable=False),
        sa.Column("available", postgresql.JSONB(), nullable=False),
        sa.Column("lines", postgresql.JSONB(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=True),
        sa.Column("ended_by", sa.Uuid(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        _now("created_at"),
        sa.CheckConstraint(
            "state in ('open', 'drafted', 'dismissed', 'replaced')", name=op.f("ck_reserve_proposal_state")
        ),
        sa.CheckConstraint(
            "(state = 'drafted') = (decision_id is not null)", name=op.f("ck_reserve_proposal_decision")
        ),
        sa.CheckConstraint("(state = 'dismissed') = (reason is not null)", name=op.f("ck_reserve_proposal_reason")),
        sa.CheckConstraint(
            "(state in ('drafted', 'dismissed')) = (ended_by is not null)", name=op.f("ck_reserve_proposal_ended_by")
        ),
        sa.ForeignKeyConstraint(
            ["tender_track_id"], ["tender_track.id"], name=op.f("fk_reserve_proposal_tender_track_id")
        ),
        sa.ForeignKeyConstraint(["posting_id"], ["posting.id"], name=op.f("fk_reserve_proposal_posting_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["award_decision.id"], name=op.f("fk_reserve_proposal_decision_id")),
        _person("ended_by", "reserve_proposal"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reserve_proposal")),
        sa.UniqueConstraint(
            "posting_id", "tender_track_id", name=op.f("uq_reserve_proposal_posting_id_tender_track_id")
        ),
    )
    op.create_index(
        "uq_reserve_proposal_open",
        "reserve_proposal",
        ["tender_track_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )


def _appeals() -> None:
    op.create_table(
        "appeal",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("decision_id", sa.Uuid(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("filed_by", sa.Uuid(), nullable=False),
        sa.Column("filed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("examined_by", sa.Uuid(), nullable=True),
        sa.Column("examined_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("examination", sa.String(), nullable=True),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ruling", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state in ('filed', 'admitted', 'inadmissible', 'upheld', 'dismissed')", name=op.f("ck_appeal_state")
        ),
        sa.CheckConstraint("text <> ''", name=op.f("ck_appeal_text")),
        sa.CheckConstraint("filed_at < due_at", name=op.f("ck_appeal_in_time")),
        sa.CheckConstraint(
            "(examined_by is null) = (state = 'filed') and (examined_at is null) = (examined_by is null)"
            " and (examined_by is null) = (examination is null)",
            name=op.f("ck_appeal_examined"),
        ),
        sa.CheckConstraint(
            "(decided_by is null) = (state not in ('upheld', 'dismissed'))"
            " and (decided_at is null) = (decided_by is null) and (decided_by is null) = (ruling is null)",
            name=op.f("ck_appeal_decided"),
        ),
        sa.ForeignKeyConstraint(["application_id"], ["application.id"], name=op.f("fk_appeal_application_id")),
        sa.ForeignKeyConstraint(["decision_id"], ["award_decision.id"], name=op.f("fk_appeal_decision_id")),
        _person("filed_by", "appeal"),
        _person("examined_by", "appeal"),
        _person("decided_by", "appeal"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appeal")),
        sa.UniqueConstraint("application_id", "decision_id", name=op.f("uq_appeal_application_id_decision_id")),
    )
    op.create_index("ix_appeal_filed", "appeal", ["filed_at", "id"])
    op.create_index("ix_appeal_decision", "appeal", ["decision_id"])


def downgrade() -> None:
    for table in ("appeal", "reserve_proposal", "award_refusal"):
        op.drop_table(table)
    op.execute("drop trigger reserve_due on posting_line")
    op.execute("drop trigger guard_chain on award_decision")
    for name in ("guard_appeal", "guard_reserve_proposal", "reserve_due", "guard_chain"):
        op.execute(f"drop function {name}()")
    op.drop_index("uq_award_decision_live", table_name="award_decision")
    for column in ("number", "kind", "follows_id", "grounds"):
        op.drop_column("award_decision", column)
    op.create_index(
        "uq_award_decision_live",
        "award_decision",
        ["tender_track_id"],
        unique=True,
        postgresql_where=sa.text("discarded_at is null"),
    )
    op.drop_constraint(op.f("ck_application_state"), "application", type_="check")
    op.create_check_constraint(op.f("ck_application_state"), "application", f"state in ({STATES})")
