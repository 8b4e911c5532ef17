"""The pool of reviewers and proposals of who reviews what; the database holds the reviewers' load limits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "assignment_plans"
down_revision = "calibration_evaluation"
branch_labels = None
depends_on = None

FUNCTIONS = (
    # One lock for each reviewer, the same as for conflicts, so that two assignments at once cannot both see the last free place. The count is a
    # statement of its own: under READ COMMITTED it sees what was committed while the lock was waited for.
    """
    create function hold_reviewer_load() returns trigger language plpgsql as $$
    declare
        most integer;
        busy integer;
    begin
        if new.state not in ('assigned', 'open')
            or (tg_op = 'UPDATE' and old.state in ('assigned', 'open') and old.reviewer_id = new.reviewer_id) then
            return new;
        end if;
        perform lock_person(new.reviewer_id);
        select coalesce((select load_limit from reviewer_profile where user_id = new.reviewer_id), 15) into most;
        select count(*) into busy
        from assignment
        join application on application.id = assignment.application_id
        where assignment.reviewer_id = new.reviewer_id and assignment.state in ('assigned', 'open')
            and assignment.id <> new.id
            and application.tender_id = (select tender_id from application where id = new.application_id);
        if busy >= most then
            raise exception 'reviewer % has % unfinished reviews of this tender already', new.reviewer_id, busy
                using errcode = 'check_violation', constraint = 'reviewer_load_limit';
        end if;
        return new;
    end $$
    """,
    """
    create trigger reviewer_load before insert or update of state, reviewer_id on assignment
        for each row execute function hold_reviewer_load()
    """,
    """
    create trigger append_only before update or delete or truncate on assignment_plan_line
        for each statement execute function refuse_change()
    """,
)


def upgrade() -> None:
    op.create_table(
        "reviewer_profile",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        *(
            sa.Column(name, postgresql.ARRAY(sa.Text()), nullable=False)
            for name in ("classes", "lanes", "languages")
        ),
        sa.Column("load_limit", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint("load_limit between 1 and 200", name=op.f("ck_reviewer_profile_load_limit")),
        sa.CheckConstraint(
            "languages <@ array['ru', 'en']::text[] and cardinality(languages) > 0",
            name=op.f("ck_reviewer_profile_languages"),
        ),
        sa.CheckConstraint(
            r"array_to_string(classes, ' ') ~ '^(\d{2}(\.\d{1,2}(\.\d{1,2}(\.\d{1,3})?)?)?( |$))*$'",
            name=op.f("ck_reviewer_profile_classes"),
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_reviewer_profile_user_id")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_reviewer_profile")),
    )
    op.create_table(
        "reviewer_absence",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_reviewer_absence_order")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_reviewer_absence_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviewer_absence")),
    )
    op.create_index("ix_reviewer_absence_user", "reviewer_absence", ["user_id", "ends_on"])
    op.create_table(
        "assignment_plan",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tender_track_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("keep_asked", sa.Boolean(), nullable=False),
        sa.Column("phase", sa.Integer(), nullable=False),
        sa.Column("task_id", sa.Uuid(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("applications", "reviewers", "wanted")),
        sa.Column("inputs_digest", sa.String(), nullable=True),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("cost", sa.Integer(), nullable=True),
        sa.Column("gap", sa.Numeric(9, 6), nullable=True),
        sa.Column("seconds", sa.Numeric(8, 2), nullable=True),
        sa.Column("loads", postgresql.JSONB(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.Uuid(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("portal_now()"), nullable=False
        ),
        sa.CheckConstraint(
            "state in ('computing', 'proposed', 'confirmed', 'discarded')", name=op.f("ck_assignment_plan_state")
        ),
        sa.CheckConstraint("phase between 0 and 3", name=op.f("ck_assignment_plan_phase")),
        sa.CheckConstraint(
            "state not in ('proposed', 'confirmed') or (phase = 3 and digest is not null)",
            name=op.f("ck_assignment_plan_computed"),
        ),
        sa.CheckConstraint(
            "(state = 'confirmed') = (confirmed_at is not null) and (confirmed_at is null) = (confirmed_by is null)",
            name=op.f("ck_assignment_plan_confirmed"),
        ),
        sa.ForeignKeyConstraint(
            ["tender_track_id"], ["tender_track.id"], name=op.f("fk_assignment_plan_tender_track_id")
        ),
        sa.ForeignKeyConstraint(["created_by"], ["user_account.id"], name=op.f("fk_assignment_plan_created_by")),
        sa.ForeignKeyConstraint(["confirmed_by"], ["user_account.id"], name=op.f("fk_assignment_plan_confirmed_by")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment_plan")),
    )
    op.create_index(
        "uq_assignment_plan_live",
        "assignment_plan",
        ["tender_track_id"],
        unique=True,
        postgresql_where=sa.text("state in ('computing', 'proposed')"),
    )
    op.create_index("ix_assignment_plan_track", "assignment_plan", ["tender_track_id", "id"])
    op.create_table(
        "assignment_plan_line",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("application_id", sa.Uuid(), nullable=False),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("reviewer_id", sa.Uuid(), nullable=True),
        sa.Column("change", sa.String(), nullable=False),
        sa.Column("fit", sa.Integer(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("reasons", postgresql.JSONB(), nullable=False),
        sa.CheckConstraint(
            "change in ('new', 'kept', 'revoked', 'unmet')", name=op.f("ck_assignment_plan_line_change")
        ),
        sa.CheckConstraint(
            "(change = 'unmet') = (reviewer_id is null)", name=op.f("ck_assignment_plan_line_reviewer")
        ),
        sa.CheckConstraint("count >= 1", name=op.f("ck_assignment_plan_line_count")),
        sa.CheckConstraint("fit between 0 and 100", name=op.f("ck_assignment_plan_line_fit")),
        sa.ForeignKeyConstraint(["plan_id"], ["assignment_plan.id"], name=op.f("fk_assignment_plan_line_plan_id")),
        sa.ForeignKeyConstraint(
            ["application_id"], ["application.id"], name=op.f("fk_assignment_plan_line_application_id")
        ),
        sa.ForeignKeyConstraint(
            ["reviewer_id"], ["user_account.id"], name=op.f("fk_assignment_plan_line_reviewer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment_plan_line")),
    )
    op.create_index("ix_assignment_plan_line_list", "assignment_plan_line", ["plan_id", "change", "id"])
    for statement in FUNCTIONS:
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop trigger reviewer_load on assignment")
    op.execute("drop function hold_reviewer_load")
    for table in ("assignment_plan_line", "assignment_plan", "reviewer_absence", "reviewer_profile"):
        op.drop_table(table)
